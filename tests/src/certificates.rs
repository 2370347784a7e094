//! Certificates for tests: an authority, and what it certifies.

use libtest_mimic::Failed;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

/// An authority of one's own.
pub struct Certifier {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: PathBuf,
    /// Its certificate, in PEM.
    pub authority: PathBuf,
}

impl std::fmt::Debug for Certifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certifier({})", self.authority.display())
    }
}

/// A certificate and its private key, in PEM files.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// What a certificate is for, and until when.
#[derive(Clone, Copy, Debug)]
pub enum For {
    /// A door on this machine.
    Door,
    /// A client.
    Client,
    /// A client, and no longer.
    ExpiredClient,
}

impl Certifier {
    /// A new authority, whose files go into a folder of this name.
    ///
    /// # Errors
    /// As files fail.
    pub fn new(dir: &Path) -> Result<Self, Failed> {
        std::fs::create_dir_all(dir)?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let name = format!("authority {}", dir.display());
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let authority = dir.join("authority.pem");
        std::fs::write(&authority, issuer.pem())?;
        Ok(Self {
            issuer,
            dir: dir.to_path_buf(),
            authority,
        })
    }

    /// Certifies a new key.
    ///
    /// # Errors
    /// As files fail.
    pub fn certify(&self, name: &str, what: For) -> Result<Certified, Failed> {
        let key = KeyPair::generate()?;
        let paths = Certified {
            certificate: self.dir.join(format!("{name}.pem")),
            key: self.dir.join(format!("{name}.key")),
        };
        std::fs::write(&paths.key, key.serialize_pem())?;
        self.renew(name, what, &key, &paths)?;
        Ok(paths)
    }

    /// Certifies the key of a certificate once more.
    ///
    /// # Errors
    /// As files fail.
    pub fn certify_again(&self, name: &str, what: For, old: &Certified) -> Result<(), Failed> {
        let key = KeyPair::from_pem(&std::fs::read_to_string(&old.key)?)?;
        self.renew(name, what, &key, old)
    }

    fn renew(&self, name: &str, what: For, key: &KeyPair, paths: &Certified) -> Result<(), Failed> {
        let names = match what {
            For::Door => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
            For::Client | For::ExpiredClient => vec![format!("{name}.agents.test")],
        };
        let mut params = CertificateParams::new(names)?;
        params.extended_key_usages = vec![match what {
            For::Door => ExtendedKeyUsagePurpose::ServerAuth,
            For::Client | For::ExpiredClient => ExtendedKeyUsagePurpose::ClientAuth,
        }];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = match what {
            For::ExpiredClient => date_time_ymd(2021, 1, 1),
            For::Door | For::Client => date_time_ymd(2120, 1, 1),
        };
        let certificate = params.signed_by(key, &self.issuer)?;
        Ok(std::fs::write(&paths.certificate, certificate.pem())?)
    }
}

/// An HTTP client that takes the certificates of one authority, and shows this one.
///
/// # Errors
/// As files fail.
pub fn client(authority: &Path, shown: Option<&Certified>) -> Result<ureq::Agent, Failed> {
    let read = |path: &Path| -> Result<Certificate<'static>, Failed> {
        Ok(Certificate::from_pem(&std::fs::read(path)?)?)
    };
    let shown = match shown {
        Some(shown) => {
            let key = PrivateKey::from_pem(&std::fs::read(&shown.key)?)?;
            let certificate = read(&shown.certificate)?;
            Some(ClientCert::new_with_certs(&[certificate], key))
        }
        None => None,
    };
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(vec![read(authority)?])))
        .client_cert(shown)
        .build();
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(30)))
        .tls_config(tls);
    Ok(ureq::Agent::new_with_config(config.build()))
}
