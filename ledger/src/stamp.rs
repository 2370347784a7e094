//! Time stamps of authorities (RFC 3161): asking for one, checking one, and what those in a ledger prove about time.
//!
//! Pure like the rest of the verifier: no clock, no file, no network. Without certificates of a CA that the reader
//! trusts, a token shows that somebody signed it, which may be whoever writes the ledger.
#![forbid(unsafe_code)]

mod bounds;
mod der;
mod token;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use crate::checkpoint::Checkpoint;

pub use bounds::add_times;
pub use token::{BadToken, Stamp, check_response, check_token, request, stated};

/// The certificates of the CAs to which signers of time stamps are traced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Authorities(Vec<CertificateDer<'static>>);

/// Why a file gives no certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCertificates {
    /// It is not PEM.
    #[error("it is not PEM: {0}")]
    NotPem(String),
    /// It is PEM and holds none, or one that no chain can end in.
    #[error("it holds no certificate of a CA")]
    None,
}

impl Authorities {
    /// Nobody: tokens are checked as far as they can be without, and traced to no one.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every certificate in a PEM file, at least one.
    ///
    /// # Errors
    /// Those of [`NoCertificates`].
    pub fn pem(text: &[u8]) -> Result<Self, NoCertificates> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
        let found = found.map_err(|error| NoCertificates::NotPem(error.to_string()))?;
        let usable = |it: &CertificateDer<'_>| webpki::anchor_from_trusted_cert(it).is_ok();
        if found.is_empty() || !found.iter().all(usable) {
            return Err(NoCertificates::None);
        }
        Ok(Self(found))
    }

    /// These and others.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }
}

/// What is stamped of a checkpoint: the SHA-256 of its three lines.
#[must_use]
pub fn imprint(checkpoint: &Checkpoint) -> [u8; 32] {
    Sha256::digest(checkpoint.text()).into()
}
