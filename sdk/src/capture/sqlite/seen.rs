//! What triggers report of rows, and what is kept of it.

use crate::capture::rows::{BYTES, ROWS};
use rusqlite::types::ValueRef;

/// One value exactly as SQLite holds it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Null,
    Integer(i64),
    Real(f64),
    /// The bytes of a text; SQLite does not promise that they are UTF-8.
    Text(Vec<u8>),
    Blob(Vec<u8>),
}

impl From<ValueRef<'_>> for Cell {
    fn from(value: ValueRef<'_>) -> Self {
        match value {
            ValueRef::Null => Self::Null,
            ValueRef::Integer(value) => Self::Integer(value),
            ValueRef::Real(value) => Self::Real(value),
            ValueRef::Text(bytes) => Self::Text(bytes.to_vec()),
            ValueRef::Blob(bytes) => Self::Blob(bytes.to_vec()),
        }
    }
}

impl Cell {
    fn size(&self) -> usize {
        match self {
            Self::Text(bytes) | Self::Blob(bytes) => bytes.len() + 16,
            _ => 16,
        }
    }
}

/// The values of one row in the order of [`Table::columns`], and its row id where it has one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) rowid: Option<i64>,
    pub(super) cells: Vec<Cell>,
}

/// One thing that happened to one row; `table` is an index into the watched tables.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Insert { table: usize, new: Row },
    Update { table: usize, old: Row, new: Row },
    Delete { table: usize, old: Row },
}

/// What one statement did to rows.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) steps: Vec<Step>,
    /// Why some of what the statement may change is not here.
    pub(super) unseen: Vec<String>,
    /// Steps that found the budget used up.
    pub(super) beyond_budget: u64,
    pub(super) armed: bool,
    bytes: usize,
    writes: Vec<Write>,
}

impl Seen {
    /// Rows were not watched.
    pub(super) fn nothing(why: String) -> Self {
        Self {
            unseen: vec![why],
            ..Self::default()
        }
    }

    /// Nothing yet, and taking what comes.
    pub(super) fn armed() -> Self {
        Self {
            armed: true,
            ..Self::default()
        }
    }

    fn keep(&mut self, step: Step) {
        let rows = match &step {
            Step::Insert { new: row, .. } | Step::Delete { old: row, .. } => [Some(row), None],
            Step::Update { old, new, .. } => [Some(old), Some(new)],
        };
        let size: usize = rows
            .iter()
            .flatten()
            .flat_map(|row| &row.cells)
            .map(Cell::size)
            .sum();
        if self.steps.len() >= ROWS || self.bytes + size > BYTES {
            self.beyond_budget += 1;
        } else {
            self.bytes += size;
            self.steps.push(step);
        }
    }

    /// The write of `new` happened: what was in its way has been removed, which the unique constraint makes certain.
    ///
    /// Between its begin and now, foreign keys and triggers may have begun and finished writes of their own; those
    /// that were begun later and did not finish were skipped.
    fn settle_replaced(&mut self, table: usize, new: &Row) {
        let of_table = |write: &Write| write.table == table;
        let same = self
            .writes
            .iter()
            .rposition(|write| of_table(write) && write.is_of(new));
        let Some(at) = same.or_else(|| self.writes.iter().rposition(of_table)) else {
            return;
        };
        let write = self.writes.drain(at..).next();
        for old in write.into_iter().flat_map(|write| write.in_the_way) {
            // Before it chose a row id, SQLite showed -1: a row of that id was in nobody's way unless it is `new`'s.
            if old.rowid != Some(-1) || new.rowid == Some(-1) {
                self.keep(Step::Delete { table, old });
            }
        }
    }

    /// A write of `new` is about to be tried.
    fn begin_write(&mut self, table: usize, new: Row) {
        /// Writes that were skipped stay until a later one finishes; this many are plenty.
        const SKIPPED: usize = 4_096;
        if self.writes.len() >= SKIPPED {
            self.writes.drain(..SKIPPED / 2);
        }
        self.writes.push(Write {
            table,
            new,
            in_the_way: Vec::new(),
        });
    }

    pub(super) fn take(&mut self, what: What, table: usize, mut rows: impl Iterator<Item = Row>) {
        if !self.armed {
            return;
        }
        match (what, rows.next(), rows.next()) {
            (What::About, Some(new), None) => self.begin_write(table, new),
            (What::Replaced, Some(old), None) => {
                if let Some(write) = self.writes.last_mut() {
                    write.in_the_way.push(old);
                }
            }
            (What::Insert, Some(new), None) => {
                self.settle_replaced(table, &new);
                self.keep(Step::Insert { table, new });
            }
            (What::Update, Some(old), Some(new)) => {
                self.settle_replaced(table, &new);
                self.keep(Step::Update { table, old, new });
            }
            (What::Delete, Some(old), None) => self.keep(Step::Delete { table, old }),
            _ => {}
        }
    }
}

/// A write that was begun, and the rows that are in its way.
#[derive(Debug)]
struct Write {
    table: usize,
    /// As it looked before it was written: without its row id and defaults, where SQLite chooses those.
    new: Row,
    in_the_way: Vec<Row>,
}

impl Write {
    /// Whether `written` is what this became.
    fn is_of(&self, written: &Row) -> bool {
        let open = |cell: &Cell| matches!(cell, Cell::Null | Cell::Integer(-1));
        self.new
            .cells
            .iter()
            .zip(&written.cells)
            .all(|(begun, written)| begun == written || open(begun))
    }
}

/// What a trigger reports; its number is the function's first argument.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Insert = 0,
    Update = 1,
    Delete = 2,
    /// A write is about to be tried.
    About = 3,
    Replaced = 4,
}

impl What {
    pub(super) fn of(number: i64) -> Option<Self> {
        [
            Self::Insert,
            Self::Update,
            Self::Delete,
            Self::About,
            Self::Replaced,
        ]
        .into_iter()
        .find(|what| *what as i64 == number)
    }
}
