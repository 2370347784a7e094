//! One recorded statement from begin to end.

use std::borrow::BorrowMut;

use rusqlite::{Connection, Params, Statement};
use vocabulary::{
    action::{Access, Effect, Kind, Outcome, ReadAfter, ReadBefore},
    attribute,
    content::Content,
    row,
};

use super::{
    Sqlite, SqliteError, change, content,
    definitions::{self, Definition},
    recording::Recording,
    schema::{self, Touched},
    seen::Seen,
    stands::{self, Stands},
    statement,
    watch::Watch,
};
use crate::{
    Action, Attributes, Diff,
    capture::{
        Error,
        rows::{self, BYTES, ROWS, Returned},
        step::{self, End, Fault, Plan},
    },
};

/// What was seen while a statement ran.
pub(super) enum Observed {
    Nothing,
    Rows(Seen),
    /// The definitions before, and whether a transaction was open.
    Schema {
        before: rusqlite::Result<Vec<Definition>>,
        inside: bool,
    },
}

impl Observed {
    /// What was seen of rows, and what of the statement's tables cannot be.
    pub(super) fn rows(mut seen: Seen, touched: &rusqlite::Result<Touched>) -> Self {
        let unseen = touched.iter().flat_map(|touched| &touched.unseen);
        seen.unseen.extend(unseen.cloned());
        Self::Rows(seen)
    }
}

impl<C: BorrowMut<Connection>> Sqlite<C> {
    /// Runs `run` on the prepared statement as one action. It gives its result and how many rows that is.
    pub(super) fn recorded<T, P: Params + Clone>(
        &self,
        sql: &str,
        params: P,
        run: impl FnOnce(&mut Statement<'_>, P, &mut Returned) -> rusqlite::Result<(T, u64)>,
    ) -> Result<T, SqliteError> {
        let conn: &Connection = self.conn.borrow();
        let recording = &self.recording;
        recording.notice(conn, false);
        // A statement that does not compile is an attempt all the same: it is begun, and fails when it runs.
        let prepared = conn.prepare(sql);
        let looked = Looked::at(conn, sql, prepared.as_ref().ok());
        let parameters = prepared
            .as_ref()
            .ok()
            .and_then(|prepared| content::parameters(conn, prepared, params.clone()).ok())
            .unwrap_or_default();
        let plan = recording.plan(sql, looked.kind, &looked.touched, parameters);
        let begun = plan
            .in_session(&recording.session)
            .begin_blocking()
            .map_err(Error::Refused)?;

        let inside = !conn.is_autocommit();
        let mut returned = Returned::default();
        let (result, observed) = match prepared {
            Err(error) => (Err(error), Observed::Nothing),
            Ok(mut prepared) => {
                let run = || run(&mut prepared, params, &mut returned);
                match looked.kind {
                    statement::Kind::Rows(_) => recording.watched(conn, sql, &looked.touched, run),
                    statement::Kind::Schema => {
                        let before = definitions::definitions(conn);
                        (run(), Observed::Schema { before, inside })
                    }
                    statement::Kind::Read | statement::Kind::Other => (run(), Observed::Nothing),
                }
            }
        };
        let rows = result.as_ref().map(|(_, rows)| *rows).map_err(fault);
        recording.ended(conn, begun, looked, observed, (rows, returned));
        result.map(|(value, _)| value).map_err(Error::Own)
    }
}

/// What is known of a statement before it runs.
pub(super) struct Looked {
    pub(super) kind: statement::Kind,
    pub(super) touched: rusqlite::Result<Touched>,
}

impl Looked {
    /// Looks at a statement; `prepared` is `None` if it does not compile.
    pub(super) fn at(conn: &Connection, sql: &str, prepared: Option<&Statement<'_>>) -> Self {
        let kind = prepared.map_or(statement::Kind::Other, |prepared| {
            statement::kind(sql, prepared)
        });
        let touched = match kind {
            statement::Kind::Rows(_) | statement::Kind::Read => schema::touched(conn, sql),
            _ => Ok(Touched::default()),
        };
        Self { kind, touched }
    }
}

impl Recording {
    /// Ends the action of a statement: the changes that stand, and how many rows it gave, or why it failed.
    pub(super) fn ended(
        &self,
        conn: &Connection,
        begun: Action,
        Looked { kind, touched }: Looked,
        observed: Observed,
        (rows, returned): (Result<u64, Fault>, Returned),
    ) {
        let tables = touched.map(|touched| touched.written).unwrap_or_default();
        let (diffs, stands) = self.diffs(conn, &tables, observed, rows.is_ok());
        let changes = stands != Stands::No
            && matches!(kind, statement::Kind::Rows(_) | statement::Kind::Schema);
        let group = (changes && !conn.is_autocommit()).then(|| self.group());
        if changes {
            self.wrote(conn);
        }
        let effect = match (kind, changes) {
            (statement::Kind::Other, _) if rows.is_ok() => Effect::Unknown,
            (_, false) => Effect::None,
            (_, true) if stands == Stands::Unknown => Effect::Unknown,
            (_, true) if group.is_some() => Effect::Pending,
            (_, true) => Effect::Committed,
        };
        if changes {
            for diff in diffs {
                let diff = diff.effect(effect);
                begun.diff(match group {
                    Some(group) => diff.transaction(group),
                    None => diff,
                });
            }
        }
        Self::end(begun, rows, effect, returned);
        self.notice(conn, true);
    }

    /// What is about to run.
    pub(super) fn plan(
        &self,
        sql: &str,
        kind: statement::Kind,
        touched: &rusqlite::Result<Touched>,
        parameters: Vec<(String, row::Cell)>,
    ) -> Plan {
        let verb = match kind {
            statement::Kind::Rows(verb) => verb.to_owned(),
            _ => statement::verb(sql),
        };
        let access = match kind {
            statement::Kind::Rows("DELETE") => Access::Delete,
            statement::Kind::Rows(_) => Access::Write,
            statement::Kind::Read => Access::Read,
            statement::Kind::Schema if verb == "DROP" => Access::Delete,
            statement::Kind::Schema => Access::Write,
            statement::Kind::Other => Access::Execute,
        };
        let names = touched
            .as_ref()
            .map(|touched| touched.names.as_slice())
            .unwrap_or_default();
        let target = match (names, access) {
            ([], _) => format!("db:{}", self.name),
            // A write is about the table it names; what triggers touch besides is in the diffs.
            ([(database, table)], _)
            | ([(database, table), ..], Access::Write | Access::Delete) => {
                format!("db:{}/{database}.{table}", self.name)
            }
            (_, _) => format!("db:{}/*", self.name),
        };
        let written = touched.iter().flat_map(|touched| &touched.written);
        // The table that the statement names comes first.
        let columns = written
            .map(|table| &table.columns)
            .next()
            .into_iter()
            .flatten();
        let columns: Vec<&str> = columns.map(String::as_str).collect();
        let mut attributes = Attributes::new();
        attributes
            .str(attribute::DB_SYSTEM, "sqlite")
            .str(attribute::DB_NAMESPACE, &self.name)
            .str(attribute::DB_OPERATION, &verb)
            .text(attribute::DB_QUERY_TEXT, &rows::text(sql, &columns));
        if let [(_, table), ..] = names {
            attributes.str(attribute::DB_COLLECTION, table);
        }
        Plan {
            kind: Kind::Db,
            access,
            name: format!(
                "{verb} {}",
                names.first().map_or(self.name.as_str(), |(_, table)| table)
            ),
            operation: verb,
            target,
            input: rows::input(sql, &columns, parameters),
            attributes,
        }
    }

    /// Runs `run` while the rows it can change are watched, or without where that cannot be.
    fn watched<T>(
        &self,
        conn: &Connection,
        sql: &str,
        touched: &rusqlite::Result<Touched>,
        run: impl FnOnce() -> rusqlite::Result<T>,
    ) -> (rusqlite::Result<T>, Observed) {
        match self.watch(conn, sql, touched) {
            Ok(watch) => {
                let result = run();
                (result, Observed::rows(watch.end(), touched))
            }
            Err(why) => (run(), Observed::Rows(Seen::nothing(why))),
        }
    }

    /// Begins to watch the rows that a statement can change. The error says why that cannot be.
    pub(super) fn watch<'a>(
        &'a self,
        conn: &'a Connection,
        sql: &str,
        touched: &rusqlite::Result<Touched>,
    ) -> Result<Watch<'a>, String> {
        match (&self.watcher, touched) {
            (Err(why), _) => Err(why.clone()),
            (_, Err(error)) => Err(format!("the tables it writes are not known: {error}")),
            (Ok(watcher), Ok(touched)) => watcher.start(conn, &touched.written, sql),
        }
    }

    /// What was seen as diffs, and whether it stands: of a statement that succeeded it does.
    fn diffs(
        &self,
        conn: &Connection,
        tables: &[schema::Table],
        observed: Observed,
        succeeded: bool,
    ) -> (Vec<Diff>, Stands) {
        let of_success = if succeeded { Stands::Yes } else { Stands::No };
        match observed {
            Observed::Nothing => (Vec::new(), of_success),
            Observed::Schema { before, inside } => match (before, definitions::definitions(conn)) {
                (Ok(before), Ok(after)) => (
                    definitions::diffs(&self.name, &before, &after, inside),
                    of_success,
                ),
                (Err(error), _) | (_, Err(error)) => {
                    let why = format!("the definitions cannot be read: {error}");
                    (vec![self.missing(None, &why)], of_success)
                }
            },
            Observed::Rows(seen) => {
                let changes = change::changes(tables, seen.steps);
                let stands = if succeeded {
                    Stands::Yes
                } else {
                    stands::stands(conn, tables, &changes)
                };
                let mut diffs: Vec<Diff> = changes
                    .iter()
                    .filter_map(|change| self.row_diff(tables, change))
                    .collect();
                let beyond = (seen.beyond_budget > 0).then(|| {
                    format!(
                        "{} more rows: beyond {ROWS} rows or {BYTES} bytes per statement",
                        seen.beyond_budget
                    )
                });
                let missing = seen.unseen.into_iter().chain(beyond);
                diffs.extend(missing.map(|why| self.missing(tables.first(), &why)));
                (diffs, stands)
            }
        }
    }

    /// What happened to one row.
    fn row_diff(&self, tables: &[schema::Table], change: &change::Change) -> Option<Diff> {
        let table = tables.get(change.table)?;
        let resource = format!(
            "{}/{}",
            self.resource(Some(table)),
            change::key_text(table, &change.key)
        );
        let diff = Diff::of(resource)
            .before(content::side(table, change.before.as_ref()))
            .after(content::side(table, change.after.as_ref()));
        Some(
            diff.read_before(ReadBefore::InTransaction)
                .read_after(ReadAfter::InTransaction),
        )
    }

    /// What changed perhaps, and was not seen.
    pub(super) fn missing(&self, table: Option<&schema::Table>, why: &str) -> Diff {
        let not_captured = Content::not_captured(None, why);
        let diff = Diff::of(self.resource(table))
            .before(not_captured.clone())
            .after(not_captured);
        diff.read_before(ReadBefore::NotRead)
            .read_after(ReadAfter::NotRead)
    }

    /// The name of a table, or of the database.
    fn resource(&self, table: Option<&schema::Table>) -> String {
        match table {
            Some(table) => format!("db:{}/{}.{}", self.name, table.database, table.name),
            None => format!("db:{}", self.name),
        }
    }

    fn end(begun: Action, rows: Result<u64, Fault>, effect: Effect, returned: Returned) {
        let mut attributes = Attributes::new();
        let (outcome, text, fault) = match rows {
            Ok(rows) => {
                attributes.int(attribute::DB_ROWS, i64::try_from(rows).unwrap_or(i64::MAX));
                (
                    Outcome::Success,
                    format!("{rows} {}", if rows == 1 { "row" } else { "rows" }),
                    None,
                )
            }
            Err(fault) => (Outcome::Failure, "failed".to_owned(), Some(fault)),
        };
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
}

/// The error as SQLite names it.
fn fault(error: &rusqlite::Error) -> Fault {
    let native = error
        .sqlite_error()
        .map(|error| format!("sqlite:{}", error.extended_code));
    let class = match error.sqlite_error_code() {
        Some(code) => format!("{code:?}"),
        None => "rusqlite".to_owned(),
    };
    Fault {
        class,
        native,
        message: error.to_string(),
    }
}
