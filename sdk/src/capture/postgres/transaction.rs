//! An open transaction whose statements are recorded.

use std::fmt;

use tokio_postgres::{Error, IsolationLevel, Row, types::ToSql};

use super::{PostgresError, run::Runner, shared::Shared, tell};
use crate::capture::transactions::Control;

/// A transaction that is not open yet.
#[must_use = "nothing begins before `start`"]
pub struct TransactionBuilder<'a> {
    inner: tokio_postgres::TransactionBuilder<'a>,
    shared: &'a Shared,
}

impl fmt::Debug for TransactionBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TransactionBuilder")
    }
}

impl<'a> TransactionBuilder<'a> {
    pub(super) fn new(inner: tokio_postgres::TransactionBuilder<'a>, shared: &'a Shared) -> Self {
        Self { inner, shared }
    }

    /// Its isolation level.
    pub fn isolation_level(mut self, level: IsolationLevel) -> Self {
        self.inner = self.inner.isolation_level(level);
        self
    }

    /// Whether it only reads.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.inner = self.inner.read_only(read_only);
        self
    }

    /// Whether it may wait for a snapshot that cannot fail.
    pub fn deferrable(mut self, deferrable: bool) -> Self {
        self.inner = self.inner.deferrable(deferrable);
        self
    }

    /// Opens it.
    ///
    /// # Errors
    /// The server's own.
    pub async fn start(self) -> Result<Transaction<'a>, Error> {
        let inner = self.inner.start().await?;
        self.shared.follow(&Control::Begin);
        let transaction = Transaction {
            inner: Some(inner),
            shared: self.shared,
            savepoint: None,
            ending: false,
        };
        if self.shared.announced.is_some() {
            transaction
                .runner()
                .client
                .batch_execute(&tell::settings(self.shared))
                .await?;
        }
        Ok(transaction)
    }
}

/// An open transaction, or a savepoint in one; statements run through it as through [`super::Postgres`].
pub struct Transaction<'a> {
    /// `None` once it ended.
    inner: Option<tokio_postgres::Transaction<'a>>,
    shared: &'a Shared,
    savepoint: Option<String>,
    /// Whether its end was sent.
    ending: bool,
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("savepoint", &self.savepoint)
            .finish_non_exhaustive()
    }
}

impl Transaction<'_> {
    #[expect(
        clippy::expect_used,
        reason = "it is taken only by what consumes the transaction"
    )]
    fn inner(&self) -> &tokio_postgres::Transaction<'_> {
        self.inner.as_ref().expect("the transaction is open")
    }

    fn runner(&self) -> Runner<'_> {
        Runner {
            client: self.inner().client(),
            shared: self.shared,
        }
    }

    /// As [`super::Postgres::execute`].
    ///
    /// # Errors
    /// As there.
    pub async fn execute(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<u64, PostgresError> {
        self.runner().execute(sql, params).await
    }

    /// As [`super::Postgres::query`].
    ///
    /// # Errors
    /// As there.
    pub async fn query(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, PostgresError> {
        self.runner().query(sql, params).await
    }

    /// As [`super::Postgres::query_one`].
    ///
    /// # Errors
    /// As there.
    pub async fn query_one(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Row, PostgresError> {
        self.runner().query_one(sql, params).await
    }

    /// As [`super::Postgres::query_opt`].
    ///
    /// # Errors
    /// As there.
    pub async fn query_opt(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, PostgresError> {
        self.runner().query_opt(sql, params).await
    }

    /// As [`super::Postgres::batch_execute`].
    ///
    /// # Errors
    /// As there.
    pub async fn batch_execute(&self, sql: &str) -> Result<(), PostgresError> {
        self.runner().batch(sql).await
    }

    /// Sets a savepoint, as [`tokio_postgres::Transaction::savepoint`]: dropped without a commit, what followed it is
    /// taken back.
    ///
    /// # Errors
    /// The server's own.
    pub async fn savepoint(&mut self, name: &str) -> Result<Transaction<'_>, Error> {
        let shared = self.shared;
        let control = Control::Savepoint(name.to_ascii_lowercase());
        let Some(inner) = self.inner.as_mut() else {
            unreachable!("it is taken only by what consumes the transaction")
        };
        let inner = inner.savepoint(name).await?;
        shared.follow(&control);
        Ok(Transaction {
            inner: Some(inner),
            shared,
            savepoint: Some(name.to_ascii_lowercase()),
            ending: false,
        })
    }

    /// Commits: the diffs of its statements become effective, or those of the savepoint part of what is around it.
    /// If the answer does not come, what became of them is `unknown`.
    ///
    /// # Errors
    /// The server's own.
    pub async fn commit(mut self) -> Result<(), Error> {
        let Some(inner) = self.inner.take() else {
            return Ok(());
        };
        self.ending = true;
        let result = inner.commit().await;
        self.ending = false;
        let control = self
            .savepoint
            .take()
            .map_or(Control::Commit, Control::Release);
        self.shared.ended(&control, result)
    }

    /// Rolls back: the diffs of its statements are without effect.
    ///
    /// # Errors
    /// The server's own.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let Some(inner) = self.inner.take() else {
            return Ok(());
        };
        // Whatever answer comes, it is rolled back: a lost connection does that too.
        self.roll_back();
        inner.rollback().await
    }

    fn roll_back(&mut self) {
        let control = self
            .savepoint
            .take()
            .map_or(Control::Rollback, Control::RollbackTo);
        self.shared.follow(&control);
    }

    /// The transaction itself: what is done through it is not recorded, so its diffs end as `unknown`.
    pub fn client(&self) -> &tokio_postgres::Transaction<'_> {
        self.shared.memory.stop();
        self.shared.handed_out();
        self.inner()
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.ending && self.savepoint.is_none() {
            self.shared.unsure(); // dropped while it waited for the answer to its COMMIT
        } else if self.inner.take().is_some() {
            self.roll_back(); // which dropping the inner transaction has sent
        }
    }
}
