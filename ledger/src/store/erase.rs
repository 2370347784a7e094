//! Erasing payloads: envelope and salt of records go, their leaves stay, and a leaf says so first.

use rusqlite::{Connection, OptionalExtension};

use super::book::Book;
use super::control::WriteError;
use super::error::AppendError;
use super::ledger::Ledger;
use super::tables::{TableError, name, to_sql, unsigned};
use crate::leaf::{Cause, ControlBody, StreamId};
use crate::segment::{self, Builder, Segment};

/// How hard an erased segment is compressed again; it is written once.
const LEVEL: i32 = 9;

/// Why payloads are erased: the code of the erasure leaf (`docs/ledger-format.md` §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ErasureReason {
    /// A person concerned asked for it.
    Person = 1,
    /// A secret was found in them.
    Secret = 2,
    /// Something else.
    Other = 3,
}

/// Neighbouring records of one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ErasedRange {
    /// The stream.
    pub stream: StreamId,
    /// The first record.
    pub first: u64,
    /// How many.
    pub count: u64,
}

/// What is to be erased, and on whose word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erase {
    /// The records. Those that are erased already stay so.
    pub ranges: Vec<ErasedRange>,
    /// Streams whose names go, too: label, producer, sessions and requests, where the ledger log keeps them privately.
    pub names: Vec<StreamId>,
    /// Why, as a code.
    pub reason: ErasureReason,
    /// On whose word, and who else agreed.
    pub cause: Cause,
}

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Erased {
    /// Payloads that are gone now.
    pub records: u64,
    /// Payloads that were gone before.
    pub before: u64,
    /// Private parts of the ledger log that are gone now.
    pub names: u64,
}

impl Ledger {
    /// Erases envelopes and salts of records; back once that is durable. The leaf that says so is written in the same
    /// transaction. Sequence numbers stay known, so that an erased record that is sent again is not stored again.
    ///
    /// SQLite overwrites what it frees (`secure_delete`); the write-ahead log still holds the old pages until
    /// [`Ledger::close`] empties it.
    ///
    /// # Errors
    /// Those of [`AppendError`]. A stream or record that is not there, or a damaged segment of which only a part is to
    /// go, stops the ledger: look before asking.
    pub fn erase(&self, erase: Erase) -> Result<Erased, AppendError> {
        self.act(move |book, connection| run(book, connection, &erase))
    }
}

fn run(book: &mut Book, connection: &Connection, erase: &Erase) -> Result<Erased, WriteError> {
    let mut done = Erased::default();
    for range in &erase.ranges {
        let stream = number(connection, &range.stream)?;
        // The leaf comes first: nothing is ever gone that no leaf explains.
        book.control
            .append_private(connection, &erase.cause, |commitment| {
                ControlBody::Erasure {
                    stream: range.stream,
                    first: range.first,
                    count: range.count,
                    reason: erase.reason as u8,
                    commitment,
                }
            })?;
        erase_range(connection, stream, range, &mut done)?;
    }
    for stream in &erase.names {
        done.names += erase_names(connection, stream)?;
    }
    if !erase.names.is_empty() {
        book.forget_names();
    }
    Ok(done)
}

fn number(connection: &Connection, stream: &StreamId) -> Result<i64, WriteError> {
    let n = connection
        .prepare_cached("SELECT n FROM stream WHERE id = ?1")?
        .query_row([stream.0], |row| row.get(0))
        .optional()?;
    n.ok_or_else(|| {
        TableError::damaged("table stream", format!("stream {stream} is not in it")).into()
    })
}

/// One stored segment that a range touches.
struct Row {
    n: i64,
    first: u64,
    count: u64,
    salts: Vec<u8>,
    payload: Vec<u8>,
}

fn erase_range(
    connection: &Connection,
    stream: i64,
    range: &ErasedRange,
    done: &mut Erased,
) -> Result<(), WriteError> {
    let end = range.first.saturating_add(range.count);
    let mut next = range.first;
    while next < end {
        let row = connection
            .prepare_cached(
                "SELECT n, first, count, salts, payload FROM segment WHERE stream = ?1 AND first <= ?2
                 ORDER BY first DESC LIMIT 1",
            )?
            .query_row((stream, to_sql(next)), |row| {
                Ok(Row {
                    n: row.get(0)?,
                    first: unsigned(row, 1)?,
                    count: unsigned(row, 2)?,
                    salts: row.get(3)?,
                    payload: row.get(4)?,
                })
            })
            .optional()?
            .filter(|row| row.first + row.count > next);
        let row =
            row.ok_or_else(|| TableError::damaged(name(stream), format!("no record {next}")))?;
        let to = (row.first + row.count).min(end);
        rewrite(connection, stream, &row, next, to, done)?;
        next = to;
    }
    Ok(())
}

/// Writes a segment again without the payloads and salts of `from..to`. A damaged one can only go as a whole.
fn rewrite(
    connection: &Connection,
    stream: i64,
    row: &Row,
    from: u64,
    to: u64,
    done: &mut Erased,
) -> Result<(), WriteError> {
    let bad = |why: String| TableError::damaged(name(stream), why);
    let whole = from == row.first && to == row.first + row.count;
    let plain = segment::unpack(&row.payload);
    let segment = plain.as_ref().ok().map(|plain| Segment::decode(plain));
    let mut builder = Builder::new();
    match segment {
        Some(Ok(segment)) if segment.len() as u64 == row.count => {
            for (index, envelope) in (row.first..).zip(segment.envelopes()) {
                let goes = (from..to).contains(&index);
                match envelope {
                    Some(envelope) if !goes => builder.push(envelope),
                    gone_or_going => {
                        builder.push_erased();
                        match gone_or_going {
                            Some(_) => done.records += 1,
                            None => done.before += u64::from(goes),
                        }
                    }
                }
            }
        }
        _ if whole => {
            (0..row.count).for_each(|_| builder.push_erased());
            done.records += row.count;
        }
        _ => {
            let why = format!(
                "its segment from record {} is damaged: only all of its {} records can be erased together",
                row.first, row.count
            );
            return Err(bad(why).into());
        }
    }
    let mut salts = row.salts.clone();
    let gone = (32 * (from - row.first)) as usize..(32 * (to - row.first)) as usize;
    if let Some(gone) = salts.get_mut(gone) {
        gone.fill(0);
    }
    let plain = builder.encode().map_err(|error| bad(error.to_string()))?;
    let payload = segment::pack(&plain, LEVEL).map_err(|error| bad(error.to_string()))?;
    connection
        .prepare_cached("UPDATE segment SET salts = ?2, payload = ?3 WHERE n = ?1")?
        .execute((row.n, salts, payload))?;
    Ok(())
}

/// Private parts of the leaves that name a stream, and its names in the index.
fn erase_names(connection: &Connection, stream: &StreamId) -> Result<u64, WriteError> {
    let n = number(connection, stream)?;
    let mut leaves: Vec<i64> = connection
        .prepare_cached(
            "SELECT opened FROM stream WHERE n = ?1 UNION SELECT control FROM request WHERE stream = ?1
             UNION SELECT control FROM link WHERE stream = ?1",
        )?
        .query_map([n], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    leaves.sort_unstable();
    let mut gone = 0;
    for leaf in leaves {
        gone += connection
            .prepare_cached("UPDATE control SET salt = NULL, private = NULL WHERE n = ?1 AND private IS NOT NULL")?
            .execute([leaf])? as u64;
    }
    for table in ["request", "link"] {
        connection.execute(&format!("DELETE FROM {table} WHERE stream = ?1"), [n])?;
    }
    connection
        .prepare_cached(
            "UPDATE stream SET label = ?2, producer = '', proof = 0, claim = '' WHERE n = ?1",
        )?
        .execute((n, nameless(stream)))?;
    Ok(gone)
}

/// What the index calls a stream whose name was erased: unlike any label, and one per stream.
pub(crate) fn nameless(stream: &StreamId) -> String {
    format!("erased:{stream}")
}
