//! SQLite through `sqlx`: the same watching, behind an [`Executor`](sqlx::Executor).
//!
//! `sqlx` runs statements on a thread of its own and lends the handle of its connection to whoever asks. In between,
//! and only then, tables are looked up and watched on that handle as [the module above](super) does it; the statement
//! itself is run by `sqlx`, as it is. So result, rows and errors are those of `sqlx`.

mod executor;
mod holds;
mod rows;
mod run;
mod transaction;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use sqlx::{Error, SqliteConnection};

pub use self::{holds::HoldsSqlite, transaction::SqliteTransaction};
use self::{
    holds::on_handle,
    run::{Link, lock},
};
use super::recording::Recording;
use crate::Handle;

type Db = sqlx::Sqlite;
type Item = crate::capture::sqlx::query::Item<Db>;
type Query = crate::capture::sqlx::query::Query<Db>;

/// What a connection and its transactions know together.
#[derive(Debug)]
struct Shared {
    recording: Mutex<Recording>,
}

/// A connection whose statements are recorded: hand `&mut` of it to a query. It owns the connection (a plain one, one
/// of a pool, a transaction) or borrows it mutably, so that nobody else uses it meanwhile; see [`Handle::sqlx_sqlite`].
pub struct Sqlite<C: HoldsSqlite> {
    connection: C,
    shared: Arc<Shared>,
    /// How many transactions of ours are around it.
    depth: usize,
}

impl<C: HoldsSqlite> fmt::Debug for Sqlite<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sqlite").finish_non_exhaustive()
    }
}

impl Handle {
    /// Records what is done through `connection` in this session: `&mut SqliteConnection`, an owned one, one of a pool,
    /// or a transaction that is open already (whose end is then not seen: better [`Sqlite::begin`]). Resources are
    /// named `db:<name>/<schema>.<table>/<key>`, where `name` is the file's without its extension (`memory` for one in
    /// memory).
    ///
    /// # Errors
    /// That the connection is gone.
    pub async fn sqlx_sqlite<C: HoldsSqlite>(&self, mut connection: C) -> Result<Sqlite<C>, Error> {
        let mut handle = connection.sqlite().lock_handle().await?;
        let recording = on_handle(&mut handle, |conn| Recording::of(self, conn))?;
        drop(handle);
        Ok(Sqlite {
            connection,
            shared: Arc::new(Shared {
                recording: Mutex::new(recording),
            }),
            depth: 0,
        })
    }
}

impl<C: HoldsSqlite> Sqlite<C> {
    /// Names the database in resources and `db.namespace` otherwise than after its file.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        name.clone_into(&mut lock(&self.shared.recording).name);
        self
    }

    /// Lets go of the connection and leaves it as it was found. Dropped instead, a function that nobody calls any more
    /// stays with the connection.
    ///
    /// # Errors
    /// That the connection is gone.
    pub async fn finish(mut self) -> Result<C, Error> {
        self.link()
            .with(|conn, recording| recording.retire(conn))
            .await?;
        Ok(self.connection)
    }

    /// The connection itself: what is done through it is not recorded. If a transaction is open, its diffs end as
    /// `unknown`, since its end may not be seen.
    pub fn connection(&mut self) -> &mut SqliteConnection {
        lock(&self.shared.recording).handed_out();
        self.connection.sqlite()
    }

    fn link(&mut self) -> Link<'_> {
        Link {
            connection: self.connection.sqlite(),
            recording: &self.shared.recording,
        }
    }
}
