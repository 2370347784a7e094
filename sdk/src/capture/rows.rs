//! Statements with their parameters, and the rows they return, as content; alike for every database.

use std::{borrow::Cow, collections::BTreeMap};

use vocabulary::{
    content::{Content, INLINE_BYTES, Redaction},
    record::ContentState,
    redaction,
    row::{self, Cells},
};

use super::columns;

/// Rows kept of one statement.
pub(super) const ROWS: usize = 1_000;

/// Bytes kept of one statement's rows.
pub(super) const BYTES: usize = 8 << 20;

/// What went in: the statement as written, and its parameters. What is for a column whose name says that it holds a
/// credential is removed, whether it is a parameter or written out; `columns` says which column each parameter is for.
/// `table` are the columns of the table that an `INSERT` writes, where they are known.
pub(super) fn input(sql: &str, table: &[&str], parameters: Vec<(String, row::Cell)>) -> Content {
    let columns = columns::columns(sql, table);
    let (sql, mut removed) = without_literals(sql, &columns, "/sql");
    if parameters.is_empty() {
        for one in &mut removed {
            one.path.clear();
        }
        let mut content = Content::redacted(sql.as_bytes(), "application/sql");
        content.redactions.splice(0..0, removed);
        return content;
    }
    let columns: BTreeMap<&str, &str> = columns
        .parameters
        .iter()
        .filter(|(name, _)| parameters.iter().any(|(given, _)| given == name))
        .map(|(name, column)| (name.as_str(), column.as_str()))
        .collect();
    let cells: Cells = parameters
        .iter()
        .map(|(name, cell)| {
            let column = columns.get(name.as_str());
            let named = redaction::is_sensitive_name(name)
                || column.is_some_and(|column| redaction::is_sensitive_name(column));
            if !named || *cell == row::Cell::Null {
                return (name.clone(), cell.clone());
            }
            removed.push(Redaction {
                path: format!("/parameters/{name}"),
                rule: redaction::NAMED_RULE.to_owned(),
                len: cell.to_string().len() as u64,
            });
            (
                name.clone(),
                row::Cell::Text(redaction::replacement(redaction::NAMED_RULE)),
            )
        })
        .collect();
    let text = |value: serde_json::Result<String>| value.unwrap_or_else(|_| "null".to_owned());
    let mut json = format!(
        r#"{{"sql":{},"parameters":{}"#,
        text(serde_json::to_string(sql.as_ref())),
        text(serde_json::to_string(&cells))
    );
    if !columns.is_empty() {
        json.push_str(r#","columns":"#);
        json.push_str(&text(serde_json::to_string(&columns)));
    }
    json.push('}');
    let mut content = Content::redacted(json.as_bytes(), "application/json");
    content.redactions.splice(0..0, removed);
    content
}

/// The text of a statement as it may be recorded: what is written out for a column that holds a credential is removed.
pub(super) fn text<'a>(sql: &'a str, table: &[&str]) -> Cow<'a, str> {
    without_literals(sql, &columns::columns(sql, table), "").0
}

fn without_literals<'a>(
    sql: &'a str,
    columns: &columns::Columns,
    path: &str,
) -> (Cow<'a, str>, Vec<Redaction>) {
    let (mut out, mut removed, mut copied) = (String::new(), Vec::new(), 0);
    for (place, column) in &columns.literals {
        if place.is_empty() || !redaction::is_sensitive_name(column) {
            continue;
        }
        out.push_str(sql.get(copied..place.start).unwrap_or_default());
        out.push_str(&redaction::replacement(redaction::NAMED_RULE));
        copied = place.end;
        removed.push(Redaction {
            path: path.to_owned(),
            rule: redaction::NAMED_RULE.to_owned(),
            len: place.len() as u64,
        });
    }
    if removed.is_empty() {
        return (Cow::Borrowed(sql), removed);
    }
    out.push_str(sql.get(copied..).unwrap_or_default());
    (Cow::Owned(out), removed)
}

/// The rows a statement returned, one `recount.row/1` per line, as many as fit.
#[derive(Debug, Default)]
pub(super) struct Returned {
    pub(super) rows: u64,
    kept: u64,
    lines: Vec<u8>,
    redactions: Vec<Redaction>,
}

impl Returned {
    /// Adds a row; its cells are asked for only while rows are kept. Of two columns of one name, the later is
    /// numbered.
    pub(super) fn add<'a>(
        &mut self,
        names: impl Iterator<Item = &'a str>,
        cell: impl Fn(usize) -> Option<row::Cell>,
    ) {
        self.rows += 1;
        if self.kept + 1 < self.rows || self.lines.len() >= INLINE_BYTES {
            return;
        }
        let mut cells: Vec<(String, row::Cell)> = Vec::new();
        for (at, name) in names.enumerate() {
            let taken = cells.iter().any(|(earlier, _)| earlier == name);
            let name = if taken {
                format!("{name}#{}", at + 1)
            } else {
                name.to_owned()
            };
            cells.extend(cell(at).map(|cell| (name, cell)));
        }
        let content = row::Row::new("", &[], cells).to_content();
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
            content.state = ContentState::Truncated;
            content.digest = None;
            content.size = None;
            content.why = Some(format!("the first {} of {} rows", self.kept, self.rows));
        }
        content
    }
}
