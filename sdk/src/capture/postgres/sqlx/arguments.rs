//! The arguments of a query as cells.
//!
//! `sqlx` shows what was bound in two places only: an argument that is added sees the buffer that it is written to,
//! with what was written before, and their `Debug` names the types. What cannot be told from them is shown as bytes.

use std::fmt::{self, Write};

use sqlx::{
    Arguments as _, Encode, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo},
};
use vocabulary::row;

use crate::capture::postgres::{cells, wire};

/// Each argument as far as its bytes and its type are known. They are left as they were.
pub(super) fn cells(arguments: Option<&mut PgArguments>) -> Vec<row::Cell> {
    let Some(arguments) = arguments.filter(|arguments| arguments.len() > 0) else {
        return Vec::new();
    };
    let (bytes, types) = (bytes(arguments), types(arguments));
    let mut rest = bytes.as_slice();
    let mut all = Vec::new();
    for at in 0..arguments.len() {
        let ty = types.get(at).map_or("unknown", String::as_str);
        let Some((value, after)) = next(rest) else {
            break;
        };
        rest = after;
        all.push(value.map_or(row::Cell::Null, |value| cell(ty, value)));
    }
    all
}

fn cell(ty: &str, value: &[u8]) -> row::Cell {
    let native = ty.to_ascii_lowercase();
    match oid(ty) {
        Some(oid) => wire::cell(oid, &native, value),
        // Types that were declared by their name: labels of an enumeration, mostly.
        None if std::str::from_utf8(value).is_ok_and(|text| !text.contains(char::is_control)) => {
            wire::label(&native, value).unwrap_or(row::Cell::Null)
        }
        None => wire::cell(0, &native, value),
    }
}

/// The first value of a buffer in which each is preceded by its length, and the rest of it.
fn next(buffer: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
    let (length, rest) = buffer.split_first_chunk()?;
    match usize::try_from(i32::from_be_bytes(*length)) {
        Err(_) => Some((None, rest)),
        Ok(length) => rest
            .split_at_checked(length)
            .map(|(value, rest)| (Some(value), rest)),
    }
}

/// An argument that looks at what was written before it, and is none in the end.
struct Look<'a>(&'a mut Vec<u8>);

impl Type<sqlx::Postgres> for Look<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("text")
    }
}

impl Encode<'_, sqlx::Postgres> for Look<'_> {
    fn encode_by_ref(&self, _: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Err("nothing to encode".into())
    }

    fn encode(self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        // The length of this argument itself is reserved already.
        let written = buffer.len().saturating_sub(4);
        self.0.extend_from_slice(&buffer[..written]);
        Err("it only looked".into()) // what cannot be encoded is not added
    }
}

fn bytes(arguments: &mut PgArguments) -> Vec<u8> {
    let mut seen = Vec::new();
    let _ = arguments.add(Look(&mut seen));
    seen
}

/// The names of the types, as `Debug` has them: `Int4`, `Text`, `DeclareWithName`.
fn types(arguments: &PgArguments) -> Vec<String> {
    let mut head = Head(String::new());
    let _ = write!(head, "{arguments:?}"); // ends early, with an error
    let list = head.0.split_once("types: [").map_or("", |(_, list)| list);
    let mut all = Vec::new();
    let (mut depth, mut name) = (0_usize, String::new());
    for c in list.chars() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ']' if depth == 0 => break,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => all.push(std::mem::take(&mut name)),
            // `PgTypeInfo(Int4)`: the name is what stands in the first parentheses.
            c if depth == 1 && c.is_ascii_alphanumeric() => name.push(c),
            _ => {}
        }
    }
    all.push(name);
    all
}

/// The beginning of a `Debug` text, up to where the bytes are listed.
struct Head(String);

impl Write for Head {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        if self.0.contains("buffer: ") {
            return Err(fmt::Error);
        }
        Ok(())
    }
}

/// The number of a type that `sqlx` names so.
fn oid(name: &str) -> Option<u32> {
    Some(match name {
        "Bool" => cells::BOOL,
        "Bytea" => cells::BYTEA,
        "Name" => cells::NAME,
        "Int8" => cells::INT8,
        "Int2" => cells::INT2,
        "Int4" => cells::INT4,
        "Text" => cells::TEXT,
        "Oid" => cells::OID,
        "Json" => cells::JSON,
        "Float4" => cells::FLOAT4,
        "Float8" => cells::FLOAT8,
        "Bpchar" => cells::BPCHAR,
        "Varchar" => cells::VARCHAR,
        "Date" => cells::DATE,
        "Time" => cells::TIME,
        "Timestamp" => cells::TIMESTAMP,
        "Timestamptz" => cells::TIMESTAMPTZ,
        "Numeric" => cells::NUMERIC,
        "Jsonb" => cells::JSONB,
        "Uuid" => wire::UUID,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_told_by_their_own_types() {
        let mut arguments = PgArguments::default();
        arguments.add("sent").unwrap();
        arguments.add(i64::MIN).unwrap();
        arguments.add(None::<i32>).unwrap();
        arguments.add(true).unwrap();
        arguments.add(0.1_f64).unwrap();
        arguments.add(vec![0_u8, 255]).unwrap();
        let told = cells(Some(&mut arguments));
        let expected = [
            row::Cell::Text("sent".into()),
            row::Cell::int(i64::MIN),
            row::Cell::Null,
            row::Cell::Bool(true),
            row::Cell::Real(0.1),
            row::Cell::blob(&[0, 255]),
        ];
        assert_eq!(told, expected);
        assert_eq!(arguments.len(), 6, "looking leaves them as they are");
    }

    #[test]
    fn what_has_no_known_type_is_shown_as_bytes() {
        let mut arguments = PgArguments::default();
        arguments.add(vec![1_i32]).unwrap();
        let told = cells(Some(&mut arguments));
        assert!(
            matches!(&told[..], [row::Cell::Other { native, text }] if native == "int4array" && text.starts_with("binary")),
            "{told:?}"
        );
    }
}
