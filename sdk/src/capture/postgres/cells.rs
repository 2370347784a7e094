//! PostgreSQL's values as `recount.row/1`, read as text that the server itself writes.
//!
//! Text, because it is exact for every type, also for those this code has never heard of, and the same through every
//! driver. Three kinds would not be: floats depend on `extra_float_digits`, bytes on `bytea_output`, and a cast takes
//! the blanks off a `char(n)`; so they travel as hex, and through the type's own output function.

use vocabulary::row;

use super::{
    statement::quote,
    table::{Column, Table},
};

pub(super) const BOOL: u32 = 16;
pub(super) const BYTEA: u32 = 17;
pub(super) const NAME: u32 = 19;
pub(super) const INT8: u32 = 20;
pub(super) const INT2: u32 = 21;
pub(super) const INT4: u32 = 23;
pub(super) const TEXT: u32 = 25;
pub(super) const OID: u32 = 26;
pub(super) const JSON: u32 = 114;
pub(super) const FLOAT4: u32 = 700;
pub(super) const FLOAT8: u32 = 701;
pub(super) const BPCHAR: u32 = 1042;
pub(super) const VARCHAR: u32 = 1043;
pub(super) const DATE: u32 = 1082;
pub(super) const TIME: u32 = 1083;
pub(super) const TIMESTAMP: u32 = 1114;
pub(super) const TIMESTAMPTZ: u32 = 1184;
const TIMETZ: u32 = 1266;
pub(super) const NUMERIC: u32 = 1700;
pub(super) const JSONB: u32 = 3802;

/// One value as the server wrote it; `None` is NULL.
pub(super) type Raw = Option<String>;

/// The expressions that read the readable columns of `table`, named `c1`, `c2`, ….
pub(super) fn expressions(table: &Table, alias: &str) -> String {
    let read =
        |(at, column): (usize, &Column)| format!("{} AS c{}", expression(column, alias), at + 1);
    let all: Vec<String> = table.readable().enumerate().map(read).collect();
    all.join(", ")
}

fn expression(column: &Column, alias: &str) -> String {
    let name = format!("{alias}.{}", quote(&column.name));
    match column.oid {
        BYTEA => format!("pg_catalog.encode({name}, 'hex')"),
        FLOAT4 => format!("pg_catalog.encode(pg_catalog.float4send({name}), 'hex')"),
        FLOAT8 => format!("pg_catalog.encode(pg_catalog.float8send({name}), 'hex')"),
        BPCHAR => format!("pg_catalog.textin(pg_catalog.bpcharout({name}))"),
        _ => format!("{name}::pg_catalog.text"),
    }
}

/// A value as a cell.
pub(super) fn cell(oid: u32, native: &str, raw: &Raw) -> row::Cell {
    let Some(text) = raw else {
        return row::Cell::Null;
    };
    let other = || {
        long(text).unwrap_or_else(|| row::Cell::Other {
            native: native.to_owned(),
            text: text.clone(),
        })
    };
    match oid {
        BOOL => row::Cell::Bool(text == "true"),
        INT2 | INT4 | INT8 | OID => row::Cell::Int(text.clone()),
        NUMERIC
            if text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.')
                && text != "-Infinity" =>
        {
            row::Cell::Decimal(text.clone())
        }
        FLOAT4 => unhex(text).map_or_else(other, |bytes| float4(&bytes).unwrap_or_else(other)),
        FLOAT8 => unhex(text).map_or_else(other, |bytes| float8(&bytes).unwrap_or_else(other)),
        BYTEA => unhex(text).map_or_else(other, |bytes| row::Cell::blob(&bytes)),
        TEXT | VARCHAR | BPCHAR | NAME => row::Cell::text(text.as_bytes()),
        DATE | TIME | TIMETZ | TIMESTAMP | TIMESTAMPTZ => row::Cell::Timestamp(text.clone()),
        JSON | JSONB => long(text).unwrap_or_else(|| row::Cell::Json(text.clone())),
        _ => other(),
    }
}

/// What is too long for a cell, by size and digest.
fn long(text: &str) -> Option<row::Cell> {
    (text.len() > row::CELL_BYTES).then(|| row::Cell::text(text.as_bytes()))
}

/// A single-precision float: exact, since every one of them is a double too.
fn float4(bytes: &[u8]) -> Option<row::Cell> {
    Some(row::Cell::Real(f64::from(f32::from_be_bytes(
        bytes.try_into().ok()?,
    ))))
}

fn float8(bytes: &[u8]) -> Option<row::Cell> {
    Some(row::Cell::Real(f64::from_be_bytes(bytes.try_into().ok()?)))
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let pair = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    text.len()
        .is_multiple_of(2)
        .then(|| (0..text.len()).step_by(2).map(pair).collect())?
}

/// Whether values of the type are read as the text that the type itself reads.
pub(super) fn is_text(oid: u32) -> bool {
    !matches!(oid, BYTEA | FLOAT4 | FLOAT8)
}
