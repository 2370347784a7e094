//! A client whose statements are recorded.

use std::{borrow::BorrowMut, fmt};

use tokio_postgres::{Client, Error, Row, SimpleQueryMessage, types::ToSql};

use super::{
    PostgresError, direct,
    memory::Memory,
    run::{Got, Runner, Want},
    shared::Shared,
    tell::{self, WHERE_WE_ARE},
    transaction::{Transaction, TransactionBuilder},
};
use crate::{Handle, capture::Error as Failed};

/// A client whose statements are recorded. It owns the client or borrows it mutably, so that nobody else uses it
/// meanwhile; see [`Handle::postgres`].
pub struct Postgres<C: BorrowMut<Client>> {
    client: C,
    shared: Shared,
}

impl<C: BorrowMut<Client>> fmt::Debug for Postgres<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("database", &self.shared.database)
            .finish_non_exhaustive()
    }
}

impl Handle {
    /// Records what is done through `client` in this session. Resources are named
    /// `db:<database>/<schema>.<table>/<primary key>`. The server is asked once for the name of the database.
    pub async fn postgres<C: BorrowMut<Client>>(&self, client: C) -> Postgres<C> {
        let asked = client.borrow().simple_query(WHERE_WE_ARE).await;
        let row = asked.iter().flatten().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let database = row
            .and_then(|row| row.get(0))
            .unwrap_or("postgres")
            .to_owned();
        // A transaction that is open and has failed answers nothing else any more.
        let aborted = asked.as_ref().is_err_and(|error| error.code().is_some());
        let open = row.map_or(aborted, |row| row.get(1) == Some("t"));
        let told = direct::told(client.borrow())
            .await
            .map(|pid| pid.to_string());
        let direct = told.is_some() && row.and_then(|row| row.get(2)) == told.as_deref();
        self.can_see("db:diffs");
        let mut shared = Shared::new(self, database, open, aborted);
        shared.memory = Memory::new(direct);
        Postgres { client, shared }
    }
}

/// What a statement gives that the caller expects one row of, if it gave another number of rows: the error that
/// `tokio-postgres` has for that, which only it can make.
async fn row_count(client: &Client) -> Result<Row, Error> {
    client.query_one("SELECT WHERE false", &[]).await
}

/// Statements, the same for a client and for a transaction.
impl Runner<'_> {
    pub(super) async fn execute(
        self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, PostgresError> {
        match self.run(sql, params, Want::Count).await? {
            Got::Count(count) => Ok(count),
            Got::Rows(rows) => Ok(rows.len() as u64),
        }
    }

    pub(super) async fn query(
        self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, PostgresError> {
        match self.run(sql, params, Want::Rows).await? {
            Got::Rows(rows) => Ok(rows),
            Got::Count(_) => Ok(Vec::new()),
        }
    }

    pub(super) async fn query_one(
        self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, PostgresError> {
        let mut rows = self.query(sql, params).await?;
        match (rows.pop(), rows.is_empty()) {
            (Some(row), true) => Ok(row),
            _ => row_count(self.client).await.map_err(Failed::Own),
        }
    }

    pub(super) async fn query_opt(
        self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, PostgresError> {
        let mut rows = self.query(sql, params).await?;
        match (rows.pop(), rows.is_empty()) {
            (row, true) => Ok(row),
            _ => row_count(self.client).await.map(Some).map_err(Failed::Own),
        }
    }
}

impl<C: BorrowMut<Client>> Postgres<C> {
    /// Names the database in resources and `db.namespace` otherwise than the server does.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.shared.database);
        self
    }

    /// Gives a write outside transactions that has a `RETURNING` of its own a transaction of its own, so that its
    /// rows are read under its locks. Without this they are read before it `unlocked`, and `later_read` after it.
    #[must_use]
    pub fn wrapped(mut self) -> Self {
        self.shared.wraps = true;
        self
    }

    /// Puts session and action into a comment after each statement, as sqlcommenter writes it: for the server's log
    /// and `pg_stat_activity`. The server then sees each statement's text only once.
    #[must_use]
    pub fn commented(mut self) -> Self {
        self.shared.comments = true;
        self
    }

    /// Tells the server the session: its id goes into the connection's `application_name`, which reaches the log and
    /// `pg_stat_activity` (63 bytes, so the application's own name may be cut), and in transactions into the settings
    /// `recount.session` and `recount.request`, which triggers can read. [`Postgres::finish`] takes it back.
    ///
    /// # Errors
    /// The server's own.
    pub async fn announced(mut self) -> Result<Self, Error> {
        let client: &Client = self.client.borrow();
        let row = client.query_one("SHOW application_name", &[]).await?;
        let own: String = row.try_get(0)?;
        let name = tell::application_name(&own, self.shared.session.id().as_str());
        client
            .batch_execute(&format!("SET application_name = {}", tell::literal(&name)))
            .await?;
        self.shared.announced = Some(own);
        Ok(self)
    }

    /// Lets go of the client, and takes back what [`Postgres::announced`] said.
    ///
    /// # Errors
    /// The server's own.
    pub async fn finish(self) -> Result<C, Error> {
        if let Some(own) = &self.shared.announced {
            let client: &Client = self.client.borrow();
            client
                .batch_execute(&format!("SET application_name = {}", tell::literal(own)))
                .await?;
        }
        Ok(self.client)
    }

    fn runner(&self) -> Runner<'_> {
        Runner {
            client: self.client.borrow(),
            shared: &self.shared,
        }
    }

    /// Runs one statement and says how many rows it affected, as [`Client::execute`]; `BEGIN`, `COMMIT`, `SAVEPOINT`
    /// and their like settle the diffs before them.
    ///
    /// # Errors
    /// The server's own, or that the recorder refused to let a write run unrecorded.
    pub async fn execute(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, PostgresError> {
        self.runner().execute(sql, params).await
    }

    /// Runs one statement and gives the rows it returns, as [`Client::query`]; they are recorded as the output, as
    /// many as fit.
    ///
    /// # Errors
    /// As [`Postgres::execute`].
    pub async fn query(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, PostgresError> {
        self.runner().query(sql, params).await
    }

    /// Runs one statement that returns exactly one row, as [`Client::query_one`].
    ///
    /// # Errors
    /// As [`Postgres::execute`], and that it returned another number of rows.
    pub async fn query_one(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, PostgresError> {
        self.runner().query_one(sql, params).await
    }

    /// Runs one statement that returns one row or none, as [`Client::query_opt`].
    ///
    /// # Errors
    /// As [`Postgres::execute`], and that it returned more rows.
    pub async fn query_opt(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, PostgresError> {
        self.runner().query_opt(sql, params).await
    }

    /// Runs statements without parameters, as [`Client::batch_execute`]. Several in one text are one action, whose
    /// changes are not captured: they are one transaction, and to send them one by one would be several.
    ///
    /// # Errors
    /// As [`Postgres::execute`].
    pub async fn batch_execute(&self, sql: &str) -> Result<(), PostgresError> {
        self.runner().batch(sql).await
    }

    /// Opens a transaction, as [`Client::transaction`]: dropped without [`Transaction::commit`], it rolls back.
    ///
    /// # Errors
    /// The server's own.
    pub async fn transaction(&mut self) -> Result<Transaction<'_>, Error> {
        self.build_transaction().start().await
    }

    /// A transaction with other properties, as [`Client::build_transaction`].
    pub fn build_transaction(&mut self) -> TransactionBuilder<'_> {
        TransactionBuilder::new(self.client.borrow_mut().build_transaction(), &self.shared)
    }

    /// The client itself: what is done through it is not recorded. If a transaction is open, its diffs end as
    /// `unknown`, since its end may not be seen.
    pub fn client(&self) -> &Client {
        self.shared.memory.stop();
        self.shared.handed_out();
        self.client.borrow()
    }
}
