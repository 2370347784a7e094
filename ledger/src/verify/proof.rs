//! The proof of one record, to give away: what its reader will check was checked before.
#![forbid(unsafe_code)]

use super::{Finding, VerifiedStream, Verifier};
use crate::leaf::ControlLeaf;
use crate::proof::{LeafProofError, RecordProof};
use crate::reader::ReadError;
use crate::tree::{Hash, hash_leaf, inclusion};

/// Why there is no proof of a record.
#[derive(Debug, thiserror::Error)]
pub enum NoProof {
    /// The stream does not have that many records.
    #[error("the stream has no record {index}")]
    NoRecord {
        /// Which one was asked for.
        index: u64,
    },
    /// Nothing signed covers it yet.
    #[error("{what}")]
    NotCovered {
        /// What is missing.
        what: &'static str,
    },
    /// What was read does not hold.
    #[error("{what}")]
    NotIntact {
        /// What is wrong, and where.
        what: String,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl From<&Finding> for NoProof {
    fn from(wrong: &Finding) -> Self {
        Self::NotIntact {
            what: format!("{}: {}", wrong.place, wrong.what),
        }
    }
}

impl From<LeafProofError> for NoProof {
    fn from(error: LeafProofError) -> Self {
        Self::NotIntact {
            what: error.to_string(),
        }
    }
}

impl Verifier<'_> {
    /// Proves one record of a stream under the newest checkpoint. The same state of a ledger always gives the same bytes.
    ///
    /// # Errors
    /// [`NoProof`]: not there, not covered by a signature yet, not intact, not readable.
    pub fn record_proof(
        &mut self,
        stream: &VerifiedStream,
        index: u64,
    ) -> Result<RecordProof, NoProof> {
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let record = stream.records.get(at);
        let record = record.ok_or(NoProof::NoRecord { index })?.leaf;
        let findings = self.ledger().findings.iter();
        if let Some(wrong) = findings.chain(&stream.findings).next() {
            return Err(wrong.into());
        }
        let not_covered = |what| NoProof::NotCovered { what };
        let head = stream.head.filter(|head| index < head.head.size);
        let head = head.ok_or(not_covered("no signed head covers the record yet"))?;
        let leaf = self.leaf_proof(head.index)?;
        let stored = self.reader.control(head.index, head.index + 1)?;
        let decoded = stored.first().map(|it| ControlLeaf::decode(&it.leaf));
        let (Some(leaf), Some(Ok(decoded))) = (leaf, decoded) else {
            return Err(not_covered("no checkpoint covers the stream's head yet"));
        };
        let covered = stream.records.iter().map(|it| hash_leaf(&it.leaf.encode()));
        let hashes: Vec<Hash> = covered.collect();
        let path = inclusion(&mut hashes.as_slice(), index, head.head.size);
        let path = path.map_err(|error| NoProof::NotIntact {
            what: error.to_string(),
        })?;
        let proof = RecordProof::new(&record, path, &decoded, leaf)?;
        // What is given away was checked as its reader will check it.
        let key = self.ledger().key.clone();
        let key = key.ok_or_else(|| NoProof::NotIntact {
            what: "the ledger has no key".to_owned(),
        })?;
        proof.verify(&key)?;
        Ok(proof)
    }
}
