//! PostgreSQL through `tokio-postgres`: each statement an action, each row it changes a diff.
//!
//! `Postgres` wraps a client and runs statements as `tokio-postgres` does; `capture::sqlx` does
//! the same for `sqlx`, with what is here. Of each statement it records the text,
//! its parameters, how it ended, and the rows that an `INSERT`, `UPDATE` or `DELETE` changed, before and after,
//! exactly typed. A write that returns no rows to its caller runs as one statement that reads along, so both sides
//! come from the snapshot and under the locks of the write itself; one with a `RETURNING` of its own runs as it is,
//! and its rows are read before and after it.
//!
//! Nothing more is asked of the user's privileges: what may be read is looked up first, and what may not be read is
//! said so. The locks are those that the write takes anyway. Inside a transaction the diffs are pending; they are
//! settled when it commits or rolls back, savepoints included, and are `unknown` if the answer to `COMMIT` is lost.
//! The first statement of a transaction that locks rows waits for its receipt before it runs; those after it are
//! spooled, so that nobody waits for the collector while rows are locked.
//!
//! What cannot be seen is recorded as not captured, with the reason: what triggers and foreign keys change, writing
//! `WITH` queries, `COPY`, `TRUNCATE`, `MERGE`, procedures and functions that may write, views, tables with rules or
//! inheritance, rows that row security hides, columns that may not be read, rows beyond 1,000 (or 8 MiB) a statement.
//!
//! By default the server is told nothing of the session; see `Postgres::announced` and `Postgres::commented`.

mod cells;
mod change;
mod control;
mod ending;
mod failure;
mod observe;
mod rewrite;
mod shared;
mod statement;
mod table;
mod tell;
mod wire;
mod words;

#[cfg(feature = "postgres")]
mod binary;
#[cfg(feature = "postgres")]
mod client;
#[cfg(feature = "postgres")]
mod direct;
#[cfg(feature = "postgres")]
mod memory;
#[cfg(feature = "postgres")]
mod run;
#[cfg(feature = "sqlx-postgres")]
pub(super) mod sqlx;
#[cfg(feature = "postgres")]
mod transaction;

#[cfg(feature = "postgres")]
pub use self::{
    client::Postgres,
    transaction::{Transaction, TransactionBuilder},
};

/// A failed statement: refused by the recorder before it ran, or failed in `tokio-postgres`.
#[cfg(feature = "postgres")]
pub type PostgresError = crate::capture::Error<tokio_postgres::Error>;
