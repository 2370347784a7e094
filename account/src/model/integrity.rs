//! How far the record behind an account can be relied on.

use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;
use vocabulary::id::{RecordRef, SessionRef, StreamRef};
use vocabulary::record::{IntegrityStatus, KeyTrust};

/// The result of checking what the account was read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Integrity {
    /// The verdict over everything below.
    pub status: IntegrityStatus,
    /// How much was checked.
    pub checked: Checked,
    /// The ledgers the records came from.
    pub ledgers: Vec<LedgerRow>,
    /// What a sender says it could not keep.
    pub losses: Vec<Loss>,
    /// What is missing although its place is known.
    pub gaps: Vec<Gap>,
    /// What this check does not show.
    pub not_proven: Vec<String>,
}

/// How much was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Sessions that verify.
    #[serde(with = "super::wide")]
    pub sessions: u64,
    /// Sessions there are.
    #[serde(with = "super::wide")]
    pub of: u64,
    /// Records that verify.
    #[serde(with = "super::wide")]
    pub records: u64,
}

/// One ledger, as far as it was relied on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// Its origin line.
    pub id: String,
    /// Leaves in the ledger now; `null` when only the checkpoint is known.
    #[serde(with = "super::wide::option")]
    pub size: Option<u64>,
    /// Root hash over these leaves, hex.
    pub root: Option<String>,
    /// The newest signed statement; `null` when nothing was signed yet.
    pub checkpoint: Option<Checkpoint>,
    /// Whether the key was known before this answer.
    pub key: KeyTrust,
}

/// A signed statement of a ledger's size and root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Leaves it covers.
    #[serde(with = "super::wide")]
    pub size: u64,
    /// Root hash over them, hex.
    pub root: String,
    /// Name and hash of the key, as in the note's signature line.
    pub signed_by: Vec<String>,
    /// When the newest leaf it covers was written, by the collector's clock; `null` when that leaf cannot be proven.
    pub at: Option<Timestamp>,
}

/// Records a sender counted and could not keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// The session concerned.
    pub session: Option<SessionRef>,
    /// How many records; `null` when the sender could not count.
    #[serde(with = "super::wide::option")]
    pub records: Option<u64>,
    /// The sender's reason.
    pub why: String,
    /// The records that declare it.
    pub refs: Vec<RecordRef>,
}

/// Records that must exist and are not there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// The session concerned.
    pub session: Option<SessionRef>,
    /// The stream concerned.
    pub stream: Option<StreamRef>,
    /// First missing number.
    #[serde(with = "super::wide")]
    pub from: u64,
    /// Last missing number; `null` when it is not known.
    #[serde(with = "super::wide::option")]
    pub to: Option<u64>,
    /// What shows that something is missing.
    pub why: String,
}
