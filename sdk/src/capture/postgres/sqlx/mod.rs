//! PostgreSQL through `sqlx`: the same reading along, behind an [`Executor`](sqlx::Executor).
//!
//! Statements run, and rows are read, as [the module above](super) says. What `sqlx` does otherwise: a parameter's
//! type is the one its Rust type has, so the user's text needs no preparing of its own before it is added to. Outside
//! transactions a statement whose longer text is refused before it runs is sent as it is, so its errors are its own;
//! inside one the position that such an error names is that in the longer text. Reads are handed on row by row;
//! what a write returns is complete before its first row is handed on.

mod arguments;
mod executor;
mod failure;
mod perform;
mod pool;
mod rows;
mod run;
mod transaction;

use std::{fmt, sync::Arc};

use futures_util::TryStreamExt as _;
use sqlx::{Error, PgConnection, Row as _, postgres::PgQueryResult};

use self::run::Link;
pub use self::{pool::PostgresPool, transaction::PostgresTransaction};
use super::{
    failure::Failed as _,
    shared::Shared,
    tell::{self, WHERE_WE_ARE},
};
use crate::Handle;

type Item = crate::capture::sqlx::query::Item<sqlx::Postgres>;
type Query = crate::capture::sqlx::query::Query<sqlx::Postgres>;

/// A connection whose statements are recorded: hand `&mut` of it to a query. It owns the connection (a plain one, one
/// of a pool, a transaction) or borrows it mutably, so that nobody else uses it meanwhile; see
/// [`Handle::sqlx_postgres`].
pub struct Postgres<C: AsMut<PgConnection>> {
    connection: C,
    shared: Arc<Shared>,
    ones: Vec<PgQueryResult>,
    /// How many transactions of ours are around it.
    depth: usize,
}

impl<C: AsMut<PgConnection>> fmt::Debug for Postgres<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("database", &self.shared.database)
            .finish_non_exhaustive()
    }
}

impl Handle {
    /// Records what is done through `connection` in this session: `&mut PgConnection`, an owned one, one of a pool, or
    /// a transaction that is open already (whose end is then not seen: better [`Postgres::begin`]). Resources are named
    /// `db:<database>/<schema>.<table>/<primary key>`. The server is asked once for the name of the database.
    pub async fn sqlx_postgres<C: AsMut<PgConnection>>(&self, mut connection: C) -> Postgres<C> {
        let asked = where_we_are(connection.as_mut()).await;
        let aborted = asked
            .as_ref()
            .is_err_and(|error| error.sqlstate().is_some());
        let (database, open) = match asked {
            Ok(Some((database, open))) => (database, open),
            // A transaction that is open and has failed answers nothing else any more.
            _ => ("postgres".to_owned(), aborted),
        };
        self.can_see("db:diffs");
        Postgres {
            connection,
            shared: Arc::new(Shared::new(self, database, open, aborted)),
            ones: Vec::new(),
            depth: 0,
        }
    }
}

/// The name of the database, and whether a transaction is open.
async fn where_we_are(connection: &mut PgConnection) -> Result<Option<(String, bool)>, Error> {
    use sqlx::Executor as _;
    let mut answer = connection.fetch(sqlx::raw_sql(WHERE_WE_ARE));
    let Some(row) = answer.try_next().await? else {
        return Ok(None);
    };
    let found = (row.try_get(0)?, row.try_get(1)?);
    while answer.try_next().await?.is_some() {}
    Ok(Some(found))
}

impl<C: AsMut<PgConnection>> Postgres<C> {
    /// Names the database in resources and `db.namespace` otherwise than the server does.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        self.set(|shared| name.clone_into(&mut shared.database))
    }

    /// Gives a write outside transactions that has a `RETURNING` of its own a transaction of its own, so that its rows
    /// are read under its locks. Without this they are read before it `unlocked`, and `later_read` after it.
    #[must_use]
    pub fn wrapped(self) -> Self {
        self.set(|shared| shared.wraps = true)
    }

    /// Puts session and action into a comment after each statement, as sqlcommenter writes it: for the server's log
    /// and `pg_stat_activity`. The server then sees each statement's text only once, so it is prepared anew each time.
    #[must_use]
    pub fn commented(self) -> Self {
        self.set(|shared| shared.comments = true)
    }

    /// Tells the server the session: its id goes into the connection's `application_name`, which reaches the log and
    /// `pg_stat_activity` (63 bytes, so the application's own name may be cut), and in transactions into the settings
    /// `recount.session` and `recount.request`, which triggers can read. [`Postgres::finish`] takes it back; do that
    /// before a connection goes back to its pool.
    ///
    /// # Errors
    /// The server's own.
    pub async fn announced(mut self) -> Result<Self, Error> {
        let connection = self.connection.as_mut();
        let own: String = sqlx::query_scalar("SHOW application_name")
            .fetch_one(&mut *connection)
            .await?;
        let name = tell::application_name(&own, self.shared.session.id().as_str());
        name_application(connection, &name).await?;
        Ok(self.set(|shared| shared.announced = Some(own)))
    }

    /// Lets go of the connection, and takes back what [`Postgres::announced`] said.
    ///
    /// # Errors
    /// The server's own.
    pub async fn finish(mut self) -> Result<C, Error> {
        if let Some(own) = &self.shared.announced {
            name_application(self.connection.as_mut(), own).await?;
        }
        Ok(self.connection)
    }

    /// The connection itself: what is done through it is not recorded. If a transaction is open, its diffs end as
    /// `unknown`, since its end may not be seen.
    pub fn connection(&mut self) -> &mut PgConnection {
        self.shared.handed_out();
        self.connection.as_mut()
    }

    /// Changes what was agreed before the first statement.
    fn set(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        // Only an open transaction shares it, and that one borrows us.
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            change(shared);
        }
        self
    }

    fn link(&mut self) -> Link<'_> {
        Link {
            connection: self.connection.as_mut(),
            shared: &self.shared,
            ones: &mut self.ones,
        }
    }
}

async fn name_application(connection: &mut PgConnection, name: &str) -> Result<(), Error> {
    let sql = format!("SET application_name = {}", tell::literal(name));
    Query::plain(sql).all(connection).await.1
}
