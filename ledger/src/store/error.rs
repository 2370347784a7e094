//! What can go wrong with a ledger folder, each kind by its own name.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a ledger folder could not be created, opened, or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no ledger here, or one of its files is gone.
    #[error("no ledger in {}: {file} is missing", dir.display())]
    Missing {
        /// The folder that was named.
        dir: PathBuf,
        /// The file that is not there.
        file: String,
    },
    /// The folder already holds something, so nothing was created.
    #[error("{} already exists; nothing was changed", path.display())]
    Exists {
        /// What is in the way.
        path: PathBuf,
    },
    /// A name that cannot stand on a signature line.
    #[error(
        "origin {origin:?} cannot name a key: it is empty or has spaces, control characters or a plus sign"
    )]
    BadOrigin {
        /// The name that was asked for.
        origin: String,
    },
    /// The operating system does not let this user open it.
    #[error("not allowed to open {}", path.display())]
    Denied {
        /// The file or folder that refused.
        path: PathBuf,
    },
    /// Another process holds the folder's lock.
    #[error("the ledger in {} is in use by another process{}", dir.display(), owner(*pid))]
    Locked {
        /// The folder that was named.
        dir: PathBuf,
        /// The process that says it holds the lock.
        pid: Option<u32>,
    },
    /// The database was not written by recount.
    #[error("{} is not a recount ledger: {why}", path.display())]
    Foreign {
        /// The file that was found.
        path: PathBuf,
        /// What shows that it is something else.
        why: String,
    },
    /// The database was written by a later version of recount.
    #[error("{} has schema version {found}, this program knows up to {known}", path.display())]
    Newer {
        /// The file that was found.
        path: PathBuf,
        /// Its schema version.
        found: u32,
        /// The newest schema version this program knows.
        known: u32,
    },
    /// Stored bytes contradict each other.
    #[error("{place} is damaged: {why}")]
    Damaged {
        /// The file, table or page.
        place: String,
        /// What does not fit.
        why: String,
    },
    /// The database lacks commits that were acknowledged or signed.
    #[error("the database is behind {evidence}: {missing}")]
    Behind {
        /// The file that knows better: `acked` or `last_signed`.
        evidence: &'static str,
        /// What is missing, in numbers.
        missing: String,
    },
    /// A recovery was begun here and not finished.
    #[error("a recovery of {} was interrupted", dir.display())]
    Recovering {
        /// The folder.
        dir: PathBuf,
    },
    /// Nothing that was acknowledged or signed is missing, so there is no reason for another ledger.
    #[error("the ledger in {} lacks nothing that was acknowledged or signed; nothing was changed", dir.display())]
    NothingToRecover {
        /// The folder.
        dir: PathBuf,
    },
    /// The linked SQLite has a bug that loses commits.
    #[error("SQLite {found} is older than 3.51.3 and may lose commits")]
    SqliteTooOld {
        /// The version that is linked.
        found: String,
    },
    /// SQLite did not accept a setting that durability depends on.
    #[error("SQLite setting {name} is {found}, not {wanted}")]
    Setting {
        /// The pragma.
        name: &'static str,
        /// What it says now.
        found: String,
        /// What it has to say.
        wanted: &'static str,
    },
    /// The disk is full.
    #[error("no space left for {}", path.display())]
    NoSpace {
        /// What could not grow.
        path: PathBuf,
    },
    /// A sync failed: nobody knows what the disk holds until the next start has looked.
    #[error("sync failed: {} ({source})", path.display())]
    SyncFailed {
        /// What was to be made durable.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system failed otherwise.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// The verb: `read`, `create`, ….
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// SQLite failed otherwise.
    #[error("the database failed while trying to {doing}: {source}")]
    Sqlite {
        /// The verb: `open`, `commit`, ….
        doing: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The writer has stopped for good; the process has to end.
    #[error(transparent)]
    Fatal(#[from] Fatal),
}

fn owner(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})"))
        .unwrap_or_default()
}

impl StoreError {
    /// Names the file on which an operation of the system failed, and sorts out the kinds a caller acts on.
    pub(crate) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied { path },
            io::ErrorKind::StorageFull => Self::NoSpace { path },
            _ => Self::Io {
                doing,
                path,
                source,
            },
        }
    }

    /// Sorts an error of SQLite on `path` into the kinds a caller acts on.
    pub(crate) fn sqlite(doing: &'static str, path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        match source.sqlite_error_code() {
            Some(ErrorCode::PermissionDenied) => Self::Denied {
                path: path.to_path_buf(),
            },
            Some(ErrorCode::DiskFull) => Self::NoSpace {
                path: path.to_path_buf(),
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked {
                dir: path.parent().unwrap_or(path).to_path_buf(),
                pid: None,
            },
            Some(ErrorCode::NotADatabase) => Self::Foreign {
                path: path.to_path_buf(),
                why: "it is not a SQLite database".into(),
            },
            Some(ErrorCode::DatabaseCorrupt) => Self::Damaged {
                place: path.display().to_string(),
                why: source.to_string(),
            },
            _ => Self::Sqlite { doing, source },
        }
    }
}

/// Why the writer can never commit again; every waiting and later batch gets it, and the process must end.
///
/// After a failed sync nobody knows what the disk holds, so nothing may be acknowledged or signed any more; the next
/// start finds out.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the ledger in {} stopped: {why}", dir.display())]
pub struct Fatal {
    /// The folder of the ledger.
    pub dir: PathBuf,
    /// What happened.
    pub why: Arc<str>,
}

/// Why a batch was not appended; nothing of it is in the ledger unless it says otherwise.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The queue is full; send it again later.
    #[error("the ledger is busy: {waiting} records wait to be written")]
    Busy {
        /// Records in the queue.
        waiting: usize,
    },
    /// The disk is full; send it again later.
    #[error("no space left for the ledger")]
    NoSpace,
    /// The disk is nearly full, and the batch would open a stream; send it again later.
    #[error("the disk is nearly full: no new session is taken")]
    DiskLow,
    /// The ledger is being closed; send it again to the next collector.
    #[error("the ledger is closing")]
    Closing,
    /// The batch contradicts itself; sending it again will not help.
    #[error("the batch is malformed: {why}")]
    Malformed {
        /// What does not fit.
        why: String,
    },
    /// The writer has stopped; whether this batch is in the ledger is unknown until the next start.
    #[error(transparent)]
    Fatal(#[from] Fatal),
}
