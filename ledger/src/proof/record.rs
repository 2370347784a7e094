//! The proof of one record: from its leaf to a head of its stream, and from the head's leaf to a checkpoint.
#![forbid(unsafe_code)]

use super::{LeafProof, LeafProofError};
use crate::bytes::Cursor;
use crate::checkpoint::Checkpoint;
use crate::leaf::{
    ControlBody, ControlLeaf, Malformed, RECORD_LEAF, RecordLeaf, StreamId, TreeHead,
};
use crate::note::{Note, NoteError, VerifierKey};
use crate::tree::{self, Hash, hash_leaf};

/// Version of what the `extra` line of such a proof holds.
const VERSION: u8 = 1;
const HEAD: u8 = 4;
const CLOSE: u8 = 5;

/// The inclusion of one record under a checkpoint (`docs/ledger-format.md` §8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordProof {
    /// The record's leaf.
    pub record: [u8; RECORD_LEAF],
    /// From the record to the root of its stream, leaf end first.
    pub path: Vec<Hash>,
    /// When the head's leaf was written: Unix nanoseconds.
    pub unix_ns: u64,
    /// The stream.
    pub stream: StreamId,
    /// Records that the head covers.
    pub size: u64,
    /// Ledger index of the head before, or 2⁶⁴−1.
    pub prev_head_index: u64,
    /// Reason and declared count, where the head is a close.
    pub close: Option<(u8, u64)>,
    /// The head's leaf in the ledger log.
    pub leaf: LeafProof,
}

/// What a good proof shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Included {
    /// The record's leaf.
    pub record: RecordLeaf,
    /// The checkpoint that covers it.
    pub checkpoint: Checkpoint,
}

impl RecordProof {
    /// The proof of a record under a head's leaf. Signatures by others than the checkpoint's first signer are left
    /// out: what they are worth cannot be told from a proof.
    ///
    /// # Errors
    /// A leaf that is no head, a checkpoint that is none.
    pub fn new(
        record: &RecordLeaf,
        path: Vec<Hash>,
        head: &ControlLeaf,
        mut leaf: LeafProof,
    ) -> Result<Self, LeafProofError> {
        let (stream, size, prev_head_index, close) = match &head.body {
            ControlBody::StreamHead {
                stream,
                head,
                prev_head_index,
            } => (stream, head.size, prev_head_index, None),
            ControlBody::StreamClose {
                stream,
                head,
                prev_head_index,
                reason,
                declared,
            } => (
                stream,
                head.size,
                prev_head_index,
                Some((*reason, *declared)),
            ),
            _ => return Err(LeafProofError::Malformed("not under a stream's head")),
        };
        leaf.checkpoint = first_line(&leaf.checkpoint)?;
        Ok(Self {
            record: record.encode(),
            path,
            unix_ns: head.unix_ns,
            stream: *stream,
            size,
            prev_head_index: *prev_head_index,
            close,
            leaf,
        })
    }

    /// The proof's bytes: a tlog-proof of the head's leaf, the record's part in its `extra` line.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut extra = vec![VERSION];
        extra.extend_from_slice(&self.record);
        extra.push(if self.close.is_some() { CLOSE } else { HEAD });
        extra.extend_from_slice(&self.unix_ns.to_be_bytes());
        extra.extend_from_slice(&self.stream.0);
        extra.extend_from_slice(&self.size.to_be_bytes());
        extra.extend_from_slice(&self.prev_head_index.to_be_bytes());
        if let Some((reason, declared)) = self.close {
            extra.push(reason);
            extra.extend_from_slice(&declared.to_be_bytes());
        }
        extra.extend(self.path.iter().flatten());
        let leaf = LeafProof {
            extra: Some(extra),
            ..self.leaf.clone()
        };
        leaf.encode()
    }

    /// Takes a proof apart; nothing is verified.
    ///
    /// # Errors
    /// Any other shape.
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafProofError> {
        let mut leaf = LeafProof::parse(bytes)?;
        let extra = leaf.extra.take();
        let extra = extra.ok_or(LeafProofError::Malformed("it is not of a record"))?;
        let mut cursor = Cursor::new(&extra);
        let wrong = |_| LeafProofError::Malformed("its extra line is not of a record");
        Self::read(&mut cursor, leaf).map_err(wrong)
    }

    fn read(c: &mut Cursor<'_>, leaf: LeafProof) -> Result<Self, Malformed> {
        c.version("record proof version", VERSION)?;
        let record = c.array("record leaf")?;
        let kind = c.u8("kind of head")?;
        let (unix_ns, stream) = (c.u64("time")?, StreamId(c.array("stream")?));
        let (size, prev_head_index) = (c.u64("size")?, c.u64("previous head")?);
        let close = match kind {
            HEAD => None,
            CLOSE => Some((c.u8("reason")?, c.u64("declared")?)),
            other => {
                return Err(Malformed::Value {
                    field: "kind of head",
                    value: u64::from(other),
                });
            }
        };
        let mut path = Vec::new();
        while !c.rest().is_empty() {
            path.push(c.array("path")?);
        }
        Ok(Self {
            record,
            path,
            unix_ns,
            stream,
            size,
            prev_head_index,
            close,
            leaf,
        })
    }

    /// Checks that the record is one of its stream's, and the stream's head one of the leaves that `key` signed.
    ///
    /// # Errors
    /// A checkpoint that is not good, hashes that do not lead to its root.
    pub fn verify(&self, key: &VerifierKey) -> Result<Included, LeafProofError> {
        let malformed = LeafProofError::Malformed;
        let record =
            RecordLeaf::decode(&self.record).map_err(|_| malformed("the record's leaf is none"))?;
        let root = tree::root_by(
            &hash_leaf(&self.record),
            record.index,
            self.size,
            &self.path,
        )?;
        let head = TreeHead {
            size: self.size,
            root,
        };
        let (stream, prev_head_index) = (self.stream, self.prev_head_index);
        let body = match self.close {
            None => ControlBody::StreamHead {
                stream,
                head,
                prev_head_index,
            },
            Some((reason, declared)) => ControlBody::StreamClose {
                stream,
                head,
                prev_head_index,
                reason,
                declared,
            },
        };
        let head = ControlLeaf {
            index: self.leaf.index,
            unix_ns: self.unix_ns,
            body,
        };
        let head = head
            .encode()
            .map_err(|_| malformed("the head's leaf is none"))?;
        let checkpoint = self.leaf.verify(&head, key)?;
        Ok(Included { record, checkpoint })
    }
}

/// A note with its first signature only.
fn first_line(note: &[u8]) -> Result<Vec<u8>, NoteError> {
    let text = Note::parse(note)?.text;
    let lines = note.get(text.len() + 1..).unwrap_or_default();
    let end = lines.iter().position(|byte| *byte == b'\n');
    let end = end.map_or(note.len(), |at| text.len() + 1 + at + 1);
    Ok(note.get(..end).unwrap_or(note).to_vec())
}
