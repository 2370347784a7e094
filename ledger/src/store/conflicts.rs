//! One sequence number with two contents: telling a retry from a change.

use std::collections::HashMap;

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::batch::{Run, StreamKey};
use super::duplicates::Whose;
use super::query;
use super::reindex::{LastResource, number_of};
use super::tables::{self, TableError};
use crate::reader::LentBody;
use crate::segment::{self, Segment};
use crate::tree::Hash;

/// Newest records of a stream that a number is looked for in. A sender retries what it has no answer for, and that is
/// recent; what lies further back is answered as sealed without a second look.
const WINDOW: u64 = 16_384;

/// Records read at once, newest first.
const PIECE: u64 = 512;

/// A record whose number is sealed with other bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) number: u64,
    /// SHA-256 of the item that is sealed; zeros if none is in any stream of the label.
    pub(crate) first: Hash,
    /// SHA-256 of the item that came now.
    pub(crate) second: Hash,
}

/// What a stream holds under the numbers that were asked for.
#[derive(Debug, Default)]
struct Sealed {
    items: HashMap<u64, Hash>,
    /// True if a record could not be looked at: it was erased, is damaged, or lies too far back.
    unknown: bool,
}

/// Which of the records that were not kept differ from what is sealed under their number. `key` is that of their
/// stream: the same bytes always have the same label. What others sealed under the numbers of a sender that showed a
/// credential is none of its business.
pub(crate) fn find(
    connection: &Connection,
    key: &StreamKey,
    run: &Run,
    payload: &[u8],
    keep: &[bool],
) -> Result<Vec<Conflict>, TableError> {
    let Ok(items) = item_hashes(payload) else {
        return Ok(Vec::new());
    };
    let numbered = || run.sequence.iter().copied().zip(&items).zip(keep);
    // Numbers that this very batch seals, by their first record.
    let fresh: HashMap<u64, Hash> = numbered()
        .filter(|(_, keep)| **keep)
        .map(|((number, item), _)| (number, *item))
        .collect();
    let again: Vec<(u64, Hash)> = numbered()
        .filter(|(_, keep)| !**keep)
        .map(|((number, item), _)| (number, *item))
        .collect();
    let mut sealed = Sealed::default();
    let wanted = |sealed: &Sealed| {
        again
            .iter()
            .filter(|(number, _)| !fresh.contains_key(number) && !sealed.items.contains_key(number))
            .count()
    };
    let own = match Whose::of(&key.producer, key.proof as u8) {
        Whose::Anybody => None,
        Whose::Proven(_) => Some(&key.producer),
    };
    let mut statement = connection.prepare_cached(
        "SELECT n FROM stream WHERE label = ?1 AND (?2 IS NULL OR producer = ?2) ORDER BY n DESC",
    )?;
    let streams: Vec<i64> = statement
        .query_map((&key.label, own), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for n in streams {
        if wanted(&sealed) == 0 {
            break;
        }
        search(connection, n, run, &again, &mut sealed)?;
    }
    let differs = |(number, second): &(u64, Hash)| {
        let first = fresh.get(number).or_else(|| sealed.items.get(number));
        match first {
            Some(first) if first == second => None,
            None if sealed.unknown => None,
            first => Some(Conflict {
                number: *number,
                first: first.copied().unwrap_or_default(),
                second: *second,
            }),
        }
    };
    Ok(again.iter().filter_map(differs).collect())
}

fn item_hashes(payload: &[u8]) -> Result<Vec<Hash>, String> {
    let plain = segment::unpack(payload).map_err(|error| error.to_string())?;
    let segment = Segment::decode(&plain).map_err(|error| error.to_string())?;
    let hash = |item: &[u8]| Hash::from(Sha256::digest(item));
    Ok(segment
        .envelopes()
        .iter()
        .map(|envelope| envelope.map_or([0; 32], |envelope| hash(envelope.item)))
        .collect())
}

/// Looks through the end of one stream, newest records first, until every number was found.
fn search(
    connection: &Connection,
    n: i64,
    run: &Run,
    again: &[(u64, Hash)],
    sealed: &mut Sealed,
) -> Result<(), TableError> {
    let size = tables::size(connection, n)?;
    let end = size.saturating_sub(WINDOW);
    let mut to = size;
    let mut resource = LastResource::default();
    while to > end {
        let from = to.saturating_sub(PIECE).max(end);
        query::records(connection, n, from, to, &mut |record| {
            let LentBody::Whole { envelope, .. } = record.body else {
                sealed.unknown = true;
                return;
            };
            let own = resource
                .run(&envelope)
                .is_some_and(|(producer, name)| *producer == run.producer && *name == run.run);
            if let Some(number) = number_of(&envelope).filter(|_| own)
                && again.iter().any(|(wanted, _)| *wanted == number)
            {
                let item = Sha256::digest(envelope.item).into();
                sealed.items.entry(number).or_insert(item);
            }
        })?;
        if again
            .iter()
            .all(|(number, _)| sealed.items.contains_key(number))
        {
            return Ok(());
        }
        to = from;
    }
    sealed.unknown |= end > 0;
    Ok(())
}
