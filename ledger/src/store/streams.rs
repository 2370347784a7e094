//! The streams that the writer has at hand, and opening new ones.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::batch::StreamKey;
use super::control::{ControlLog, WriteError};
use super::log::Log;
use super::recover;
use super::tables::{self, TableError, hash, to_sql, unsigned};
use crate::leaf::{ControlBody, LedgerId, RecordLeaf, StreamId, StreamOpening};

/// One stream as the writer knows it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) n: i64,
    pub(crate) id: StreamId,
    pub(crate) log: Log,
    /// Ledger index of its newest head or close.
    pub(crate) head: Option<u64>,
    pub(crate) head_size: u64,
    /// Ledger index of its newest close.
    pub(crate) closed: Option<u64>,
    /// What the row's `uncovered` says.
    pub(crate) marked: bool,
    /// Time of its newest record: a stream's times never go back.
    pub(crate) newest_ns: u64,
    /// Requests and sessions it is bound to, as far as this process wrote or looked.
    pub(crate) bound: Vec<String>,
    pub(crate) linked: Vec<String>,
    used: u64,
}

impl Stream {
    /// Records that its newest head does not cover.
    pub(crate) fn uncovered(&self) -> u64 {
        self.log.size() - self.head_size
    }
}

/// Streams by number and by name.
#[derive(Debug)]
pub(crate) struct Streams {
    /// Streams kept in memory ready to grow; others are read again when a record comes for them.
    kept: usize,
    open: HashMap<i64, Stream>,
    numbers: HashMap<String, i64>,
    clock: u64,
    /// At most so many of `open` are ready to grow.
    ready: usize,
}

/// One text per (label, producer).
fn name_of(key: &StreamKey) -> String {
    format!("{}:{}{}", key.label.len(), key.label, key.producer)
}

impl Streams {
    pub(crate) fn new(kept: usize) -> Self {
        Self {
            kept: kept.max(2),
            open: HashMap::new(),
            numbers: HashMap::new(),
            clock: 0,
            ready: 0,
        }
    }

    /// The stream of a key, opened now if there was none.
    pub(crate) fn of_key(
        &mut self,
        connection: &Connection,
        control: &mut ControlLog,
        ledger: &LedgerId,
        key: &StreamKey,
        first_ns: u64,
    ) -> Result<&mut Stream, WriteError> {
        let n = match self.find(connection, key)? {
            Some(n) => n,
            None => {
                let n = self.create(connection, control, ledger, key, first_ns)?;
                self.numbers.insert(name_of(key), n);
                n
            }
        };
        if self.peek(n).is_some_and(|stream| stream.log.is_slim()) {
            self.ready += 1;
        }
        let stream = self.get(connection, n)?;
        if stream.log.is_slim() {
            stream.log = tables::right_edge(connection, n)?;
        }
        Ok(stream)
    }

    /// Whether a stream of this key was ever opened.
    pub(crate) fn exists(
        &mut self,
        connection: &Connection,
        key: &StreamKey,
    ) -> Result<bool, WriteError> {
        Ok(self.find(connection, key)?.is_some())
    }

    /// The id of the stream of a key, if it was ever opened.
    pub(crate) fn id_of(
        &mut self,
        connection: &Connection,
        key: &StreamKey,
    ) -> Result<Option<StreamId>, WriteError> {
        match self.find(connection, key)? {
            Some(n) => Ok(Some(self.get(connection, n)?.id)),
            None => Ok(None),
        }
    }

    fn find(
        &mut self,
        connection: &Connection,
        key: &StreamKey,
    ) -> Result<Option<i64>, WriteError> {
        let name = name_of(key);
        if let Some(n) = self.numbers.get(&name) {
            return Ok(Some(*n));
        }
        let found: Option<i64> = connection
            .prepare_cached("SELECT n FROM stream WHERE label = ?1 AND producer = ?2")?
            .query_row((&key.label, &key.producer), |row| row.get(0))
            .optional()?;
        if let Some(n) = found {
            self.numbers.insert(name, n);
        }
        Ok(found)
    }

    /// A stream by its number; perhaps not ready to grow.
    pub(crate) fn get(
        &mut self,
        connection: &Connection,
        n: i64,
    ) -> Result<&mut Stream, WriteError> {
        self.clock += 1;
        let used = self.clock;
        let stream = match self.open.entry(n) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                self.ready += 1;
                entry.insert(load(connection, n)?)
            }
        };
        stream.used = used;
        Ok(stream)
    }

    /// A stream that is at hand.
    pub(crate) fn peek(&self, n: i64) -> Option<&Stream> {
        self.open.get(&n)
    }

    fn create(
        &mut self,
        connection: &Connection,
        control: &mut ControlLog,
        ledger: &LedgerId,
        key: &StreamKey,
        first_ns: u64,
    ) -> Result<i64, WriteError> {
        let nonce = control.random()?;
        let id = StreamId::derive(ledger, &nonce);
        let opening = StreamOpening {
            label: key.label.clone(),
            rule: key.rule as u8,
            producer: key.producer.clone(),
            proof: key.proof as u8,
            claim: key.claim.clone(),
        };
        let opened =
            control.append_private(connection, &opening, |commitment| ControlBody::StreamOpen {
                stream: id,
                nonce,
                commitment,
            })?;
        let mut insert = connection.prepare_cached(
            "INSERT INTO stream (id, opened, first_ns, label, producer, proof, claim, head, head_size, head_ns, closed,
               uncovered) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, 0, 0, NULL, 0)",
        )?;
        let proof = key.proof as u8;
        insert.execute((
            id.0,
            to_sql(opened),
            to_sql(first_ns),
            &key.label,
            &key.producer,
            proof,
            &key.claim,
        ))?;
        let n = connection.last_insert_rowid();
        self.ready += 1;
        self.open.insert(
            n,
            Stream {
                n,
                id,
                log: Log::default(),
                head: None,
                head_size: 0,
                closed: None,
                marked: false,
                newest_ns: 0,
                bound: Vec::new(),
                linked: Vec::new(),
                used: 0,
            },
        );
        Ok(n)
    }

    /// Lets go of the streams used longest ago, if there are too many; those that wait for a head keep what the head
    /// needs. Between transactions only.
    pub(crate) fn trim(&mut self) {
        if self.ready <= self.kept {
            return;
        }
        let mut used: Vec<u64> = self
            .open
            .values()
            .filter(|stream| !stream.log.is_slim())
            .map(|stream| stream.used)
            .collect();
        self.ready = used.len();
        if used.len() <= self.kept {
            return;
        }
        used.sort_unstable();
        let oldest = used.get(used.len() - self.kept / 2).copied().unwrap_or(0);
        self.open.retain(|_, stream| {
            if stream.used < oldest {
                stream.log.slim();
            }
            stream.used >= oldest || stream.uncovered() > 0
        });
        self.ready = self.kept / 2;
        let open = &self.open;
        self.numbers.retain(|_, n| open.contains_key(n));
    }

    /// Looks names up again from now on, and what streams are bound to.
    pub(crate) fn forget_names(&mut self) {
        self.numbers.clear();
        for stream in self.open.values_mut() {
            stream.bound.clear();
            stream.linked.clear();
        }
    }

    /// How many streams stay in memory.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }
}

fn load(connection: &Connection, n: i64) -> Result<Stream, WriteError> {
    let row = connection
        .prepare_cached("SELECT id, head, head_size, closed, uncovered FROM stream WHERE n = ?1")?
        .query_row([n], |row| {
            let index = |column| {
                row.get::<_, Option<i64>>(column)
                    .map(|index| index.map(|index| index as u64))
            };
            Ok((
                hash(row, 0)?,
                index(1)?,
                unsigned(row, 2)?,
                index(3)?,
                row.get::<_, i64>(4)?,
            ))
        })
        .optional()?;
    let Some((id, head, head_size, closed, marked)) = row else {
        return Err(TableError::damaged("table stream", format!("row {n} is missing")).into());
    };
    let log = tables::right_edge(connection, n)?;
    if log.size() < head_size {
        let why = format!("{} of its {head_size} records are stored", log.size());
        return Err(TableError::damaged(tables::name(n), why).into());
    }
    let sealed = match head {
        Some(index) => recover::head_at(connection, index)?,
        None => None,
    };
    let sealed = sealed.filter(|(stream, _)| stream.0 == id);
    if marked == 0 && log.size() != sealed.map_or(0, |(_, head)| head.size) {
        // Records that no head covers are marked in the transaction that brings them: these are not ours to sign.
        let why = format!(
            "{} records are stored, and not all of them are under its head",
            log.size()
        );
        return Err(TableError::damaged(tables::name(n), why).into());
    }
    let mut newest_ns = 0;
    tables::leaves(
        connection,
        n,
        log.size().saturating_sub(1),
        log.size(),
        |_, leaf| {
            newest_ns = RecordLeaf::decode(leaf).map_or(0, |leaf| leaf.received_unix_ns);
        },
    )?;
    Ok(Stream {
        n,
        id: StreamId(id),
        log,
        head,
        head_size,
        closed,
        marked: marked == 1,
        newest_ns,
        bound: Vec::new(),
        linked: Vec::new(),
        used: 0,
    })
}
