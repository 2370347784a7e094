//! What a check proved: the only values that facts are read from.
#![forbid(unsafe_code)]

use super::Finding;
use super::epochs::Epochs;
use super::report::{AnchorSeen, Frame};
use crate::envelope::Envelope;
use crate::leaf::{self, RecordLeaf, StreamId, TreeHead};
use crate::note::VerifierKey;

/// Whether the key was known before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is the pinned one.
    Pinned,
    /// It was taken from the ledger itself.
    FirstSeen,
}

/// A record whose bytes, leaf and place were checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRecord {
    /// Its leaf.
    pub leaf: RecordLeaf,
    /// The envelope's bytes; `None` if they were erased.
    pub(super) bytes: Option<Vec<u8>>,
}

impl VerifiedRecord {
    /// The record's envelope; `None` if it was erased.
    #[must_use]
    pub fn envelope(&self) -> Option<Envelope<'_>> {
        // INVARIANT: only bytes that decoded get here.
        self.bytes
            .as_deref()
            .and_then(|bytes| Envelope::decode(bytes).ok())
    }
}

/// A head that the signed checkpoint covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedHead {
    /// Ledger index of its leaf.
    pub index: u64,
    /// When it was written: Unix nanoseconds.
    pub unix_ns: u64,
    /// Size and root of the stream.
    pub head: TreeHead,
    /// Whether it is a close.
    pub closed: bool,
    /// How many records the producer said it wrote, where it is a close and the producer said so.
    pub declared: Option<u64>,
}

impl VerifiedHead {
    /// What a head or a close says; `None` for another leaf.
    pub(super) fn of(leaf: &leaf::ControlLeaf) -> Option<(StreamId, Self)> {
        use leaf::ControlBody;
        let (stream, head, closed, declared) = match &leaf.body {
            ControlBody::StreamHead { stream, head, .. } => (stream, head, false, None),
            ControlBody::StreamClose {
                stream,
                head,
                declared,
                ..
            } => {
                let said = Some(*declared).filter(|count| *count != leaf::NOT_DECLARED);
                (stream, head, true, said)
            }
            _ => return None,
        };
        let head = Self {
            index: leaf.index,
            unix_ns: leaf.unix_ns,
            head: *head,
            closed,
            declared,
        };
        Some((*stream, head))
    }
}

/// The private part of a control leaf that opens the leaf's commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed<T> {
    /// Ledger index of the leaf.
    pub index: u64,
    /// When the leaf was written: Unix nanoseconds.
    pub unix_ns: u64,
    /// Whether the signed checkpoint covers the leaf; if not, only the store says so for now.
    pub signed: bool,
    /// What it says.
    pub value: T,
}

/// One stream, read from its first record to its last and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedStream {
    /// The stream.
    pub stream: StreamId,
    /// What it was opened as; `None` if the opening was not found, was erased or is broken.
    pub opening: Option<Sealed<leaf::StreamOpening>>,
    /// Sessions it was linked to.
    pub links: Vec<Sealed<leaf::SessionLink>>,
    /// Requests it was bound to.
    pub bindings: Vec<Sealed<leaf::RequestBinding>>,
    /// Its records in order. Those that failed a check are left out and named in `findings`.
    pub records: Vec<VerifiedRecord>,
    /// The newest signed head it equals.
    pub head: Option<VerifiedHead>,
    /// Records after that head: what is there is intact, and nothing signed covers it yet.
    pub tail: u64,
    /// Whether every signed leaf that could be a newer head was looked at, so that none exists.
    pub newest: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// The ledger that was read, as far as a signature covers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedLedger {
    /// The ledger's name.
    pub ledger: Option<leaf::LedgerId>,
    /// Its key.
    pub key: Option<VerifierKey>,
    /// Whether the key was known before.
    pub key_state: KeyState,
    /// Size and root that were signed; `None` if nothing was yet, or falsely.
    pub checkpoint: Option<TreeHead>,
    /// The note that says so, exactly as stored.
    pub checkpoint_note: Option<Vec<u8>>,
    /// Leaves of the ledger log, those after the checkpoint included.
    pub size: u64,
    /// Whether the start of its epoch chain is the one that was named.
    pub epochs_pinned: bool,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Where a request is bound, from every leaf of the ledger log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bindings {
    /// The streams bound to it.
    pub streams: Vec<StreamId>,
    /// Leaves that were looked at: all of them, if there are no findings.
    pub scanned: u64,
    /// Bindings whose private part was erased: they may or may not be of this request.
    pub erased: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Everything, recomputed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recomputed {
    /// The ledger.
    pub ledger: VerifiedLedger,
    /// Streams read.
    pub streams: u64,
    /// Streams whose newest signed head is a close that covers all their records.
    pub closed: u64,
    /// Records read.
    pub records: u64,
    /// Records whose payload was erased with a leaf that says so.
    pub erased: u64,
    /// Records that no signed head covers yet.
    pub open: u64,
    /// Bytes of envelopes hashed.
    pub bytes: u64,
    /// Every head that was checked and agreed.
    pub heads: u64,
    /// The chain of epoch keys; `None` if there is no genesis leaf to begin it.
    pub epochs: Option<Epochs>,
    /// Gap leaves: numbers of producers that never came.
    pub gap_leaves: u64,
    /// Receipts of anchors.
    pub anchors: Vec<AnchorSeen>,
    /// Where the records lie in the ledger log; `None` where a stream has no signed head.
    pub frame: Option<Frame>,
    /// What is wrong, ledger first, then stream by stream.
    pub findings: Vec<Finding>,
}

/// How far [`super::verify_all`] has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Streams done.
    pub streams: u64,
    /// Streams in all.
    pub of: u64,
    /// Records done.
    pub records: u64,
}
