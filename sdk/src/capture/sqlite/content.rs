//! SQLite's values as `recount.row/1`, and statements with their parameters as content.

use rusqlite::{Params, Result, Statement};
use vocabulary::{
    content::{Content, INLINE_BYTES},
    redaction,
    row::{self, Cells},
};

use super::{
    schema::Table,
    seen::{Cell, Row},
};

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
) -> Result<Vec<(String, Cell)>> {
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
            .map(|(at, name)| Ok((name.clone(), row.get_ref(at)?.into())))
            .collect()
    })
}

/// What went in: the statement as written, and its parameters.
pub(super) fn input(sql: &str, parameters: &[(String, Cell)]) -> Content {
    if parameters.is_empty() {
        return Content::redacted(sql.as_bytes(), "application/sql");
    }
    let mut removed = Vec::new();
    let cells: Cells = parameters
        .iter()
        .map(|(name, cell)| {
            if redaction::is_sensitive_name(name) && *cell != Cell::Null {
                let cell = row::Cell::from(cell);
                let len = cell.to_string().len() as u64;
                let path = format!("/parameters/{name}");
                removed.push(vocabulary::content::Redaction {
                    path,
                    rule: redaction::NAMED_RULE.to_owned(),
                    len,
                });
                (
                    name.clone(),
                    row::Cell::Text(redaction::replacement(redaction::NAMED_RULE)),
                )
            } else {
                (name.clone(), cell.into())
            }
        })
        .collect();
    let text = |value: serde_json::Result<String>| value.unwrap_or_else(|_| "null".to_owned());
    let json = format!(
        r#"{{"sql":{},"parameters":{}}}"#,
        text(serde_json::to_string(sql)),
        text(serde_json::to_string(&cells))
    );
    let mut content = Content::redacted(json.as_bytes(), "application/json");
    content.redactions.splice(0..0, removed);
    content
}

/// The rows a statement returned, one `recount.row/1` per line, as many as fit.
#[derive(Debug, Default)]
pub(super) struct Returned {
    pub(super) rows: u64,
    kept: u64,
    lines: Vec<u8>,
    redactions: Vec<vocabulary::content::Redaction>,
}

impl Returned {
    pub(super) fn add(&mut self, columns: &[String], row: &rusqlite::Row<'_>) {
        self.rows += 1;
        if self.kept + 1 < self.rows || self.lines.len() >= INLINE_BYTES {
            return;
        }
        let cells = columns.iter().enumerate().filter_map(|(at, name)| {
            let cell: Cell = row.get_ref(at).ok()?.into();
            let taken = columns.iter().take(at).any(|earlier| earlier == name);
            let name = if taken {
                format!("{name}#{}", at + 1)
            } else {
                name.clone()
            };
            Some((name, row::Cell::from(&cell)))
        });
        let content = row::Row::new("", &[], cells.collect()).to_content();
        let line = content.bytes().unwrap_or_default();
        if content.is_whole() && self.lines.len() + line.len() < INLINE_BYTES {
            self.lines.extend_from_slice(line);
            self.lines.push(b'\n');
            self.redactions.extend(content.redactions);
            self.kept += 1;
        }
    }

    pub(super) fn content(self) -> Content {
        if self.rows == 0 {
            return Content::absent();
        }
        let mut content = Content::from_bytes(&self.lines, "application/vnd.recount.rows+x-ndjson");
        content.redactions = self.redactions;
        if self.kept < self.rows {
            content.state = vocabulary::record::ContentState::Truncated;
            content.digest = None;
            content.size = None;
            content.why = Some(format!("the first {} of {} rows", self.kept, self.rows));
        }
        content
    }
}
