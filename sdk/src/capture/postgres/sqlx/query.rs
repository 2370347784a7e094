//! A query taken from its caller: text, arguments, and how it is to be sent.

use futures_util::TryStreamExt as _;
use sqlx::{
    AssertSqlSafe, Error, Execute, Executor as _, PgConnection, SqlSafeStr as _, SqlStr,
    error::BoxDynError,
    postgres::{PgArguments, PgStatement},
};

use super::Item;

/// A query that owns all that it needs.
#[derive(Clone)]
pub(super) struct Query {
    sql: SqlStr,
    statement: Option<PgStatement>,
    /// `None` sends the text alone, by the simple protocol.
    pub(super) arguments: Option<PgArguments>,
    pub(super) persistent: bool,
}

impl Query {
    /// Takes over `query`; the error is that of an argument that could not be encoded.
    pub(super) fn of<'q, E: Execute<'q, sqlx::Postgres>>(
        mut query: E,
    ) -> (Self, Result<(), Error>) {
        let statement = query.statement().cloned();
        let arguments = query.take_arguments().map_err(Error::Encode);
        let persistent = query.persistent();
        let sql = query.sql();
        let (arguments, encoded) = match arguments {
            Ok(arguments) => (arguments, Ok(())),
            Err(error) => (None, Err(error)),
        };
        let query = Self {
            sql,
            statement,
            arguments,
            persistent,
        };
        (query, encoded)
    }

    /// A text without arguments.
    pub(super) fn plain(sql: String) -> Self {
        Self {
            sql: AssertSqlSafe(sql).into_sql_str(),
            statement: None,
            arguments: None,
            persistent: false,
        }
    }

    /// The same arguments, for another text.
    pub(super) fn saying(&self, sql: String) -> Self {
        Self {
            sql: AssertSqlSafe(sql).into_sql_str(),
            statement: None,
            ..self.clone()
        }
    }

    /// The same text with arguments of our own.
    pub(super) fn with(self, arguments: PgArguments, persistent: bool) -> Self {
        Self {
            arguments: Some(arguments),
            persistent,
            ..self
        }
    }

    pub(super) fn text(&self) -> &str {
        self.sql.as_str()
    }

    /// Runs it, and gives what it gave before it ended, and how it ended.
    pub(super) async fn all(self, connection: &mut PgConnection) -> (Vec<Item>, Result<(), Error>) {
        let mut items = Vec::new();
        let mut answer = connection.fetch_many(self);
        loop {
            match answer.try_next().await {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return (items, Ok(())),
                Err(error) => return (items, Err(error)),
            }
        }
    }

    /// Runs it for its effect.
    pub(super) async fn drain(self, connection: &mut PgConnection) -> Result<(), Error> {
        self.all(connection).await.1
    }
}

impl<'q> Execute<'q, sqlx::Postgres> for Query {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&PgStatement> {
        self.statement.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<PgArguments>, BoxDynError> {
        Ok(self.arguments.take())
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}
