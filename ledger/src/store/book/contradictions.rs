//! What a batch says against what is sealed already: another producer's session, or one number with other bytes.

use rusqlite::Connection;

use super::super::batch::{Batch, Owners, StreamBatch};
use super::super::conflicts;
use super::super::control::WriteError;
use super::super::owners::Foreign;
use super::Book;
use crate::leaf::{ConflictNote, ControlBody, StreamId};

/// `kind` of a conflict: one sequence number with two contents.
const SAME_NUMBER: u8 = 1;

/// `kind` of a conflict: a producer named another one's session.
const FOREIGN_SESSION: u8 = 3;

impl Book {
    /// Which streams of a batch are another producer's. That one tried is said in a leaf, once for each session.
    pub(super) fn foreign(
        &mut self,
        connection: &Connection,
        batch: &Batch,
        owners: &Owners,
    ) -> Result<Vec<usize>, WriteError> {
        let mut places = Vec::new();
        for (place, stream) in batch.streams.iter().enumerate() {
            let Some(owner) = self.streams.owner(connection, &stream.key, owners)? else {
                continue;
            };
            places.push(place);
            let attempt = Foreign {
                owner: &owner.producer,
                label: &stream.key.label,
                by: &stream.key.producer,
                records: stream.records.len(),
            };
            if self.conflicts_left == 0 || !self.attempts.is_new(&attempt) {
                continue;
            }
            self.say_conflict(connection, FOREIGN_SESSION, owner.stream, &attempt.note())?;
        }
        Ok(places)
    }

    /// Says which numbers come a second time with other bytes, and counts them.
    pub(super) fn conflicts(
        &mut self,
        connection: &Connection,
        batch: &StreamBatch,
        keep: &[bool],
    ) -> Result<u64, WriteError> {
        let Some(run) = batch.run.as_ref().filter(|_| keep.contains(&false)) else {
            return Ok(0);
        };
        let found = conflicts::find(connection, &batch.key, run, &batch.records.payload, keep)?;
        let stream = self.streams.id_of(connection, &batch.key)?;
        for conflict in &found {
            if self.conflicts_left == 0 {
                break;
            }
            let note = ConflictNote {
                what: format!(
                    "number {} of run {} of producer {} came with other bytes",
                    conflict.number, run.run, run.producer
                ),
                first: conflict.first,
                second: conflict.second,
            };
            let stream = stream.unwrap_or(StreamId([0; 32]));
            self.say_conflict(connection, SAME_NUMBER, stream, &note)?;
        }
        Ok(found.len() as u64)
    }

    /// Says a contradiction in a leaf of its own. Callers look first whether this run has one left.
    fn say_conflict(
        &mut self,
        connection: &Connection,
        kind: u8,
        stream: StreamId,
        note: &ConflictNote,
    ) -> Result<(), WriteError> {
        self.conflicts_left = self.conflicts_left.saturating_sub(1);
        self.control
            .append_private(connection, note, |commitment| ControlBody::Conflict {
                kind,
                stream,
                commitment,
            })?;
        Ok(())
    }
}
