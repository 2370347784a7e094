//! A pool whose statements are recorded.

use std::fmt;

use futures_util::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use sqlx::{
    Error, Execute, Executor, PgPool, SqlStr,
    pool::PoolConnection,
    postgres::{PgRow, PgStatement, PgTypeInfo},
};

use super::{Item, Postgres, PostgresTransaction, Query};
use crate::{
    Handle,
    capture::sqlx::{query::first, yielding},
};

/// A pool whose statements are recorded: hand `&` of it to a query, as of the bare one. Each statement takes a
/// connection, which is given back after it; see [`Handle::sqlx_postgres_pool`].
#[derive(Clone)]
pub struct PostgresPool {
    pool: PgPool,
    session: Handle,
    name: Option<String>,
    wraps: bool,
}

impl fmt::Debug for PostgresPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresPool").finish_non_exhaustive()
    }
}

impl Handle {
    /// Records what is done through `pool` in this session. A connection that is taken from it is asked once where it
    /// is; what takes many statements is better done on one, by [`PostgresPool::acquire`].
    pub fn sqlx_postgres_pool(&self, pool: PgPool) -> PostgresPool {
        PostgresPool {
            pool,
            session: self.clone(),
            name: None,
            wraps: false,
        }
    }
}

impl PostgresPool {
    /// As [`Postgres::named`].
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// As [`Postgres::wrapped`].
    #[must_use]
    pub fn wrapped(mut self) -> Self {
        self.wraps = true;
        self
    }

    /// A connection of the pool, recorded.
    ///
    /// # Errors
    /// The pool's own.
    pub async fn acquire(&self) -> Result<Postgres<PoolConnection<sqlx::Postgres>>, Error> {
        let mut recorded = self.session.sqlx_postgres(self.pool.acquire().await?).await;
        if let Some(name) = &self.name {
            recorded = recorded.named(name);
        }
        Ok(if self.wraps {
            recorded.wrapped()
        } else {
            recorded
        })
    }

    /// Opens a transaction on a connection of the pool, as `begin` of the bare one.
    ///
    /// # Errors
    /// The pool's and the server's own.
    pub async fn begin(&self) -> Result<PostgresTransaction<'static>, Error> {
        let Postgres {
            connection, shared, ..
        } = self.acquire().await?;
        let inner = sqlx::Transaction::begin(connection, None).await?;
        PostgresTransaction::open(inner, shared, None, 0).await
    }

    /// The pool itself: what is done through it is not recorded.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl<'c> Executor<'c> for &'c PostgresPool {
    type Database = sqlx::Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Item, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, sqlx::Postgres>,
    {
        let (query, encoded) = Query::of(query);
        yielding::stream(move |out| async move {
            let mut recorded = self.acquire().await?;
            recorded.link().run(query, encoded, &out).await
        })
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, sqlx::Postgres>,
    {
        first::<sqlx::Postgres>(self.fetch_many(query)).boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        self.pool.prepare_with(sql, parameters)
    }
}
