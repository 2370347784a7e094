//! What the SDK sees by itself of files, HTTP, PostgreSQL, SQLite, language models, MCP servers and processes.
//!
//! Each of them observes only, unless a rule asks for more. Each operation is one action: begun before it runs, ended
//! with what came of it, its changes recorded as diffs in between. An operation fails as it would without us; the one
//! error added is that the recorder refused to let it run unrecorded ([`Error::Refused`]).

pub mod files;
#[cfg(feature = "exchange")]
pub mod http;
pub mod llm;
#[cfg(feature = "mcp")]
pub mod mcp;
#[cfg(any(feature = "postgres", feature = "sqlx-postgres"))]
pub mod postgres;
pub mod process;
#[cfg(feature = "sqlite")]
pub mod sqlite;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
pub mod sqlx;
#[cfg(feature = "tracing")]
pub mod tracing;

#[cfg(test)]
mod testing;

#[cfg(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "sqlx-postgres",
    feature = "sqlx-sqlite"
))]
mod columns;
#[cfg(feature = "http")]
mod driver;
mod identity;
#[cfg(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "sqlx-postgres",
    feature = "sqlx-sqlite"
))]
mod names;
mod retries;
#[cfg(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "sqlx-postgres",
    feature = "sqlx-sqlite"
))]
mod rows;
mod step;
#[cfg(any(
    feature = "sqlite",
    feature = "postgres",
    feature = "sqlx-postgres",
    feature = "sqlx-sqlite"
))]
mod transactions;

pub use self::retries::Retries;
pub(crate) use self::step::identity;
use crate::Refused;

/// Why an operation did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error<E: std::error::Error + 'static> {
    /// The recorder refused: it did not run.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It ran and failed: the operation's own error.
    #[error(transparent)]
    Own(E),
}

impl<E: std::error::Error + 'static> Error<E> {
    /// The operation's own error, if it ran.
    pub fn own(&self) -> Option<&E> {
        match self {
            Self::Own(error) => Some(error),
            Self::Refused(_) => None,
        }
    }
}
