//! A query taken from its caller: text, arguments, and how it is to be sent.

use futures_util::{TryStreamExt as _, stream::BoxStream};
use sqlx::{
    AssertSqlSafe, Database, Either, Error, Execute, Executor, SqlSafeStr as _, SqlStr,
    error::BoxDynError,
};

/// One thing that a statement gives: its result, or a row.
pub(in crate::capture) type Item<D> = Either<<D as Database>::QueryResult, <D as Database>::Row>;

/// What a statement gave before it ended, and how it ended.
pub(in crate::capture) type All<D> = (Vec<Item<D>>, Result<(), Error>);

/// The first row; the rest is read to its end, since an error may come last.
pub(in crate::capture) async fn first<D: Database>(
    mut items: BoxStream<'_, Result<Item<D>, Error>>,
) -> Result<Option<D::Row>, Error> {
    let mut first = None;
    while let Some(item) = items.try_next().await? {
        if let (None, Either::Right(row)) = (&first, item) {
            first = Some(row);
        }
    }
    Ok(first)
}

/// A query that owns all that it needs.
#[derive(Debug)]
pub(in crate::capture) struct Query<D: Database> {
    sql: SqlStr,
    statement: Option<D::Statement>,
    /// `None` sends the text alone.
    pub(in crate::capture) arguments: Option<D::Arguments>,
    pub(in crate::capture) persistent: bool,
}

impl<D: Database> Query<D> {
    /// Takes over `query`; the error is that of an argument that could not be encoded.
    pub(in crate::capture) fn of<'q, E: Execute<'q, D>>(mut query: E) -> (Self, Result<(), Error>) {
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
    pub(in crate::capture) fn plain(sql: String) -> Self {
        Self {
            sql: AssertSqlSafe(sql).into_sql_str(),
            statement: None,
            arguments: None,
            persistent: false,
        }
    }

    /// The same arguments, for another text.
    #[cfg(feature = "sqlx-postgres")]
    pub(in crate::capture) fn saying(&self, sql: String) -> Self
    where
        D::Arguments: Clone,
    {
        Self {
            arguments: self.arguments.clone(),
            persistent: self.persistent,
            ..Self::plain(sql)
        }
    }

    /// The same text with arguments of our own.
    pub(in crate::capture) fn with(self, arguments: D::Arguments, persistent: bool) -> Self {
        Self {
            arguments: Some(arguments),
            persistent,
            ..self
        }
    }

    pub(in crate::capture) fn text(&self) -> &str {
        self.sql.as_str()
    }

    /// Runs it to its end.
    pub(in crate::capture) async fn all<'c, C>(self, connection: C) -> All<D>
    where
        C: Executor<'c, Database = D>,
        Self: for<'q> Execute<'q, D> + 'c,
    {
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
}

impl<D: Database> Execute<'_, D> for Query<D> {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&D::Statement> {
        self.statement.as_ref()
    }

    fn take_arguments(&mut self) -> Result<Option<D::Arguments>, BoxDynError> {
        Ok(self.arguments.take())
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}
