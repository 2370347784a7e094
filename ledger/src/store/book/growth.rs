//! How a stream grows: its records, the request and the sessions that it belongs to, and the head over them.

use rusqlite::Connection;

use super::super::batch::{Named, Prepared};
use super::super::control::{self, ControlLog, WriteError};
use super::super::streams::Stream;
use super::super::tables::to_sql;
use crate::leaf::{ControlBody, RECORD_LEAF, RecordLeaf, RequestBinding, SessionLink, flag};
use crate::tree::hash_leaf;

/// How long a record may take from its arrival to the writer: 1 s, in nanoseconds.
const HANDED_OVER_NS: u64 = 1_000_000_000;

/// Writes records at the end of a stream and gives the index of the first.
pub(super) fn append(
    connection: &Connection,
    stream: &mut Stream,
    records: &Prepared,
) -> Result<u64, WriteError> {
    let first = stream.log.size();
    let mut leaves = Vec::with_capacity(RECORD_LEAF * records.len());
    let mut due = Vec::new();
    let late = if stream.closed.is_some() {
        flag::LATE
    } else {
        0
    };
    for ((commitment, flags), received_ns) in records
        .commitments
        .iter()
        .zip(&records.flags)
        .zip(&records.received_ns)
    {
        // A stream's times never go back. Two connections may hand over in another order than they received; only
        // more than that means a clock that was set back.
        let held = if received_ns.saturating_add(HANDED_OVER_NS) < stream.newest_ns {
            flag::CLOCK_HELD
        } else {
            0
        };
        stream.newest_ns = stream.newest_ns.max(*received_ns);
        let leaf = RecordLeaf {
            index: stream.log.size(),
            received_unix_ns: stream.newest_ns,
            flags: flags | late | held,
            commitment: *commitment,
        }
        .encode();
        stream.log.append(hash_leaf(&leaf), &mut due);
        leaves.extend_from_slice(&leaf);
    }
    if !records.is_empty() {
        connection
            .prepare_cached(
                "INSERT INTO segment (stream, first, count, leaves, salts, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute((stream.n, to_sql(first), to_sql(records.len() as u64), &leaves, &records.salts, &records.payload))?;
    }
    control::store_tiles(connection, stream.n, &due)?;
    Ok(first)
}

/// Index in the stream of the record that was at `position` before duplicates were dropped; `None` if it was dropped
/// itself: what it shows was said when it was sealed. A part without records speaks of those before `first`.
pub(super) fn evidence(first: u64, keep: &[bool], position: usize) -> Option<u64> {
    if keep.is_empty() {
        return Some(position as u64).filter(|index| *index < first);
    }
    let before = keep.iter().take(position).filter(|keep| **keep).count();
    (keep.get(position) == Some(&true)).then_some(first + before as u64)
}

/// Says in the ledger that a stream belongs to a request, once.
pub(super) fn bind(
    connection: &Connection,
    control: &mut ControlLog,
    stream: &mut Stream,
    named: &Named,
    evidence: u64,
) -> Result<(), WriteError> {
    if stream.bound.contains(&named.name) {
        return Ok(());
    }
    let new = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO request (request, stream, control) VALUES (?1, ?2, ?3)",
        )?
        .execute((&named.name, stream.n, to_sql(control.size())))?;
    if new == 1 {
        let binding = RequestBinding {
            request: named.name.clone(),
            rule: named.rule,
            evidence,
        };
        control.append_private(connection, &binding, |commitment| {
            ControlBody::RequestBinding {
                stream: stream.id,
                commitment,
            }
        })?;
    }
    remember(&mut stream.bound, &named.name);
    Ok(())
}

/// Says in the ledger that a stream belongs to a session, once.
pub(super) fn link(
    connection: &Connection,
    control: &mut ControlLog,
    stream: &mut Stream,
    named: &Named,
    evidence: u64,
) -> Result<(), WriteError> {
    if stream.linked.contains(&named.name) {
        return Ok(());
    }
    let new = connection
        .prepare_cached(
            "INSERT OR IGNORE INTO link (session, stream, control) VALUES (?1, ?2, ?3)",
        )?
        .execute((&named.name, stream.n, to_sql(control.size())))?;
    if new == 1 {
        let link = SessionLink {
            session: named.name.clone(),
            rule: named.rule,
            evidence,
        };
        control.append_private(connection, &link, |commitment| ControlBody::SessionLink {
            stream: stream.id,
            commitment,
        })?;
    }
    remember(&mut stream.linked, &named.name);
    Ok(())
}

/// A short list: a stream usually has one name. More are looked up in the table.
fn remember(names: &mut Vec<String>, name: &str) {
    if names.len() >= 8 {
        names.remove(0);
    }
    names.push(name.to_owned());
}

/// Notes in the stream's row that the leaf `index` covers all its records.
pub(super) fn cover(
    connection: &Connection,
    stream: &mut Stream,
    index: u64,
) -> Result<(), WriteError> {
    stream.head = Some(index);
    stream.head_size = stream.log.size();
    stream.marked = false;
    connection
        .prepare_cached(
            "UPDATE stream SET head = ?2, head_size = ?3, head_ns = ?4, closed = ?5, uncovered = 0 WHERE n = ?1",
        )?
        .execute((
            stream.n,
            to_sql(index),
            to_sql(stream.head_size),
            to_sql(stream.newest_ns),
            stream.closed.map(to_sql),
        ))?;
    Ok(())
}
