//! What is checked before a ledger takes anything: that nothing acknowledged or signed is missing.

use std::path::Path;

use rusqlite::Connection;

use super::error::StoreError;
use super::files::{self, Paths};
use super::query;
use super::schema::LEDGER_LOG;
use super::tables::{self, Nodes, StateRow, TableError};
use crate::acked::{self, Acked};
use crate::checkpoint::Checkpoint;
use crate::leaf::{ControlBody, ControlLeaf, RecordLeaf, StreamId, TreeHead};
use crate::note::VerifierKey;
use crate::tile::{self, WIDTH};
use crate::tree;

/// A note of ours has about 200 bytes.
const MAX_NOTE: u64 = 64 * 1024;

/// Turns an error of the tables into one that names the file.
pub(crate) fn damaged(path: &Path, error: TableError) -> StoreError {
    match error {
        TableError::Sqlite(error) => StoreError::sqlite("read", path, error),
        TableError::Damaged { place, why } => StoreError::Damaged {
            place: format!("{place} in {}", path.display()),
            why,
        },
    }
}

/// The newest slot of `acked`.
pub(crate) fn read_acked(paths: &Paths) -> Result<Acked, StoreError> {
    let bytes = files::read_small(&paths.acked, acked::FILE as u64 + 1)?;
    let newest = if bytes.len() == acked::FILE {
        Acked::newest(&bytes)
    } else {
        None
    };
    newest.ok_or_else(|| StoreError::Damaged {
        place: paths.acked.display().to_string(),
        why: format!("neither of its slots is whole ({} bytes)", bytes.len()),
    })
}

/// The exact bytes of `last_signed`.
pub(crate) fn read_last_signed(paths: &Paths) -> Result<Vec<u8>, StoreError> {
    files::read_small(&paths.last_signed, MAX_NOTE)
}

/// Compares the database with `acked`: every acknowledged commit must be there.
pub(crate) fn against_acked(
    paths: &Paths,
    connection: &Connection,
    state: &StateRow,
) -> Result<(), StoreError> {
    let acked = read_acked(paths)?;
    let behind = |missing| {
        Err(StoreError::Behind {
            evidence: "acked",
            missing,
        })
    };
    if acked.commit > state.commit {
        return behind(format!(
            "commit {} with {} ledger leaves was acknowledged, the database ends at commit {} with {}",
            acked.commit, acked.size, state.commit, state.size
        ));
    }
    if acked.size > state.size {
        return behind(format!(
            "{} ledger leaves were acknowledged, {} are there",
            acked.size, state.size
        ));
    }
    let root = root_at(connection, acked.size).map_err(|error| damaged(&paths.database, error))?;
    if root != acked.root {
        let why = format!(
            "its first {} ledger leaves have another root than was acknowledged",
            acked.size
        );
        return Err(StoreError::Damaged {
            place: paths.database.display().to_string(),
            why,
        });
    }
    Ok(())
}

/// Compares the database with `last_signed`: nothing signed may be missing or different.
pub(crate) fn against_signed(
    paths: &Paths,
    connection: &Connection,
    state: &StateRow,
    key: &VerifierKey,
) -> Result<(TreeHead, Vec<u8>), StoreError> {
    let note = read_last_signed(paths)?;
    let checkpoint = Checkpoint::open(&note, key).map_err(|error| StoreError::Damaged {
        place: paths.last_signed.display().to_string(),
        why: error.to_string(),
    })?;
    let signed = checkpoint.head;
    if signed.size > state.size {
        let missing = format!(
            "{} ledger leaves were signed, {} are there",
            signed.size, state.size
        );
        return Err(StoreError::Behind {
            evidence: "last_signed",
            missing,
        });
    }
    let root = root_at(connection, signed.size).map_err(|error| damaged(&paths.database, error))?;
    if root != signed.root {
        let why = format!(
            "its first {} ledger leaves have another root than was signed",
            signed.size
        );
        return Err(StoreError::Damaged {
            place: paths.database.display().to_string(),
            why,
        });
    }
    Ok((signed, note))
}

/// Root of the ledger log when it had `size` leaves.
fn root_at(connection: &Connection, size: u64) -> Result<tree::Hash, TableError> {
    tree::root_of(
        &mut Nodes {
            connection,
            log: LEDGER_LOG,
        },
        size,
    )
}

/// Full tiles of the ledger log that are made again from their leaves at each start.
const SAMPLED: u64 = 16;

/// Recomputes from stored leaves what no signature covers yet, before anything is signed: the end of the ledger log,
/// each head in it, and every stream with records beyond its head. Of the older tiles some are made again.
pub(crate) fn recompute(
    paths: &Paths,
    connection: &Connection,
    state: &StateRow,
    signed: TreeHead,
) -> Result<(), StoreError> {
    let all = || {
        ledger_log(connection, state, signed)?;
        open_streams(connection, stopped_in_order(connection, state.size)?)?;
        sampled_tiles(connection, state.size)
    };
    all().map_err(|error| damaged(&paths.database, error))
}

/// The ledger log from the signed size on, leaf by leaf.
fn ledger_log(
    connection: &Connection,
    state: &StateRow,
    signed: TreeHead,
) -> Result<(), TableError> {
    let mut nodes = Nodes {
        connection,
        log: LEDGER_LOG,
    };
    let mut frontier = tree::frontier_at(&mut nodes, signed.size)?;
    let mut heads = Vec::new();
    let mut wrong = None;
    tables::leaves(
        connection,
        LEDGER_LOG,
        signed.size,
        state.size,
        |_, bytes| {
            let at = frontier.size();
            match ControlLeaf::decode(bytes) {
                Ok(leaf) if leaf.index == at => heads.extend(head_of(&leaf.body)),
                Ok(leaf) => {
                    wrong = wrong
                        .take()
                        .or(Some((at, format!("it says it is leaf {}", leaf.index))))
                }
                Err(error) => wrong = wrong.take().or(Some((at, error.to_string()))),
            }
            frontier.append(tree::hash_leaf(bytes));
        },
    )?;
    if let Some((at, why)) = wrong {
        return Err(TableError::damaged(
            format!("leaf {at} of the ledger log"),
            why,
        ));
    }
    if frontier.size() != state.size || frontier.root() != state.root {
        let why = format!(
            "its {} leaves do not give the root of the last commit ({})",
            frontier.size(),
            state.size
        );
        return Err(TableError::damaged("the ledger log", why));
    }
    heads
        .into_iter()
        .try_for_each(|(stream, head)| match query::number(connection, &stream)? {
            Some(n) => has_root(connection, n, head),
            None => Err(TableError::damaged(
                "table stream",
                format!("no row for stream {stream}"),
            )),
        })
}

fn head_of(body: &ControlBody) -> Option<(StreamId, TreeHead)> {
    match body {
        ControlBody::StreamHead { stream, head, .. }
        | ControlBody::StreamClose { stream, head, .. } => Some((*stream, *head)),
        _ => None,
    }
}

fn has_root(connection: &Connection, n: i64, head: TreeHead) -> Result<(), TableError> {
    let root = tree::root_of(&mut Nodes { connection, log: n }, head.size)?;
    if root == head.root {
        return Ok(());
    }
    let why = format!(
        "its first {} records do not give the root of its head",
        head.size
    );
    Err(TableError::damaged(tables::name(n), why))
}

/// Whether the newest leaf says that the last run ended in order. Each stream then has a head over all its records: what
/// lies beyond one was put there by somebody else, and must not be signed.
fn stopped_in_order(connection: &Connection, size: u64) -> Result<bool, TableError> {
    let mut stopped = false;
    let last = size.saturating_sub(1);
    tables::leaves(connection, LEDGER_LOG, last, size, |_, leaf| {
        stopped = ControlLeaf::decode(leaf)
            .is_ok_and(|leaf| matches!(leaf.body, ControlBody::Shutdown { .. }));
    })?;
    Ok(stopped)
}

/// The head that a leaf of the ledger log holds.
pub(crate) fn head_at(
    connection: &Connection,
    index: u64,
) -> Result<Option<(StreamId, TreeHead)>, TableError> {
    let mut head = None;
    tables::leaves(connection, LEDGER_LOG, index, index + 1, |_, leaf| {
        head = ControlLeaf::decode(leaf)
            .ok()
            .and_then(|leaf| head_of(&leaf.body));
    })?;
    Ok(head)
}

/// Streams with records that no head covers: the head they have, and each leaf beyond it.
fn open_streams(connection: &Connection, stopped: bool) -> Result<(), TableError> {
    let mut statement = connection
        .prepare("SELECT n, head, head_size FROM stream WHERE uncovered = 1 ORDER BY n")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (n, head_size) = (row.get::<_, i64>(0)?, tables::unsigned(row, 2)?);
        if stopped {
            let why = format!(
                "records lie beyond its {head_size} although they were all sealed at an orderly stop"
            );
            return Err(TableError::damaged(tables::name(n), why));
        }
        if let Some(index) = row.get::<_, Option<i64>>(1)? {
            let index = index.unsigned_abs();
            let Some((_, head)) =
                head_at(connection, index)?.filter(|(_, head)| head.size == head_size)
            else {
                let why = format!(
                    "leaf {index} of the ledger log is not its head of {head_size} records"
                );
                return Err(TableError::damaged(tables::name(n), why));
            };
            has_root(connection, n, head)?;
        }
        let size = tables::size(connection, n)?;
        let mut next = head_size;
        tables::leaves(connection, n, head_size, size, |_, leaf| {
            let index = RecordLeaf::decode(leaf).map_or(u64::MAX, |leaf| leaf.index);
            next += u64::from(index == next);
        })?;
        if next != size {
            let why = format!("leaf {next} of {size} is missing or out of place");
            return Err(TableError::damaged(tables::name(n), why));
        }
    }
    Ok(())
}

/// Some full tiles of the ledger log against their leaves, spread over all of it.
fn sampled_tiles(connection: &Connection, size: u64) -> Result<(), TableError> {
    let full = size / WIDTH;
    let step = (full / SAMPLED).max(1);
    let mut n = 0;
    while n < full {
        let mut hashes = Vec::with_capacity(tile::BYTES);
        tables::leaves(
            connection,
            LEDGER_LOG,
            n * WIDTH,
            (n + 1) * WIDTH,
            |_, leaf| {
                hashes.extend_from_slice(&tree::hash_leaf(leaf));
            },
        )?;
        if tables::tile(connection, LEDGER_LOG, 0, n)?.is_some_and(|stored| stored != hashes) {
            let why = "it is not what its leaves give";
            return Err(TableError::damaged(
                format!("tile {n} of the ledger log"),
                why,
            ));
        }
        n += step;
    }
    Ok(())
}

/// Reads the row of `state`, or names the file.
pub(crate) fn read_state(paths: &Paths, connection: &Connection) -> Result<StateRow, StoreError> {
    tables::state(connection).map_err(|error| damaged(&paths.database, error))
}
