//! From rows read before and after one write to one diff per row.

use std::collections::HashMap;

use sha2::{Digest as _, Sha256};
use vocabulary::{
    action::{ReadAfter, ReadBefore},
    content::Content,
    row,
};

use super::{
    cells::{self, Raw},
    rewrite::Answer,
    statement::{Verb, Write},
    table::Table,
};
use crate::{
    Diff,
    capture::{
        names::percent,
        rows::{BYTES, ROWS},
    },
};

/// One side of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Side {
    Row(Vec<Raw>),
    Absent,
    Unknown(&'static str),
}

/// What one statement did to one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) before: Side,
    pub(super) after: Side,
}

/// How the two sides were read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    pub(super) before: ReadBefore,
    pub(super) after: ReadAfter,
}

/// The changes of one write, and why some of them are not there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) all: Vec<Change>,
    pub(super) unseen: Vec<String>,
}

const NOT_READ: &str = "the row was not read before the statement changed it";
const KEY_ASSIGNED: &str = "the statement assigns the row's key";

/// What a write did, by the rows before it and the rows it returned.
pub(super) fn along(write: &Write, table: &Table, answer: Answer, tells_new: bool) -> Changes {
    let mut found = Changes::default();
    let shown = answer.after.len().min(ROWS);
    let Answer {
        before,
        mut after,
        count,
    } = answer;
    after.truncate(ROWS);
    let is_new = |row: &mut Vec<Raw>| tells_new && row.pop().flatten().as_deref() == Some("true");
    match write.verb {
        Verb::Delete => found.all.extend(after.into_iter().map(|row| Change {
            before: Side::Row(row),
            after: Side::Absent,
        })),
        Verb::Insert => {
            let upserts = write.conflict != super::statement::Conflict::Spared;
            let mut known = by_key(table, before);
            for mut row in after {
                let new = is_new(&mut row);
                let earlier = known
                    .as_mut()
                    .and_then(|known| known.remove(&key(table, &row)?));
                let before = match earlier {
                    Some(row) => Side::Row(row),
                    _ if new || !upserts => Side::Absent,
                    _ => Side::Unknown(NOT_READ),
                };
                found.all.push(Change {
                    before,
                    after: Side::Row(row),
                });
            }
        }
        Verb::Update => joined(write, table, before, after, count, &mut found),
    }
    let beyond = count.saturating_sub(shown as u64);
    if beyond > 0 && found.unseen.is_empty() {
        found.unseen.push(format!(
            "{beyond} more rows: beyond {ROWS} rows or {BYTES} bytes per statement"
        ));
    }
    found.finish()
}

/// What a write did that ran as it is, by the rows before it and those found after it; `count` is how many rows it
/// changed, `told` the keys that it returned to the user itself.
pub(super) fn around(
    write: &Write,
    table: &Table,
    before: Vec<Vec<Raw>>,
    after: Vec<Vec<Raw>>,
    count: u64,
) -> Changes {
    let (mut before, mut after) = (before, after);
    before.truncate(ROWS);
    after.truncate(ROWS);
    let mut found = Changes::default();
    let shown = before.len().max(after.len()) as u64;
    match write.verb {
        Verb::Update if assigns_key(write, table) => {
            found.all.extend(before.into_iter().map(|row| Change {
                before: Side::Row(row),
                after: Side::Unknown(KEY_ASSIGNED),
            }));
        }
        Verb::Insert if write.conflict == super::statement::Conflict::Spared => {
            found.all.extend(after.into_iter().map(|row| Change {
                before: Side::Absent,
                after: Side::Row(row),
            }));
        }
        _ => {
            let mut known = by_key(table, after).unwrap_or_default();
            for row in before {
                let later = key(table, &row).and_then(|key| known.remove(&key));
                let after = match (later, write.verb) {
                    (Some(row), _) => Side::Row(row),
                    (None, Verb::Delete) => Side::Absent,
                    (None, _) => Side::Unknown("the row was not found after the statement"),
                };
                found.all.push(Change {
                    before: Side::Row(row),
                    after,
                });
            }
            let rest = known.into_values();
            found.all.extend(rest.map(|row| Change {
                before: Side::Unknown(NOT_READ),
                after: Side::Row(row),
            }));
        }
    }
    let beyond = count.saturating_sub(shown);
    if beyond > 0 {
        found.unseen.push(format!("{beyond} more rows: their keys are not among what the statement returns, or beyond {ROWS} rows"));
    }
    found.finish()
}

/// Rows of an update, joined by primary key.
fn joined(
    write: &Write,
    table: &Table,
    before: Vec<Vec<Raw>>,
    after: Vec<Vec<Raw>>,
    count: u64,
    found: &mut Changes,
) {
    let only = before.len() == 1 && after.len() == 1 && count == 1;
    let assigned = assigns_key(write, table);
    let was_read = !before.is_empty();
    let Some(mut known) = by_key(table, before.clone()) else {
        match (only, was_read || count == 0) {
            (true, _) => found
                .all
                .extend(before.into_iter().zip(after).map(|(before, after)| Change {
                    before: Side::Row(before),
                    after: Side::Row(after),
                })),
            (_, true) => found.unseen.extend((count > 0).then(|| {
                format!(
                    "{count} rows: no primary key by which rows before and after could be joined"
                )
            })),
            _ => found.all.extend(after.into_iter().map(|row| Change {
                before: Side::Unknown(NOT_READ),
                after: Side::Row(row),
            })),
        }
        return;
    };
    let mut came = Vec::new();
    for row in after {
        match key(table, &row).and_then(|key| known.remove(&key)) {
            Some(before) => found.all.push(Change {
                before: Side::Row(before),
                after: Side::Row(row),
            }),
            None => came.push(row),
        }
    }
    if !assigned {
        // A row that was read and not returned was left alone: a trigger said so, or the order of a cut list did.
        found.all.extend(came.into_iter().map(|row| Change {
            before: Side::Unknown(NOT_READ),
            after: Side::Row(row),
        }));
        return;
    }
    let gone = before
        .into_iter()
        .filter(|row| key(table, row).is_some_and(|key| known.contains_key(&key)));
    let (gone_after, came_before) = match only {
        true => (Side::Absent, Side::Absent),
        false => (Side::Unknown(KEY_ASSIGNED), Side::Unknown(KEY_ASSIGNED)),
    };
    found.all.extend(gone.map(|row| Change {
        before: Side::Row(row),
        after: gone_after.clone(),
    }));
    found.all.extend(came.into_iter().map(|row| Change {
        before: came_before.clone(),
        after: Side::Row(row),
    }));
}

fn assigns_key(write: &Write, table: &Table) -> bool {
    let mut key = table.key.iter().filter_map(|at| table.columns.get(*at));
    key.any(|column| write.assigned.contains(&column.name))
}

/// The cells of a row's primary key; `None` if it has none that may be read.
pub(super) fn key(table: &Table, row: &[Raw]) -> Option<Vec<Raw>> {
    if table.key.is_empty() {
        return None;
    }
    let place = |at: &usize| {
        let column = table.columns.get(*at).filter(|column| column.readable)?;
        let place = table.readable().position(|readable| readable == column)?;
        row.get(place).cloned()
    };
    table.key.iter().map(place).collect()
}

fn by_key(table: &Table, rows: Vec<Vec<Raw>>) -> Option<HashMap<Vec<Raw>, Vec<Raw>>> {
    if table.key.is_empty() {
        return None;
    }
    rows.into_iter()
        .map(|row| Some((key(table, &row)?, row)))
        .collect()
}

impl Changes {
    /// Leaves out rows that end as they began, and what is beyond the budget.
    fn finish(mut self) -> Self {
        self.all.retain(|change| change.before != change.after);
        let (mut bytes, mut kept) = (0, 0);
        for change in &self.all {
            bytes += [&change.before, &change.after]
                .map(size)
                .iter()
                .sum::<usize>();
            if bytes > BYTES {
                break;
            }
            kept += 1;
        }
        let beyond = self.all.len() - kept;
        self.all.truncate(kept);
        if beyond > 0 {
            self.unseen.push(format!(
                "{beyond} more rows: beyond {ROWS} rows or {BYTES} bytes per statement"
            ));
        }
        self
    }
}

fn size(side: &Side) -> usize {
    match side {
        Side::Row(row) => row.iter().flatten().map(String::len).sum(),
        Side::Absent | Side::Unknown(_) => 0,
    }
}

impl Change {
    /// As a diff of a resource of `database`.
    pub(super) fn diff(&self, database: &str, table: &Table, read: Read) -> Diff {
        let row = match (&self.before, &self.after) {
            (Side::Row(row), _) | (_, Side::Row(row)) => row.as_slice(),
            _ => &[],
        };
        let resource = format!("db:{database}/{}/{}", table.path(), key_text(table, row));
        let (before, after) = (content(table, &self.before), content(table, &self.after));
        let known = |side: &Side| !matches!(side, Side::Unknown(_));
        let read_before = if known(&self.before) {
            read.before
        } else {
            ReadBefore::NotRead
        };
        let read_after = if known(&self.after) {
            read.after
        } else {
            ReadAfter::NotRead
        };
        Diff::of(resource)
            .before(before)
            .after(after)
            .read_before(read_before)
            .read_after(read_after)
    }
}

/// A key as the last part of a resource's name; rows without one are named by a digest of their cells.
fn key_text(table: &Table, row: &[Raw]) -> String {
    let cell = |cell: &Raw| {
        cell.as_ref()
            .map_or("null".to_owned(), |text| percent(text.as_bytes()))
    };
    match key(table, row) {
        Some(key) => key.iter().map(cell).collect::<Vec<_>>().join(","),
        None => {
            let cells: Vec<String> = row.iter().map(cell).collect();
            let digest: [u8; 32] = Sha256::digest(cells.join(",")).into();
            let short: String = digest
                .iter()
                .take(8)
                .map(|byte| format!("{byte:02x}"))
                .collect();
            format!("row:{short}")
        }
    }
}

fn content(table: &Table, side: &Side) -> Content {
    let row = match side {
        Side::Row(row) => row,
        Side::Absent => return Content::absent(),
        Side::Unknown(why) => return Content::unknown(why),
    };
    let names = table.key.iter().filter_map(|at| table.columns.get(*at));
    let key: Vec<&str> = names
        .filter(|column| column.readable)
        .map(|column| column.name.as_str())
        .collect();
    let cells = table.readable().zip(row).map(|(column, raw)| {
        (
            column.name.clone(),
            cells::cell(column.oid, &column.native, raw),
        )
    });
    row::Row::new(&table.path(), &key, cells.collect()).to_content()
}
