//! Whether the changes of a failed statement stand.
//!
//! Most failures take back what their statement changed; `FAIL` does not, and neither does an error of the user's own
//! code between two returned rows. SQLite does not say which it was (`total_changes()` counts what triggers did even
//! where it is taken back), so one of the changed rows is looked at.

use rusqlite::{
    Connection, OptionalExtension as _, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use super::{
    change::Change,
    schema::{Table, quote},
    seen::{Cell, Row},
};

/// What became of a failed statement's changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Yes,
    No,
    Unknown,
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(bytes) => ValueRef::Text(bytes),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// Looks at the first of `changes`: a statement's changes stand or fall together.
pub(super) fn stands(conn: &Connection, tables: &[Table], changes: &[Change]) -> Stands {
    let Some(change) = changes.first() else {
        return Stands::No;
    };
    let Some(table) = tables.get(change.table) else {
        return Stands::Unknown;
    };
    match current(conn, table, change) {
        Some(row) if row == change.after => Stands::Yes,
        Some(row) if row == change.before => Stands::No,
        _ => Stands::Unknown, // somebody else was faster, or it cannot be read
    }
}

/// The row as it is now; `None` if that cannot be told.
fn current(conn: &Connection, table: &Table, change: &Change) -> Option<Option<Row>> {
    let columns: Vec<String> = table.columns.iter().map(|column| quote(column)).collect();
    let key: Vec<String> = match (table.key.is_empty(), table.rowid) {
        (false, _) => table
            .key
            .iter()
            .filter_map(|at| columns.get(*at).cloned())
            .collect(),
        (true, Some(rowid)) => vec![rowid.to_owned()],
        (true, None) => return None,
    };
    let wanted: Vec<String> = key.iter().map(|name| format!("{name} IS ?")).collect();
    let sql = format!(
        "SELECT {}, {} FROM {} WHERE {}",
        table.rowid.unwrap_or("NULL"),
        columns.join(", "),
        table.quoted(),
        wanted.join(" AND ")
    );
    let read = |row: &rusqlite::Row<'_>| {
        let cells = (1..=columns.len())
            .map(|at| row.get_ref(at).map(Cell::from))
            .collect::<rusqlite::Result<_>>()?;
        Ok(Row {
            rowid: row.get(0)?,
            cells,
        })
    };
    conn.query_row(&sql, rusqlite::params_from_iter(&change.key), read)
        .optional()
        .ok()
}
