//! What `tokio-postgres` sends and gets as cells: the user's parameters, and the rows a query returned to them.

use std::error::Error as StdError;

use bytes::BytesMut;
use tokio_postgres::{
    Row,
    types::{FromSql, IsNull, Kind, ToSql, Type},
};
use vocabulary::row;

use super::wire;

/// A value of any type, as it travels.
#[derive(Debug)]
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// One cell of a row returned to the user; `None` if there is no such column.
pub(super) fn cell(row: &Row, at: usize) -> Option<row::Cell> {
    let ty = row.columns().get(at)?.type_();
    let raw: Option<Raw<'_>> = row.try_get(at).ok()?;
    Some(raw.map_or(row::Cell::Null, |raw| decode(ty, raw.0)))
}

/// One cell of a row as the text by which a key is found again; `None` for NULL and types that are not keys.
pub(super) fn key_text(row: &Row, at: usize) -> Option<String> {
    let ty = row.columns().get(at)?.type_();
    let raw: Option<Raw<'_>> = row.try_get(at).ok()?;
    wire::key_text(decode(ty, raw?.0))
}

/// Types in which parameters are tried, the most telling first.
const TRIED: [Type; 17] = [
    Type::TEXT,
    Type::INT4,
    Type::INT8,
    Type::INT2,
    Type::BOOL,
    Type::FLOAT8,
    Type::FLOAT4,
    Type::NUMERIC,
    Type::BYTEA,
    Type::TIMESTAMPTZ,
    Type::TIMESTAMP,
    Type::DATE,
    Type::TIME,
    Type::UUID,
    Type::JSONB,
    Type::OID,
    Type::INET,
];

/// A parameter by the first type that it can be sent as. Nobody has asked the server yet what type it wants.
pub(super) fn parameter(value: &(dyn ToSql + Sync)) -> row::Cell {
    for ty in &TRIED {
        let mut bytes = BytesMut::new();
        match value.to_sql_checked(ty, &mut bytes) {
            Ok(IsNull::Yes) => return row::Cell::Null,
            Ok(IsNull::No) => return decode(ty, &bytes),
            Err(_) => {}
        }
    }
    row::Cell::Other {
        native: "unknown".to_owned(),
        text: format!("{value:?}"),
    }
}

/// What `bytes` mean in type `ty`: a domain's as in the type that it is over.
fn decode(ty: &Type, bytes: &[u8]) -> row::Cell {
    let mut base = ty;
    while let Kind::Domain(inner) = base.kind() {
        base = inner;
    }
    let label = matches!(base.kind(), Kind::Enum(_)).then(|| wire::label(base.name(), bytes));
    label
        .flatten()
        .unwrap_or_else(|| wire::cell(base.oid(), ty.name(), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_told_by_their_own_types() {
        assert_eq!(parameter(&"sent"), row::Cell::Text("sent".into()));
        assert_eq!(parameter(&i64::MIN), row::Cell::int(i64::MIN));
        assert_eq!(parameter(&None::<i32>), row::Cell::Null);
        assert_eq!(parameter(&true), row::Cell::Bool(true));
        assert_eq!(parameter(&0.1_f64), row::Cell::Real(0.1));
        assert_eq!(parameter(&vec![0_u8, 255]), row::Cell::blob(&[0, 255]));
        assert!(matches!(parameter(&vec![1_i32]), row::Cell::Other { text, .. } if text == "[1]"));
    }
}
