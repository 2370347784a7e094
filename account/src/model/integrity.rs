//! How far the record behind an account can be relied on.

use serde::{Deserialize, Serialize};
use vocabulary::Timestamp;
use vocabulary::id::{RecordRef, SessionRef, StreamRef};
use vocabulary::record::{ConflictKind, IntegrityStatus, KeyTrust};

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
    /// What the ends of sessions say they wrote, beside what is here.
    #[serde(default)]
    pub declared: Vec<Declared>,
    /// What the collector saw that cannot be true beside what is sealed.
    #[serde(default)]
    pub conflicts: Vec<Conflict>,
    /// What is missing although its place is known.
    pub gaps: Vec<Gap>,
    /// The parts that do not hold: rows that depend on one name it under `doubt`. Not written where all holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub broken: Vec<Broken>,
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

/// How many records the end of a session says it wrote, and how many are here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Declared {
    /// The session.
    pub session: SessionRef,
    /// The stream that holds the end.
    pub stream: StreamRef,
    /// Records that the session wrote up to its end, as its producer says.
    #[serde(with = "super::wide")]
    pub declared: u64,
    /// Those that are here: of the same run, up to the end.
    #[serde(with = "super::wide")]
    pub here: u64,
    /// Records of the session that are sealed and cannot be read, erased ones among them.
    #[serde(with = "super::wide")]
    pub unreadable: u64,
    /// Ledger index of the close that repeats the number; `null` where only the end says it.
    #[serde(with = "super::wide::option")]
    pub leaf: Option<u64>,
    /// The end.
    pub refs: Vec<RecordRef>,
}

/// Two things that cannot both be true, noted by the collector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// Ledger index of the leaf that says so.
    #[serde(with = "super::wide")]
    pub leaf: u64,
    /// What contradicts what.
    pub kind: ConflictKind,
    /// The session concerned; `null` where it is the ledger as a whole.
    pub session: Option<SessionRef>,
    /// The stream concerned.
    pub stream: Option<StreamRef>,
    /// In the collector's words.
    pub what: String,
    /// Digest of what was there first; `null` where there is none.
    pub first: Option<String>,
    /// Digest of what came second; `null` where there is none.
    pub second: Option<String>,
    /// When it was noted, by the collector's clock.
    pub at: Timestamp,
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

/// A part of the record that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// How rows name it: `s1a#148`, `s1a#148-151`, `s1a`, `ledger leaf 7`, `the ledger`.
    pub name: String,
    /// The session concerned; `null` where it is no single one.
    pub session: Option<SessionRef>,
    /// The stream concerned.
    pub stream: Option<StreamRef>,
    /// Its first record, or ledger leaf where no stream is named; `null` for a stream or the ledger as a whole.
    #[serde(with = "super::wide::option")]
    pub from: Option<u64>,
    /// Its last one.
    #[serde(with = "super::wide::option")]
    pub to: Option<u64>,
    /// Whether it is not there at all.
    pub missing: bool,
    /// What was found.
    pub what: String,
}
