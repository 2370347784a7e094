//! Rewriting small segments into frames of 256 records: the same records in less space, no leaf changed.

use std::path::Path;

use rusqlite::Connection;

use super::error::StoreError;
use super::offline::Offline;
use super::tables::{TableError, name, to_sql, unsigned};
use crate::leaf::{RECORD_LEAF, RecordLeaf};
use crate::segment::{self, Builder, Segment};

/// Records in a frame.
const FRAME: u64 = 256;

/// Slow and small: a frame is written once.
const FRAME_LEVEL: i32 = 12;

/// Largest database, in bytes, that is shrunk by way of memory rather than of a temporary file.
const VACUUM_IN_MEMORY: u64 = 256 * 1024 * 1024;

/// Streams rewritten in one transaction.
const STREAMS_AT_ONCE: usize = 64;

/// What compaction did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compacted {
    /// Streams looked at.
    pub streams: u64,
    /// Segments before.
    pub before: u64,
    /// Segments now.
    pub after: u64,
    /// Bytes of the database before.
    pub bytes_before: u64,
    /// Bytes of the database now.
    pub bytes_after: u64,
}

/// Rewrites the segments of every stream into frames, while no collector runs.
///
/// Each record is checked against its leaf before its segment goes; damaged segments are left as they are.
///
/// # Errors
/// Everything that [`StoreError`] names; the ledger is then as it was, except for streams that are done.
pub fn compact(dir: &Path) -> Result<Compacted, StoreError> {
    let ledger = Offline::open(dir)?;
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |meta| meta.len());
    let mut done = Compacted {
        bytes_before: size(&ledger.paths.database),
        ..Compacted::default()
    };
    let streams = ledger.transaction(|connection| {
        let mut statement = connection.prepare("SELECT n FROM stream ORDER BY n")?;
        let numbers = statement.query_map([], |row| row.get::<_, i64>(0))?;
        Ok(numbers.collect::<rusqlite::Result<Vec<_>>>()?)
    })?;
    for some in streams.chunks(STREAMS_AT_ONCE) {
        let (before, after) = ledger.transaction(|connection| {
            let mut sums = (0, 0);
            for stream in some {
                let (before, after) = stream_into_frames(connection, *stream)?;
                sums = (sums.0 + before, sums.1 + after);
            }
            Ok(sums)
        })?;
        done.streams += some.len() as u64;
        done.before += before;
        done.after += after;
    }
    let path = ledger.paths.database.clone();
    if done.after < done.before {
        // VACUUM builds the new database in a temporary one: in memory while that is small.
        let temporary = if done.bytes_before < VACUUM_IN_MEMORY {
            2
        } else {
            1
        };
        let shrink = format!("PRAGMA temp_store = {temporary}; VACUUM");
        let outcome = ledger.connection.execute_batch(&shrink);
        outcome.map_err(|error| StoreError::sqlite("shrink", &path, error))?;
    }
    ledger.close()?;
    done.bytes_after = size(&path);
    Ok(done)
}

/// One stored segment.
struct Row {
    n: i64,
    first: u64,
    leaves: Vec<u8>,
    salts: Vec<u8>,
    payload: Vec<u8>,
}

/// Segments before and after.
fn stream_into_frames(connection: &Connection, stream: i64) -> Result<(u64, u64), TableError> {
    let mut statement = connection.prepare_cached(
        "SELECT n, first, leaves, salts, payload FROM segment WHERE stream = ?1 ORDER BY first",
    )?;
    let rows = statement.query_map([stream], |row| {
        Ok(Row {
            n: row.get(0)?,
            first: unsigned(row, 1)?,
            leaves: row.get(2)?,
            salts: row.get(3)?,
            payload: row.get(4)?,
        })
    })?;
    let (mut before, mut after) = (0, 0);
    let mut waiting: Vec<Row> = Vec::new();
    for row in rows {
        waiting.push(row?);
        before += 1;
        let records = waiting
            .iter()
            .map(|row| row.leaves.len() / RECORD_LEAF)
            .sum::<usize>() as u64;
        let from = waiting.first().map_or(0, |row| row.first);
        // Enough for every frame that these segments touch to be whole.
        if (from + records).is_multiple_of(FRAME) {
            after += rewrite(connection, stream, &std::mem::take(&mut waiting))?;
        }
    }
    after += rewrite(connection, stream, &waiting)?;
    Ok((before, after))
}

/// Replaces neighbouring segments by frames; returns how many segments there are now.
fn rewrite(connection: &Connection, stream: i64, rows: &[Row]) -> Result<u64, TableError> {
    let Some(first) = rows.first().map(|row| row.first) else {
        return Ok(0);
    };
    let plain: Result<Vec<Vec<u8>>, _> = rows
        .iter()
        .map(|row| segment::unpack(&row.payload))
        .collect();
    // What is damaged stays as it is: it is evidence, too.
    let Ok(plain) = plain else {
        return Ok(rows.len() as u64);
    };
    let segments: Result<Vec<Segment<'_>>, _> =
        plain.iter().map(|plain| Segment::decode(plain)).collect();
    let Ok(segments) = segments else {
        return Ok(rows.len() as u64);
    };
    let leaves = rows
        .iter()
        .flat_map(|row| row.leaves.as_chunks::<RECORD_LEAF>().0)
        .copied()
        .collect::<Vec<_>>();
    let salts = rows
        .iter()
        .flat_map(|row| row.salts.as_chunks::<32>().0)
        .copied()
        .collect::<Vec<_>>();
    let envelopes = segments
        .iter()
        .flat_map(Segment::envelopes)
        .copied()
        .collect::<Vec<_>>();
    let whole = leaves.len() == salts.len()
        && leaves.len() == envelopes.len()
        && (first..)
            .zip(&leaves)
            .zip(salts.iter().zip(&envelopes))
            .all(|((index, leaf), (salt, envelope))| {
                let leaf = RecordLeaf::decode(leaf).ok();
                leaf.is_some_and(|leaf| {
                    leaf.index == index
                        && envelope
                            .is_none_or(|envelope| envelope.commitment(salt) == leaf.commitment)
                })
            });
    let frames = leaves.len().div_ceil(FRAME as usize) as u64;
    if !whole || !first.is_multiple_of(FRAME) || rows.len() as u64 == frames {
        return Ok(rows.len() as u64);
    }
    for row in rows {
        connection
            .prepare_cached("DELETE FROM segment WHERE n = ?1")?
            .execute([row.n])?;
    }
    let width = FRAME as usize;
    let frames = leaves
        .chunks(width)
        .zip(salts.chunks(width))
        .zip(envelopes.chunks(width));
    let mut written = 0;
    for ((leaves, salts), envelopes) in frames {
        let mut builder = Builder::new();
        for envelope in envelopes {
            match envelope {
                Some(envelope) => builder.push(envelope),
                None => builder.push_erased(),
            }
        }
        let bad = |why: String| TableError::damaged(name(stream), why);
        let plain = builder.encode().map_err(|error| bad(error.to_string()))?;
        let payload = segment::pack(&plain, FRAME_LEVEL).map_err(|error| bad(error.to_string()))?;
        let at = first + FRAME * written;
        connection
            .prepare_cached(
                "INSERT INTO segment (stream, first, count, leaves, salts, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((stream, to_sql(at), leaves.len() as i64, leaves.concat(), salts.concat(), payload))?;
        written += 1;
    }
    Ok(written)
}
