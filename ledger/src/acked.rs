//! The `acked` file: what was acknowledged last, in two slots written alternately.
//!
//! A torn write damages at most the slot being written, so the other one still speaks.
#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};

use crate::bytes::{Cursor, Malformed};
use crate::tree::Hash;

/// First bytes of a slot.
pub const MAGIC: [u8; 16] = *b"recount/acked/1\0";
/// Length of one slot in bytes.
pub const SLOT: usize = 128;
/// Length of the file in bytes.
pub const FILE: usize = 2 * SLOT;

/// What had been committed when the last acknowledgement was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acked {
    /// Number of the commit, counted from 1 over the life of the ledger.
    pub commit: u64,
    /// Leaves in the ledger log after that commit.
    pub size: u64,
    /// Root of the ledger log after that commit.
    pub root: Hash,
}

/// Which slot a commit is written to: they alternate.
#[must_use]
pub fn slot_of(commit: u64) -> usize {
    usize::from(!commit.is_multiple_of(2))
}

impl Acked {
    /// The 128 bytes of a slot: magic, commit, size, root, zeros, SHA-256 of all before it.
    #[must_use]
    pub fn encode(&self) -> [u8; SLOT] {
        let mut slot = [0; SLOT];
        slot[..16].copy_from_slice(&MAGIC);
        slot[16..24].copy_from_slice(&self.commit.to_be_bytes());
        slot[24..32].copy_from_slice(&self.size.to_be_bytes());
        slot[32..64].copy_from_slice(&self.root);
        let sum: Hash = Sha256::digest(&slot[..96]).into();
        slot[96..].copy_from_slice(&sum);
        slot
    }

    /// Reads one slot; `None` if it was never written or is torn.
    #[must_use]
    pub fn decode(slot: &[u8]) -> Option<Self> {
        if slot.len() != SLOT {
            return None;
        }
        let (body, sum) = slot.split_at(96);
        let computed: Hash = Sha256::digest(body).into();
        if computed != *sum || body[64..].iter().any(|b| *b != 0) {
            return None;
        }
        Self::fields(body).ok().flatten()
    }

    fn fields(body: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut cursor = Cursor::new(body);
        if cursor.array::<16>("magic")? != MAGIC {
            return Ok(None);
        }
        let commit = cursor.u64("commit")?;
        Ok(Some(Self {
            commit,
            size: cursor.u64("size")?,
            root: cursor.array("root")?,
        }))
    }

    /// The newer of the two slots of a file; `None` if neither is good.
    #[must_use]
    pub fn newest(file: &[u8]) -> Option<Self> {
        let slots = file.chunks_exact(SLOT).take(2).filter_map(Self::decode);
        slots.max_by_key(|acked| acked.commit)
    }
}
