//! What triggers report of rows, and what is kept of it.

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
    replaced: Vec<(usize, Row)>,
}

/// At most this many changed rows are kept per statement.
pub(super) const ROWS: usize = 1_000;
/// At most this many bytes of changed rows are kept per statement.
pub(super) const BYTES: usize = 8 << 20;

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

    /// The candidates of the last `BEFORE` trigger were removed: their constraint let the write of `new` happen.
    fn settle_replaced(&mut self, new: &Row) {
        for (table, old) in std::mem::take(&mut self.replaced) {
            // Before it chose a row id, SQLite showed -1: a row of that id was in nobody's way unless it is `new`'s.
            if old.rowid != Some(-1) || new.rowid == Some(-1) {
                self.keep(Step::Delete { table, old });
            }
        }
    }

    pub(super) fn take(&mut self, what: What, table: usize, mut rows: impl Iterator<Item = Row>) {
        if !self.armed {
            return;
        }
        match (what, rows.next(), rows.next()) {
            (What::About, ..) => self.replaced.clear(),
            (What::Replaced, Some(old), None) => self.replaced.push((table, old)),
            (What::Insert, Some(new), None) => {
                self.settle_replaced(&new);
                self.keep(Step::Insert { table, new });
            }
            (What::Update, Some(old), Some(new)) => {
                self.settle_replaced(&new);
                self.keep(Step::Update { table, old, new });
            }
            (What::Delete, Some(old), None) => self.keep(Step::Delete { table, old }),
            _ => {}
        }
    }
}

/// What a trigger reports; its number is the function's first argument.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Insert = 0,
    Update = 1,
    Delete = 2,
    /// A write is about to be tried: candidates of an earlier one are void.
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
