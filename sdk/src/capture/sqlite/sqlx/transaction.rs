//! An open transaction whose statements are recorded.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::Arc,
};

use sqlx::{Connection as _, Error, SqlSafeStr};

use super::{HoldsSqlite, Shared, Sqlite, run::lock};
use crate::capture::transactions::Control;

/// A transaction of `sqlx` as the recorder holds it.
type Inner<'c> = Sqlite<sqlx::Transaction<'c, sqlx::Sqlite>>;

/// An open transaction, or a savepoint in one: hand `&mut *` of it to a query, as of one of `sqlx`. Dropped without
/// [`SqliteTransaction::commit`], it rolls back.
pub struct SqliteTransaction<'c> {
    /// `None` once it ended.
    inner: Option<Inner<'c>>,
    savepoint: Option<String>,
}

impl fmt::Debug for SqliteTransaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteTransaction")
            .field("savepoint", &self.savepoint)
            .finish_non_exhaustive()
    }
}

impl<C: HoldsSqlite> Sqlite<C> {
    /// Opens a transaction, or sets a savepoint in the one that is open, as `begin` of `sqlx` does.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn begin(&mut self) -> Result<SqliteTransaction<'_>, Error> {
        let nested = self.connection.sqlite().is_in_transaction();
        let savepoint = nested.then(|| format!("_sqlx_savepoint_{}", self.depth));
        let inner = self.connection.sqlite().begin().await?;
        Ok(SqliteTransaction::open(
            inner,
            &self.shared,
            savepoint,
            self.depth,
        ))
    }

    /// Opens a transaction by a statement of your own, such as `BEGIN IMMEDIATE`.
    ///
    /// # Errors
    /// SQLite's own, and that a transaction is open already.
    pub async fn begin_with(
        &mut self,
        statement: impl SqlSafeStr,
    ) -> Result<SqliteTransaction<'_>, Error> {
        let inner = self.connection.sqlite().begin_with(statement).await?;
        Ok(SqliteTransaction::open(
            inner,
            &self.shared,
            None,
            self.depth,
        ))
    }
}

impl<'c> SqliteTransaction<'c> {
    fn open(
        inner: sqlx::Transaction<'c, sqlx::Sqlite>,
        shared: &Arc<Shared>,
        savepoint: Option<String>,
        depth: usize,
    ) -> Self {
        let control = match &savepoint {
            Some(name) => Control::Savepoint(name.clone()),
            None => Control::Begin,
        };
        lock(&shared.recording).follow(&control, false);
        Self {
            inner: Some(Sqlite {
                connection: inner,
                shared: Arc::clone(shared),
                depth: depth + 1,
            }),
            savepoint,
        }
    }

    /// Commits: the diffs of its statements become effective, or those of the savepoint part of what is around it.
    ///
    /// # Errors
    /// SQLite's own; the transaction is rolled back then.
    pub async fn commit(mut self) -> Result<(), Error> {
        let Some(Sqlite {
            connection, shared, ..
        }) = self.inner.take()
        else {
            return Ok(());
        };
        let mut unanswered = Unanswered(Some(&shared));
        let result = connection.commit().await;
        unanswered.0 = None;
        let outermost = self.savepoint.is_none();
        let control = match (&result, self.savepoint.take()) {
            (Ok(()), None) => Control::Commit,
            (Ok(()), Some(name)) => Control::Release(name),
            // `sqlx` rolls back what could not be committed.
            (Err(_), None) => Control::Rollback,
            (Err(_), Some(name)) => Control::RollbackTo(name),
        };
        lock(&shared.recording).follow(&control, outermost);
        result
    }

    /// Rolls back: the diffs of its statements are without effect.
    ///
    /// # Errors
    /// SQLite's own.
    pub async fn rollback(mut self) -> Result<(), Error> {
        let Some(Sqlite {
            connection, shared, ..
        }) = self.inner.take()
        else {
            return Ok(());
        };
        let undone = self.undone();
        lock(&shared.recording).follow(&undone, matches!(undone, Control::Rollback));
        connection.rollback().await
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
            lock(&shared.recording).unsure();
        }
    }
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        if let Some(inner) = self.inner.take() {
            let undone = self.undone(); // which dropping the inner transaction will do
            lock(&inner.shared.recording).follow(&undone, matches!(undone, Control::Rollback));
        }
    }
}

impl<'c> Deref for SqliteTransaction<'c> {
    type Target = Inner<'c>;

    #[expect(
        clippy::expect_used,
        reason = "it is taken only by what consumes the transaction"
    )]
    fn deref(&self) -> &Inner<'c> {
        self.inner.as_ref().expect("the transaction is open")
    }
}

impl<'c> DerefMut for SqliteTransaction<'c> {
    #[expect(
        clippy::expect_used,
        reason = "it is taken only by what consumes the transaction"
    )]
    fn deref_mut(&mut self) -> &mut Inner<'c> {
        self.inner.as_mut().expect("the transaction is open")
    }
}
