//! How rows before and after are read around one write.
//!
//! A write without a `RETURNING` of its own becomes one statement that reads along: a first common table expression
//! reads the rows and locks them as the write would, a second is the user's text with a `RETURNING` added. One
//! snapshot holds for both, so the condition selects the same rows twice, and no other transaction comes in between.
//! A write that returns rows to the user runs as it is, since its shape is the user's; rows are read before and after
//! it by statements of their own.

use super::{
    cells::{self, Raw},
    statement::{Conflict, Verb, Write, quote},
    table::{Known, Line, Table},
};
use crate::capture::rows::ROWS;

/// What is read of one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    /// This one statement instead of the user's.
    Along(String),
    /// The user's, and these before and after it.
    Around {
        before: Option<String>,
        after: Option<String>,
    },
    /// The user's alone.
    Bare,
}

/// The plan for one write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) way: Way,
    /// Whether rows read before are locked against others.
    pub(super) locked: bool,
    /// Whether the last cell of an inserted row tells that it was not there before.
    pub(super) tells_new: bool,
    /// What cannot be seen.
    pub(super) unseen: Vec<String>,
}

impl Plan {
    fn bare(why: String) -> Self {
        Self {
            way: Way::Bare,
            locked: false,
            tells_new: false,
            unseen: vec![why],
        }
    }
}

/// Plans `write`. `together` tells whether statements around it run in one transaction with it.
pub(super) fn plan(write: &Write, known: &Known, together: bool) -> Plan {
    let Some(table) = &known.table else {
        return Plan::bare("the table was not found in the catalogue".to_owned());
    };
    if let Some(why) = table.unreadable() {
        return Plan::bare(why);
    }
    let mut unseen = elsewhere(write, table);
    let may_lock = table.lockable && (together || !write.returning);
    let before = before(write, known, table, may_lock);
    let (before, locked) = match before {
        Ok(found) => (Some(found.sql), found.locked),
        Err(None) => (None, false),
        Err(Some(why)) => {
            unseen.push(format!("the rows before: {why}"));
            (None, false)
        }
    };
    if write.returning {
        let after = after(table).map_err(|why| unseen.push(format!("the rows after: {why}")));
        let way = match (before, after.ok()) {
            (None, None) => Way::Bare,
            (before, after) => Way::Around { before, after },
        };
        return Plan {
            way,
            locked,
            tells_new: false,
            unseen,
        };
    }
    if table.secured && !mentions_a_column(write, table) {
        // With a RETURNING, the policies for reading would decide too what the statement may write.
        unseen.push(
            "row security is in force, and the statement reads no column by itself".to_owned(),
        );
        return Plan {
            way: Way::Bare,
            locked: false,
            tells_new: false,
            unseen,
        };
    }
    let tells_new =
        matches!(write.conflict, Conflict::Updated(_)) && table.whole && table.kind == "r";
    let way = Way::Along(along(write, table, before.as_deref(), tells_new));
    Plan {
        way,
        locked,
        tells_new,
        unseen,
    }
}

/// What the statement may change that is none of the rows it names.
fn elsewhere(write: &Write, table: &Table) -> Vec<String> {
    let upserts = matches!(write.conflict, Conflict::Updated(_));
    let keys = table
        .columns
        .iter()
        .any(|column| column.unique && write.assigned.contains(&column.name));
    let mut all = table.elsewhere(
        write.verb == Verb::Insert,
        write.verb == Verb::Update || upserts,
        write.verb == Verb::Delete,
        keys || upserts,
    );
    let hidden = table.hidden();
    if !hidden.is_empty() {
        all.push(format!(
            "columns that this user may not read: {}",
            hidden.join(", ")
        ));
    }
    all
}

struct Before {
    sql: String,
    locked: bool,
}

/// The query for the rows before. `Err(None)` where there are none, or where they come with the rows after.
fn before(
    write: &Write,
    known: &Known,
    table: &Table,
    may_lock: bool,
) -> Result<Before, Option<String>> {
    let condition = match (&write.conflict, write.verb) {
        (Conflict::Updated(Some(condition)), _) => Some(condition.clone()),
        (Conflict::Updated(None), _) => {
            return Err(Some(
                "the values of what is in the way are not written out".to_owned(),
            ));
        }
        (Conflict::Spared, Verb::Insert) => return Err(None),
        (Conflict::Spared, Verb::Delete) if !write.returning => return Err(None),
        (Conflict::Spared, _) => write.filter.clone(),
    };
    if let Some(volatile) = write
        .functions
        .iter()
        .find(|name| known.volatile.contains(name))
    {
        return Err(Some(format!(
            "the statement calls {volatile}, which may differ from call to call"
        )));
    }
    let mut sql = format!(
        "SELECT {} FROM {}",
        cells::expressions(table, &write.alias),
        write.relation
    );
    if let Some(from) = &write.from {
        sql.push_str(&format!(", {from}\n"));
    }
    if let Some(condition) = condition {
        sql.push_str(&format!(" WHERE {condition}\n"));
    }
    if write.returning {
        sql.push_str(&format!(" LIMIT {}", ROWS + 1));
    }
    if may_lock {
        sql.push_str(&format!(" FOR {} OF {}", lock(write, table), write.alias));
    }
    Ok(Before {
        sql,
        locked: may_lock,
    })
}

/// The lock that the write itself takes on each row.
fn lock(write: &Write, table: &Table) -> &'static str {
    let changes_key =
        |column: &super::table::Column| column.unique && write.assigned.contains(&column.name);
    if write.verb == Verb::Delete || table.columns.iter().any(changes_key) {
        "UPDATE"
    } else {
        "NO KEY UPDATE"
    }
}

/// The user's statement with reading added: lines `b` before, `a` after, and one `n` with the count.
fn along(write: &Write, table: &Table, before: Option<&str>, tells_new: bool) -> String {
    let width = table.readable().count() + usize::from(tells_new);
    let mut cells = cells::expressions(table, &write.alias);
    if tells_new {
        cells.push_str(&format!(
            ", ({}.xmax = 0)::pg_catalog.text AS recount_new",
            write.alias
        ));
    }
    let more = if tells_new { ", NULL" } else { "" };
    let first = before.map(|before| format!("recount_before AS MATERIALIZED ({before}),\n"));
    let lines = before.map(|_| {
        format!(
            "(SELECT 'b'::text, r.*{more} FROM recount_before r LIMIT {}) UNION ALL ",
            ROWS + 1
        )
    });
    format!(
        "WITH {}recount_after AS ({}\nRETURNING {cells})\n{}(SELECT 'a'::text, r.* FROM recount_after r LIMIT {}) \
         UNION ALL SELECT 'n', pg_catalog.count(*)::text{} FROM recount_after",
        first.unwrap_or_default(),
        write.body,
        lines.unwrap_or_default(),
        ROWS + 1,
        ", NULL".repeat(width - 1),
    )
}

/// The query for rows by their keys: one parameter per column of the key, each a text array.
fn after(table: &Table) -> Result<String, String> {
    let key: Vec<_> = table
        .key
        .iter()
        .filter_map(|at| table.columns.get(*at))
        .collect();
    if key.is_empty() {
        return Err("it has no primary key to find them by".to_owned());
    }
    if let Some(column) = key
        .iter()
        .find(|column| !column.readable || !cells::is_text(column.oid))
    {
        return Err(format!(
            "its key column {} cannot be compared",
            quote(&column.name)
        ));
    }
    let names: Vec<String> = key
        .iter()
        .map(|column| format!("r.{}", quote(&column.name)))
        .collect();
    let arrays: Vec<String> = key
        .iter()
        .enumerate()
        .map(|(at, column)| format!("${}::text[]::{}[]", at + 1, column.native))
        .collect();
    let condition = match (names.as_slice(), arrays.as_slice()) {
        ([name], [array]) => format!("{name} = ANY ({array})"),
        _ => format!(
            "({}) IN (SELECT * FROM unnest({}))",
            names.join(", "),
            arrays.join(", ")
        ),
    };
    Ok(format!(
        "SELECT {} FROM {}.{} AS r WHERE {condition}",
        cells::expressions(table, "r"),
        quote(&table.schema),
        quote(&table.name)
    ))
}

/// Whether the condition names one of the table's columns, so that the statement needs to read it anyway.
fn mentions_a_column(write: &Write, table: &Table) -> bool {
    write.verb != Verb::Insert
        && write
            .mentioned
            .iter()
            .any(|name| table.columns.iter().any(|column| column.name == *name))
}

/// What a statement that reads along answered.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) before: Vec<Vec<Raw>>,
    pub(super) after: Vec<Vec<Raw>>,
    pub(super) count: u64,
}

impl Answer {
    pub(super) fn of(lines: Vec<Line>) -> Self {
        let mut answer = Self::default();
        for line in lines {
            let mut cells = line.into_iter();
            match cells.next().flatten().as_deref() {
                Some("b") => answer.before.push(cells.collect()),
                Some("a") => answer.after.push(cells.collect()),
                Some("n") => {
                    let count = cells.next().flatten();
                    answer.count = count
                        .and_then(|count| count.parse().ok())
                        .unwrap_or_default();
                }
                _ => {}
            }
        }
        answer
    }
}
