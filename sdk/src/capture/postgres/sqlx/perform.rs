//! Running a write in the way that shows its rows.

use sqlx::{
    Arguments as _, Connection as _, Either, Error,
    postgres::{PgArguments, PgQueryResult},
};

use super::{
    Query,
    failure::is_of_the_text,
    rows,
    run::{Got, Link, bound},
};
use crate::{
    Action,
    capture::{
        postgres::{
            cells::Raw,
            change::{self, Changes},
            observe::Observed,
            rewrite::{Answer, Way},
            statement::Write,
            table::{Line, Table},
            tell,
        },
        rows::ROWS,
    },
};

/// A write of a table that is known.
#[derive(Clone, Copy)]
struct Known<'a> {
    write: &'a Write,
    table: &'a Table,
}

/// What is read before and after a write that runs as it is.
struct Reads {
    before: Option<String>,
    after: Option<String>,
}

impl Link<'_> {
    /// Runs the statement in the way that shows its rows.
    pub(super) async fn perform(
        &mut self,
        observed: &Observed,
        query: Query,
        begun: &Action,
    ) -> (Got, Changes) {
        let (Some((write, plan)), Some(table)) = (&observed.write, &observed.table) else {
            return (self.native(query).await, Changes::default());
        };
        let known = Known { write, table };
        match observed.way() {
            Way::Bare => (self.native(query).await, Changes::default()),
            Way::Along(along) => self.along(known, plan.tells_new, query, along, begun).await,
            Way::Around { before, after } => {
                let reads = Reads { before, after };
                if self.shared.in_transaction() || !self.shared.wraps {
                    let inside = self.shared.in_transaction();
                    return self.around(known, &reads, query, inside).await;
                }
                self.wrapped(known, &reads, query).await
            }
        }
    }

    /// The statement as it is.
    async fn native(&mut self, query: Query) -> Got {
        let (items, result) = query.all(&mut *self.connection).await;
        Got { items, result }
    }

    /// One statement that reads along.
    async fn along(
        &mut self,
        Known { write, table }: Known<'_>,
        tells_new: bool,
        query: Query,
        along: String,
        begun: &Action,
    ) -> (Got, Changes) {
        let along = match self.shared.comments {
            true => tell::commented(&along, begun),
            false => along,
        };
        match self.lines(query.saying(along)).await {
            Ok(lines) => {
                let answer = Answer::of(lines);
                let counted = self.counted(answer.count).await;
                let got = Got {
                    items: vec![Either::Left(counted)],
                    result: Ok(()),
                };
                (got, change::along(write, table, answer, tells_new))
            }
            // Nothing ran, and nothing is undone: the user's own text says its own error, or runs after all.
            Err(error) if is_of_the_text(&error) && !self.shared.in_transaction() => {
                let why = format!("the statement that reads its rows along was refused: {error}");
                let mut changes = Changes::default();
                changes.unseen.push(why);
                (self.native(query).await, changes)
            }
            Err(error) => (Got::failed(error), Changes::default()),
        }
    }

    /// A result that says `count` rows: added up from results of one row, or, where these do not suffice, the
    /// server's answer to a query for so many empty rows.
    async fn counted(&mut self, count: u64) -> PgQueryResult {
        let mut result = PgQueryResult::default();
        if let Ok(count) = usize::try_from(count)
            && let Some(from) = self.ones.len().checked_sub(count)
        {
            result.extend(self.ones.drain(from..));
            return result;
        }
        let many = Query::plain("SELECT FROM pg_catalog.generate_series(1, $1)".to_owned());
        let many = many.with(bound([i64::try_from(count).unwrap_or(i64::MAX)]), true);
        let (items, _) = many.all(&mut *self.connection).await;
        result.extend(items.into_iter().filter_map(Either::left));
        result
    }

    /// A write between statements that read its rows, in a transaction of its own.
    async fn wrapped(&mut self, known: Known<'_>, reads: &Reads, query: Query) -> (Got, Changes) {
        // Dropped with the future that waits in it, it is rolled back.
        let mut open = match self.connection.begin().await {
            Ok(open) => open,
            Err(error) => return (Got::failed(error), Changes::default()),
        };
        let mut link = Link {
            connection: &mut open,
            shared: self.shared,
            ones: self.ones,
        };
        let (mut got, changes) = link.around(known, reads, query, true).await;
        let ended = match got.result {
            Ok(()) => open.commit().await,
            Err(_) => open.rollback().await,
        };
        got.result = got.result.and(ended);
        (got, changes)
    }

    /// `inside` a transaction an error of the reading is the statement's: it has undone it.
    async fn around(
        &mut self,
        Known { write, table }: Known<'_>,
        reads: &Reads,
        query: Query,
        inside: bool,
    ) -> (Got, Changes) {
        let mut unseen = Vec::new();
        let mut before = Vec::new();
        if let Some(sql) = &reads.before {
            match self.lines(query.saying(sql.clone())).await {
                Ok(lines) => before = lines,
                Err(error) if inside => return (Got::failed(error), Changes::default()),
                Err(error) => unseen.push(format!("the rows before cannot be read: {error}")),
            }
        }
        let persistent = query.persistent;
        let got = self.native(query).await;
        if got.result.is_err() {
            return (got, Changes::default());
        }
        let mut after = Vec::new();
        if let Some(sql) = &reads.after {
            let keys = keys(table, &before, &got);
            match self
                .read_after(sql, &keys, table.key.len(), persistent)
                .await
            {
                Ok(lines) => after = lines,
                Err(error) if inside => return (Got::failed(error), Changes::default()),
                Err(error) => unseen.push(format!("the rows after cannot be read: {error}")),
            }
        }
        let mut changes = change::around(write, table, before, after, got.count());
        changes.unseen.extend(unseen);
        (got, changes)
    }

    /// The rows with these keys, of so many columns.
    async fn read_after(
        &mut self,
        sql: &str,
        keys: &[Vec<Raw>],
        columns: usize,
        persistent: bool,
    ) -> Result<Vec<Line>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let mut arguments = PgArguments::default();
        for at in 0..columns {
            let column: Vec<Raw> = keys.iter().filter_map(|key| key.get(at).cloned()).collect();
            arguments.add(column).map_err(Error::Encode)?;
        }
        self.lines(Query::plain(sql.to_owned()).with(arguments, persistent))
            .await
    }
}

/// The keys of the rows read before, and of those that the user got.
fn keys(table: &Table, before: &[Line], got: &Got) -> Vec<Vec<Raw>> {
    let returned = got.items.iter().filter_map(|item| item.as_ref().right());
    let returned = returned
        .take(ROWS)
        .filter_map(|row| rows::returned_key(table, row));
    let mut keys: Vec<Vec<Raw>> = before
        .iter()
        .filter_map(|row| change::key(table, row))
        .chain(returned)
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys.truncate(ROWS);
    keys
}
