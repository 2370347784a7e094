//! Making a bundle: which leaves go along, their proof, and the records of the streams.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};

use super::contents::{Carried, Said, StreamFile};
use super::{BundleError, MAX_STREAMS, README, archive, excerpt};
use crate::checkpoint::Checkpoint;
use crate::leaf::{ControlBody, ControlLeaf, Malformed, Private, Receipt, StreamId};
use crate::note::{Note, NoteError};
use crate::reader::{LentBody, ReadError, Reader, StoredControl};
use crate::tree::{Hash, ProofError, hash_leaf};

/// Leaves read at a time.
const PAGE: u64 = 4096;
/// Longest hole in a stream that is written out; a longer one is no hole but a forged index.
const MAX_HOLE: u64 = 1 << 20;

/// Why no bundle could be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no checkpoint that everything could be relative to.
    #[error("there is no signed checkpoint: {0}")]
    Checkpoint(NoteError),
    /// Leaves of the ledger log are not there.
    #[error("leaf {index} of the ledger log is missing, so nothing can be proven")]
    Leaf {
        /// The first that is missing.
        index: u64,
    },
    /// The checkpoint does not cover the opening of a stream yet.
    #[error("stream {stream} is not covered by the checkpoint yet")]
    NotSigned {
        /// The stream.
        stream: StreamId,
    },
    /// More than a bundle can hold.
    #[error("{count} streams, a bundle holds 1 to {MAX_STREAMS}")]
    Streams {
        /// How many.
        count: usize,
    },
    /// Something is too long for its length prefix.
    #[error(transparent)]
    TooLong(#[from] Malformed),
    /// Something that cannot stand in a bundle.
    #[error(transparent)]
    Unfit(#[from] BundleError),
    /// A query or release that `bundle.txt` cannot hold.
    #[error("{what:?} cannot stand in a bundle: too long, or with control characters")]
    Said {
        /// Which.
        what: String,
    },
    /// A proof could not be made.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// The evidence for some streams, gathered and not checked: a bundle without its account.
#[derive(Debug, Clone)]
pub struct Gathered {
    note: Vec<u8>,
    ledger: Vec<u8>,
    streams: BTreeMap<StreamId, Vec<u8>>,
}

impl Gathered {
    /// Gathers the evidence for `streams` by reading every leaf of the ledger log.
    ///
    /// `reach` are sizes whose roots the bundle must be able to show, such as that of a checkpoint kept
    /// elsewhere; `whole_log` carries every leaf, so that nobody has to ask what was left out.
    ///
    /// # Errors
    /// A store that cannot be read or has no checkpoint, streams that are not signed yet.
    pub fn gather(
        reader: &dyn Reader,
        streams: &[StreamId],
        reach: &[u64],
        whole_log: bool,
    ) -> Result<Self, ExportError> {
        let wanted: BTreeSet<StreamId> = streams.iter().copied().collect();
        if wanted.is_empty() || wanted.len() > MAX_STREAMS {
            return Err(ExportError::Streams {
                count: wanted.len(),
            });
        }
        let note = reader.checkpoint()?.unwrap_or_default();
        let size = Note::parse(&note)
            .and_then(|note| Checkpoint::parse(note.text))
            .map_err(ExportError::Checkpoint)?
            .head
            .size;
        let mut choice = Choice::new(&wanted, reach, whole_log);
        let hashes = read_log(reader, size, &mut choice)?;
        if let Some(stream) = wanted.iter().find(|id| !choice.opened.contains_key(*id)) {
            return Err(ExportError::NotSigned { stream: *stream });
        }
        // The last leaf says when the checkpoint was due.
        choice.chosen.extend(size.checked_sub(1));
        let leaves = choice.leaves(reader, size)?;
        let (note, size) = choice_of_note(reader, note, size, &leaves)?;
        let leaves: Vec<StoredControl> = leaves
            .into_iter()
            .filter(|stored| stored.index < size)
            .collect();
        let indexes: Vec<u64> = leaves.iter().map(|stored| stored.index).collect();
        let hashes = excerpt::proof(&mut hashes.as_slice(), size, &indexes)?;
        let carried = Carried { leaves, hashes };
        let mut files = BTreeMap::new();
        for stream in wanted {
            files.insert(stream, records(reader, &stream)?);
        }
        Ok(Self {
            note,
            ledger: carried.encode()?,
            streams: files,
        })
    }

    /// The bundle's bytes. The account is computed from the bundle without one.
    ///
    /// # Errors
    /// Text that cannot stand in `bundle.txt`, a file that is too long.
    pub fn pack(
        &self,
        release: &str,
        query: &str,
        account: Option<&[u8]>,
    ) -> Result<Vec<u8>, ExportError> {
        let said = Said {
            release: release.to_owned(),
            query: query.to_owned(),
        };
        let said = said.encode().ok_or_else(|| ExportError::Said {
            what: format!("{release} {query}"),
        })?;
        let names: Vec<String> = self
            .streams
            .keys()
            .map(|id| format!("streams/{id}"))
            .collect();
        let mut files: Vec<archive::File<'_>> = vec![("README.txt", README.as_bytes())];
        files.extend(account.map(|account| ("account.json", account)));
        files.extend([
            ("bundle.txt", said.as_bytes()),
            ("checkpoint", &*self.note),
            ("ledger", &*self.ledger),
        ]);
        let streams = names.iter().zip(self.streams.values());
        files.extend(streams.map(|(name, content)| (name.as_str(), &**content)));
        Ok(archive::pack(&files)?)
    }
}

/// The checkpoint that witnesses cosigned, if it covers every leaf about the streams too; else the newest.
fn choice_of_note(
    reader: &dyn Reader,
    note: Vec<u8>,
    size: u64,
    leaves: &[StoredControl],
) -> Result<(Vec<u8>, u64), ReadError> {
    let Some(witnessed) = reader.witnessed()? else {
        return Ok((note, size));
    };
    let parsed = Note::parse(&witnessed).and_then(|note| Checkpoint::parse(note.text));
    let of_a_stream = |stored: &&StoredControl| {
        ControlLeaf::decode(&stored.leaf).is_ok_and(|leaf| leaf.body.stream().is_some())
    };
    let newest = leaves.iter().rev().find(of_a_stream);
    match parsed {
        Ok(checkpoint)
            if checkpoint.head.size <= size
                && newest.is_none_or(|newest| newest.index < checkpoint.head.size) =>
        {
            Ok((witnessed, checkpoint.head.size))
        }
        _ => Ok((note, size)),
    }
}

/// Reads the whole log: chooses leaves, and gives the hash of each.
fn read_log(
    reader: &dyn Reader,
    size: u64,
    choice: &mut Choice<'_>,
) -> Result<Vec<Hash>, ExportError> {
    let mut hashes = Vec::new();
    let mut next = 0;
    while next < size {
        let page = reader.control(next, (next + PAGE).min(size))?;
        if page.first().is_none_or(|stored| stored.index != next) {
            return Err(ExportError::Leaf { index: next });
        }
        for stored in page {
            if stored.index != next {
                return Err(ExportError::Leaf { index: next });
            }
            hashes.push(hash_leaf(&stored.leaf));
            choice.look(&stored);
            next += 1;
        }
    }
    Ok(hashes)
}

/// Which leaves go along.
struct Choice<'a> {
    streams: &'a BTreeSet<StreamId>,
    whole_log: bool,
    /// Chosen so far.
    chosen: BTreeSet<u64>,
    opened: BTreeMap<StreamId, u64>,
    newest_head: BTreeMap<StreamId, u64>,
    /// Receipts by kind and holder: index and size of what is held.
    receipts: BTreeMap<(u8, String), Vec<(u64, u64)>>,
    beacons: Vec<u64>,
}

impl<'a> Choice<'a> {
    fn new(streams: &'a BTreeSet<StreamId>, reach: &[u64], whole_log: bool) -> Self {
        Self {
            streams,
            whole_log,
            chosen: std::iter::once(0)
                .chain(reach.iter().filter_map(|size| size.checked_sub(1)))
                .collect(),
            opened: BTreeMap::new(),
            newest_head: BTreeMap::new(),
            receipts: BTreeMap::new(),
            beacons: Vec::new(),
        }
    }

    fn look(&mut self, stored: &StoredControl) {
        let index = stored.index;
        if self.whole_log {
            self.chosen.insert(index);
        }
        // A leaf that does not decode is of nobody's; that it is broken shows where it is needed.
        let Ok(leaf) = ControlLeaf::decode(&stored.leaf) else {
            return;
        };
        if leaf
            .body
            .stream()
            .is_some_and(|id| !self.streams.contains(id))
        {
            return;
        }
        match leaf.body {
            ControlBody::StreamOpen { stream, .. } => {
                self.opened.entry(stream).or_insert(index);
                self.chosen.insert(index);
            }
            ControlBody::StreamHead { stream, .. } => {
                self.newest_head.insert(stream, index);
            }
            ControlBody::StreamClose { stream, .. } => {
                self.newest_head.insert(stream, index);
                self.chosen.insert(index);
            }
            ControlBody::AnchorReceipt { head, kind, .. } => {
                let private = stored.private.as_ref();
                let receipt = private.and_then(|private| Receipt::decode(&private.body).ok());
                let holder = receipt.map(|receipt| receipt.holder).unwrap_or_default();
                let held = self.receipts.entry((kind, holder)).or_default();
                held.push((index, head.size));
            }
            ControlBody::Beacon { .. } => self.beacons.push(index),
            ControlBody::SessionLink { .. }
            | ControlBody::RequestBinding { .. }
            | ControlBody::Gap { .. }
            | ControlBody::Erasure { .. }
            | ControlBody::EpochSeal { .. }
            | ControlBody::Incarnation { .. }
            | ControlBody::ConfigChange { .. } => {
                self.chosen.insert(index);
            }
            ControlBody::Prune { .. } => {
                self.chosen.insert(index);
            }
            ControlBody::Conflict { stream, .. } if self.streams.contains(&stream) => {
                self.chosen.insert(index);
            }
            _ => {}
        }
    }

    /// The chosen leaves. Private parts go along only with those that are about the streams or the ledger.
    fn leaves(mut self, reader: &dyn Reader, size: u64) -> Result<Vec<StoredControl>, ExportError> {
        self.chosen.extend(self.newest_head.values());
        let from = self.opened.values().min().copied().unwrap_or(0);
        self.chosen
            .extend(self.beacons.iter().rev().find(|index| **index < from));
        let covered = self.newest_head.values().max().copied().unwrap_or(0);
        for held in self.receipts.values() {
            let first = held.iter().find(|(_, size)| *size > covered);
            for (index, size) in first.into_iter().chain(held.last()) {
                self.chosen.insert(*index);
                self.chosen.extend(size.checked_sub(1));
            }
        }
        let mut leaves = Vec::new();
        for index in self.chosen.iter().filter(|index| **index < size) {
            let stored = reader.control(*index, index + 1)?.into_iter().next();
            let mut stored = stored.ok_or(ExportError::Leaf { index: *index })?;
            let goes_along = ControlLeaf::decode(&stored.leaf).is_ok_and(|leaf| {
                match (leaf.body.stream(), &leaf.body) {
                    (Some(stream), _) => self.streams.contains(stream),
                    (None, ControlBody::RefusedPayload { .. } | ControlBody::Conflict { .. }) => {
                        false
                    }
                    (None, _) => true,
                }
            });
            stored.private = stored.private.filter(|_| goes_along);
            leaves.push(stored);
        }
        Ok(leaves)
    }
}

/// The file of one stream.
fn records(reader: &dyn Reader, stream: &StreamId) -> Result<Vec<u8>, ExportError> {
    let mut file = StreamFile::new();
    let mut failed = None;
    let mut hole = None;
    reader.scan(stream, 0, u64::MAX, &mut |record| {
        if record.index < file.count() || hole.is_some() {
            return;
        }
        if record.index - file.count() > MAX_HOLE {
            hole = Some(file.count());
            return;
        }
        while file.count() < record.index {
            file.missing();
        }
        let written = match record.body {
            LentBody::Whole { salt, envelope } => file.whole(record.leaf, salt, &envelope.encode()),
            LentBody::Erased | LentBody::Damaged(_) => {
                file.bare(record.leaf);
                Ok(())
            }
        };
        failed = failed.take().or(written.err());
    })?;
    match (failed, hole) {
        (Some(error), _) => Err(error.into()),
        (None, Some(from)) => Err(ExportError::Read(ReadError::Damaged {
            place: reader.place(),
            what: format!(
                "more than {MAX_HOLE} records of stream {stream} are missing from {from} on"
            ),
        })),
        (None, None) => Ok(file.finish()),
    }
}
