//! SQLite through `rusqlite`: each statement an action, each row it changes a diff.
//!
//! [`Sqlite`] wraps a connection and runs statements as `rusqlite` does. Of each statement it records the text, its
//! parameters, how it ended, and for every row changed by it (by its triggers and foreign keys too) the row before
//! and after, exactly typed, read by SQLite inside the statement itself. What others change is never seen here, so
//! it cannot be charged to a statement of this connection.
//!
//! Inside a transaction the diffs are pending; they are settled when it commits or rolls back, savepoints included.
//! What cannot be seen is said so: rows of virtual tables, rows beyond 1,000 (or 8 MiB) per statement, schema changes,
//! and how a transaction ended while the connection was handed out by [`Sqlite::connection`].
//!
//! The connection behaves as without us, with two differences that can be observed: outside transactions a commit
//! hook also runs for the temporary triggers that are put up and taken down around a statement that writes rows; and
//! after an `INSERT` that a foreign key refused, `last_insert_rowid()` is that of the refused row.
//! Calls block, for a writing statement also until its begin is sealed; in asynchronous code they belong on a
//! blocking thread like every other call of `rusqlite`.

mod change;
mod content;
mod definitions;
mod recording;
mod run;
mod schema;
mod seen;
#[cfg(feature = "sqlx-sqlite")]
pub(super) mod sqlx;
mod stands;
mod statement;
mod watch;

#[cfg(test)]
mod random_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod watch_tests;

use std::{borrow::BorrowMut, fmt};

use rusqlite::{
    Connection, Params, Row, Statement, TransactionBehavior,
    fallible_iterator::FallibleIterator as _,
};

use self::recording::Recording;
use crate::{
    Handle,
    capture::{Error, transactions::Control},
};

/// A failed statement: refused by the recorder before it ran, or failed in SQLite.
pub type SqliteError = Error<rusqlite::Error>;

/// A connection whose statements are recorded. It owns the connection or borrows it mutably, so that nobody else uses
/// it meanwhile; see [`Handle::sqlite`].
pub struct Sqlite<C: BorrowMut<Connection>> {
    conn: C,
    recording: Recording,
}

impl<C: BorrowMut<Connection>> fmt::Debug for Sqlite<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite")
            .field("name", &self.recording.name)
            .finish_non_exhaustive()
    }
}

impl Handle {
    /// Records what is done through `conn` in this session. Resources are named `db:<name>/<schema>.<table>/<key>`,
    /// where `name` is the file's without its extension (`memory` for one in memory).
    pub fn sqlite<C: BorrowMut<Connection>>(&self, conn: C) -> Sqlite<C> {
        let recording = Recording::of(self, conn.borrow());
        Sqlite { conn, recording }
    }
}

impl<C: BorrowMut<Connection>> Sqlite<C> {
    /// Names the database in resources and `db.namespace` otherwise than after its file.
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.recording.name);
        self
    }

    /// Runs one statement that returns no rows, as [`Connection::execute`]; `BEGIN`, `COMMIT`, `SAVEPOINT` and their
    /// like settle the diffs before them.
    ///
    /// # Errors
    /// SQLite's own, or that the recorder refused to let a write run unrecorded.
    pub fn execute<P: Params + Clone>(&self, sql: &str, params: P) -> Result<usize, SqliteError> {
        if let Some(control) = statement::control(sql) {
            return self.control(sql, &control).map_err(Error::Own);
        }
        self.recorded(sql, params, |statement, params, _| {
            let rows = statement.execute(params)?;
            Ok((rows, rows as u64))
        })
    }

    /// Runs several statements, as [`Connection::execute_batch`]; each is an action of its own.
    ///
    /// # Errors
    /// Of the first statement that fails; those before it have run.
    pub fn execute_batch(&self, sql: &str) -> Result<(), SqliteError> {
        let mut batch = rusqlite::Batch::new(self.conn.borrow(), sql);
        loop {
            let Some(statement) = batch.next().map_err(Error::Own)? else {
                return Ok(());
            };
            let text = statement.expanded_sql().unwrap_or_default();
            let returns_rows = statement.column_count() > 0;
            drop(statement);
            if returns_rows {
                self.query_map(&text, [], |_| Ok(()))?;
            } else {
                self.execute(&text, [])?;
            }
        }
    }

    /// Runs one statement and maps every row it returns, as [`Statement::query_map`] and collecting would. The rows
    /// are recorded as the output, as many as fit.
    ///
    /// # Errors
    /// SQLite's own, the first of `map`, or that the recorder refused.
    pub fn query_map<T, P, F>(
        &self,
        sql: &str,
        params: P,
        mut map: F,
    ) -> Result<Vec<T>, SqliteError>
    where
        P: Params + Clone,
        F: FnMut(&Row<'_>) -> rusqlite::Result<T>,
    {
        self.recorded(
            sql,
            params,
            |statement: &mut Statement<'_>, params, returned| {
                let columns: Vec<String> = statement
                    .column_names()
                    .into_iter()
                    .map(str::to_owned)
                    .collect();
                let mut all = Vec::new();
                let mut rows = statement.query(params)?;
                while let Some(row) = rows.next()? {
                    content::keep(returned, &columns, row);
                    all.push(map(row)?);
                }
                let count = all.len() as u64;
                Ok((all, count))
            },
        )
    }

    /// Runs one statement and maps the first row it returns, as [`Connection::query_row`].
    ///
    /// # Errors
    /// As [`Sqlite::query_map`], and [`rusqlite::Error::QueryReturnedNoRows`] if there is none.
    pub fn query_row<T, P, F>(&self, sql: &str, params: P, map: F) -> Result<T, SqliteError>
    where
        P: Params + Clone,
        F: FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    {
        self.recorded(
            sql,
            params,
            |statement: &mut Statement<'_>, params, returned| {
                let columns: Vec<String> = statement
                    .column_names()
                    .into_iter()
                    .map(str::to_owned)
                    .collect();
                let mut rows = statement.query(params)?;
                let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
                content::keep(returned, &columns, row);
                Ok((map(row)?, 1))
            },
        )
    }

    /// Opens a transaction, as [`Connection::transaction`]: dropped without [`Transaction::commit`], it rolls back.
    ///
    /// # Errors
    /// SQLite's own.
    pub fn transaction(&mut self) -> rusqlite::Result<Transaction<'_, C>> {
        self.transaction_with(TransactionBehavior::Deferred)
    }

    /// As [`Sqlite::transaction`], taking its locks as told.
    ///
    /// # Errors
    /// SQLite's own.
    pub fn transaction_with(
        &mut self,
        behavior: TransactionBehavior,
    ) -> rusqlite::Result<Transaction<'_, C>> {
        let sql = match behavior {
            TransactionBehavior::Immediate => "BEGIN IMMEDIATE",
            TransactionBehavior::Exclusive => "BEGIN EXCLUSIVE",
            _ => "BEGIN DEFERRED",
        };
        self.control(sql, &Control::Begin)?;
        Ok(Transaction {
            database: self,
            open: true,
        })
    }

    /// The connection itself: what is done through it is not recorded. If a transaction is open, its diffs end as
    /// `unknown`, since its end may not be seen.
    pub fn connection(&self) -> &Connection {
        self.recording.handed_out();
        self.conn.borrow()
    }

    /// Runs a statement that opens, settles or narrows a transaction, and settles what it settles.
    fn control(&self, sql: &str, control: &Control) -> rusqlite::Result<usize> {
        let conn: &Connection = self.conn.borrow();
        self.recording.notice(conn, false);
        let result = conn.execute(sql, []);
        match &result {
            Ok(_) => self.recording.follow(control, conn.is_autocommit()),
            Err(_) => self.recording.notice(conn, true),
        }
        result
    }
}

impl<C: BorrowMut<Connection>> Drop for Sqlite<C> {
    fn drop(&mut self) {
        self.recording.retire(self.conn.borrow());
    }
}

/// An open transaction; statements run through it as through [`Sqlite`].
#[derive(Debug)]
pub struct Transaction<'a, C: BorrowMut<Connection>> {
    database: &'a Sqlite<C>,
    open: bool,
}

impl<C: BorrowMut<Connection>> std::ops::Deref for Transaction<'_, C> {
    type Target = Sqlite<C>;

    fn deref(&self) -> &Sqlite<C> {
        self.database
    }
}

impl<C: BorrowMut<Connection>> Transaction<'_, C> {
    /// Commits: the diffs of its statements become effective.
    ///
    /// # Errors
    /// SQLite's own; the transaction is rolled back then.
    pub fn commit(mut self) -> rusqlite::Result<()> {
        self.database.control("COMMIT", &Control::Commit)?;
        self.open = false;
        Ok(())
    }

    /// Rolls back: the diffs of its statements are without effect.
    ///
    /// # Errors
    /// SQLite's own.
    pub fn rollback(mut self) -> rusqlite::Result<()> {
        self.open = false;
        self.end()
    }

    fn end(&self) -> rusqlite::Result<()> {
        let conn: &Connection = self.database.conn.borrow();
        if conn.is_autocommit() {
            self.database.recording.notice(conn, true); // a statement that failed has rolled back already
            return Ok(());
        }
        self.database
            .control("ROLLBACK", &Control::Rollback)
            .map(drop)
    }
}

impl<C: BorrowMut<Connection>> Drop for Transaction<'_, C> {
    fn drop(&mut self) {
        if self.open {
            // As rusqlite does: nobody is there to be told.
            drop(self.end());
        }
    }
}
