//! Proofs for others (C2SP tlog-proof): one leaf's inclusion with the checkpoint it is included under.
#![forbid(unsafe_code)]

#[cfg(feature = "verify")]
mod record;

#[cfg(feature = "verify")]
pub use record::{Included, RecordProof};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::checkpoint::Checkpoint;
use crate::note::{NoteError, VerifierKey};
use crate::tree::{self, Hash, ProofError, hash_leaf};

/// First line of a proof.
pub const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Most hashes that a proof of a tree of 2⁶³ leaves can need.
pub const MAX_HASHES: usize = 63;

/// What is wrong with a proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeafProofError {
    /// Not a proof.
    #[error("not a proof: {0}")]
    Malformed(&'static str),
    /// Its checkpoint is not good.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
    /// Its hashes do not lead from the leaf to the checkpoint's root.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}

/// The inclusion of one leaf under a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafProof {
    /// Bytes that travel along and that nothing vouches for.
    pub extra: Option<Vec<u8>>,
    /// The leaf's index.
    pub index: u64,
    /// The inclusion proof, leaf end first.
    pub hashes: Vec<Hash>,
    /// The checkpoint, exact bytes.
    pub checkpoint: Vec<u8>,
}

impl LeafProof {
    /// The proof's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{HEADER}\n");
        if let Some(extra) = &self.extra {
            text.push_str(&format!("extra {}\n", STANDARD.encode(extra)));
        }
        text.push_str(&format!("index {}\n", self.index));
        for hash in &self.hashes {
            text.push_str(&STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        let mut out = text.into_bytes();
        out.extend_from_slice(&self.checkpoint);
        out
    }

    /// Takes a proof apart; nothing is verified.
    ///
    /// # Errors
    /// Any other shape; more than [`MAX_HASHES`] hashes.
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafProofError> {
        let malformed = LeafProofError::Malformed;
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("not UTF-8"))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(malformed("no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(malformed("its first line is another one"));
        }
        let extra = match lines.peek().and_then(|line| line.strip_prefix("extra ")) {
            Some(extra) => {
                lines.next();
                Some(
                    STANDARD
                        .decode(extra)
                        .map_err(|_| malformed("its extra line is not base64"))?,
                )
            }
            None => None,
        };
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index
            .and_then(crate::checkpoint::parse_size)
            .ok_or(malformed("no index line"))?;
        let mut hashes = Vec::new();
        for line in lines {
            if hashes.len() == MAX_HASHES {
                return Err(malformed("more than 63 hashes"));
            }
            let hash = STANDARD
                .decode(line)
                .ok()
                .and_then(|hash| hash.try_into().ok());
            hashes.push(hash.ok_or(malformed("a hash that is not 32 bytes in base64"))?);
        }
        Ok(Self {
            extra,
            index,
            hashes,
            checkpoint: checkpoint.as_bytes().to_vec(),
        })
    }

    /// Checks that `leaf` is included under the proof's checkpoint and that `key` signed that.
    ///
    /// # Errors
    /// A checkpoint that is not good, hashes that do not lead from the leaf to its root.
    pub fn verify(&self, leaf: &[u8], key: &VerifierKey) -> Result<Checkpoint, LeafProofError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        let head = checkpoint.head;
        tree::verify_inclusion(
            &hash_leaf(leaf),
            self.index,
            head.size,
            &self.hashes,
            &head.root,
        )?;
        Ok(checkpoint)
    }
}
