//! What the trees hold: one leaf per record, one leaf per statement of the collector about its ledger.
#![forbid(unsafe_code)]

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

use crate::bytes::{Cursor, pad32};
use crate::hex;
use crate::tree::Hash;

mod control;
mod private;
mod record;

pub use crate::bytes::Malformed;
pub use control::{ControlBody, ControlLeaf, NO_HEAD, NO_INCARNATION, epoch_message};
pub use private::{
    Cause, ConfigChange, ConflictNote, GapNote, Private, PruneNote, Receipt, RefusedPayload,
    RequestBinding, RestoreNote, SessionLink, StreamOpening, control_commitment,
};
pub use record::{RECORD_LEAF, RecordLeaf, flag};

/// Version byte of every leaf.
pub const VERSION: u8 = 1;

/// 32 random bytes, fresh for each commitment.
pub type Salt = [u8; 32];

macro_rules! identifier {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::write(f, &self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                hex::parse(text)
                    .map(Self)
                    .ok_or_else(|| NotAnId(text.to_owned()))
            }
        }
    };
}

identifier!(
    LedgerId,
    "A ledger's name: 32 random bytes, written in its genesis leaf."
);
identifier!(
    StreamId,
    "A stream's name, derived from its ledger and a nonce the collector chose."
);

/// Text that is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not 64 lower-case hexadecimal digits")]
pub struct NotAnId(pub String);

impl StreamId {
    /// `SHA-256(pad32("recount/stream/v1") ‖ ledger_id ‖ nonce)`.
    #[must_use]
    pub fn derive(ledger: &LedgerId, nonce: &[u8; 16]) -> Self {
        const TAG: [u8; 32] = pad32("recount/stream/v1");
        Self(
            Sha256::new()
                .chain_update(TAG)
                .chain_update(ledger.0)
                .chain_update(nonce)
                .finalize()
                .into(),
        )
    }
}

/// Reads the 32 bytes of an identifier.
fn stream_id(cursor: &mut Cursor<'_>) -> Result<StreamId, Malformed> {
    cursor.array("stream_id").map(StreamId)
}

/// Size and root of a tree, as a head or a seal states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}
