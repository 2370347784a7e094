//! SQLite's values as `recount.row/1`.

use rusqlite::{Params, Result, Statement};
use vocabulary::{content::Content, row};

use super::{
    schema::Table,
    seen::{Cell, Row},
};
use crate::capture::rows::Returned;

impl From<&Cell> for row::Cell {
    fn from(cell: &Cell) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Integer(value) => Self::int(*value),
            Cell::Real(value) => Self::Real(*value),
            Cell::Text(bytes) => Self::text(bytes),
            Cell::Blob(bytes) => Self::blob(bytes),
        }
    }
}

/// One side of a diff.
pub(super) fn side(table: &Table, row: Option<&Row>) -> Content {
    let Some(row) = row else {
        return Content::absent();
    };
    let mut cells: Vec<(String, row::Cell)> = Vec::new();
    let mut key: Vec<&str> = table
        .key
        .iter()
        .filter_map(|at| table.columns.get(*at))
        .map(String::as_str)
        .collect();
    if let (true, Some(name), Some(id)) = (key.is_empty(), table.rowid, row.rowid) {
        key.push(name);
        cells.push((name.to_owned(), row::Cell::int(id)));
    }
    cells.extend(
        table
            .columns
            .iter()
            .cloned()
            .zip(row.cells.iter().map(row::Cell::from)),
    );
    row::Row::new(&format!("{}.{}", table.database, table.name), &key, cells).to_content()
}

/// The values that `params` binds to `statement`, by name or `?number`. SQLite is asked for them, so they are what
/// the statement gets, in its types.
pub(super) fn parameters<P: Params>(
    conn: &rusqlite::Connection,
    statement: &Statement<'_>,
    params: P,
) -> Result<Vec<(String, row::Cell)>> {
    let names: Vec<String> = (1..=statement.parameter_count())
        .map(|at| {
            statement
                .parameter_name(at)
                .map_or_else(|| format!("?{at}"), str::to_owned)
        })
        .collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let mut probe = conn.prepare(&format!("SELECT {}", names.join(", ")))?;
    probe.query_row(params, |row| {
        names
            .iter()
            .enumerate()
            .map(|(at, name)| Ok((name.clone(), (&Cell::from(row.get_ref(at)?)).into())))
            .collect()
    })
}

/// Keeps one returned row.
pub(super) fn keep(returned: &mut Returned, columns: &[String], row: &rusqlite::Row<'_>) {
    returned.add(columns.iter().map(String::as_str), |at| {
        Some((&Cell::from(row.get_ref(at).ok()?)).into())
    });
}
