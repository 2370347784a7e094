//! Watching rows change inside the statement that changes them, without changing what it does.
//!
//! For the time of one statement, each table it can write carries `TEMP` triggers whose only step is
//! `SELECT <function>(OLD.…, NEW.…)`, where the function hands the values to [`Seen`]. So *before* is read by
//! SQLite itself while the row still has it, in the statement's own transaction, with its exact type. Nothing is
//! written: `changes()`, `total_changes()` and `last_insert_rowid()` stay what they are without us, no pragma is
//! set, and triggers of the user fire as always.
//!
//! Rows that a `REPLACE` conflict resolution removes fire no delete trigger. Where such a resolution can be at
//! work, a `BEFORE` trigger looks up the rows that conflict with the new one; they are counted as removed only if
//! the write then happened, which the unique constraint makes certain.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{
    Connection, Result,
    config::DbConfig,
    functions::{Context, FunctionFlags},
    types::ValueRef,
};

use super::{
    schema::{Table, quote},
    seen::{Row, Seen, What},
    statement::mentions_replace,
};

/// The function in one connection that triggers hand their rows to.
#[derive(Debug)]
pub(super) struct Watcher {
    function: String,
    seen: Arc<Mutex<Seen>>,
    /// Triggers that could not be taken down again; they are silent, and tried again later.
    left: Mutex<Vec<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watcher {
    /// Registers the function under a name nobody else uses.
    pub(super) fn new(conn: &Connection) -> Result<Self> {
        let function = format!("recount_{}", uuid::Uuid::now_v7().simple());
        let seen = Arc::new(Mutex::new(Seen::default()));
        let sink = Arc::clone(&seen);
        conn.create_scalar_function(
            function.as_str(),
            -1,
            FunctionFlags::SQLITE_UTF8,
            move |context| {
                report(context, &mut lock(&sink));
                Ok(rusqlite::types::Null)
            },
        )?;
        Ok(Self {
            function,
            seen,
            left: Mutex::new(Vec::new()),
        })
    }

    /// Puts triggers on `tables` until [`Watch::end`]. The error says why that cannot be.
    pub(super) fn start<'a>(
        &'a self,
        conn: &'a Connection,
        tables: &[Table],
        sql: &str,
    ) -> Result<Watch<'a>, String> {
        self.take_down(conn, Vec::new());
        match conn.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER) {
            Ok(true) => {}
            Ok(false) => return Err("triggers are switched off on this connection".to_owned()),
            Err(error) => {
                return Err(format!(
                    "the connection does not say whether triggers run: {error}"
                ));
            }
        }
        let recursive: bool = conn
            .query_row("PRAGMA recursive_triggers", [], |row| row.get(0))
            .map_err(|error| error.to_string())?;
        let replace = !recursive
            && (mentions_replace(sql)
                || tables.iter().any(|table| mentions_replace(&table.sql))
                || trigger_replaces(conn, tables));
        let mut watch = Watch {
            watcher: self,
            conn,
            names: Vec::new(),
        };
        for (at, table) in tables.iter().enumerate() {
            for (when, body) in self.triggers(at, table, replace) {
                let name = format!("{}_{}", self.function, watch.names.len());
                let sql = format!(
                    "CREATE TEMP TRIGGER {name} {when} ON {} BEGIN {body} END",
                    table.quoted()
                );
                conn.execute_batch(&sql)
                    .map_err(|error| error.to_string())?;
                watch.names.push(name);
            }
        }
        let mut seen = Seen::armed();
        if replace && tables.iter().any(|table| table.odd_unique) {
            seen.unseen.push(
                "rows replaced through a partial or expression index cannot be watched".to_owned(),
            );
        }
        *lock(&self.seen) = seen;
        Ok(watch)
    }

    /// When each trigger of `table` fires, and what it does then.
    fn triggers(&self, at: usize, table: &Table, replace: bool) -> Vec<(&'static str, String)> {
        let function = &self.function;
        let call = |what: What, sides: &[&str]| {
            let mut values = vec![(what as i64).to_string(), at.to_string()];
            for side in sides {
                values.push(
                    table
                        .rowid
                        .map_or("NULL".to_owned(), |rowid| format!("{side}.{rowid}")),
                );
                values.extend(
                    table
                        .columns
                        .iter()
                        .map(|column| format!("{side}.{}", quote(column))),
                );
            }
            format!("{function}({})", values.join(", "))
        };
        let mut all = vec![
            (
                "AFTER INSERT",
                format!("SELECT {};", call(What::Insert, &["NEW"])),
            ),
            (
                "AFTER UPDATE",
                format!("SELECT {};", call(What::Update, &["OLD", "NEW"])),
            ),
            (
                "AFTER DELETE",
                format!("SELECT {};", call(What::Delete, &["OLD"])),
            ),
        ];
        if let Some(conflict) = replace.then(|| conflict(table)).flatten() {
            let about = format!("SELECT {};", call(What::About, &["NEW"]));
            let lookup = format!(
                "SELECT {} FROM {} AS o WHERE ({conflict})",
                call(What::Replaced, &["o"]),
                table.quoted()
            );
            all.push(("BEFORE INSERT", format!("{about} {lookup};")));
            all.push((
                "BEFORE UPDATE",
                format!("{about} {lookup} AND NOT ({});", same_row(table)),
            ));
        }
        all
    }

    /// Drops `names` and what earlier attempts left; what still cannot go stays in `left`.
    fn take_down(&self, conn: &Connection, names: Vec<String>) {
        let mut left = lock(&self.left);
        left.extend(names);
        left.retain(|name| {
            conn.execute_batch(&format!("DROP TRIGGER IF EXISTS temp.{name}"))
                .is_err()
        });
    }

    /// Takes down what `Watch::leave_up` left, and says what it saw.
    #[cfg(feature = "sqlx-sqlite")]
    pub(super) fn finish(&self, conn: &Connection) -> Seen {
        let seen = std::mem::take(&mut *lock(&self.seen));
        self.take_down(conn, Vec::new());
        seen
    }

    /// Leaves the connection as it was found.
    pub(super) fn retire(&self, conn: &Connection) {
        self.take_down(conn, Vec::new());
        if lock(&self.left).is_empty() {
            // With a trigger left behind, the function has to stay, or the user's statement would fail.
            drop(conn.remove_function(self.function.as_str(), -1));
        }
    }
}

/// A statement being watched.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    watcher: &'a Watcher,
    conn: &'a Connection,
    names: Vec<String>,
}

impl Watch<'_> {
    /// Takes the triggers down and says what they saw.
    pub(super) fn end(self) -> Seen {
        std::mem::take(&mut *lock(&self.watcher.seen))
    }

    /// Lets the triggers stand until [`Watcher::finish`], or until the next statement is watched.
    #[cfg(feature = "sqlx-sqlite")]
    pub(super) fn leave_up(mut self) {
        lock(&self.watcher.left).append(&mut self.names);
        std::mem::forget(self);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        lock(&self.watcher.seen).armed = false;
        self.watcher
            .take_down(self.conn, std::mem::take(&mut self.names));
    }
}

/// Reads what a trigger passed: what happened, to which table, then per side the row id and the cells.
fn report(context: &Context<'_>, seen: &mut Seen) {
    let (Ok(what), Ok(table)) = (context.get::<i64>(0), context.get::<i64>(1)) else {
        return;
    };
    let (Some(what), Ok(table)) = (What::of(what), usize::try_from(table)) else {
        return;
    };
    let sides = if matches!(what, What::Update) { 2 } else { 1 };
    let width = (context.len() - 2) / sides;
    let row = |side: usize| {
        let from = 2 + side * width;
        let rowid = match context.get_raw(from) {
            ValueRef::Integer(id) => Some(id),
            _ => None,
        };
        Row {
            rowid,
            cells: (from + 1..from + width)
                .map(|at| context.get_raw(at).into())
                .collect(),
        }
    };
    seen.take(
        what,
        table,
        (0..if width == 0 { 0 } else { sides }).map(row),
    );
}

/// The condition under which a row `o` is in the way of `NEW`.
fn conflict(table: &Table) -> Option<String> {
    let mut ways: Vec<String> = table
        .unique
        .iter()
        .map(|columns| {
            let equal: Vec<String> = columns
                .iter()
                .map(|(column, collation)| {
                    format!(
                        "o.{0} = NEW.{0} COLLATE {1}",
                        quote(column),
                        quote(collation)
                    )
                })
                .collect();
            format!("({})", equal.join(" AND "))
        })
        .collect();
    if let Some(rowid) = table.rowid {
        ways.push(format!("(o.{rowid} = NEW.{rowid})"));
    }
    (!ways.is_empty()).then(|| ways.join(" OR "))
}

/// The condition under which `o` is the row being updated.
fn same_row(table: &Table) -> String {
    if let Some(rowid) = table.rowid {
        return format!("o.{rowid} IS OLD.{rowid}");
    }
    let equal: Vec<String> = table
        .key
        .iter()
        .filter_map(|at| table.columns.get(*at))
        .map(|column| format!("o.{0} IS OLD.{0}", quote(column)))
        .collect();
    if equal.is_empty() {
        "0".to_owned()
    } else {
        equal.join(" AND ")
    }
}

/// Whether a trigger on one of the tables' databases could resolve a conflict by replacing.
fn trigger_replaces(conn: &Connection, tables: &[Table]) -> bool {
    let mut databases: Vec<&str> = tables.iter().map(|table| table.database.as_str()).collect();
    databases.push("temp");
    databases.sort_unstable();
    databases.dedup();
    databases.into_iter().any(|database| {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM {}.sqlite_schema WHERE type = 'trigger' AND sql LIKE '%replace%')",
            quote(database)
        );
        conn.query_row(&sql, [], |row| row.get(0)).unwrap_or(true)
    })
}
