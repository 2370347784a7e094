//! A bundle as a reader: what it returns is as unverified as what a folder returns.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fmt;

use super::contents::{Carried, Entry, Said, entries};
use super::excerpt::Excerpt;
use super::{BundleError, README, archive, not_a_bundle};
use crate::checkpoint::Checkpoint;
use crate::envelope::Envelope;
use crate::leaf::{
    ControlBody, ControlLeaf, Private, RECORD_LEAF, RecordLeaf, RequestBinding, Salt, SessionLink,
    StreamId, StreamOpening,
};
use crate::note::Note;
use crate::reader::{
    Find, LentBody, LentRecord, Log, ReadError, Reader, State, StoredBody, StoredControl,
    StoredRecord, StreamHint, mentions,
};
use crate::tree::{Hash, hash_leaf};

/// A bundle that was taken apart; nothing of it is verified.
pub struct Bundle {
    place: String,
    bytes: Vec<u8>,
    said: Said,
    account: Option<Vec<u8>>,
    note: Vec<u8>,
    /// Size that the checkpoint states.
    size: u64,
    leaves: Vec<StoredControl>,
    excerpt: Excerpt,
    streams: BTreeMap<StreamId, Stream>,
    wrong: Vec<String>,
}

struct Stream {
    hint: StreamHint,
    /// Where its file starts.
    at: usize,
    entries: Vec<Entry>,
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("place", &self.place)
            .field("streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}

impl Bundle {
    /// Takes a bundle apart. `place` names it in messages.
    ///
    /// # Errors
    /// What is no bundle, or has become unreadable.
    pub fn open(place: &str, bytes: Vec<u8>) -> Result<Self, BundleError> {
        let (files, wrong) = archive::unpack(&bytes)?;
        let wrong: Vec<String> = wrong.into_iter().map(str::to_owned).collect();
        let parts = Parts::read(&bytes, &files).map_err(|error| match (error, wrong.first()) {
            (BundleError::NotABundle { what }, Some(file)) => BundleError::Damaged {
                file: file.clone(),
                what,
            },
            (error, _) => error,
        })?;
        let Parts {
            said,
            account,
            note,
            carried,
            streams,
        } = parts;
        let hashes: Vec<(u64, Hash)> = carried
            .leaves
            .iter()
            .map(|stored| (stored.index, hash_leaf(&stored.leaf)))
            .collect();
        let size = Note::parse(&note)
            .and_then(|note| Checkpoint::parse(note.text))
            .map_or(0, |checkpoint| checkpoint.head.size);
        let mut this = Self {
            place: place.to_owned(),
            said,
            account,
            note,
            size,
            excerpt: Excerpt::new(size, &hashes, &carried.hashes),
            leaves: carried.leaves,
            streams,
            wrong,
            bytes,
        };
        this.index();
        Ok(this)
    }

    /// The release that made it, as it said.
    #[must_use]
    pub fn release(&self) -> &str {
        &self.said.release
    }

    /// What it was exported for, as it said.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.said.query
    }

    /// The account that came along: derived, and vouched for by nothing.
    #[must_use]
    pub fn account(&self) -> Option<&[u8]> {
        self.account.as_deref()
    }

    /// The files whose digest is wrong.
    #[must_use]
    pub fn wrong_digests(&self) -> &[String] {
        &self.wrong
    }

    /// Its length in bytes, and how many of them are envelopes and account.
    #[must_use]
    pub fn lengths(&self) -> (u64, u64, u64) {
        let entries = self.streams.values().flat_map(|stream| &stream.entries);
        let envelopes = entries.map(|entry| match entry {
            Entry::Whole { envelope, .. } => envelope.len() as u64,
            Entry::Missing | Entry::Bare { .. } => 0,
        });
        let account = self.account.as_ref().map_or(0, Vec::len) as u64;
        (self.bytes.len() as u64, envelopes.sum(), account)
    }

    /// Whether the hashes and leaves make a tree at all.
    pub(super) fn is_a_tree(&self) -> bool {
        self.excerpt.root.is_some()
    }

    /// Fills the hints from the leaves: what an index would say.
    fn index(&mut self) {
        for stored in &self.leaves {
            let Ok(leaf) = ControlLeaf::decode(&stored.leaf) else {
                continue;
            };
            let Some(stream) = leaf.body.stream().and_then(|id| self.streams.get_mut(id)) else {
                continue;
            };
            point(&mut stream.hint, &leaf, stored);
        }
        for stream in self.streams.values_mut() {
            let leaf = |entry: &Entry| match entry {
                Entry::Whole { leaf, .. } | Entry::Bare { leaf } => {
                    record_leaf(&self.bytes, stream.at + leaf)
                }
                Entry::Missing => None,
            };
            let time = |entry: &Entry| {
                leaf(entry)
                    .and_then(|leaf| RecordLeaf::decode(leaf).ok())
                    .map(|leaf| leaf.received_unix_ns)
            };
            // The first record that the verifier takes for good counts; the hint only has to agree with it.
            let at = |(index, entry): (u64, &Entry)| {
                let leaf = RecordLeaf::decode(leaf(entry)?).ok()?;
                (leaf.index == index).then_some(leaf.received_unix_ns)
            };
            stream.hint.first_ns = (0..).zip(&stream.entries).find_map(at).unwrap_or(0);
            stream.hint.last_ns = stream.entries.iter().rev().find_map(time).unwrap_or(0);
        }
    }

    fn record(&self, stream: &Stream, entry: &Entry, index: u64) -> Option<StoredRecord> {
        let (at, envelope) = match entry {
            Entry::Missing => return None,
            Entry::Bare { leaf } => (stream.at + leaf, None),
            Entry::Whole { leaf, envelope } => (stream.at + leaf, Some((*leaf, envelope.clone()))),
        };
        let body = envelope.and_then(|(leaf, envelope)| {
            let salt = stream.at + Entry::salt_at(leaf);
            let salt: &Salt = self.bytes.get(salt..salt + 32)?.try_into().ok()?;
            let range = stream.at + envelope.start..stream.at + envelope.end;
            Some(StoredBody {
                salt: *salt,
                envelope: self.bytes.get(range)?.to_vec(),
            })
        });
        Some(StoredRecord {
            index,
            leaf: *record_leaf(&self.bytes, at)?,
            body,
        })
    }
}

fn record_leaf(bytes: &[u8], at: usize) -> Option<&[u8; RECORD_LEAF]> {
    bytes.get(at..at + RECORD_LEAF)?.try_into().ok()
}

/// Notes in a hint what a leaf says about the stream.
fn point(hint: &mut StreamHint, leaf: &ControlLeaf, stored: &StoredControl) {
    let private = stored
        .private
        .as_ref()
        .map(|private| private.body.as_slice());
    match &leaf.body {
        ControlBody::StreamOpen { .. } if hint.open_index.is_none() => {
            hint.open_index = Some(stored.index);
            if let Some(opening) = private.and_then(|body| StreamOpening::decode(body).ok()) {
                hint.label = opening.label;
                hint.producer = opening.producer;
            }
        }
        ControlBody::StreamHead { .. } | ControlBody::StreamClose { .. } => {
            hint.head_index = Some(stored.index);
            hint.closed = matches!(leaf.body, ControlBody::StreamClose { .. });
        }
        ControlBody::SessionLink { .. } => {
            hint.link_indexes.push(stored.index);
            let link = private.and_then(|body| SessionLink::decode(body).ok());
            hint.sessions.extend(link.map(|link| link.session));
        }
        ControlBody::RequestBinding { .. } => {
            hint.link_indexes.push(stored.index);
            let binding = private.and_then(|body| RequestBinding::decode(body).ok());
            hint.requests.extend(binding.map(|binding| binding.request));
        }
        _ => {}
    }
}

/// The files of a bundle, read.
struct Parts {
    said: Said,
    account: Option<Vec<u8>>,
    note: Vec<u8>,
    carried: Carried,
    streams: BTreeMap<StreamId, Stream>,
}

impl Parts {
    fn read(bytes: &[u8], files: &[archive::File<'_>]) -> Result<Self, BundleError> {
        let file = |wanted: &str| {
            let file = files.iter().find(|(name, _)| *name == wanted);
            file.map(|(_, content)| *content)
        };
        if file("README.txt") != Some(README.as_bytes()) {
            return Err(not_a_bundle("README.txt is another text"));
        }
        let said = file("bundle.txt").and_then(Said::decode);
        let carried = Carried::decode(file("ledger").unwrap_or_default())
            .map_err(|error| not_a_bundle(format!("ledger: {error}")))?;
        let mut streams = BTreeMap::new();
        for (name, content) in files {
            let Some(id) = name.strip_prefix("streams/") else {
                continue;
            };
            let id: StreamId = id
                .parse()
                .map_err(|error| not_a_bundle(format!("{name}: {error}")))?;
            let entries =
                entries(content).map_err(|error| not_a_bundle(format!("{name}: {error}")))?;
            let hint = StreamHint {
                stream: id,
                label: String::new(),
                producer: String::new(),
                sessions: Vec::new(),
                requests: Vec::new(),
                records: entries.len() as u64,
                first_ns: 0,
                last_ns: 0,
                open_index: None,
                head_index: None,
                link_indexes: Vec::new(),
                closed: false,
            };
            // The content is a part of `bytes`; its offset is all that is kept.
            let at = content.as_ptr().addr() - bytes.as_ptr().addr();
            streams.insert(id, Stream { hint, at, entries });
        }
        Ok(Self {
            said: said.ok_or_else(|| not_a_bundle("bundle.txt does not have its three lines"))?,
            account: file("account.json").map(<[u8]>::to_vec),
            note: file("checkpoint").unwrap_or_default().to_vec(),
            carried,
            streams,
        })
    }
}

impl Reader for Bundle {
    fn place(&self) -> String {
        self.place.clone()
    }

    fn is_excerpt(&self) -> bool {
        true
    }

    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.excerpt.node(level, index)
    }

    fn state(&self) -> Result<State, ReadError> {
        Ok(State {
            commit: 0,
            size: self.size,
            acked: None,
        })
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(Some(self.note.clone()))
    }

    fn control(&self, from: u64, to: u64) -> Result<Vec<StoredControl>, ReadError> {
        let first = self.leaves.partition_point(|stored| stored.index < from);
        let wanted = self.leaves.iter().skip(first);
        Ok(wanted
            .take_while(|stored| stored.index < to)
            .cloned()
            .collect())
    }

    fn tile(&self, _: Log, _: u8, _: u64) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(None)
    }

    fn find(&self, wanted: &Find) -> Result<Vec<StreamHint>, ReadError> {
        let starts = |name: &String, with: &String| name.starts_with(with.as_str());
        let is_wanted = |hint: &&StreamHint| match wanted {
            Find::Request(request) => hint.requests.contains(request),
            Find::RequestPrefix(start) => hint.requests.iter().any(|name| starts(name, start)),
            Find::Session(session) => hint.label == *session || hint.sessions.contains(session),
            Find::Prefix(start) => {
                starts(&hint.label, start) || starts(&hint.stream.to_string(), start)
            }
            Find::Stream(stream) => hint.stream == *stream,
            Find::Trace { trace, first } => {
                let mut hit = false;
                let looked = self.scan(&hint.stream, 0, *first, &mut |record| {
                    if let LentBody::Whole { envelope, .. } = &record.body {
                        hit = hit || mentions(envelope, trace);
                    }
                });
                looked.is_ok() && hit
            }
            Find::Received { from_ns, to_ns } => {
                hint.first_ns <= *to_ns && hint.last_ns >= *from_ns
            }
            Find::Recent(_) | Find::All => true,
        };
        let hints = self.streams.values().map(|stream| &stream.hint);
        let mut found: Vec<StreamHint> = hints.filter(is_wanted).cloned().collect();
        match wanted {
            Find::Recent(most) => {
                found.sort_by_key(|hint| std::cmp::Reverse(hint.last_ns));
                found.truncate(*most);
            }
            // In the order in which a folder gives them: as they were opened.
            _ => found.sort_by_key(|hint| hint.open_index),
        }
        Ok(found)
    }

    fn records(
        &self,
        stream: &StreamId,
        from: u64,
        to: u64,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        let Some(stream) = self.streams.get(stream) else {
            return Ok(Vec::new());
        };
        let wanted = (0..).zip(&stream.entries);
        let wanted = wanted.filter(|(index, _)| (from..to).contains(index));
        Ok(wanted
            .filter_map(|(index, entry)| self.record(stream, entry, index))
            .collect())
    }

    fn scan(
        &self,
        stream: &StreamId,
        from: u64,
        to: u64,
        visit: &mut dyn FnMut(LentRecord<'_>),
    ) -> Result<(), ReadError> {
        let Some(stream) = self.streams.get(stream) else {
            return Ok(());
        };
        for (index, entry) in (0..).zip(&stream.entries) {
            let (Entry::Whole { leaf, .. } | Entry::Bare { leaf }) = entry else {
                continue;
            };
            let at = stream.at + leaf;
            let Some(leaf) = record_leaf(&self.bytes, at).filter(|_| (from..to).contains(&index))
            else {
                continue;
            };
            let body = match entry {
                Entry::Whole { envelope, .. } => self.lend(stream, at, envelope),
                _ => LentBody::Erased,
            };
            visit(LentRecord { index, leaf, body });
        }
        Ok(())
    }
}

impl Bundle {
    fn lend(&self, stream: &Stream, at: usize, envelope: &std::ops::Range<usize>) -> LentBody<'_> {
        let salt = self.bytes.get(at + RECORD_LEAF..at + RECORD_LEAF + 32);
        let range = stream.at + envelope.start..stream.at + envelope.end;
        let envelope = self.bytes.get(range).map(Envelope::decode);
        match (salt.and_then(|salt| salt.try_into().ok()), envelope) {
            (Some(salt), Some(Ok(envelope))) => LentBody::Whole { salt, envelope },
            _ => LentBody::Damaged("the envelope cannot be read"),
        }
    }
}
