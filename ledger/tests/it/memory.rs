//! A ledger in memory: written the way a collector writes, so that every byte of it can be changed.

use std::collections::BTreeMap;

use ledger::acked::Acked;
use ledger::checkpoint::{Checkpoint, default_origin};
use ledger::envelope::{
    CollectorPart, Delivery, Encoding, Envelope, Mask, PrincipalProof, ProducerProof,
    RecordingMode, SessionRule, Signal,
};
use ledger::leaf::{
    ControlBody, ControlLeaf, LedgerId, NO_HEAD, NO_INCARNATION, Private, RecordLeaf,
    RequestBinding, SessionLink, StreamId, StreamOpening, TreeHead, control_commitment,
    epoch_message,
};
use ledger::note::SignerKey;
use ledger::reader::{
    Find, LentBody, LentRecord, Log, ReadError, Reader, State, StoredBody, StoredControl,
    StoredPrivate, StoredRecord, StreamHint,
};
use ledger::tile::Tiler;
use ledger::tree::{Frontier, hash_leaf};
use ledger::verify::epochs::epoch_key_name;

/// When the test world begins: Unix nanoseconds.
pub(crate) const T0: u64 = 1_780_000_000_000_000_000;

/// One stream as stored.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    pub(crate) hint: StreamHint,
    pub(crate) records: Vec<StoredRecord>,
    pub(crate) frontier: Frontier,
    prev_head: u64,
}

/// A whole ledger as stored. Every field may be tampered with.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pub(crate) seed: [u8; 32],
    pub(crate) id: LedgerId,
    pub(crate) origin: String,
    pub(crate) control: Vec<StoredControl>,
    pub(crate) tiles: BTreeMap<(bool, [u8; 32], u8, u64), Vec<u8>>,
    pub(crate) streams: Vec<Stream>,
    pub(crate) note: Option<Vec<u8>>,
    pub(crate) acked: Option<Acked>,
    pub(crate) commit: u64,
    /// When its leaves are written: Unix nanoseconds.
    pub(crate) from_ns: u64,
    /// Seeds of the epoch keys that seals name, in order.
    pub(crate) epochs: Vec<[u8; 32]>,
    tiler: Tiler,
    salts: u64,
}

fn tile_key(log: Log, level: u8, n: u64) -> (bool, [u8; 32], u8, u64) {
    match log {
        Log::Ledger => (false, [0; 32], level, n),
        Log::Stream(stream) => (true, stream.0, level, n),
    }
}

/// The item of record `i`: any bytes do, the ledger never looks into them.
pub(crate) fn item(i: u64) -> Vec<u8> {
    format!("record number {i}, with some text that makes it as long as a small one").into_bytes()
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self::named([7; 32], [42; 32])
    }

    /// A ledger of this name, signed by the key of this seed.
    pub(crate) fn named(id: [u8; 32], seed: [u8; 32]) -> Self {
        let id = LedgerId(id);
        let mut this = Self {
            seed,
            id,
            origin: default_origin(&id),
            control: Vec::new(),
            tiles: BTreeMap::new(),
            streams: Vec::new(),
            note: None,
            acked: None,
            commit: 0,
            from_ns: T0,
            epochs: Vec::new(),
            tiler: Tiler::new(),
            salts: 0,
        };
        let identity = *this.key().verifier().bytes();
        let origin = this.origin.clone();
        this.append(
            ControlBody::Genesis {
                ledger: id,
                identity,
                origin,
                previous: NO_INCARNATION,
            },
            None,
        );
        this
    }

    pub(crate) fn key(&self) -> SignerKey {
        SignerKey::new(&self.origin, &self.seed).unwrap()
    }

    fn salt(&mut self) -> [u8; 32] {
        self.salts += 1;
        hash_leaf(&self.salts.to_be_bytes())
    }

    pub(crate) fn append(&mut self, body: ControlBody, private: Option<StoredPrivate>) -> u64 {
        let index = self.control.len() as u64;
        let leaf = ControlLeaf {
            index,
            unix_ns: self.from_ns + index,
            body,
        }
        .encode()
        .unwrap();
        let tiles = &mut self.tiles;
        self.tiler.append(hash_leaf(&leaf), |tile| {
            tiles.insert(tile_key(Log::Ledger, tile.level, tile.n), tile.hashes);
        });
        self.control.push(StoredControl {
            index,
            leaf,
            private,
        });
        index
    }

    pub(crate) fn seal(
        &mut self,
        private: &impl Private,
        body: impl Fn([u8; 32]) -> ControlBody,
    ) -> u64 {
        let (salt, bytes) = (self.salt(), private.encode().unwrap());
        let commitment = control_commitment(&salt, &bytes);
        self.append(body(commitment), Some(StoredPrivate { salt, body: bytes }))
    }

    /// Opens a stream of session `label` and binds it to `request`. Gives its place in `streams`.
    pub(crate) fn open(&mut self, label: &str, request: &str) -> usize {
        let nonce = (self.streams.len() as u128).to_be_bytes();
        let stream = StreamId::derive(&self.id, &nonce);
        let opening = StreamOpening {
            label: label.to_owned(),
            rule: SessionRule::SessionAttribute as u8,
            producer: "unauthenticated:otlp-http".to_owned(),
            proof: ProducerProof::Asserted as u8,
            claim: "agent".to_owned(),
        };
        let open = self.seal(&opening, |commitment| ControlBody::StreamOpen {
            stream,
            nonce,
            commitment,
        });
        let link = SessionLink {
            session: label.to_owned(),
            rule: 2,
            evidence: 0,
        };
        let link = self.seal(&link, |commitment| ControlBody::SessionLink {
            stream,
            commitment,
        });
        let binding = RequestBinding {
            request: request.to_owned(),
            rule: 1,
            evidence: 0,
        };
        let binding = self.seal(&binding, |commitment| ControlBody::RequestBinding {
            stream,
            commitment,
        });
        let hint = StreamHint {
            stream,
            label: label.to_owned(),
            producer: opening.producer,
            sessions: vec![label.to_owned()],
            requests: vec![request.to_owned()],
            records: 0,
            first_ns: T0,
            last_ns: T0,
            open_index: Some(open),
            head_index: None,
            link_indexes: vec![link, binding],
            closed: false,
        };
        let stream = Stream {
            hint,
            records: Vec::new(),
            frontier: Frontier::new(),
            prev_head: NO_HEAD,
        };
        self.streams.push(stream);
        self.streams.len() - 1
    }

    pub(crate) fn record(&mut self, at: usize, item: &[u8]) {
        self.record_of(at, Encoding::Protobuf, b"resource", item, Vec::new(), None);
    }

    /// Seals a record of this resource.
    pub(crate) fn record_of(
        &mut self,
        at: usize,
        encoding: Encoding,
        resource: &[u8],
        item: &[u8],
        masks: Vec<Mask>,
        enrolled: Option<[u8; 32]>,
    ) {
        let salt = self.salt();
        let stream = &mut self.streams[at];
        let collector = CollectorPart {
            session_rule: SessionRule::SessionAttribute,
            producer_proof: ProducerProof::Asserted,
            recording_mode: RecordingMode::SelfRecorded,
            delivery: Delivery::Plain,
            principal_proof: PrincipalProof::None,
            session_label: stream.hint.label.clone(),
            producer: stream.hint.producer.clone(),
            claimed_producer: "agent".to_owned(),
            masks,
            enrolled_key: enrolled,
        };
        let envelope = Envelope {
            encoding,
            signal: Signal::Logs,
            collector: &collector.encode().unwrap(),
            resource,
            resource_schema_url: b"",
            scope: b"scope",
            scope_schema_url: b"https://opentelemetry.io/schemas/1.37.0",
            item,
        };
        let index = stream.hint.records;
        let leaf = RecordLeaf {
            index,
            received_unix_ns: T0 + index,
            flags: 0,
            commitment: envelope.commitment(&salt),
        }
        .encode();
        stream.frontier.append(hash_leaf(&leaf));
        let body = Some(StoredBody {
            salt,
            envelope: envelope.encode(),
        });
        stream.records.push(StoredRecord { index, leaf, body });
        stream.hint.records += 1;
        stream.hint.last_ns = T0 + index;
    }

    pub(crate) fn head(&mut self, at: usize, close: bool) -> u64 {
        let stream = &self.streams[at];
        let head = TreeHead {
            size: stream.frontier.size(),
            root: stream.frontier.root(),
        };
        let (prev_head_index, stream) = (stream.prev_head, stream.hint.stream);
        let body = if close {
            ControlBody::StreamClose {
                stream,
                head,
                prev_head_index,
                reason: 1,
                declared: head.size,
            }
        } else {
            ControlBody::StreamHead {
                stream,
                head,
                prev_head_index,
            }
        };
        let index = self.append(body, None);
        let stream = &mut self.streams[at];
        stream.prev_head = index;
        stream.hint.head_index = Some(index);
        stream.hint.closed = close;
        index
    }

    /// Writes the full tiles of every stream.
    pub(crate) fn write_stream_tiles(&mut self) {
        for stream in &self.streams {
            let (log, mut tiler) = (Log::Stream(stream.hint.stream), Tiler::new());
            for record in &stream.records {
                tiler.append(hash_leaf(&record.leaf), |tile| {
                    self.tiles
                        .insert(tile_key(log, tile.level, tile.n), tile.hashes);
                });
            }
        }
    }

    pub(crate) fn root(&self) -> TreeHead {
        let mut frontier = Frontier::new();
        self.control
            .iter()
            .for_each(|stored| frontier.append(hash_leaf(&stored.leaf)));
        TreeHead {
            size: frontier.size(),
            root: frontier.root(),
        }
    }

    /// The key of the epoch that `seals` seals come before; the identity key signs the first of them.
    fn epoch_key(&self, seals: usize) -> SignerKey {
        match seals.checked_sub(1) {
            Some(at) => SignerKey::new(&epoch_key_name(&self.origin), &self.epochs[at]).unwrap(),
            None => self.key(),
        }
    }

    /// Ends an epoch.
    pub(crate) fn seal_epoch(&mut self) -> u64 {
        let epoch = self.epochs.len();
        let seed = hash_leaf(&[&self.seed[..], &(epoch as u64).to_be_bytes()].concat());
        let key = self.epoch_key(epoch);
        self.epochs.push(seed);
        let mut leaf = ControlLeaf {
            index: self.control.len() as u64,
            unix_ns: self.from_ns + self.control.len() as u64,
            body: ControlBody::EpochSeal {
                epoch: epoch as u64,
                head: self.root(),
                next_key: *self.epoch_key(epoch + 1).verifier().bytes(),
                view_root: [0; 32],
                signature: [0; 64],
            },
        };
        let message = epoch_message(&self.id, &leaf).unwrap().unwrap();
        if let ControlBody::EpochSeal { signature, .. } = &mut leaf.body {
            *signature = key.sign_bytes(&message);
        }
        self.append(leaf.body, None)
    }

    pub(crate) fn sign(&mut self) -> Vec<u8> {
        let head = self.root();
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            head,
        };
        let mut note = checkpoint.sign(&self.key()).unwrap();
        if !self.epochs.is_empty() {
            let line = self.epoch_key(self.epochs.len());
            let line = line.sign(&checkpoint.text()).unwrap();
            note.extend_from_slice(&line[checkpoint.text().len() + 1..]);
        }
        self.commit += 1;
        self.acked = Some(Acked {
            commit: self.commit,
            size: head.size,
            root: head.root,
        });
        self.note = Some(note.clone());
        note
    }

    /// A ledger with `sizes.len()` closed streams of so many records each, signed.
    pub(crate) fn of(sizes: &[u64]) -> Self {
        let mut this = Self::new();
        for (i, size) in sizes.iter().enumerate() {
            let at = this.open(&format!("session-{i}"), &format!("{}", 47_892 + i));
            for index in 0..*size {
                this.record(at, &item(index));
                if index % 100 == 99 {
                    this.head(at, false);
                }
            }
            this.head(at, true);
        }
        this.write_stream_tiles();
        this.sign();
        this
    }
}

impl Reader for Memory {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    fn state(&self) -> Result<State, ReadError> {
        let size = self.control.len() as u64;
        Ok(State {
            commit: self.commit,
            size,
            acked: self.acked,
        })
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.note.clone())
    }

    fn control(&self, from: u64, to: u64) -> Result<Vec<StoredControl>, ReadError> {
        let wanted = self
            .control
            .iter()
            .filter(|stored| (from..to).contains(&stored.index));
        Ok(wanted.cloned().collect())
    }

    fn tile(&self, log: Log, level: u8, n: u64) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.tiles.get(&tile_key(log, level, n)).cloned())
    }

    fn find(&self, wanted: &Find) -> Result<Vec<StreamHint>, ReadError> {
        let hints = self
            .streams
            .iter()
            .map(|stream| &stream.hint)
            .filter(|hint| match wanted {
                Find::Request(request) => hint.requests.contains(request),
                Find::Stream(stream) => hint.stream == *stream,
                _ => true,
            });
        Ok(hints.cloned().collect())
    }

    fn records(
        &self,
        stream: &StreamId,
        from: u64,
        to: u64,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        let stream = self
            .streams
            .iter()
            .find(|known| known.hint.stream == *stream);
        let records = stream.iter().flat_map(|stream| &stream.records);
        Ok(records
            .filter(|record| (from..to).contains(&record.index))
            .cloned()
            .collect())
    }

    fn scan(
        &self,
        stream: &StreamId,
        from: u64,
        to: u64,
        visit: &mut dyn FnMut(LentRecord<'_>),
    ) -> Result<(), ReadError> {
        let stream = self
            .streams
            .iter()
            .find(|known| known.hint.stream == *stream);
        for record in stream.iter().flat_map(|stream| &stream.records) {
            if !(from..to).contains(&record.index) {
                continue;
            }
            let body = match &record.body {
                None => LentBody::Erased,
                Some(body) => match Envelope::decode(&body.envelope) {
                    Ok(envelope) => LentBody::Whole {
                        salt: &body.salt,
                        envelope,
                    },
                    Err(_) => LentBody::Damaged("not an envelope"),
                },
            };
            visit(LentRecord {
                index: record.index,
                leaf: &record.leaf,
                body,
            });
        }
        Ok(())
    }
}
