//! Rows for other programs: one JSON object per line, or CSV whose columns are named by JSON Pointers.

use serde_json::Value;

use super::{csv, out};
use crate::app::line::shown;
use crate::failure::Failure;

/// A column of CSV: its heading, and where its value is in a row.
pub(super) type Column = (&'static str, &'static str);

/// Prints rows as JSON, one object per line.
pub(super) fn lines<T: serde::Serialize>(rows: &[T]) -> Result<(), Failure> {
    rows.iter().try_for_each(out::json_line)
}

/// Prints rows as CSV, with a heading.
pub(super) fn csv<T: serde::Serialize>(columns: &[Column], rows: &[T]) -> Result<(), Failure> {
    out::text(&csv::row(columns.iter().map(|(name, _)| *name)))?;
    for it in rows {
        let value = serde_json::to_value(it).map_err(|error| Failure::Output(error.into()))?;
        row(columns, &value)?;
    }
    Ok(())
}

/// Prints one row as CSV.
pub(super) fn row(columns: &[Column], row: &Value) -> Result<(), Failure> {
    let cells: Vec<String> = columns
        .iter()
        .map(|(_, at)| row.pointer(at).map(cell).unwrap_or_default())
        .collect();
    out::text(&csv::row(cells.iter().map(String::as_str)))
}

/// One cell: text as it is shown, a list as its members, nothing where nothing is known.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => shown(text),
        Value::Array(members) => members.iter().map(cell).collect::<Vec<_>>().join(" "),
        other => shown(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::cell;
    use serde_json::json;

    #[test]
    fn a_cell_is_what_a_person_would_write() {
        assert_eq!(cell(&json!(null)), "");
        assert_eq!(cell(&json!("a\u{1b}[2J")), "a<ESC>[2J");
        assert_eq!(cell(&json!(["s1a#1", "s1a#2"])), "s1a#1 s1a#2");
        assert_eq!(cell(&json!(3)), "3");
    }
}
