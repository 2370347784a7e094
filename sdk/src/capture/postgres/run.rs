//! One recorded statement from begin to end.

mod again;
mod around;

use tokio_postgres::{
    Client, Error, Row, Statement as Prepared,
    types::{ToSql, Type},
};
use vocabulary::action::Durability;

use self::around::Around;
use super::{
    PostgresError, binary,
    change::{self, Changes},
    ending::Gave,
    observe::{self, Observed},
    rewrite::{Answer, Way},
    shared::Shared,
    statement::{self, Statement},
    table::{self, Known, Line},
    tell,
};
use crate::{
    Action,
    capture::{Error as Failed, rows::Returned, transactions::Control},
};

/// The cells of rows whose columns are all text.
fn lines(rows: &[Row]) -> Vec<Line> {
    let cells = |row: &Row| {
        let cells = (0..row.len()).map(|at| row.try_get(at).unwrap_or(None));
        cells.collect()
    };
    rows.iter().map(cells).collect()
}

/// What a statement that read along gave to its caller, and what it changed.
fn told_along(
    observed: &Observed,
    want: Want,
    lines: Result<Vec<Line>, Error>,
) -> (Result<Got, Error>, Changes) {
    let lines = match lines {
        Ok(lines) => lines,
        Err(error) => return (Err(error), Changes::default()),
    };
    let answer = Answer::of(lines);
    let got = match want {
        Want::Count => Got::Count(answer.count),
        Want::Rows => Got::Rows(Vec::new()),
    };
    let changes = match (&observed.write, &observed.table) {
        (Some((write, plan)), Some(table)) => change::along(write, table, answer, plan.tells_new),
        _ => Changes::default(),
    };
    (Ok(got), changes)
}

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

/// What is recorded of a result.
fn gave(result: &Result<Got, Error>) -> Result<Gave, &Error> {
    let got = result.as_ref()?;
    let mut returned = Returned::default();
    if let Got::Rows(rows) = got {
        for row in rows {
            returned.add(row.columns().iter().map(|column| column.name()), |at| {
                binary::cell(row, at)
            });
        }
    }
    Ok((got.count(), returned))
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
        if let Some(ready) = self.ready(sql, params).await {
            return self.run_again(&ready, sql, params, want).await;
        }
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
        if observed.may_forget() {
            self.shared.memory.forget();
        }
        self.shared.record(begun, &observed, gave(&result), changes);
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
        self.shared.memory.forget();
        if result.is_ok() {
            controls
                .iter()
                .for_each(|control| self.shared.follow(control));
        }
        let result = result.map(|()| Got::Count(0));
        self.shared
            .record(begun, &observed, gave(&result), Changes::default());
        result.map(drop).map_err(Failed::Own)
    }

    /// Begins the action. While rows are locked nobody waits for the collector.
    async fn begin(
        self,
        observed: &Observed,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Action, PostgresError> {
        let parameters = params.iter().map(|value| binary::parameter(*value));
        let mut builder = observed
            .plan(self.shared, sql, parameters.collect())
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
        Ok(lines(&rows))
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
        let (Some((write, _)), Some(table)) = (&observed.write, &observed.table) else {
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
            Way::Along(along) => {
                let lines = match self.kept(sql, observed, &along, prepared.params()).await {
                    Ok(Some(ready)) => self.rows(&ready, params).await,
                    Ok(None) => self.lines(&self.told(&along, begun), &typed).await,
                    Err(error) => Err(error),
                };
                told_along(observed, want, lines)
            }
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
}
