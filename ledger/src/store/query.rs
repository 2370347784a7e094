//! What a reader asks the tables: leaves, records, and which streams to look at.

use rusqlite::{Connection, OptionalExtension, Row};

use super::tables::{TableError, hash, size, to_sql, unsigned};
use crate::leaf::{RECORD_LEAF, RecordLeaf, Salt, StreamId};
use crate::reader::{
    Find, LentBody, LentRecord, StoredControl, StoredPrivate, StreamHint, mentions,
};
use crate::segment::{self, Segment};

/// One number.
pub(crate) fn count(connection: &Connection, sql: &str) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(sql)?
        .query_row([], |row| unsigned(row, 0))
}

/// Number of a stream.
pub(crate) fn number(connection: &Connection, stream: &StreamId) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT n FROM stream WHERE id = ?1")?;
    statement.query_row([stream.0], |row| row.get(0)).optional()
}

/// Leaves `from..to` of the ledger log with their private parts.
pub(crate) fn control(
    connection: &Connection,
    from: u64,
    to: u64,
) -> Result<Vec<StoredControl>, TableError> {
    let mut statement = connection.prepare_cached(
        "SELECT n, leaf, salt, private FROM control WHERE n >= ?1 AND n < ?2 ORDER BY n",
    )?;
    let rows = statement.query_map((to_sql(from), to_sql(to)), |row| {
        let salt: Option<Salt> = row.get(2)?;
        let body: Option<Vec<u8>> = row.get(3)?;
        let private = salt
            .zip(body)
            .map(|(salt, body)| StoredPrivate { salt, body });
        Ok(StoredControl {
            index: unsigned(row, 0)?,
            leaf: row.get(1)?,
            private,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Lends the records `from..to` of a stream, in order. Damage to one segment hides no other.
pub(crate) fn records(
    connection: &Connection,
    stream: i64,
    from: u64,
    to: u64,
    visit: &mut dyn FnMut(LentRecord<'_>),
) -> Result<(), TableError> {
    let mut statement = connection.prepare_cached(
        "SELECT first, leaves, salts, payload FROM segment WHERE stream = ?1 AND first < ?3 AND first >= coalesce(
           (SELECT first FROM segment WHERE stream = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1), 0)
         ORDER BY first",
    )?;
    let mut rows = statement.query((stream, to_sql(from), to_sql(to)))?;
    while let Some(row) = rows.next()? {
        let first = unsigned(row, 0)?;
        let blob = |column| {
            row.get_ref(column)?
                .as_blob()
                .map_err(rusqlite::Error::from)
        };
        let leaves = blob(1)?.as_chunks::<RECORD_LEAF>().0;
        let salts = blob(2)?.as_chunks::<32>().0;
        let plain = segment::unpack(blob(3)?).map_err(|error| error.to_string());
        let segment = plain
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|plain| Segment::decode(plain).map_err(|error| error.to_string()));
        for (at, (index, leaf)) in (first..).zip(leaves).enumerate() {
            if index >= from && index < to {
                visit(LentRecord {
                    index,
                    leaf,
                    body: body(at, salts, &segment),
                });
            }
        }
    }
    Ok(())
}

/// What a segment holds for its record `at`.
fn body<'a>(
    at: usize,
    salts: &'a [Salt],
    segment: &'a Result<Segment<'a>, String>,
) -> LentBody<'a> {
    match segment {
        Err(why) => LentBody::Damaged(why),
        Ok(segment) => match (salts.get(at), segment.envelopes().get(at)) {
            (Some(salt), Some(Some(envelope))) => LentBody::Whole {
                salt,
                envelope: *envelope,
            },
            (Some(_), Some(None)) => LentBody::Erased,
            (None, _) => LentBody::Damaged("its segment has no salt for it"),
            (_, None) => LentBody::Damaged("its segment ends before it"),
        },
    }
}

const STREAM: &str = "SELECT n, id, label, producer, first_ns, opened, head, closed FROM stream";

/// Streams by what the index says.
pub(crate) fn find(connection: &Connection, wanted: &Find) -> Result<Vec<StreamHint>, TableError> {
    let mut hints = match wanted {
        Find::Request(request) => {
            let sql = "WHERE n IN (SELECT stream FROM request WHERE request = ?1) ORDER BY n";
            select(connection, sql, [request])?
        }
        Find::RequestPrefix(prefix) => {
            let sql = "WHERE n IN (SELECT stream FROM request WHERE request >= ?1 AND request < ?2) ORDER BY n";
            select(connection, sql, [prefix.clone(), after(prefix)])?
        }
        Find::Session(session) => {
            let sql = "WHERE n IN (SELECT n FROM stream WHERE label = ?1
                       UNION SELECT stream FROM link WHERE session = ?1) ORDER BY n";
            select(connection, sql, [session])?
        }
        Find::Prefix(prefix) => by_prefix(connection, prefix)?,
        Find::Stream(stream) => select(connection, "WHERE id = ?1", [stream.0])?,
        Find::Trace { trace, first } => by_trace(connection, trace, *first)?,
        Find::Received { from_ns, to_ns } => {
            let sql = "WHERE first_ns <= ?2 AND (head_ns >= ?1 OR uncovered = 1) ORDER BY n";
            let mut found = select(connection, sql, (to_sql(*from_ns), to_sql(*to_ns)))?;
            found.retain(|hint| hint.last_ns >= *from_ns);
            found
        }
        Find::Recent(limit) => return recent(connection, *limit),
        Find::All => select(connection, "ORDER BY n", [])?,
    };
    hints.dedup_by(|a, b| a.stream == b.stream);
    Ok(hints)
}

/// The newest heads and everything that has none yet, by the time of the last record.
fn recent(connection: &Connection, limit: usize) -> Result<Vec<StreamHint>, TableError> {
    let limit_sql = i64::try_from(limit).unwrap_or(i64::MAX);
    let sql = "WHERE n IN (SELECT n FROM (SELECT n FROM stream ORDER BY head_ns DESC LIMIT ?1)
               UNION SELECT n FROM stream WHERE uncovered = 1)";
    let mut found = select(connection, sql, [limit_sql])?;
    found.sort_by_key(|hint| std::cmp::Reverse(hint.last_ns));
    found.truncate(limit);
    Ok(found)
}

/// Streams with the trace id in one of their first records.
fn by_trace(
    connection: &Connection,
    trace: &[u8; 16],
    first: u64,
) -> Result<Vec<StreamHint>, TableError> {
    let mut statement = connection.prepare_cached("SELECT n FROM stream ORDER BY n")?;
    let streams: Vec<i64> = statement
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut found = Vec::new();
    for n in streams {
        let mut hit = false;
        records(connection, n, 0, first, &mut |record| {
            if let LentBody::Whole { envelope, .. } = &record.body {
                hit = hit || mentions(envelope, trace);
            }
        })?;
        if hit {
            found.extend(select(connection, "WHERE n = ?1", [n])?);
        }
    }
    Ok(found)
}

fn by_prefix(connection: &Connection, prefix: &str) -> Result<Vec<StreamHint>, TableError> {
    let mut found = select(
        connection,
        "WHERE label >= ?1 AND label < ?2 ORDER BY n",
        [prefix, &after(prefix)],
    )?;
    if let Some((low, high)) = id_range(prefix) {
        found.extend(select(
            connection,
            "WHERE id >= ?1 AND id <= ?2 ORDER BY n",
            [low, high],
        )?);
    }
    Ok(found)
}

/// The least text that is greater than every text with this prefix: SQLite compares text byte by byte.
fn after(prefix: &str) -> String {
    format!("{prefix}\u{10ffff}")
}

/// The first and last stream id that start with these hexadecimal digits.
fn id_range(prefix: &str) -> Option<([u8; 32], [u8; 32])> {
    let digits = prefix.len();
    if digits == 0
        || digits > 64
        || !prefix
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    {
        return None;
    }
    let fill = |with: &str| {
        format!("{prefix}{}", with.repeat(64 - digits))
            .parse::<StreamId>()
            .ok()
    };
    Some((fill("0")?.0, fill("f")?.0))
}

fn select(
    connection: &Connection,
    rest: &str,
    params: impl rusqlite::Params,
) -> Result<Vec<StreamHint>, TableError> {
    let mut statement = connection.prepare_cached(&format!("{STREAM} {rest}"))?;
    let rows = statement
        .query_map(params, hint)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    rows.into_iter()
        .map(|(n, hint)| complete(connection, n, hint))
        .collect()
}

fn hint(row: &Row<'_>) -> rusqlite::Result<(i64, StreamHint)> {
    let index = |column| {
        row.get::<_, Option<i64>>(column)
            .map(|index| index.and_then(|index| u64::try_from(index).ok()))
    };
    let (head_index, closed) = (index(6)?, index(7)?);
    let hint = StreamHint {
        stream: StreamId(hash(row, 1)?),
        label: row.get(2)?,
        producer: row.get(3)?,
        sessions: Vec::new(),
        requests: Vec::new(),
        records: 0,
        first_ns: unsigned(row, 4)?,
        last_ns: 0,
        open_index: index(5)?,
        head_index,
        link_indexes: Vec::new(),
        closed: closed.is_some() && closed == head_index,
    };
    Ok((row.get(0)?, hint))
}

/// What lies in other tables.
fn complete(
    connection: &Connection,
    n: i64,
    mut hint: StreamHint,
) -> Result<StreamHint, TableError> {
    hint.records = size(connection, n)?;
    hint.last_ns = last_ns(connection, n)?.unwrap_or(hint.first_ns);
    for (sql, names) in [
        (
            "SELECT session, control FROM link WHERE stream = ?1 ORDER BY control",
            &mut hint.sessions,
        ),
        (
            "SELECT request, control FROM request WHERE stream = ?1 ORDER BY control",
            &mut hint.requests,
        ),
    ] {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([n])?;
        while let Some(row) = rows.next()? {
            names.push(row.get(0)?);
            hint.link_indexes.push(unsigned(row, 1)?);
        }
    }
    hint.link_indexes.sort_unstable();
    Ok(hint)
}

fn last_ns(connection: &Connection, n: i64) -> rusqlite::Result<Option<u64>> {
    let last: Option<Vec<u8>> = connection
        .prepare_cached("SELECT leaves FROM segment WHERE stream = ?1 ORDER BY first DESC LIMIT 1")?
        .query_row([n], |row| row.get(0))
        .optional()?;
    let leaf = last
        .as_deref()
        .and_then(|leaves| leaves.as_chunks::<RECORD_LEAF>().0.last().copied());
    Ok(leaf
        .and_then(|leaf| RecordLeaf::decode(&leaf).ok())
        .map(|leaf| leaf.received_unix_ns))
}
