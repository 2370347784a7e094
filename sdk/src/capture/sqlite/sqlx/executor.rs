//! What `sqlx` asks of whatever runs its queries.

use futures_util::{FutureExt as _, future::BoxFuture, stream::BoxStream};
use sqlx::{
    Error, Execute, Executor, SqlStr,
    sqlite::{SqliteRow, SqliteStatement, SqliteTypeInfo},
};

use super::{HoldsSqlite, Item, Query, Sqlite, SqliteTransaction, run::Want};
use crate::capture::sqlx::{query::first, yielding};

impl<C: HoldsSqlite> Sqlite<C> {
    fn items<'e, 'q, E>(&'e mut self, query: E, want: Want) -> BoxStream<'e, Result<Item, Error>>
    where
        E: 'q + Execute<'q, sqlx::Sqlite>,
    {
        let (query, encoded) = Query::of(query);
        let link = self.link();
        yielding::stream(move |out| async move { link.run(query, encoded, want, &out).await })
    }
}

impl<'c, C> Executor<'c> for &'c mut Sqlite<C>
where
    C: HoldsSqlite + 'c,
{
    type Database = sqlx::Sqlite;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Item, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, sqlx::Sqlite>,
    {
        self.items(query, Want::All)
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<SqliteRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, sqlx::Sqlite>,
    {
        first::<sqlx::Sqlite>(self.items(query, Want::First)).boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [SqliteTypeInfo],
    ) -> BoxFuture<'e, Result<SqliteStatement, Error>>
    where
        'c: 'e,
    {
        self.connection.sqlite().prepare_with(sql, parameters)
    }
}

impl<'c> Executor<'c> for &'c mut SqliteTransaction<'_> {
    type Database = sqlx::Sqlite;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Item, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, sqlx::Sqlite>,
    {
        (&mut **self).fetch_many(query)
    }

    fn fetch_optional<'e, 'q: 'e, E>(
        self,
        query: E,
    ) -> BoxFuture<'e, Result<Option<SqliteRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, sqlx::Sqlite>,
    {
        (&mut **self).fetch_optional(query)
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [SqliteTypeInfo],
    ) -> BoxFuture<'e, Result<SqliteStatement, Error>>
    where
        'c: 'e,
    {
        (&mut **self).prepare_with(sql, parameters)
    }
}
