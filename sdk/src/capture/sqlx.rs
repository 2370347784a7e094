//! Through `sqlx`: a recorded connection, transaction or pool is an [`Executor`](sqlx::Executor) like the bare one.
//!
//! An application that already uses `sqlx` changes what it hands to its queries, and nothing else:
//!
//! ```text
//! let mut db = session.sqlx_postgres(pool.acquire().await?).await;
//! sqlx::query("UPDATE contracts SET status = $1 WHERE id = $2").bind("sent").bind(17).execute(&mut db).await?;
//! let mut undone = db.begin().await?;
//! sqlx::query("DELETE FROM contracts").execute(&mut *undone).await?;
//! undone.rollback().await?;
//! ```
//!
//! `query_as`, `query_scalar`, `QueryBuilder`, `raw_sql` and the macros go the same way, since all of them take an
//! executor. The one error that is added says that the recorder refused to let a statement run unrecorded: a
//! `sqlx::Error::Configuration`, from which [`refused`] tells it.

#[cfg(feature = "sqlx-postgres")]
pub use super::postgres::sqlx::{Postgres, PostgresPool, PostgresTransaction};
#[cfg(feature = "sqlx-sqlite")]
pub use super::sqlite::sqlx::{HoldsSqlite, Sqlite, SqliteTransaction};
use crate::Refused;

pub(super) mod query;
pub(super) mod yielding;

/// What the recorder said, if it was the recorder that refused: the statement did not run.
pub fn refused(error: &::sqlx::Error) -> Option<&Refused> {
    match error {
        ::sqlx::Error::Configuration(inner) => inner.downcast_ref(),
        _ => None,
    }
}

/// The recorder's refusal as the error that an executor may give.
pub(super) fn refusal(refused: Refused) -> ::sqlx::Error {
    ::sqlx::Error::Configuration(Box::new(refused))
}
