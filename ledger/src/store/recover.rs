//! What is checked before a ledger takes anything: that nothing acknowledged or signed is missing.

use std::path::Path;

use rusqlite::Connection;

use super::error::StoreError;
use super::files::{self, Paths};
use super::schema::LEDGER_LOG;
use super::tables::{self, Nodes, StateRow, TableError};
use crate::acked::{self, Acked};
use crate::checkpoint::Checkpoint;
use crate::leaf::TreeHead;
use crate::note::VerifierKey;
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

/// Reads the row of `state`, or names the file.
pub(crate) fn read_state(paths: &Paths, connection: &Connection) -> Result<StateRow, StoreError> {
    tables::state(connection).map_err(|error| damaged(&paths.database, error))
}
