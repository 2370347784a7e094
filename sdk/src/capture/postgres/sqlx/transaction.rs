//! An open transaction whose statements are recorded.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use sqlx::{Connection as _, Error, PgConnection, SqlSafeStr};

use super::{Postgres, Query};
use crate::capture::{
    postgres::{shared::Shared, tell},
    transactions::Control,
};

/// A transaction of `sqlx` as the recorder holds it.
type Inner<'c> = Postgres<sqlx::Transaction<'c, sqlx::Postgres>>;

/// An open transaction, or a savepoint in one: hand `&mut *` of it to a query, as of one of `sqlx`. Dropped without
/// [`PostgresTransaction::commit`], it rolls back.
pub struct PostgresTransaction<'c> {
    /// `None` once it ended.
    inner: Option<Inner<'c>>,
    savepoint: Option<String>,
}

impl fmt::Debug for PostgresTransaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresTransaction")
            .field("savepoint", &self.savepoint)
            .finish_non_exhaustive()
    }
}

impl<C: AsMut<PgConnection>> Postgres<C> {
    /// Opens a transaction, or sets a savepoint in the one that is open, as `begin` of `sqlx` does.
    ///
    /// # Errors
    /// The server's own.
    pub async fn begin(&mut self) -> Result<PostgresTransaction<'_>, Error> {
        let nested = self.connection.as_mut().is_in_transaction();
        let inner = self.connection.as_mut().begin().await?;
        let savepoint = nested.then(|| format!("_sqlx_savepoint_{}", self.depth));
        PostgresTransaction::open(inner, Arc::clone(&self.shared), savepoint, self.depth).await
    }

    /// Opens a transaction by a statement of your own, such as `BEGIN ISOLATION LEVEL SERIALIZABLE`.
    ///
    /// # Errors
    /// The server's own, and that a transaction is open already.
    pub async fn begin_with(
        &mut self,
        statement: impl SqlSafeStr,
    ) -> Result<PostgresTransaction<'_>, Error> {
        let inner = self.connection.as_mut().begin_with(statement).await?;
        PostgresTransaction::open(inner, Arc::clone(&self.shared), None, self.depth).await
    }
}

impl<'c> PostgresTransaction<'c> {
    pub(super) async fn open(
        inner: sqlx::Transaction<'c, sqlx::Postgres>,
        shared: Arc<Shared>,
        savepoint: Option<String>,
        depth: usize,
    ) -> Result<Self, Error> {
        shared.follow(&match &savepoint {
            Some(name) => Control::Savepoint(name.clone()),
            None => Control::Begin,
        });
        let announced = savepoint.is_none() && shared.announced.is_some();
        let mut transaction = Self {
            inner: Some(Postgres {
                connection: inner,
                shared,
                ones: Vec::new(),
                depth: depth + 1,
            }),
            savepoint,
        };
        if announced {
            let settings = tell::settings(&transaction.shared);
            Query::plain(settings)
                .all(transaction.connection.as_mut())
                .await
                .1?;
        }
        Ok(transaction)
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
        let Postgres {
            connection, shared, ..
        } = inner;
        let mut unanswered = Unanswered(self.savepoint.is_none().then_some(&shared));
        let result = connection.commit().await;
        unanswered.0 = None;
        drop(unanswered);
        let control = self
            .savepoint
            .take()
            .map_or(Control::Commit, Control::Release);
        shared.ended(&control, result)
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
        inner.shared.follow(&self.undone());
        inner.connection.rollback().await
    }

    fn undone(&mut self) -> Control {
        self.savepoint
            .take()
            .map_or(Control::Rollback, Control::RollbackTo)
    }
}

/// A `COMMIT` whose answer is waited for: dropped with who waits, nobody knows what became of it.
struct Unanswered<'a>(Option<&'a Shared>);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            shared.unsure();
        }
    }
}

impl Drop for PostgresTransaction<'_> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            inner.shared.follow(&self.undone()); // which dropping the inner transaction will send
        }
    }
}

impl<'c> Deref for PostgresTransaction<'c> {
    type Target = Inner<'c>;

    #[expect(
        clippy::expect_used,
        reason = "it is taken only by what consumes the transaction"
    )]
    fn deref(&self) -> &Inner<'c> {
        self.inner.as_ref().expect("the transaction is open")
    }
}

impl<'c> DerefMut for PostgresTransaction<'c> {
    #[expect(
        clippy::expect_used,
        reason = "it is taken only by what consumes the transaction"
    )]
    fn deref_mut(&mut self) -> &mut Inner<'c> {
        self.inner.as_mut().expect("the transaction is open")
    }
}
