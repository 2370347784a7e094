//! Statements with their parameters, and the rows they return, as content; alike for every database.

use vocabulary::{
    content::{Content, INLINE_BYTES, Redaction},
    record::ContentState,
    redaction,
    row::{self, Cells},
};

/// Rows kept of one statement.
pub(super) const ROWS: usize = 1_000;

/// Bytes kept of one statement's rows.
pub(super) const BYTES: usize = 8 << 20;

/// What went in: the statement as written, and its parameters.
pub(super) fn input(sql: &str, parameters: Vec<(String, row::Cell)>) -> Content {
    if parameters.is_empty() {
        return Content::redacted(sql.as_bytes(), "application/sql");
    }
    let mut removed = Vec::new();
    let cells: Cells = parameters
        .into_iter()
        .map(|(name, cell)| {
            if !redaction::is_sensitive_name(&name) || cell == row::Cell::Null {
                return (name, cell);
            }
            removed.push(Redaction {
                path: format!("/parameters/{name}"),
                rule: redaction::NAMED_RULE.to_owned(),
                len: cell.to_string().len() as u64,
            });
            (
                name,
                row::Cell::Text(redaction::replacement(redaction::NAMED_RULE)),
            )
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
