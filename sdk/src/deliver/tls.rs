//! Whom an `https://` collector's certificate is taken from: the system's authorities, or those of one file.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::error::SetupError;

/// The configuration of a connection; `authorities` is a PEM file.
pub(super) fn config(authorities: Option<&Path>) -> Result<TlsConfig, SetupError> {
    let roots = match authorities {
        Some(path) => RootCerts::Specific(Arc::new(read(path)?)),
        None => RootCerts::PlatformVerifier,
    };
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .root_certs(roots)
        .unversioned_rustls_crypto_provider(crypto)
        .build())
}

fn read(path: &Path) -> Result<Vec<ureq::tls::Certificate<'static>>, SetupError> {
    let wrong = |why: String| SetupError::Setting {
        name: "RECOUNT_CA",
        value: path.display().to_string(),
        why,
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(one) = item.map_err(|error| wrong(error.to_string()))? {
            certificates.push(one);
        }
    }
    if certificates.is_empty() {
        return Err(wrong(
            "no certificate in it; a PEM file is wanted".to_owned(),
        ));
    }
    Ok(certificates)
}
