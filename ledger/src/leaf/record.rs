//! The leaf of one record: 54 bytes, so that hashing it takes one SHA-256 block.
#![forbid(unsafe_code)]

use super::{Malformed, VERSION};
use crate::bytes::Cursor;
use crate::tree::Hash;

/// Length of a record leaf in bytes.
pub const RECORD_LEAF: usize = 54;

/// Bits of [`RecordLeaf::flags`].
pub mod flag {
    /// Sealed after its stream was closed.
    pub const LATE: u32 = 1;
    /// Came out of a spool: its time of arrival is not evidence that it preceded its action.
    pub const SPOOLED: u32 = 2;
    /// At least one mask was applied; the collector part lists them.
    pub const MASKED: u32 = 4;
    /// The sender waited for the receipt.
    pub const STRICT: u32 = 8;
    /// Other items of the same export were refused.
    pub const PARTLY_REFUSED: u32 = 16;
    /// The wall clock stood before an earlier record's time, so that time was kept.
    pub const CLOCK_HELD: u32 = 32;
}

/// What the stream's tree says about one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordLeaf {
    /// Position in its stream, from 0.
    pub index: u64,
    /// When the collector received it: Unix time in nanoseconds.
    pub received_unix_ns: u64,
    /// Bits of [`flag`]; unknown bits are kept.
    pub flags: u32,
    /// [`crate::envelope::Envelope::commitment`] of the stored bytes.
    pub commitment: Hash,
}

impl RecordLeaf {
    /// The only kind of record leaf of this version.
    pub const KIND: u8 = 1;

    /// The leaf's 54 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; RECORD_LEAF] {
        let mut out = [0; RECORD_LEAF];
        out[0] = VERSION;
        out[1] = Self::KIND;
        out[2..10].copy_from_slice(&self.index.to_be_bytes());
        out[10..18].copy_from_slice(&self.received_unix_ns.to_be_bytes());
        out[18..22].copy_from_slice(&self.flags.to_be_bytes());
        out[22..].copy_from_slice(&self.commitment);
        out
    }

    /// Reads a leaf.
    ///
    /// # Errors
    /// Another length, version or kind.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        cursor.version("record leaf version", VERSION)?;
        match cursor.u8("record leaf kind")? {
            Self::KIND => {}
            other => {
                return Err(Malformed::Value {
                    field: "record leaf kind",
                    value: u64::from(other),
                });
            }
        }
        let leaf = Self {
            index: cursor.u64("index")?,
            received_unix_ns: cursor.u64("received_unix_ns")?,
            flags: cursor.u32("flags")?,
            commitment: cursor.array("commitment")?,
        };
        cursor.end("record leaf")?;
        Ok(leaf)
    }
}
