//! What `sqlx` asks of whatever runs its queries.

use futures_util::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use sqlx::{
    Error, Execute, Executor, PgConnection, SqlStr,
    postgres::{PgRow, PgStatement, PgTypeInfo},
};

use super::{Item, Postgres, PostgresTransaction, Query};
use crate::capture::sqlx::{query::first, yielding};

impl<'c, C> Executor<'c> for &'c mut Postgres<C>
where
    C: AsMut<PgConnection> + Send + 'c,
{
    type Database = sqlx::Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Item, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, sqlx::Postgres>,
    {
        let (query, encoded) = Query::of(query);
        let link = self.link();
        yielding::stream(move |out| async move { link.run(query, encoded, &out).await })
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
        self.connection.as_mut().prepare_with(sql, parameters)
    }
}

impl<'c> Executor<'c> for &'c mut PostgresTransaction<'_> {
    type Database = sqlx::Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Item, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, sqlx::Postgres>,
    {
        (&mut **self).fetch_many(query)
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, sqlx::Postgres>,
    {
        (&mut **self).fetch_optional(query)
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, Result<PgStatement, Error>>
    where
        'c: 'e,
    {
        (&mut **self).prepare_with(sql, parameters)
    }
}
