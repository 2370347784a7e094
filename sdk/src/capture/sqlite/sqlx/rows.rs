//! Rows of `sqlx` as cells.

use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _, sqlite::SqliteRow};
use vocabulary::row;

use crate::capture::rows::Returned;

/// Keeps a row that the user got.
pub(super) fn keep(returned: &mut Returned, row: &SqliteRow) {
    let names = row.columns().iter().map(|column| column.name());
    returned.add(names, |at| cell(row, at));
}

/// One cell of a row, in the type that SQLite itself holds; `None` if there is no such column.
pub(super) fn cell(row: &SqliteRow, at: usize) -> Option<row::Cell> {
    let value = row.try_get_raw(at).ok()?;
    if value.is_null() {
        return Some(row::Cell::Null);
    }
    let ty = value.type_info().name().to_owned();
    let bytes = || row.try_get_unchecked::<Vec<u8>, _>(at).ok();
    match ty.as_str() {
        "INTEGER" => row.try_get_unchecked(at).ok().map(row::Cell::int),
        "REAL" => row.try_get_unchecked(at).ok().map(row::Cell::Real),
        "TEXT" => bytes().map(|bytes| row::Cell::text(&bytes)),
        _ => bytes().map(|bytes| row::Cell::blob(&bytes)),
    }
}
