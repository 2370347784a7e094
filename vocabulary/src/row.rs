//! `recount.row/1`: one database row with exact, typed cells, for every database.
//!
//! JSON numbers are not exact everywhere, so every number is a text:
//! `{"row":"recount.row/1","table":"main.contracts","key":["id"],
//! "cells":{"id":{"int":"17"},"price":{"decimal":"12.50"},"note":null}}`.

mod json;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::content::{Content, Redaction};
use crate::digest::Digest;
use crate::redaction;

/// Media type of content that holds one row.
pub const MEDIA_TYPE: &str = "application/vnd.recount.row+json";

/// Version of the format, the value of `row`.
pub const VERSION: &str = "recount.row/1";

/// Cells longer than this are kept by size and digest, so that a row always
/// fits into inline content and stays readable as JSON.
pub const CELL_BYTES: usize = 32 * 1024;

/// One row: its table, the columns that identify it, its cells in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// `recount.row/1`.
    row: Version,
    /// Schema and table, e.g. `main.contracts`.
    pub table: String,
    /// Names of the columns that identify the row; empty when nothing does.
    pub key: Vec<String>,
    /// Column names and values, in the order of the table.
    pub cells: Cells,
}

/// The cells of a row, in the order of the table. A name occurs once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cells(Vec<(String, Cell)>);

/// One value, exactly as the database holds it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer of any size, in decimal digits.
    Int(String),
    /// An exact decimal with its scale: `12.50` is not `12.5`.
    Decimal(String),
    /// A 64-bit float; written as the shortest text that gives the same bits,
    /// and `nan:<16 hex digits>` for a NaN with its payload.
    Real(f64),
    /// Text that is UTF-8.
    Text(String),
    /// Text whose bytes are not UTF-8.
    TextBytes(Vec<u8>),
    /// Bytes.
    Blob(Vec<u8>),
    /// A point in time, a date or a time of day as the database writes it,
    /// with its offset where it has one.
    Timestamp(String),
    /// A JSON document as its own text.
    Json(String),
    /// A value too long to keep: its type, size in bytes and digest.
    Large {
        /// `text` or `blob`.
        of: String,
        /// Bytes.
        size: u64,
        /// Of all bytes.
        digest: Digest,
    },
    /// A type without a word of its own: its name and the value as text.
    Other {
        /// The database's name for the type.
        native: String,
        /// The value as the database writes it.
        text: String,
    },
}

/// JSON that is no row of this version.
#[derive(Debug, thiserror::Error)]
#[error("not a {VERSION}: {0}")]
pub struct MalformedRow(#[from] serde_json::Error);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Version;

impl Row {
    /// A row of a table; `key` names the columns that identify it.
    pub fn new(table: &str, key: &[&str], cells: Vec<(String, Cell)>) -> Self {
        Self {
            row: Version,
            table: table.to_owned(),
            key: key.iter().map(|&name| name.to_owned()).collect(),
            cells: cells.into_iter().collect(),
        }
    }

    /// Reads the JSON text of a row.
    ///
    /// # Errors
    /// When it is not JSON, of another version, or has a column twice.
    pub fn parse(json: &str) -> Result<Self, MalformedRow> {
        Ok(serde_json::from_str(json)?)
    }

    /// The JSON text of the row.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The row as content: credentials in its texts are removed, and whole
    /// values of columns whose name says that they hold one.
    pub fn to_content(&self) -> Content {
        let mut row = self.clone();
        let mut removed = Vec::new();
        for (name, cell) in &mut row.cells.0 {
            if *cell != Cell::Null && redaction::is_sensitive_name(name) {
                let path = format!("/cells/{name}");
                let len = cell.to_string().len() as u64;
                removed.push(Redaction {
                    path,
                    rule: redaction::NAMED_RULE.to_owned(),
                    len,
                });
                *cell = Cell::Text(redaction::replacement(redaction::NAMED_RULE));
            }
        }
        let mut content = Content::redacted(row.to_json().as_bytes(), MEDIA_TYPE);
        content.redactions.splice(0..0, removed);
        content
    }

    /// One value by column name.
    pub fn get(&self, column: &str) -> Option<&Cell> {
        self.cells
            .iter()
            .find(|(name, _)| name == column)
            .map(|(_, cell)| cell)
    }
}

impl Cells {
    /// Names and values in the order of the table.
    pub fn iter(&self) -> std::slice::Iter<'_, (String, Cell)> {
        self.0.iter()
    }

    /// How many columns.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no column.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Cell)> for Cells {
    /// Of two cells of one name the later one stays.
    fn from_iter<I: IntoIterator<Item = (String, Cell)>>(cells: I) -> Self {
        let mut kept: Vec<(String, Cell)> = Vec::new();
        for (name, cell) in cells {
            match kept.iter_mut().find(|(known, _)| *known == name) {
                Some(slot) => slot.1 = cell,
                None => kept.push((name, cell)),
            }
        }
        Self(kept)
    }
}

impl<'a> IntoIterator for &'a Cells {
    type Item = &'a (String, Cell);
    type IntoIter = std::slice::Iter<'a, (String, Cell)>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Cell {
    /// An integer that fits 64 bits.
    pub fn int(value: i64) -> Self {
        Self::Int(value.to_string())
    }

    /// Text, or its size and digest when it is longer than [`CELL_BYTES`].
    pub fn text(bytes: &[u8]) -> Self {
        if bytes.len() > CELL_BYTES {
            return Self::large("text", bytes);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::TextBytes(bytes.to_vec()),
        }
    }

    /// Bytes, or their size and digest when there are more than [`CELL_BYTES`].
    pub fn blob(bytes: &[u8]) -> Self {
        if bytes.len() > CELL_BYTES {
            return Self::large("blob", bytes);
        }
        Self::Blob(bytes.to_vec())
    }

    fn large(of: &str, bytes: &[u8]) -> Self {
        Self::Large {
            of: of.to_owned(),
            size: bytes.len() as u64,
            digest: Digest::sha256(bytes),
        }
    }
}

/// For people: no type, long bytes by their size.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.pad("null"),
            Self::Bool(value) => f.pad(if *value { "true" } else { "false" }),
            Self::Int(text)
            | Self::Decimal(text)
            | Self::Text(text)
            | Self::Timestamp(text)
            | Self::Json(text)
            | Self::Other { text, .. } => f.pad(text),
            Self::Real(value) => f.pad(&json::real_text(*value)),
            Self::TextBytes(bytes) => f.pad(&String::from_utf8_lossy(bytes)),
            Self::Blob(bytes) => f.pad(&format!("{} bytes", bytes.len())),
            Self::Large { of, size, .. } => f.pad(&format!("{of}, {size} bytes")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::json::{real_from, real_text};
    use super::*;

    fn row_of(cell: Cell) -> Row {
        Row::new(
            "main.t",
            &["id"],
            vec![("id".into(), Cell::int(1)), ("c".into(), cell)],
        )
    }

    #[test]
    fn a_row_is_written_as_the_format_says() {
        let cells = vec![
            ("id".into(), Cell::int(i64::MIN)),
            ("price".into(), Cell::Decimal("12.50".into())),
            ("rate".into(), Cell::Real(0.1)),
            ("note".into(), Cell::Null),
            ("raw".into(), Cell::blob(&[0, 255])),
        ];
        let row = Row::new("main.contracts", &["id"], cells);
        assert_eq!(
            row.to_json(),
            r#"{"row":"recount.row/1","table":"main.contracts","key":["id"],"cells":{"id":{"int":"-9223372036854775808"},"price":{"decimal":"12.50"},"rate":{"real":"0.1"},"note":null,"raw":{"blob":"AP8="}}}"#
        );
        assert_eq!(Row::parse(&row.to_json()).unwrap(), row);
    }

    #[test]
    fn every_type_of_cell_is_read_back_as_it_was() {
        let digest = Digest::sha256(b"");
        for cell in [
            Cell::Bool(true),
            Cell::Int("170141183460469231731687303715884105728".into()),
            Cell::Timestamp("2026-03-14 09:12:04.123456789+01".into()),
            Cell::Json(r#"{"a":1.0,"a":2}"#.into()),
            Cell::text(b"caf\xe9"),
            Cell::Large {
                of: "blob".into(),
                size: u64::MAX,
                digest,
            },
            Cell::Other {
                native: "inet".into(),
                text: "10.0.0.1/8".into(),
            },
        ] {
            let row = row_of(cell);
            assert_eq!(Row::parse(&row.to_json()).unwrap(), row);
        }
    }

    #[test]
    fn a_long_cell_is_kept_by_size_and_digest() {
        let bytes = vec![7; CELL_BYTES + 1];
        assert!(
            matches!(Cell::blob(&bytes), Cell::Large { size, .. } if size == bytes.len() as u64)
        );
    }

    #[test]
    fn a_row_of_another_version_or_with_a_column_twice_is_refused() {
        for json in [
            r#"{"row":"recount.row/2","table":"t","key":[],"cells":{}}"#,
            r#"{"row":"recount.row/1","table":"t","key":[],"cells":{"a":null,"a":null}}"#,
            r#"{"row":"recount.row/1","table":"t","key":[],"cells":{"a":{"int":"1e3"}}}"#,
            r#"{"row":"recount.row/1","table":"t","key":[],"cells":{"a":17}}"#,
        ] {
            assert!(Row::parse(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_credential_in_a_cell_is_removed_and_the_row_stays_readable() {
        let row = row_of(Cell::Text(format!("sk-{}", "Q".repeat(32))));
        let content = row.to_content();
        let back = Row::parse(content.as_text().unwrap()).unwrap();
        assert_eq!(
            back.get("c"),
            Some(&Cell::Text("[removed:openai_key]".into()))
        );
        assert_eq!(content.redactions.len(), 1);
    }

    #[test]
    fn a_column_named_for_a_credential_is_removed_whole() {
        let cells = vec![
            ("api_token".into(), Cell::int(42)),
            ("password".into(), Cell::Null),
        ];
        let content = Row::new("main.t", &[], cells).to_content();
        let back = Row::parse(content.as_text().unwrap()).unwrap();
        assert_eq!(
            back.get("api_token"),
            Some(&Cell::Text("[removed:named_secret]".into()))
        );
        assert_eq!(back.get("password"), Some(&Cell::Null));
        assert_eq!(content.redactions[0].path, "/cells/api_token");
    }

    proptest! {
        #[test]
        fn reals_keep_their_bits(bits: u64) {
            let value = f64::from_bits(bits);
            prop_assert_eq!(real_from(&real_text(value)).unwrap().to_bits(), bits);
            let row = row_of(Cell::Real(value));
            let back = Row::parse(&row.to_json()).unwrap();
            let Some(Cell::Real(read)) = back.get("c") else { panic!("not a real") };
            prop_assert_eq!(read.to_bits(), bits);
        }

        #[test]
        fn any_bytes_survive_as_text_and_as_blob(bytes: Vec<u8>) {
            for cell in [Cell::text(&bytes), Cell::blob(&bytes)] {
                let row = row_of(cell);
                prop_assert_eq!(Row::parse(&row.to_json()).unwrap(), row);
            }
        }
    }
}
