//! Whose a session is, where producers are enrolled: the first one's that opened a stream under its label.

use std::collections::HashSet;

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::batch::{Owners, StreamKey};
use super::control::WriteError;
use super::streams::Streams;
use super::tables;
use crate::leaf::{ConflictNote, StreamId};

/// Attempts that are remembered, so that each leaves one leaf.
const REMEMBERED: usize = 16_384;

/// How the names of senders without a credential begin. They own nothing.
const NOBODY: &str = "unauthenticated:";

/// Who opened a session.
#[derive(Debug)]
pub(crate) struct Owner {
    pub(crate) producer: String,
    pub(crate) stream: StreamId,
}

impl Streams {
    /// The producer whose session this key's label is, if it is another one than the key's.
    pub(crate) fn owner(
        &mut self,
        connection: &Connection,
        key: &StreamKey,
        owners: &Owners,
    ) -> Result<Option<Owner>, WriteError> {
        if owners.recorders.contains(&key.producer) {
            return Ok(None);
        }
        let mut statement = connection
            .prepare_cached("SELECT producer, id FROM stream WHERE label = ?1 ORDER BY n")?;
        let mut rows = statement.query([&key.label])?;
        while let Some(row) = rows.next()? {
            let producer: String = row.get(0)?;
            if producer.starts_with(NOBODY) || owners.recorders.contains(&producer) {
                continue;
            }
            let stream = StreamId(tables::hash(row, 1)?);
            return Ok((producer != key.producer).then_some(Owner { producer, stream }));
        }
        Ok(None)
    }
}

/// A producer that names another one's session.
#[derive(Debug)]
pub(crate) struct Foreign<'a> {
    pub(crate) owner: &'a str,
    pub(crate) label: &'a str,
    pub(crate) by: &'a str,
    pub(crate) records: usize,
}

impl Foreign<'_> {
    /// What the leaf says of it.
    pub(crate) fn note(&self) -> ConflictNote {
        let Self {
            owner,
            label,
            by,
            records,
        } = self;
        // The leaf has room for texts of 65,535 bytes, a label alone may have that many.
        let label: String = label.chars().take(1024).collect();
        ConflictNote {
            what: format!(
                "producer {by} named session {label}, which is {owner}'s; nothing of it was kept, {records} records at first"
            ),
            first: Sha256::digest(owner).into(),
            second: Sha256::digest(by).into(),
        }
    }
}

/// Which attempts leaves say already.
#[derive(Debug, Default)]
pub(crate) struct Attempts(HashSet<[u8; 32]>);

impl Attempts {
    /// Whether no leaf of this run says it yet; from now on one does.
    pub(crate) fn is_new(&mut self, attempt: &Foreign<'_>) -> bool {
        if self.0.len() >= REMEMBERED {
            self.0.clear();
        }
        let length = (attempt.by.len() as u64).to_be_bytes();
        let name = Sha256::new()
            .chain_update(length)
            .chain_update(attempt.by)
            .chain_update(attempt.label);
        self.0.insert(name.finalize().into())
    }
}
