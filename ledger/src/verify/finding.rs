//! What a check found wrong, and where.
#![forbid(unsafe_code)]

use std::fmt;

use crate::leaf::StreamId;
use crate::reader::{Log, ReadError};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// Another key than the pinned one signs.
    KeyChanged,
    /// The checkpoint is malformed or its signature false.
    Checkpoint,
    /// Two trees of one size with different roots, or a tree that does not extend an older one.
    Fork,
    /// Fewer leaves than were signed or acknowledged, or nothing that says how many were acknowledged.
    Truncated,
    /// A control leaf is damaged or does not lead to the signed root.
    Control,
    /// A private part does not open its leaf's commitment.
    Private,
    /// A head is not the root of its stream's records.
    Head,
    /// A record's leaf is damaged or at another place.
    Leaf,
    /// A record's bytes do not open its leaf's commitment.
    Payload,
    /// A record is not there.
    Missing,
    /// A payload is gone and no erasure leaf says why.
    ErasedUnexplained,
    /// An epoch seal is missing, not by its epoch's key, or over another tree.
    Epoch,
    /// A tile holds other hashes than the leaves give.
    Tile,
    /// The index disagrees with the sealed bytes.
    Index,
    /// The store's own structure is damaged, so that something in it cannot be read at all.
    Damaged,
    /// The store could not be read.
    Unreadable,
}

/// Where it is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The ledger as a whole.
    Ledger,
    /// Leaves `from..to` of the ledger log.
    Control {
        /// First.
        from: u64,
        /// One past the last.
        to: u64,
    },
    /// Records `from..to` of a stream.
    Records {
        /// The stream.
        stream: StreamId,
        /// First.
        from: u64,
        /// One past the last.
        to: u64,
    },
    /// A stream as a whole.
    Stream(StreamId),
    /// A tile.
    Tile {
        /// Of which log.
        log: Log,
        /// Its level.
        level: u8,
        /// Its number.
        n: u64,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ledger => f.write_str("ledger"),
            Self::Control { from, to } => write!(f, "ledger leaf {}", Range(*from, *to)),
            Self::Records { stream, from, to } => {
                write!(f, "stream {stream} record {}", Range(*from, *to))
            }
            Self::Stream(stream) => write!(f, "stream {stream}"),
            Self::Tile { log, level, n } => {
                let covers = 256_u64.saturating_pow(u32::from(*level) + 1);
                let first = n.saturating_mul(covers);
                let leaves = Range(first, first.saturating_add(covers));
                match log {
                    Log::Ledger => write!(f, "tile {level}/{n} of ledger, leaves {leaves}"),
                    Log::Stream(stream) => {
                        write!(f, "tile {level}/{n} of stream {stream}, leaves {leaves}")
                    }
                }
            }
        }
    }
}

/// `from..to`; one number where that is all.
struct Range(u64, u64);

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1.saturating_sub(self.0) {
            1 => write!(f, "{}", self.0),
            _ => write!(f, "{}..{}", self.0, self.1),
        }
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind.
    pub kind: FindingKind,
    /// Where.
    pub place: Place,
    /// In words.
    pub what: String,
}

/// Findings in the order in which they were made; neighbours of one kind are joined.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
}

impl Findings {
    pub(super) fn add(&mut self, kind: FindingKind, place: Place, what: impl Into<String>) {
        self.list.push(Finding {
            kind,
            place,
            what: what.into(),
        });
    }

    pub(super) fn unreadable(&mut self, place: Place, error: &ReadError) {
        let kind = match error {
            ReadError::Damaged { .. } | ReadError::Foreign { .. } => FindingKind::Damaged,
            _ => FindingKind::Unreadable,
        };
        self.add(kind, place, error.to_string());
    }

    /// Adds a finding about one record; a run of records with the same finding becomes one range.
    pub(super) fn record(&mut self, kind: FindingKind, stream: StreamId, index: u64, what: &str) {
        if let Some(Finding {
            kind: last,
            place: Place::Records { stream: of, to, .. },
            what: words,
        }) = self.list.last_mut()
            && (*last, *of, *to, words.as_str()) == (kind, stream, index, what)
        {
            *to = index + 1;
            return;
        }
        self.add(
            kind,
            Place::Records {
                stream,
                from: index,
                to: index + 1,
            },
            what,
        );
    }

    pub(super) fn into_vec(self) -> Vec<Finding> {
        self.list
    }

    pub(super) fn as_slice(&self) -> &[Finding] {
        &self.list
    }

    pub(super) fn extend(&mut self, more: Vec<Finding>) {
        self.list.extend(more);
    }
}
