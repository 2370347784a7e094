//! Rows of `sqlx` as cells.

use sqlx::{
    Column as _, Row as _, TypeInfo as _, ValueRef as _,
    postgres::{PgRow, PgTypeInfo, PgTypeKind, PgValueFormat},
};
use vocabulary::row;

use crate::capture::{
    postgres::{
        cells::{self, Raw},
        table::{Line, Table},
        wire,
    },
    rows::Returned,
};

/// A row whose columns are all text.
pub(super) fn line(row: &PgRow) -> Line {
    (0..row.len())
        .map(|at| {
            let value = row.try_get_raw(at).ok()?;
            value.as_str().ok().map(str::to_owned)
        })
        .collect()
}

/// Keeps a row that the user got.
pub(super) fn keep(returned: &mut Returned, row: &PgRow) {
    let names = row.columns().iter().map(|column| column.name());
    returned.add(names, |at| cell(row, at));
}

/// One cell of a row; `None` if there is no such column.
fn cell(row: &PgRow, at: usize) -> Option<row::Cell> {
    let value = row.try_get_raw(at).ok()?;
    if value.is_null() {
        return Some(row::Cell::Null);
    }
    let column = row.columns().get(at)?.type_info();
    let (base, native) = (base(column), column.name().to_ascii_lowercase());
    let oid = base.oid().map_or(0, |oid| oid.0);
    let bytes = value.as_bytes().ok()?;
    Some(match (value.format(), base.kind()) {
        (PgValueFormat::Text, _) => text(oid, &native, std::str::from_utf8(bytes).ok()?),
        (_, PgTypeKind::Enum(_)) => wire::label(&native, bytes)?,
        _ => wire::cell(oid, &native, bytes),
    })
}

/// A value as the simple protocol brings it: the server's own text.
fn text(oid: u32, native: &str, text: &str) -> row::Cell {
    let decoded = match oid {
        cells::BOOL => Some(row::Cell::Bool(text == "t")),
        cells::FLOAT4 => text
            .parse::<f32>()
            .ok()
            .map(|value| row::Cell::Real(value.into())),
        cells::FLOAT8 => text.parse().ok().map(row::Cell::Real),
        cells::BYTEA => text
            .strip_prefix("\\x")
            .and_then(cells::unhex)
            .map(|bytes| row::Cell::blob(&bytes)),
        _ => None,
    };
    decoded.unwrap_or_else(|| cells::cell(oid, native, &Some(text.to_owned())))
}

/// The type that a domain is over, or the type itself.
fn base(ty: &PgTypeInfo) -> &PgTypeInfo {
    let mut base = ty;
    while let PgTypeKind::Domain(inner) = base.kind() {
        base = inner;
    }
    base
}

/// The key of a row that the user got, if all its columns are among what was returned.
pub(super) fn returned_key(table: &Table, row: &PgRow) -> Option<Vec<Raw>> {
    let columns = table.key.iter().filter_map(|at| table.columns.get(*at));
    columns
        .map(|column| {
            let at = row.columns().iter().position(|one| {
                let relation = one.relation_id().map(|oid| oid.0);
                (relation, one.relation_attribute_no()) == (Some(table.oid), Some(column.number))
            })?;
            wire::key_text(cell(row, at)?).map(Some)
        })
        .collect()
}
