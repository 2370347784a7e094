//! The files that TLS needs: the doors' certificate and its key, and the authorities of client certificates.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What the doors speak once the handshake is done: gRPC is HTTP/2, OTLP/HTTP either.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Where the doors' certificate and key are, and who certifies clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    /// The certificate and what it was signed with, in PEM.
    pub(crate) certificate: PathBuf,
    /// Its private key, in PEM.
    pub(crate) key: PathBuf,
    /// Authorities whose client certificates count; without them no client is asked for one.
    pub(crate) client_ca: Option<PathBuf>,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{what} {}: {why}", path.display())]
pub(crate) struct Unusable {
    pub(crate) what: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) why: String,
}

/// What tells one state of the files from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<Option<(u64, u64, i64, i64)>>);

impl Files {
    /// The files' state now.
    pub(crate) fn stamp(&self) -> Stamp {
        let paths = [&self.certificate, &self.key].into_iter();
        let stamps = paths.chain(&self.client_ca).map(|path| {
            let meta = fs::metadata(path).ok()?;
            Some((meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec()))
        });
        Stamp(stamps.collect())
    }

    /// Reads them.
    ///
    /// # Errors
    /// A file that cannot be read, or does not hold what it should; a key that is not the certificate's.
    pub(crate) fn read(&self) -> Result<ServerConfig, Unusable> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let chain = certificates("tls_cert", &self.certificate)?;
        let unusable = |what, path: &Path, why: &dyn fmt::Display| Unusable {
            what,
            path: path.to_path_buf(),
            why: why.to_string(),
        };
        let key = PrivateKeyDer::from_pem_file(&self.key)
            .map_err(|error| unusable("tls_key", &self.key, &said(error, "private key")))?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable("tls_cert", &self.certificate, &error))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => builder.with_client_cert_verifier(clients(path, provider)?),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| unusable("tls_key", &self.key, &error))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        // A connection that is taken up again would show no certificate: whether it still counts is asked every time.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

/// Who judges client certificates: whoever shows one needs one that counts; whoever shows none has a token, or nothing.
fn clients(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, Unusable> {
    const WHAT: &str = "tls_client_ca";
    let unusable = |why: &dyn fmt::Display| Unusable {
        what: WHAT,
        path: path.to_path_buf(),
        why: why.to_string(),
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(WHAT, path)? {
        roots.add(certificate).map_err(|error| unusable(&error))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| unusable(&error))
}

/// The certificates in a PEM file, at least one.
pub(crate) fn certificates(
    what: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let unusable = |why: String| Unusable {
        what,
        path: path.to_path_buf(),
        why,
    };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = read.map_err(|error| unusable(said(error, "certificate")))?;
    match found.is_empty() {
        true => Err(unusable(said(pem::Error::NoItemsFound, "certificate"))),
        false => Ok(found),
    }
}

fn said(error: pem::Error, wanted: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("there is no {wanted} in it; a PEM file is wanted"),
        pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            "there is no such file".to_owned()
        }
        pem::Error::Io(error) => error.to_string(),
        other => format!("it is not PEM: {other}"),
    }
}
