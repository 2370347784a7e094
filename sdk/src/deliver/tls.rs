//! TLS to an `https://` collector: whom its certificate is taken from, and which one this agent shows.
//!
//! The authorities are the system's, or those of one file. What was read from files is read anew once they change, so
//! that an agent that runs for weeks survives its certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ureq::tls::{
    ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsConfigBuilder, TlsProvider, parse_pem,
};

use crate::error::SetupError;
use crate::settings::{ClientCertificate, Settings};

/// Without any file: the system's authorities, and no certificate.
pub(super) fn usual() -> TlsConfig {
    begun().root_certs(RootCerts::PlatformVerifier).build()
}

fn begun() -> TlsConfigBuilder {
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(crypto)
}

/// What tells one state of a file from another.
type Stamp = Vec<Option<(u64, SystemTime)>>;

/// The PEM files that connections are made with.
pub(super) struct Files {
    authorities: Option<PathBuf>,
    certificate: Option<ClientCertificate>,
    timeout: Duration,
    /// The files as they were last looked at, and what connects since they changed.
    made: Mutex<(Stamp, Option<ureq::Agent>)>,
}

impl Files {
    /// The files that settings name; nothing where they name none.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        if settings.authorities.is_none() && settings.certificate.is_none() {
            return None;
        }
        let files = Self {
            authorities: settings.authorities.clone(),
            certificate: settings.certificate.clone(),
            timeout: settings.export_timeout,
            made: Mutex::default(),
        };
        let stamp = files.stamp();
        files.made.lock().unwrap_or_else(PoisonError::into_inner).0 = stamp;
        Some(files)
    }

    fn stamp(&self) -> Stamp {
        let of_certificate = self
            .certificate
            .iter()
            .flat_map(|one| [&one.chain, &one.key]);
        let paths = self.authorities.iter().chain(of_certificate);
        let stamps = paths.map(|path| {
            let meta = fs::metadata(path).ok()?;
            Some((meta.len(), meta.modified().ok()?))
        });
        stamps.collect()
    }

    /// The configuration of a connection, from the files as they are now.
    pub(super) fn read(&self) -> Result<TlsConfig, SetupError> {
        let roots = match &self.authorities {
            Some(path) => RootCerts::Specific(Arc::new(certificates("RECOUNT_CA", path)?)),
            None => RootCerts::PlatformVerifier,
        };
        let shown = self.certificate.as_ref().map(shown).transpose()?;
        Ok(begun().root_certs(roots).client_cert(shown).build())
    }

    /// What connects now, if the files changed since the first was made. Files that cannot be used, as in the middle of
    /// a renewal, change nothing.
    pub(super) fn renewed(&self) -> Option<ureq::Agent> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.stamp();
        if made.0 != stamp {
            made.0 = stamp;
            if let Ok(tls) = self.read() {
                let config = super::config(self.timeout).tls_config(tls).build();
                made.1 = Some(ureq::Agent::new_with_config(config));
            }
        }
        made.1.clone()
    }
}

fn wrong(name: &'static str, path: &Path, why: &dyn std::fmt::Display) -> SetupError {
    SetupError::Setting {
        name,
        value: path.display().to_string(),
        why: why.to_string(),
    }
}

/// A certificate to show, once it is known to go with its key: a connection could not tell anybody.
fn shown(files: &ClientCertificate) -> Result<ClientCert, SetupError> {
    const CHAIN: &str = "RECOUNT_CLIENT_CERT";
    const KEY: &str = "RECOUNT_CLIENT_KEY";
    let chain = certificates(CHAIN, &files.chain)?;
    let pem = fs::read(&files.key).map_err(|error| wrong(KEY, &files.key, &error))?;
    let none = |_| {
        wrong(
            KEY,
            &files.key,
            &"no private key in it; a PEM file is wanted",
        )
    };
    let key = PrivateKey::from_pem(&pem).map_err(none)?;
    let tried =
        PrivateKeyDer::from_pem_slice(&pem).map_err(|error| wrong(KEY, &files.key, &error))?;
    let ders = chain
        .iter()
        .map(|one| CertificateDer::from(one.der().to_vec()));
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_root_certificates(rustls::RootCertStore::empty()))
        .and_then(|builder| builder.with_client_auth_cert(ders.collect(), tried))
        .map_err(|error| wrong(KEY, &files.key, &format!("not that certificate's: {error}")))?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

fn certificates(
    name: &'static str,
    path: &Path,
) -> Result<Vec<ureq::tls::Certificate<'static>>, SetupError> {
    let pem = fs::read(path).map_err(|error| wrong(name, path, &error))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(one) = item.map_err(|error| wrong(name, path, &error))? {
            certificates.push(one);
        }
    }
    match certificates.is_empty() {
        true => Err(wrong(
            name,
            path,
            &"no certificate in it; a PEM file is wanted",
        )),
        false => Ok(certificates),
    }
}
