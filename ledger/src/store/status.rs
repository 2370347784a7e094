//! How a ledger stands, as its folder tells it.

use std::path::PathBuf;

use crate::leaf::{LedgerId, TreeHead};

/// How a ledger stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The folder.
    pub dir: PathBuf,
    /// The ledger's id.
    pub ledger: LedgerId,
    /// First line of its checkpoints.
    pub origin: String,
    /// Number of the last commit.
    pub commit: u64,
    /// Leaves in the ledger log.
    pub size: u64,
    /// What was signed last.
    pub signed: Option<TreeHead>,
    /// Streams.
    pub streams: u64,
    /// Streams with records that no head covers yet.
    pub uncovered: u64,
    /// Segments.
    pub segments: u64,
    /// Bytes of the database.
    pub database_bytes: u64,
    /// Bytes of the write-ahead log.
    pub wal_bytes: u64,
    /// Whether the last run ended in order.
    pub clean: bool,
}
