//! From what triggers saw to one change per row.

use super::{
    schema::Table,
    seen::{Cell, Row, Step},
};
use crate::capture::names::percent;

/// What one statement did to one row: an absent side means that the row did not exist.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// Index into the watched tables.
    pub(super) table: usize,
    pub(super) key: Vec<Cell>,
    pub(super) before: Option<Row>,
    pub(super) after: Option<Row>,
}

/// The cells that name a row: its declared primary key, else its row id, else all of it.
fn key(table: &Table, row: &Row) -> Vec<Cell> {
    if !table.key.is_empty() {
        return table
            .key
            .iter()
            .filter_map(|at| row.cells.get(*at).cloned())
            .collect();
    }
    match row.rowid {
        Some(id) => vec![Cell::Integer(id)],
        None => row.cells.clone(),
    }
}

/// One change per row, in the order in which rows were first touched.
///
/// A row changed several times by one statement (by its triggers, or removed and inserted again by a replacing
/// insert) keeps its first *before* and its last *after*. A row whose key changed is two: one gone, one new. Rows
/// that end as they began are left out.
pub(super) fn changes(tables: &[Table], steps: Vec<Step>) -> Vec<Change> {
    let mut all: Vec<Change> = Vec::new();
    let mut touch =
        |table: usize, key: Vec<Cell>, before: Option<Row>, after: Option<Row>| match all
            .iter_mut()
            .rev()
            .find(|change| change.table == table && change.key == key)
        {
            Some(change) => change.after = after,
            None => all.push(Change {
                table,
                key,
                before,
                after,
            }),
        };
    for step in steps {
        let (at, old, new) = match step {
            Step::Insert { table, new } => (table, None, Some(new)),
            Step::Update { table, old, new } => (table, Some(old), Some(new)),
            Step::Delete { table, old } => (table, Some(old), None),
        };
        let Some(table) = tables.get(at) else {
            continue;
        };
        match (old, new) {
            (Some(old), Some(new)) => {
                let (from, to) = (key(table, &old), key(table, &new));
                if from == to {
                    touch(at, from, Some(old), Some(new));
                } else {
                    touch(at, from, Some(old), None);
                    touch(at, to, None, Some(new));
                }
            }
            (Some(old), None) => touch(at, key(table, &old), Some(old), None),
            (None, Some(new)) => touch(at, key(table, &new), None, Some(new)),
            (None, None) => {}
        }
    }
    all.retain(|change| change.before != change.after);
    all
}

/// A key as the last part of a resource's name: `17`, `DE,17`, `rowid:3`.
pub(super) fn key_text(table: &Table, key: &[Cell]) -> String {
    let text = key_list(key);
    if table.key.is_empty() && table.rowid.is_some() {
        format!("rowid:{text}")
    } else {
        text
    }
}

/// The cells of a key with commas between them.
pub(super) fn key_list(key: &[Cell]) -> String {
    let cells: Vec<String> = key.iter().map(cell_text).collect();
    cells.join(",")
}

/// One cell in a resource's name: what is not a letter, digit or `-._~@` is percent-encoded; blobs are `x'…'`.
fn cell_text(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".to_owned(),
        Cell::Integer(value) => value.to_string(),
        Cell::Real(value) => format!("{value:?}"),
        Cell::Text(bytes) => percent(bytes),
        Cell::Blob(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{hex}'")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            database: "main".to_owned(),
            name: "t".to_owned(),
            columns: vec!["id".to_owned(), "v".to_owned()],
            key: vec![0],
            rowid: Some("rowid"),
            unique: Vec::new(),
            odd_unique: false,
            sql: String::new(),
        }
    }

    fn row(id: i64, v: i64) -> Row {
        Row {
            rowid: Some(id),
            cells: vec![Cell::Integer(id), Cell::Integer(v)],
        }
    }

    #[test]
    fn a_row_touched_twice_keeps_its_first_before_and_last_after() {
        let steps = vec![
            Step::Update {
                table: 0,
                old: row(1, 1),
                new: row(1, 2),
            },
            Step::Update {
                table: 0,
                old: row(1, 2),
                new: row(1, 3),
            },
            Step::Insert {
                table: 0,
                new: row(2, 1),
            },
            Step::Delete {
                table: 0,
                old: row(2, 1),
            },
        ];
        let all = changes(&[table()], steps);
        assert_eq!(all.len(), 1);
        assert_eq!(
            (&all[0].before, &all[0].after),
            (&Some(row(1, 1)), &Some(row(1, 3)))
        );
    }

    #[test]
    fn rows_that_pass_their_keys_on_are_told_apart() {
        let steps = vec![
            Step::Update {
                table: 0,
                old: row(2, 20),
                new: row(3, 20),
            },
            Step::Update {
                table: 0,
                old: row(1, 10),
                new: row(2, 10),
            },
        ];
        let all = changes(&[table()], steps);
        let of = |id: i64| {
            all.iter()
                .find(|change| change.key == [Cell::Integer(id)])
                .unwrap()
        };
        assert_eq!(
            (&of(2).before, &of(2).after),
            (&Some(row(2, 20)), &Some(row(2, 10)))
        );
        assert_eq!((&of(1).before, &of(1).after), (&Some(row(1, 10)), &None));
        assert_eq!((&of(3).before, &of(3).after), (&None, &Some(row(3, 20))));
    }

    #[test]
    fn keys_are_named_without_ambiguity() {
        let text = |bytes: &str| Cell::Text(bytes.as_bytes().to_vec());
        assert_eq!(
            key_text(&table(), &[text("a,b"), Cell::Integer(-1)]),
            "a%2Cb,-1"
        );
        assert_eq!(key_text(&table(), &[Cell::Blob(vec![0, 255])]), "x'00ff'");
    }
}
