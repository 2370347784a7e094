//! One recorded statement from begin to end.

use std::{
    future::Future as _,
    pin::pin,
    task::{Context, Waker},
};

use tokio_postgres::{
    Client, Error, Row, Statement as Prepared,
    error::SqlState,
    types::{ToSql, Type},
};
use vocabulary::{
    Event,
    action::{Access, Durability, Effect, Outcome, ReadAfter, ReadBefore},
    attribute,
};

use super::{
    PostgresError, binary,
    cells::Raw,
    change::{self, Changes, Read},
    failure::{Failure, fault},
    observe::{self, Observed},
    rewrite::{Answer, Way},
    shared::Shared,
    statement::{self, Conflict, Statement, Verb, Write},
    table::{self, Known, Line, Table},
    tell,
};
use crate::{
    Action, Attributes,
    capture::{
        Error as Failed,
        rows::{ROWS, Returned},
        step::{self, End},
        transactions::Control,
    },
};

/// The parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What a caller wants to have back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Count,
    Rows,
}

/// What a statement gave.
#[derive(Debug)]
pub(super) enum Got {
    Count(u64),
    Rows(Vec<Row>),
}

impl Got {
    fn count(&self) -> u64 {
        match self {
            Self::Count(count) => *count,
            Self::Rows(rows) => rows.len() as u64,
        }
    }
}

/// A client, and what is known of its connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Runner<'a> {
    pub(super) client: &'a Client,
    pub(super) shared: &'a Shared,
}

impl<'a> Runner<'a> {
    /// Runs one statement as one action.
    pub(super) async fn run(
        self,
        sql: &str,
        params: Params<'_>,
        want: Want,
    ) -> Result<Got, PostgresError> {
        let statement = statement::statement(sql);
        if let Statement::Control(control) = &statement {
            return self
                .control(sql, control, params, want)
                .await
                .map_err(Failed::Own);
        }
        let together = self.shared.in_transaction() || self.shared.wraps;
        let known = self.look_up(&statement).await;
        let observed = observe::observe(sql, statement, known, together);
        let begun = self.begin(&observed, sql, params).await?;
        let sql = self.told(sql, &begun);
        let (result, changes) = self.perform(&observed, &sql, params, want, &begun).await;
        self.record(begun, &observed, &result, changes);
        result.map_err(Failed::Own)
    }

    /// Runs several statements as one action; what they change is not seen.
    pub(super) async fn batch(self, sql: &str) -> Result<(), PostgresError> {
        let surface = super::words::surface(sql);
        let controls: Vec<Control> = surface
            .statements
            .iter()
            .filter_map(|at| super::control::control(&sql[at.clone()]))
            .collect();
        if let ([control], [_]) = (controls.as_slice(), surface.statements.as_slice()) {
            return self
                .shared
                .ended(control, self.client.batch_execute(sql).await)
                .map_err(Failed::Own);
        }
        if surface.statements.len() <= 1 {
            return self.run(sql, &[], Want::Count).await.map(drop);
        }
        let observed = observe::observe(sql, statement::statement(sql), Known::default(), false);
        let begun = self.begin(&observed, sql, &[]).await?;
        let result = self.client.batch_execute(&self.told(sql, &begun)).await;
        if result.is_ok() {
            controls
                .iter()
                .for_each(|control| self.shared.follow(control));
        }
        let result = result.map(|()| Got::Count(0));
        self.record(begun, &observed, &result, Changes::default());
        result.map(drop).map_err(Failed::Own)
    }

    /// Begins the action. While rows are locked nobody waits for the collector.
    async fn begin(
        self,
        observed: &Observed,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Action, PostgresError> {
        let mut builder = observed
            .plan(self.shared, sql, params)
            .in_session(&self.shared.session);
        if !observed.only_reads() && self.shared.is_locked() {
            builder = builder.durability(Durability::Spool);
        }
        let begun = builder.begin().await.map_err(Failed::Refused)?;
        if observed.locks {
            self.shared.locks();
        }
        Ok(begun)
    }

    fn told(self, sql: &str, begun: &Action) -> String {
        if self.shared.comments {
            tell::commented(sql, begun)
        } else {
            sql.to_owned()
        }
    }

    /// What the catalogue says; a connection that cannot be asked will say so to the statement itself.
    async fn look_up(self, statement: &Statement) -> Known {
        let Some((name, functions)) = observe::question(statement) else {
            return Known::default();
        };
        if self.shared.is_aborted() {
            return Known::default();
        }
        let plain = name.filter(|_| functions.is_empty());
        if let Some(table) = plain.and_then(|name| self.shared.remembered(name)) {
            let asked: [(&(dyn ToSql + Sync), Type); 1] = [(&table.oid, Type::OID)];
            let stamp = self.lines(table::STAMP, &asked).await.ok();
            if stamp
                .iter()
                .flatten()
                .flatten()
                .flatten()
                .eq([&table.stamp])
            {
                let table = Some(table);
                return Known {
                    table,
                    ..Known::default()
                };
            }
        }
        let [schema, table, functions] = table::asked(name, &functions);
        let asked: [(&(dyn ToSql + Sync), Type); 3] = [
            (&schema, Type::TEXT),
            (&table, Type::TEXT),
            (&functions, Type::TEXT),
        ];
        let known = self
            .lines(table::QUESTION, &asked)
            .await
            .map_or_else(|_| Known::default(), Known::of);
        if let (Some(name), Some(table)) = (plain, &known.table) {
            self.shared.remember(name, table);
        }
        known
    }

    /// The rows of a query whose columns are all text.
    async fn lines(
        self,
        sql: &str,
        params: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Line>, Error> {
        let rows = self.client.query_typed(sql, params).await?;
        Ok(rows
            .iter()
            .map(|row| {
                (0..row.len())
                    .map(|at| row.try_get(at).unwrap_or(None))
                    .collect()
            })
            .collect())
    }

    /// Runs the statement in the way that shows its rows.
    async fn perform(
        self,
        observed: &Observed,
        sql: &str,
        params: Params<'_>,
        want: Want,
        begun: &Action,
    ) -> (Result<Got, Error>, Changes) {
        // The user's own text is prepared whatever becomes of it: its errors and the types of its parameters are
        // those of that text.
        let prepared = match self.client.prepare(sql).await {
            Ok(prepared) => prepared,
            Err(error) => return (Err(error), Changes::default()),
        };
        let typed: Vec<(&(dyn ToSql + Sync), Type)> = params
            .iter()
            .copied()
            .zip(prepared.params().iter().cloned())
            .collect();
        let (Some((write, plan)), Some(table)) = (&observed.write, &observed.table) else {
            return (
                self.native(&prepared, params, want).await,
                Changes::default(),
            );
        };
        if params.len() != prepared.params().len() {
            return (
                self.native(&prepared, params, want).await,
                Changes::default(),
            );
        }
        match observed.way() {
            Way::Bare => (
                self.native(&prepared, params, want).await,
                Changes::default(),
            ),
            Way::Along(along) => match self.lines(&self.told(&along, begun), &typed).await {
                Err(error) => (Err(error), Changes::default()),
                Ok(lines) => {
                    let answer = Answer::of(lines);
                    let got = match want {
                        Want::Count => Got::Count(answer.count),
                        Want::Rows => Got::Rows(Vec::new()),
                    };
                    (Ok(got), change::along(write, table, answer, plan.tells_new))
                }
            },
            Way::Around { before, after } => {
                let around = Around {
                    runner: self,
                    write,
                    table,
                    before,
                    after,
                };
                around.perform(&prepared, params, &typed, want).await
            }
        }
    }

    /// The statement as it is.
    async fn native(
        self,
        prepared: &Prepared,
        params: Params<'_>,
        want: Want,
    ) -> Result<Got, Error> {
        match want {
            Want::Count => self.client.execute(prepared, params).await.map(Got::Count),
            Want::Rows => self.client.query(prepared, params).await.map(Got::Rows),
        }
    }

    /// Runs a statement that opens, settles or narrows a transaction.
    async fn control(
        self,
        sql: &str,
        control: &Control,
        params: Params<'_>,
        want: Want,
    ) -> Result<Got, Error> {
        let result = match want {
            Want::Count => self.client.execute(sql, params).await.map(Got::Count),
            Want::Rows => self.client.query(sql, params).await.map(Got::Rows),
        };
        self.shared.ended(control, result)
    }

    /// Ends the action with what was seen.
    fn record(
        self,
        begun: Action,
        observed: &Observed,
        result: &Result<Got, Error>,
        changes: Changes,
    ) {
        let inside = self.shared.in_transaction();
        let failure = result.as_ref().err().map(Failure::of);
        let effect = match failure {
            Some(Failure::Lost) if !inside && !observed.only_reads() => Effect::Unknown,
            Some(_) => Effect::None,
            None if observed.only_reads() => Effect::None,
            None if inside => Effect::Pending,
            None if observed.access == Access::Execute => Effect::Unknown,
            None => Effect::Committed,
        };
        if matches!(
            observed.verb.as_str(),
            "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "PREPARE"
        ) {
            self.shared.handed_out(); // control that is not followed, as `COMMIT AND CHAIN`
        }
        let lost = failure == Some(Failure::Lost) && !changes.all.is_empty();
        if (failure.is_none() || lost) && !observed.only_reads() {
            self.diffs(&begun, observed, changes, effect);
        }
        match failure {
            Some(Failure::Refused) => self.shared.failed(),
            Some(Failure::Lost) => self.shared.lost(),
            Some(Failure::NotSent) | None => {}
        }
        end(begun, result, failure, effect);
    }

    fn diffs(self, begun: &Action, observed: &Observed, changes: Changes, effect: Effect) {
        let group = self.shared.group();
        let database = &self.shared.database;
        let mut all = Vec::new();
        let together = self.shared.in_transaction() || self.shared.wraps;
        if let (Some(table), Some((write, plan))) = (&observed.table, &observed.write) {
            let along = matches!(plan.way, Way::Along(_));
            let told = match write.verb {
                Verb::Insert => write.conflict == Conflict::Spared,
                Verb::Delete => along,
                Verb::Update => false,
            };
            let read = Read {
                before: if plan.locked || told {
                    ReadBefore::InTransaction
                } else {
                    ReadBefore::Unlocked
                },
                after: if along || together {
                    ReadAfter::InTransaction
                } else {
                    ReadAfter::LaterRead
                },
            };
            all.extend(
                changes
                    .all
                    .iter()
                    .map(|change| change.diff(database, table, read)),
            );
        }
        let unseen = observed.unseen.iter().chain(&changes.unseen);
        all.extend(unseen.map(|why| observed.missing(database, why)));
        for diff in all {
            let diff = diff.effect(effect);
            begun.diff(match group {
                Some(group) => diff.transaction(group),
                None => diff,
            });
        }
    }
}

/// A write that runs as it is, between statements that read its rows.
struct Around<'a> {
    runner: Runner<'a>,
    write: &'a Write,
    table: &'a Table,
    before: Option<String>,
    after: Option<String>,
}

impl Around<'_> {
    async fn perform(
        &self,
        prepared: &Prepared,
        params: Params<'_>,
        typed: &[(&(dyn ToSql + Sync), Type)],
        want: Want,
    ) -> (Result<Got, Error>, Changes) {
        let Runner { client, shared } = self.runner;
        if shared.in_transaction() || !shared.wraps {
            return self
                .observed(prepared, params, typed, want, shared.in_transaction())
                .await;
        }
        if let Err(error) = client.batch_execute("BEGIN").await {
            return (Err(error), Changes::default());
        }
        let open = Open(client);
        let (result, changes) = self.observed(prepared, params, typed, want, true).await;
        std::mem::forget(open);
        let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = client.batch_execute(end).await;
        (result.and_then(|got| ended.map(|()| got)), changes)
    }

    /// `inside` a transaction an error of the reading is the statement's: it has undone it.
    async fn observed(
        &self,
        prepared: &Prepared,
        params: Params<'_>,
        typed: &[(&(dyn ToSql + Sync), Type)],
        want: Want,
        inside: bool,
    ) -> (Result<Got, Error>, Changes) {
        let mut unseen = Vec::new();
        let mut before = Vec::new();
        if let Some(sql) = &self.before {
            match self.runner.lines(sql, typed).await {
                Ok(lines) => before = lines,
                Err(error) if inside => return (Err(error), Changes::default()),
                Err(error) => unseen.push(format!("the rows before cannot be read: {error}")),
            }
        }
        let got = match self.runner.native(prepared, params, want).await {
            Ok(got) => got,
            Err(error) => return (Err(error), Changes::default()),
        };
        let mut after = Vec::new();
        if let Some(sql) = &self.after {
            match self.read_after(sql, &before, &got).await {
                Ok(lines) => after = lines,
                Err(error) if inside => return (Err(error), Changes::default()),
                Err(error) => unseen.push(format!("the rows after cannot be read: {error}")),
            }
        }
        let mut changes = change::around(self.write, self.table, before, after, got.count());
        changes.unseen.extend(unseen);
        (Ok(got), changes)
    }

    /// The rows with the keys of those read before and of those that the user got.
    async fn read_after(&self, sql: &str, before: &[Line], got: &Got) -> Result<Vec<Line>, Error> {
        let mut keys: Vec<Vec<Raw>> = before
            .iter()
            .filter_map(|row| change::key(self.table, row))
            .collect();
        if let Got::Rows(rows) = got {
            keys.extend(
                rows.iter()
                    .take(ROWS)
                    .filter_map(|row| returned_key(self.table, row)),
            );
        }
        keys.sort_unstable();
        keys.dedup();
        keys.truncate(ROWS);
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let columns: Vec<Vec<&Raw>> = (0..self.table.key.len())
            .map(|at| keys.iter().filter_map(|key| key.get(at)).collect())
            .collect();
        let params: Vec<(&(dyn ToSql + Sync), Type)> = columns
            .iter()
            .map(|column| (column as &(dyn ToSql + Sync), Type::TEXT_ARRAY))
            .collect();
        self.runner.lines(sql, &params).await
    }
}

/// The key of a row that the user got, if all its columns are among what was returned.
fn returned_key(table: &Table, row: &Row) -> Option<Vec<Raw>> {
    let columns = table.key.iter().filter_map(|at| table.columns.get(*at));
    columns
        .map(|column| {
            let mut all = row.columns().iter();
            let at = all.position(|one| {
                (one.table_oid(), one.column_id()) == (Some(table.oid), Some(column.number))
            })?;
            binary::key_text(row, at).map(Some)
        })
        .collect()
}

/// A transaction of our own on the user's connection: dropped with the future that waits in it, it is rolled back.
struct Open<'a>(&'a Client);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        // Polled once, it is sent; nobody is there to wait for the answer.
        let rollback = pin!(self.0.batch_execute("ROLLBACK"));
        let _ = rollback.poll(&mut Context::from_waker(Waker::noop()));
    }
}

fn end(begun: Action, result: &Result<Got, Error>, failure: Option<Failure>, effect: Effect) {
    let mut attributes = Attributes::new();
    let (outcome, text, fault) = match result {
        Ok(got) => {
            let count = got.count();
            attributes.int(attribute::DB_ROWS, i64::try_from(count).unwrap_or(i64::MAX));
            (
                Outcome::Success,
                format!("{count} {}", if count == 1 { "row" } else { "rows" }),
                None,
            )
        }
        Err(error) => {
            if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
                begun.security(
                    Event::SecurityAccessUnauthorized,
                    &error.to_string(),
                    &Attributes::new(),
                );
            }
            let outcome = match failure {
                Some(Failure::Lost) => Outcome::Unknown,
                _ => Outcome::Failure,
            };
            (outcome, "failed".to_owned(), Some(fault(error)))
        }
    };
    let mut returned = Returned::default();
    if let Ok(Got::Rows(rows)) = result {
        for row in rows {
            returned.add(row.columns().iter().map(|column| column.name()), |at| {
                binary::cell(row, at)
            });
        }
    }
    let output = (returned.rows > 0).then(|| returned.content());
    step::end(
        begun,
        End {
            outcome,
            effect,
            result: text,
            output,
            fault,
            attributes,
        },
    );
}
