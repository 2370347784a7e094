//! What holds a connection of `sqlx`, and its handle while it is lent to us.

use rusqlite::Connection;
use sqlx::{Error, SqliteConnection, pool::PoolConnection, sqlite::LockedSqliteHandle};

/// Something that holds a connection to SQLite: the connection, `&mut` of it, one of a pool, or a transaction.
pub trait HoldsSqlite: Send {
    /// The connection.
    fn sqlite(&mut self) -> &mut SqliteConnection;
}

impl HoldsSqlite for SqliteConnection {
    fn sqlite(&mut self) -> &mut SqliteConnection {
        self
    }
}

impl HoldsSqlite for &mut SqliteConnection {
    fn sqlite(&mut self) -> &mut SqliteConnection {
        self
    }
}

impl HoldsSqlite for PoolConnection<sqlx::Sqlite> {
    fn sqlite(&mut self) -> &mut SqliteConnection {
        self
    }
}

impl HoldsSqlite for sqlx::Transaction<'_, sqlx::Sqlite> {
    fn sqlite(&mut self) -> &mut SqliteConnection {
        self
    }
}

/// Does something with the handle that was lent.
#[expect(
    unsafe_code,
    reason = "rusqlite cannot know that a handle it did not open is alive and in nobody else's hands"
)]
pub(super) fn on_handle<T>(
    handle: &mut LockedSqliteHandle<'_>,
    work: impl FnOnce(&Connection) -> T,
) -> Result<T, Error> {
    let raw = handle.as_raw_handle().as_ptr();
    // SAFETY: `handle` is the lock by which `sqlx` promises that the connection is open and that its own thread makes
    // no call on it; it is borrowed for longer than `conn` lives, which neither leaves this function nor owns the
    // handle, so dropping it closes nothing.
    let conn = unsafe { Connection::from_handle(raw) };
    let conn = conn.map_err(|error| Error::Protocol(error.to_string()))?;
    Ok(work(&conn))
}
