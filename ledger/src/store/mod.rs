//! The SQLite ledger: one writer, recovery, and a reader that changes nothing.
//!
//! A ledger folder holds `ledger.db`, `acked`, `last_signed`, `lock`, `ledger.pub` and `keys/`. [`init()`] creates it,
//! [`Ledger`] is the one process that appends to it, [`Folder`] reads it.
#![forbid(unsafe_code)]

mod batch;
mod book;
mod check;
mod compact;
mod configuration;
mod conflicts;
mod control;
mod database;
mod disk;
mod duplicates;
mod epochs;
mod erase;
mod error;
mod files;
mod gaps;
mod held;
mod incarnation;
mod init;
mod ledger;
mod log;
mod offline;
mod options;
mod owners;
mod query;
mod queue;
mod recover;
mod reindex;
mod schema;
mod signer;
mod statement;
mod status;
mod streams;
mod tables;
mod watch;
mod writer;

mod folder;

pub use batch::{
    Batch, Close, Lost, Named, Owners, PrepareError, Prepared, Receipt, Record, Run, StreamBatch,
    StreamKey, StreamReceipt,
};
pub use compact::{Compacted, compact};
pub use configuration::Setting;
pub use disk::{DiskLimits, DiskStage, Space, SpaceOf, space_of};
pub use erase::{Erase, Erased, ErasedRange, ErasureReason};
pub use error::{AppendError, Fatal, StoreError};
pub use folder::Folder;
pub use held::{release_signing, signing_held};
pub use incarnation::{Continued, RecoverOptions, Recovered, continued, previous, recover_ledger};
pub use init::{Created, InitOptions, init};
pub use ledger::Ledger;
pub use options::Options;
pub use reindex::{Reindexed, reindex};
pub use statement::Statement;
pub use status::Status;
pub use watch::BootClock;

/// Says the time: Unix nanoseconds. Called for every commit.
pub type Clock = std::sync::Arc<dyn Fn() -> u64 + Send + Sync>;
