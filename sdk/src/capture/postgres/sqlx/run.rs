//! One recorded statement from begin to end.

use sqlx::{
    Arguments as _, Either, Error, PgConnection,
    postgres::{PgArguments, PgQueryResult, types::Oid},
};
use vocabulary::action::Durability;

use super::{Item, Query, arguments, rows};
use crate::{
    Action,
    capture::{
        postgres::{
            change::Changes,
            control,
            observe::{self, Observed},
            shared::Shared,
            statement::{self, Statement},
            table::{self, Known, Line},
            tell, words,
        },
        rows::Returned,
        sqlx::{refusal, yielding::Out},
        transactions::Control,
    },
};

/// How many results of one row are kept to tell counts with.
const ONES: usize = 16;

/// A connection, and what is known of it.
pub(super) struct Link<'a> {
    pub(super) connection: &'a mut PgConnection,
    pub(super) shared: &'a Shared,
    /// Results that say "one row": `sqlx` makes one only from a server's answer, and adds them up.
    pub(super) ones: &'a mut Vec<PgQueryResult>,
}

/// What a statement gave, and how it ended.
pub(super) struct Got {
    pub(super) items: Vec<Item>,
    pub(super) result: Result<(), Error>,
}

impl Got {
    pub(super) fn failed(error: Error) -> Self {
        Self {
            items: Vec::new(),
            result: Err(error),
        }
    }

    /// How many rows the server counted.
    pub(super) fn count(&self) -> u64 {
        let counted = |item: &Item| item.as_ref().left().map(PgQueryResult::rows_affected);
        self.items.iter().filter_map(counted).sum()
    }

    fn returned(&self) -> Returned {
        let mut returned = Returned::default();
        for row in self.items.iter().filter_map(|item| item.as_ref().right()) {
            rows::keep(&mut returned, row);
        }
        returned
    }
}

impl Link<'_> {
    /// Runs one statement as one action, and hands on what it gives.
    pub(super) async fn run(
        mut self,
        mut query: Query,
        encoded: Result<(), Error>,
        out: &Out<Item>,
    ) -> Result<(), Error> {
        let statement = statement::statement(query.text());
        if let Statement::Control(control) = &statement {
            let (items, result) = query.all(&mut *self.connection).await;
            let result = self.shared.ended(control, result);
            return hand_on(items, result, out).await;
        }
        let together = self.shared.in_transaction() || self.shared.wraps;
        let known = self.look_up(&statement, query.persistent).await;
        let observed = observe::observe(query.text(), statement, known, together);
        let begun = self.begin(&observed, &mut query).await?;
        if self.shared.comments {
            query = query.saying(tell::commented(query.text(), &begun));
        }
        if encoded.is_ok() && observed.only_reads() {
            return self.read(begun, &observed, query, out).await;
        }
        let controls = controls(query.text());
        let (got, changes) = match encoded {
            Ok(()) => self.perform(&observed, query, &begun).await,
            Err(error) => (Got::failed(error), Changes::default()),
        };
        if got.result.is_ok() {
            controls
                .iter()
                .for_each(|control| self.shared.follow(control));
        }
        let gave = got.result.as_ref().map(|()| (got.count(), got.returned()));
        self.shared.record(begun, &observed, gave, changes);
        hand_on(got.items, got.result, out).await
    }

    /// A statement that only reads: its rows are handed on as they come.
    async fn read(
        self,
        begun: Action,
        observed: &Observed,
        query: Query,
        out: &Out<Item>,
    ) -> Result<(), Error> {
        use futures_util::TryStreamExt as _;
        use sqlx::Executor as _;
        let (mut count, mut returned) = (0, Returned::default());
        let mut answer = self.connection.fetch_many(query);
        let result = loop {
            match answer.try_next().await {
                Ok(Some(item)) => {
                    match &item {
                        Either::Left(result) => count += result.rows_affected(),
                        Either::Right(row) => rows::keep(&mut returned, row),
                    }
                    out.give(item).await;
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        let gave = result.as_ref().map(|()| (count, returned));
        self.shared
            .record(begun, observed, gave, Changes::default());
        result
    }

    /// Begins the action. While rows are locked nobody waits for the collector.
    async fn begin(&self, observed: &Observed, query: &mut Query) -> Result<Action, Error> {
        let parameters = arguments::cells(query.arguments.as_mut());
        let mut builder = observed
            .plan(self.shared, query.text(), parameters)
            .in_session(&self.shared.session);
        if !observed.only_reads() && self.shared.is_locked() {
            builder = builder.durability(Durability::Spool);
        }
        let begun = builder.begin().await.map_err(refusal)?;
        if observed.locks {
            self.shared.locks();
        }
        Ok(begun)
    }

    /// What the catalogue says; a connection that cannot be asked will say so to the statement itself.
    async fn look_up(&mut self, statement: &Statement, persistent: bool) -> Known {
        let Some((name, functions)) = observe::question(statement) else {
            return Known::default();
        };
        if self.shared.is_aborted() {
            return Known::default();
        }
        let plain = name.filter(|_| functions.is_empty());
        if let Some(table) = plain.and_then(|name| self.shared.remembered(name)) {
            let stamp = Query::plain(table::STAMP.to_owned());
            let stamp = stamp.with(bound([Oid(table.oid)]), persistent);
            let stamp = self.lines(stamp).await.unwrap_or_default();
            if stamp.iter().flatten().flatten().eq([&table.stamp]) {
                return Known {
                    table: Some(table),
                    ..Known::default()
                };
            }
        }
        let question = Query::plain(table::QUESTION.to_owned());
        let question = question.with(bound(table::asked(name, &functions)), persistent);
        let lines = self.lines(question).await;
        let known = lines.map_or_else(|_| Known::default(), Known::of);
        if let (Some(name), Some(table)) = (plain, &known.table) {
            self.shared.remember(name, table);
        }
        known
    }

    /// The rows of a query whose columns are all text.
    pub(super) async fn lines(&mut self, query: Query) -> Result<Vec<Line>, Error> {
        let (items, result) = query.all(&mut *self.connection).await;
        result?;
        let mut lines = Vec::new();
        for item in items {
            match item {
                Either::Right(row) => lines.push(rows::line(&row)),
                Either::Left(one) if one.rows_affected() == 1 && self.ones.len() < ONES => {
                    self.ones.push(one);
                }
                Either::Left(_) => {}
            }
        }
        Ok(lines)
    }
}

/// Values as arguments; those used here can always be encoded.
pub(super) fn bound<T, const N: usize>(values: [T; N]) -> PgArguments
where
    T: for<'q> sqlx::Encode<'q, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let mut arguments = PgArguments::default();
    for value in values {
        let _ = arguments.add(value);
    }
    arguments
}

/// The transaction control among several statements of one text.
fn controls(sql: &str) -> Vec<Control> {
    let statements = words::surface(sql).statements;
    statements
        .into_iter()
        .filter_map(|at| control::control(&sql[at]))
        .collect()
}

async fn hand_on(
    items: Vec<Item>,
    result: Result<(), Error>,
    out: &Out<Item>,
) -> Result<(), Error> {
    for item in items {
        out.give(item).await;
    }
    result
}
