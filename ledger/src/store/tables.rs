//! Reading the tables: the few queries that the writer, recovery and readers share.

use rusqlite::{Connection, OptionalExtension, Row};

use super::log::{self, Log};
use super::schema::LEDGER_LOG;
use crate::leaf::{ControlBody, ControlLeaf, LedgerId, RECORD_LEAF};
use crate::tile::partial_width;
use crate::tree::{Frontier, Hash, NodeSource, hash_leaf, hash_node};

/// The row of `state`.
#[derive(Debug, Clone)]
pub(crate) struct StateRow {
    pub(crate) ledger: LedgerId,
    pub(crate) origin: String,
    pub(crate) commit: u64,
    pub(crate) size: u64,
    pub(crate) root: Hash,
    pub(crate) frontier: Vec<u8>,
    pub(crate) clean: bool,
    /// What the column `clean` holds: 1, or who writes ([`holder`]).
    pub(crate) holder: i64,
}

/// How a run of the collector stands in the row of `state` while it writes: 63 bits of its instance, never 0 or 1.
pub(crate) fn holder(instance: &[u8; 16]) -> i64 {
    let first = instance
        .first_chunk()
        .copied()
        .map_or(0, u64::from_be_bytes);
    to_sql((first >> 1).max(2))
}

/// Why a table could not be read: SQLite failed, or a value is not what we write.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("{place}: {why}")]
    Damaged { place: String, why: String },
}

impl TableError {
    pub(crate) fn damaged(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Damaged {
            place: place.into(),
            why: why.into(),
        }
    }
}

/// SQLite's integers are signed; sizes, indexes and times of ours stay far below 2^63.
pub(crate) fn to_sql(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// A column that holds one of our unsigned numbers.
pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// A column that holds 32 bytes.
pub(crate) fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<Hash> {
    row.get(column)
}

pub(crate) fn state(connection: &Connection) -> Result<StateRow, TableError> {
    let mut statement = connection.prepare_cached(
        "SELECT ledger_id, origin, commit_no, size, root, frontier, clean FROM state WHERE id = 1",
    )?;
    let row = statement
        .query_row([], |row| {
            Ok(StateRow {
                ledger: LedgerId(hash(row, 0)?),
                origin: row.get(1)?,
                commit: unsigned(row, 2)?,
                size: unsigned(row, 3)?,
                root: hash(row, 4)?,
                frontier: row.get(5)?,
                clean: row.get::<_, i64>(6)? == 1,
                holder: row.get(6)?,
            })
        })
        .optional()?;
    let row = row.ok_or_else(|| TableError::damaged("table state", "its row is missing"))?;
    let frontier = Frontier::from_bytes(row.size, &row.frontier);
    if frontier.is_none_or(|frontier| frontier.root() != row.root) {
        return Err(TableError::damaged(
            "table state",
            "its root is not that of its frontier",
        ));
    }
    Ok(row)
}

/// Hashes of a stored tile.
pub(crate) fn tile(
    connection: &Connection,
    log: i64,
    level: u8,
    n: u64,
) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached("SELECT hashes FROM tile WHERE log = ?1 AND level = ?2 AND n = ?3")?
        .query_row((log, level, to_sql(n)), |row| row.get(0))
        .optional()
}

/// Number of leaves of a log.
pub(crate) fn size(connection: &Connection, log: i64) -> rusqlite::Result<u64> {
    if log == LEDGER_LOG {
        let mut statement =
            connection.prepare_cached("SELECT n + 1 FROM control ORDER BY n DESC LIMIT 1")?;
        return Ok(statement
            .query_row([], |row| unsigned(row, 0))
            .optional()?
            .unwrap_or(0));
    }
    connection
        .prepare_cached(
            "SELECT first + count FROM segment WHERE stream = ?1 ORDER BY first DESC LIMIT 1",
        )?
        .query_row([log], |row| unsigned(row, 0))
        .optional()
        .map(|size| size.unwrap_or(0))
}

/// Records in all streams: what heads cover, and what lies beyond them.
pub(crate) fn records(connection: &Connection) -> Result<u64, TableError> {
    let covered: i64 = connection
        .prepare_cached("SELECT coalesce(sum(head_size), 0) FROM stream")?
        .query_row([], |row| row.get(0))?;
    let mut records = covered.unsigned_abs();
    let mut statement =
        connection.prepare_cached("SELECT n, head_size FROM stream WHERE uncovered = 1")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        records += size(connection, row.get(0)?)?.saturating_sub(unsigned(row, 1)?);
    }
    Ok(records)
}

/// Reason and declared count of the close at `index` of the ledger log.
pub(crate) fn close_at(connection: &Connection, index: u64) -> Result<(u8, u64), TableError> {
    let mut found = None;
    leaves(connection, LEDGER_LOG, index, index + 1, |_, leaf| {
        if let Ok(ControlLeaf {
            body: ControlBody::StreamClose {
                reason, declared, ..
            },
            ..
        }) = ControlLeaf::decode(leaf)
        {
            found = Some((reason, declared));
        }
    })?;
    found.ok_or_else(|| {
        TableError::damaged(
            "table stream",
            format!("leaf {index} of the ledger log is no close"),
        )
    })
}

/// Calls `visit` with index and bytes of each leaf in `from..to`, in order.
pub(crate) fn leaves(
    connection: &Connection,
    log: i64,
    from: u64,
    to: u64,
    mut visit: impl FnMut(u64, &[u8]),
) -> Result<(), TableError> {
    if log == LEDGER_LOG {
        let mut statement = connection
            .prepare_cached("SELECT n, leaf FROM control WHERE n >= ?1 AND n < ?2 ORDER BY n")?;
        let mut rows = statement.query((to_sql(from), to_sql(to)))?;
        while let Some(row) = rows.next()? {
            visit(
                unsigned(row, 0)?,
                row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?,
            );
        }
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "SELECT first, leaves FROM segment WHERE stream = ?1 AND first < ?3 AND first >= coalesce(
           (SELECT first FROM segment WHERE stream = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1), 0)
         ORDER BY first",
    )?;
    let mut rows = statement.query((log, to_sql(from), to_sql(to)))?;
    while let Some(row) = rows.next()? {
        let first = unsigned(row, 0)?;
        let blob = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        for (index, leaf) in (first..).zip(blob.chunks(RECORD_LEAF)) {
            if index >= from && index < to {
                visit(index, leaf);
            }
        }
    }
    Ok(())
}

/// The right edge of a log, from its stored leaves and tiles.
pub(crate) fn right_edge(connection: &Connection, log: i64) -> Result<Log, TableError> {
    let size = size(connection, log)?;
    let mut open = Vec::new();
    for level in 0..log::levels(size) {
        let width = partial_width(level, size);
        let mut hashes = Vec::new();
        if level == 0 {
            let mut next = size - width;
            let mut whole = true;
            leaves(connection, log, size - width, size, |index, leaf| {
                whole &= index == next;
                next = index + 1;
                hashes.extend_from_slice(&hash_leaf(leaf));
            })?;
            if !whole || next != size {
                return Err(TableError::damaged(
                    name(log),
                    format!("leaf {next} of {size} is missing"),
                ));
            }
        } else if width > 0 {
            let n = size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
            hashes = tile(connection, log, level, n)?.unwrap_or_default();
        }
        if hashes.len() as u64 != 32 * width {
            let why = format!(
                "its open tile of level {level} holds {} bytes, not {}",
                hashes.len(),
                32 * width
            );
            return Err(TableError::damaged(name(log), why));
        }
        open.push(hashes);
    }
    Log::resume(size, open)
        .ok_or_else(|| TableError::damaged(name(log), "its tiles do not fit its size"))
}

/// What a log is called in messages.
pub(crate) fn name(log: i64) -> String {
    if log == LEDGER_LOG {
        "the ledger log".into()
    } else {
        format!("the log of stream number {log}")
    }
}

/// Node hashes of a log, from its tiles where they are stored and from its leaves elsewhere.
#[derive(Debug)]
pub(crate) struct Nodes<'c> {
    pub(crate) connection: &'c Connection,
    pub(crate) log: i64,
}

impl NodeSource for Nodes<'_> {
    type Error = TableError;

    fn node(&mut self, level: u8, index: u64) -> Result<Hash, TableError> {
        let (tile_level, within) = (level / 8, level % 8);
        let first = index << within;
        if let Some(hashes) = tile(self.connection, self.log, tile_level, first >> 8)? {
            let from = 32 * (first & 0xff) as usize;
            if let Some(found) = hashes.get(from..from + (32 << within)) {
                return Ok(log::root_of_full(found.as_chunks::<32>().0));
            }
        }
        if level > 0 {
            let left = self.node(level - 1, 2 * index)?;
            let right = self.node(level - 1, 2 * index + 1)?;
            return Ok(hash_node(&left, &right));
        }
        let mut found = None;
        leaves(self.connection, self.log, index, index + 1, |_, leaf| {
            found = Some(hash_leaf(leaf))
        })?;
        found.ok_or_else(|| TableError::damaged(name(self.log), format!("leaf {index} is missing")))
    }
}
