//! What the trees hold: one leaf per record, one leaf per statement of the collector about its ledger.
#![forbid(unsafe_code)]

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

use crate::bytes::{Cursor, Field, pad32, put_opaque};
use crate::hex;
use crate::tree::Hash;

mod control;
mod private;
mod record;

pub use crate::bytes::Malformed;
pub use control::{ControlBody, ControlLeaf, NO_HEAD, NO_INCARNATION, NOT_DECLARED, epoch_message};
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

        impl Field for $name {
            fn put(&self, out: &mut Vec<u8>, field: &'static str) -> Result<(), Malformed> {
                self.0.put(out, field)
            }

            fn take(cursor: &mut Cursor<'_>, field: &'static str) -> Result<Self, Malformed> {
                cursor.array(field).map(Self)
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

/// Size and root of a tree, as a head or a seal states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

impl Field for TreeHead {
    fn put(&self, out: &mut Vec<u8>, field: &'static str) -> Result<(), Malformed> {
        self.size.put(out, field)?;
        self.root.put(out, field)
    }

    fn take(cursor: &mut Cursor<'_>, field: &'static str) -> Result<Self, Malformed> {
        Ok(Self {
            size: cursor.u64(field)?,
            root: cursor.array(field)?,
        })
    }
}

/// A ledger and what its log was.
impl Field for (LedgerId, TreeHead) {
    fn put(&self, out: &mut Vec<u8>, field: &'static str) -> Result<(), Malformed> {
        self.0.put(out, field)?;
        self.1.put(out, field)
    }

    fn take(cursor: &mut Cursor<'_>, field: &'static str) -> Result<Self, Malformed> {
        Ok((Field::take(cursor, field)?, Field::take(cursor, field)?))
    }
}

/// Text of at most 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShortText(pub String);

impl Field for ShortText {
    fn put(&self, out: &mut Vec<u8>, field: &'static str) -> Result<(), Malformed> {
        put_opaque::<u8>(out, self.0.as_bytes(), field)
    }

    fn take(cursor: &mut Cursor<'_>, field: &'static str) -> Result<Self, Malformed> {
        cursor.text8(field).map(|text| Self(text.to_owned()))
    }
}
