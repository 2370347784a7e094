//! What a ledger is recognised by: its name, its key and the start of its epoch chain in 32 bytes.
#![forbid(unsafe_code)]

use std::fmt;

use sha2::{Digest, Sha256};

use crate::bytes::pad32;
use crate::leaf::LedgerId;

/// SHA-256 over a tag, the ledger's id, its identity key and the key of epoch 1 (zeros where no seal names one).
///
/// The identity key stays in use, so it alone cannot show that the past was not written anew; the key of epoch 1
/// is destroyed with that epoch. Both were printed when the ledger was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// The fingerprint of a ledger.
    #[must_use]
    pub fn of(ledger: &LedgerId, identity: &[u8; 32], epoch_1: &[u8; 32]) -> Self {
        let digest = Sha256::new()
            .chain_update(pad32("recount/fingerprint/v1"))
            .chain_update(ledger.0)
            .chain_update(identity)
            .chain_update(epoch_1)
            .finalize();
        Self(digest.into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        crate::hex::write(f, &self.0)
    }
}
