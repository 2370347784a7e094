//! Making the index again from the evidence, and comparing the two.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, types::Value};

use super::duplicates::{Ranges, Whose};
use super::erase::nameless;
use super::error::StoreError;
use super::offline::Offline;
use super::query;
use super::tables::{TableError, hash, size, to_sql, unsigned};
use crate::envelope::{CollectorPart, Envelope};
use crate::leaf::{
    ControlBody, ControlLeaf, Private as _, RECORD_LEAF, RecordLeaf, RequestBinding, SessionLink,
    StreamId, StreamOpening,
};
use crate::otlp::{Item, Resource};
use crate::reader::LentBody;
use vocabulary::attribute;

/// What `reindex` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reindexed {
    /// Streams in the index.
    pub streams: u64,
    /// Rows that were wrong, missing or too many, by table; empty if the index was right.
    pub corrected: Vec<(&'static str, u64)>,
}

/// Makes the tables `stream`, `request`, `link` and `run` again from leaves and records, while no collector runs.
///
/// # Errors
/// Everything that [`StoreError`] names; the ledger is then as it was. Evidence that does not decode is
/// [`StoreError::Damaged`]: an index cannot be made of it.
pub fn reindex(dir: &Path) -> Result<Reindexed, StoreError> {
    let ledger = Offline::open(dir)?;
    let done = ledger.transaction(|connection| {
        let right = from_evidence(connection)?;
        let mut corrected = Vec::new();
        for (table, rows) in &right {
            let (wrong, _) = differing(&stored(connection, table)?, rows);
            if wrong > 0 {
                corrected.push((table.name, wrong));
            }
        }
        for (table, rows) in &right {
            connection.execute_batch(&format!("DELETE FROM {}", table.name))?;
            let places = (1..=table.columns.split(", ").count())
                .map(|n| format!("?{n}"))
                .collect::<Vec<_>>();
            let sql = format!(
                "INSERT INTO {} ({}) VALUES ({})",
                table.name,
                table.columns,
                places.join(", ")
            );
            let mut insert = connection.prepare(&sql)?;
            for row in rows {
                insert.execute(rusqlite::params_from_iter(row))?;
            }
        }
        Ok(Reindexed {
            streams: query::count(connection, "SELECT count(*) FROM stream")?,
            corrected,
        })
    })?;
    ledger.close()?;
    Ok(done)
}

/// A table of the index and its columns, in the order of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexTable {
    pub(crate) name: &'static str,
    columns: &'static str,
}

const STREAM: IndexTable = IndexTable {
    name: "stream",
    columns: "n, id, opened, first_ns, label, producer, proof, claim, head, head_size, head_ns, closed, uncovered",
};
const REQUEST: IndexTable = IndexTable {
    name: "request",
    columns: "request, stream, control",
};
const LINK: IndexTable = IndexTable {
    name: "link",
    columns: "session, stream, control",
};
const RUN: IndexTable = IndexTable {
    name: "run",
    columns: "producer, run, first, last",
};

type Rows = Vec<Vec<Value>>;

/// What numbers stand under in the table `run`, or what an SDK wrote: producer and run.
type RunKey = (String, String);

/// Rows of the index that differ from what the evidence says, by table.
pub(crate) fn disagreements(
    connection: &Connection,
) -> Result<Vec<(&'static str, u64, String)>, TableError> {
    let mut found = Vec::new();
    for (table, mut rows) in from_evidence(connection)? {
        let mut there = stored(connection, &table)?;
        if table == RUN {
            leave_out_names(&mut there, &mut rows);
        }
        let (wrong, first) = differing(&there, &rows);
        if wrong > 0 {
            found.push((table.name, wrong, first));
        }
    }
    Ok(found)
}

/// Takes away the numbers under names that the evidence bears out. Ledgers of earlier versions have none, and runs that
/// they began have only later ones, so that some may lack; those under claims are all there, always.
fn leave_out_names(stored: &mut Rows, right: &mut Rows) {
    let parts = |row: &[Value]| match row {
        [
            Value::Text(producer),
            Value::Text(run),
            Value::Integer(first),
            Value::Integer(last),
        ] if Whose::is_proven(producer) => Some((
            (producer.clone(), run.clone()),
            (first.cast_unsigned(), last.cast_unsigned()),
        )),
        _ => None,
    };
    let mut known: BTreeMap<RunKey, Ranges> = BTreeMap::new();
    for (key, (first, last)) in right.iter().filter_map(|row| parts(row)) {
        known.entry(key).or_default().insert_range(first, last);
    }
    right.retain(|row| parts(row).is_none());
    stored.retain(|row| {
        let borne_out = parts(row).is_some_and(|(key, range)| {
            known.get(&key).is_some_and(|ranges| ranges.includes(range))
        });
        !borne_out
    });
}

/// How many rows of one are not in the other, whichever is more; and one of them in words.
fn differing(stored: &Rows, right: &Rows) -> (u64, String) {
    let mut count = BTreeMap::new();
    for row in stored {
        *count.entry(named(row)).or_insert(0_i64) += 1;
    }
    for row in right {
        *count.entry(named(row)).or_insert(0_i64) -= 1;
    }
    let (more, fewer) = count.values().fold((0, 0), |(more, fewer), n| {
        (more + (*n).max(0), fewer - (*n).min(0))
    });
    let first = count.into_iter().find(|(_, n)| *n != 0);
    let first = first.map_or_else(String::new, |(row, n)| match n > 0 {
        true => format!("{row} is stored and should not be"),
        false => format!("{row} should be there"),
    });
    (more.max(fewer).unsigned_abs(), first)
}

/// A row as it is told, exactly.
fn named(row: &[Value]) -> String {
    let columns = row.iter().map(|value| match value {
        Value::Null => "null".to_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::Blob(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
    });
    format!("({})", columns.collect::<Vec<_>>().join(", "))
}

fn stored(connection: &Connection, table: &IndexTable) -> Result<Rows, TableError> {
    let mut statement =
        connection.prepare(&format!("SELECT {} FROM {}", table.columns, table.name))?;
    let width = table.columns.split(", ").count();
    let rows = statement.query_map([], |row| (0..width).map(|column| row.get(column)).collect())?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// What the leaves of the ledger log say about one stream.
#[derive(Debug, Default)]
struct Said {
    opened: u64,
    opening: Option<StreamOpening>,
    head: Option<u64>,
    head_size: u64,
    closed: Option<u64>,
    erased: bool,
    requests: Vec<(String, u64)>,
    links: Vec<(String, u64)>,
}

/// The index as the evidence has it.
fn from_evidence(connection: &Connection) -> Result<Vec<(IndexTable, Rows)>, TableError> {
    let said = read_control(connection)?;
    let numbers = numbers(connection, &said)?;
    let mut runs: BTreeMap<RunKey, Ranges> = BTreeMap::new();
    let (mut streams, mut requests, mut links) = (Rows::new(), Rows::new(), Rows::new());
    let mut erased = false;
    for (n, id) in &numbers {
        let Some(said) = said.get(id) else { continue };
        erased |= said.erased;
        let opening = said.opening.as_ref();
        let whose = opening.map_or(Whose::Anybody, |opening| {
            Whose::of(&opening.producer, opening.proof)
        });
        let times = read_records(connection, *n, said.head_size, &whose, &mut runs)?;
        let text = |pick: fn(&StreamOpening) -> &String| {
            Value::Text(opening.map(pick).cloned().unwrap_or_default())
        };
        let label = match opening {
            Some(opening) => opening.label.clone(),
            None => nameless(id),
        };
        let index =
            |index: Option<u64>| index.map_or(Value::Null, |index| Value::Integer(to_sql(index)));
        streams.push(vec![
            Value::Integer(*n),
            Value::Blob(id.0.to_vec()),
            Value::Integer(to_sql(said.opened)),
            Value::Integer(to_sql(times.first)),
            Value::Text(label),
            text(|opening| &opening.producer),
            Value::Integer(opening.map_or(0, |opening| i64::from(opening.proof))),
            text(|opening| &opening.claim),
            index(said.head),
            Value::Integer(to_sql(said.head_size)),
            Value::Integer(to_sql(times.head)),
            index(said.closed),
            Value::Integer(i64::from(times.size > said.head_size)),
        ]);
        let row = |(name, control): &(String, u64)| {
            vec![
                Value::Text(name.clone()),
                Value::Integer(*n),
                Value::Integer(to_sql(*control)),
            ]
        };
        requests.extend(said.requests.iter().map(row));
        links.extend(said.links.iter().map(row));
    }
    if erased {
        keep_erased_numbers(connection, &mut runs)?;
    }
    let runs = runs.iter().flat_map(|((producer, run), ranges)| {
        ranges.iter().map(|(first, last)| {
            vec![
                Value::Text(producer.clone()),
                Value::Text(run.clone()),
                Value::Integer(to_sql(first)),
                Value::Integer(to_sql(last)),
            ]
        })
    });
    Ok(vec![
        (STREAM, streams),
        (REQUEST, requests),
        (LINK, links),
        (RUN, runs.collect()),
    ])
}

/// Sequence numbers of erased records are nowhere but in the index: what it holds beyond the evidence stays, so that an
/// erased record that is sent again is not stored again.
fn keep_erased_numbers(
    connection: &Connection,
    runs: &mut BTreeMap<RunKey, Ranges>,
) -> Result<(), TableError> {
    let mut statement = connection.prepare("SELECT producer, run, first, last FROM run")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let ranges = runs.entry((row.get(0)?, row.get(1)?)).or_default();
        ranges.insert_range(unsigned(row, 2)?, unsigned(row, 3)?);
    }
    Ok(())
}

fn read_control(connection: &Connection) -> Result<HashMap<StreamId, Said>, TableError> {
    let mut said: HashMap<StreamId, Said> = HashMap::new();
    let end = size(connection, super::schema::LEDGER_LOG)?;
    let mut from = 0;
    while from < end {
        for stored in query::control(connection, from, from + 4096)? {
            let at = stored.index;
            let bad =
                |why: String| TableError::damaged(format!("leaf {at} of the ledger log"), why);
            let leaf = ControlLeaf::decode(&stored.leaf).map_err(|error| bad(error.to_string()))?;
            let private = stored.private.map(|private| private.body);
            let open = |error: crate::leaf::Malformed| bad(error.to_string());
            match leaf.body {
                ControlBody::StreamOpen { stream, .. } => {
                    let opening = private
                        .map(|body| StreamOpening::decode(&body))
                        .transpose()
                        .map_err(open)?;
                    let entry = said.entry(stream).or_default();
                    (entry.opened, entry.opening) = (at, opening);
                }
                ControlBody::StreamHead { stream, head, .. } => {
                    let entry = said.entry(stream).or_default();
                    (entry.head, entry.head_size) = (Some(at), head.size);
                }
                ControlBody::StreamClose { stream, head, .. } => {
                    let entry = said.entry(stream).or_default();
                    (entry.head, entry.head_size, entry.closed) = (Some(at), head.size, Some(at));
                }
                ControlBody::RequestBinding { stream, .. } => {
                    let binding = private
                        .map(|body| RequestBinding::decode(&body))
                        .transpose()
                        .map_err(open)?;
                    let requests = &mut said.entry(stream).or_default().requests;
                    requests.extend(binding.map(|binding| (binding.request, at)));
                }
                ControlBody::SessionLink { stream, .. } => {
                    let link = private
                        .map(|body| SessionLink::decode(&body))
                        .transpose()
                        .map_err(open)?;
                    said.entry(stream)
                        .or_default()
                        .links
                        .extend(link.map(|link| (link.session, at)));
                }
                ControlBody::Erasure { stream, .. } => {
                    said.entry(stream).or_default().erased = true;
                }
                _ => {}
            }
        }
        from += 4096;
    }
    Ok(said)
}

/// Which number stands for which stream: the envelopes of its records say label and producer, its opening, too. Where
/// all payloads were erased, the stored index is all there is.
fn numbers(
    connection: &Connection,
    said: &HashMap<StreamId, Said>,
) -> Result<BTreeMap<i64, StreamId>, TableError> {
    let mut by_name = HashMap::new();
    for (id, said) in said {
        if let Some(opening) = &said.opening {
            by_name.insert((opening.label.as_str(), opening.producer.as_str()), *id);
        }
    }
    let mut numbers = BTreeMap::new();
    let mut next = 0_i64;
    loop {
        let found: Option<i64> = connection
            .prepare_cached("SELECT stream FROM segment WHERE stream > ?1 ORDER BY stream LIMIT 1")?
            .query_row([next], |row| row.get(0))
            .optional()?;
        let Some(n) = found else { break };
        next = n;
        let part = collector_part(connection, n)?;
        let id = match &part {
            Some(part) => by_name
                .get(&(part.session_label.as_str(), part.producer.as_str()))
                .copied(),
            None => connection
                .prepare_cached("SELECT id FROM stream WHERE n = ?1")?
                .query_row([n], |row| hash(row, 0))
                .optional()?
                .map(StreamId),
        };
        let id =
            id.ok_or_else(|| TableError::damaged(super::tables::name(n), "no leaf opened it"))?;
        numbers.insert(n, id);
    }
    Ok(numbers)
}

/// The collector part of the stream's first record that was not erased.
fn collector_part(connection: &Connection, n: i64) -> Result<Option<CollectorPart>, TableError> {
    let mut found = None;
    let size = size(connection, n)?;
    let mut from = 0;
    while from < size && found.is_none() {
        query::records(connection, n, from, from + 256, &mut |record| {
            if let (None, LentBody::Whole { envelope, .. }) = (&found, record.body) {
                found = CollectorPart::decode(envelope.collector).ok();
            }
        })?;
        from += 256;
    }
    Ok(found)
}

struct Times {
    first: u64,
    /// Time of the last record that the newest head covers.
    head: u64,
    size: u64,
}

fn read_records(
    connection: &Connection,
    n: i64,
    head_size: u64,
    whose: &Whose,
    runs: &mut BTreeMap<RunKey, Ranges>,
) -> Result<Times, TableError> {
    let mut times = Times {
        first: 0,
        head: 0,
        size: 0,
    };
    let mut resource = LastResource::default();
    let mut last: Option<(RunKey, Vec<RunKey>)> = None;
    query::records(connection, n, 0, i64::MAX as u64, &mut |record| {
        let leaf: &[u8; RECORD_LEAF] = record.leaf;
        let received = RecordLeaf::decode(leaf).map_or(0, |leaf| leaf.received_unix_ns);
        if record.index == 0 {
            times.first = received;
        }
        if record.index + 1 == head_size {
            times.head = received;
        }
        times.size = record.index + 1;
        if let LentBody::Whole { envelope, .. } = record.body
            && let Some(run) = resource.run(&envelope)
            && let Some(number) = number_of(&envelope)
        {
            // Columns are made anew only where the run is another one.
            if last.as_ref().is_none_or(|(of, _)| of != run) {
                let columns = [
                    Some(&Whose::Anybody),
                    Some(whose).filter(|it| **it != Whose::Anybody),
                ];
                let columns = columns.into_iter().flatten();
                let keys = columns.map(|it| (it.column(&run.0), run.1.clone()));
                last = Some((run.clone(), keys.collect::<Vec<_>>()));
            }
            for key in last.iter().flat_map(|(_, keys)| keys) {
                match runs.get_mut(key) {
                    Some(ranges) => ranges.insert(number),
                    None => runs.entry(key.clone()).or_default().insert(number),
                };
            }
        }
    })?;
    Ok(times)
}

/// The producer and run that an SDK wrote into the Resource of its records.
#[derive(Debug, Default)]
pub(crate) struct LastResource {
    bytes: Vec<u8>,
    run: Option<(String, String)>,
}

impl LastResource {
    /// Neighbouring records nearly always share their Resource, so it is decoded when it changes.
    pub(crate) fn run(&mut self, envelope: &Envelope<'_>) -> Option<&(String, String)> {
        if self.bytes != envelope.resource || self.bytes.is_empty() {
            self.bytes = envelope.resource.to_vec();
            self.run = Resource::decode(envelope.encoding, envelope.resource)
                .ok()
                .and_then(|resource| {
                    let text = |key| resource.attributes.str(key).map(str::to_owned);
                    text(attribute::PRODUCER).zip(text(attribute::RUN))
                });
        }
        self.run.as_ref()
    }
}

/// The number that an SDK gave to a record.
pub(crate) fn number_of(envelope: &Envelope<'_>) -> Option<u64> {
    let item = Item::decode(envelope.encoding, envelope.signal, envelope.item).ok()?;
    u64::try_from(item.attributes.int(attribute::SEQ)?).ok()
}
