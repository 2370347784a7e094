//! What is appended in one piece: one OTLP export, prepared on its caller's thread as far as possible.

use std::sync::Arc;

use super::error::AppendError;
use crate::envelope::{Envelope, ProducerProof, SessionRule};
use crate::leaf::{Private as _, RefusedPayload, Salt, StreamId};
use crate::segment::{self, Builder};
use crate::tree::Hash;

/// Zstandard's fast mode, for what is written once and compacted later. Measured with 10 records per segment: level 1
/// makes it a third smaller and takes the callers 1.3 us more per record, which costs more throughput than it saves.
const INGEST_LEVEL: i32 = -1;

/// One export: committed whole or not at all.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The streams its records go to, in the order in which they are to be sealed.
    pub streams: Vec<StreamBatch>,
    /// What of it, or instead of it, was refused.
    pub refused: Vec<RefusedPayload>,
    /// SHA-256 of the body as received, for senders without sequence numbers: the same body within a bounded window
    /// gets the old answer. `None` for SDK exports, which have [`Run`].
    pub digest: Option<Hash>,
    /// Set where a session is of one producer alone.
    pub owners: Option<Owners>,
}

/// A session belongs to the producer that opened it: what another one sends under its label is not kept, and a
/// conflict says so.
#[derive(Debug, Clone)]
pub struct Owners {
    /// Producers that own no session and may write into any: recorders beside the agents.
    pub recorders: Arc<[String]>,
    /// Whether nothing of the batch is kept once one of its streams is another producer's.
    pub whole: bool,
}

/// The part of an export that goes to one stream.
#[derive(Debug, Clone)]
pub struct StreamBatch {
    /// Which stream.
    pub key: StreamKey,
    /// Its records, prepared.
    pub records: Prepared,
    /// Sequence numbers of an SDK, one per record, to drop what is sealed already.
    pub run: Option<Run>,
    /// Requests that its records name.
    pub requests: Vec<Named>,
    /// Sessions that its records link it to.
    pub links: Vec<Named>,
    /// Set if the session's end is among its records.
    pub close: Option<Close>,
}

/// What names a stream: one exists per label and producer.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StreamKey {
    /// Session label, or `trace:` and the trace id in hexadecimal.
    pub label: String,
    /// How the label was found.
    pub rule: SessionRule,
    /// The producer as the collector knows it; `unauthenticated:<door>` without a credential.
    pub producer: String,
    /// How that is proven.
    pub proof: ProducerProof,
    /// The producer as the sender calls itself; empty if it does not.
    pub claim: String,
}

/// One process run of a producer, with the sequence numbers of a batch's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The producer's own name for itself.
    pub producer: String,
    /// The run.
    pub run: String,
    /// `recount.seq` of each record, in the order of the records.
    pub sequence: Vec<u64>,
    /// What its records say was lost, each with the record that says so.
    pub lost: Vec<Lost>,
}

/// Records that a producer says it lost; they never had numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Which record of this part says so, counted from 0.
    pub evidence: usize,
    /// Where in its numbering the loss began.
    pub from: u64,
    /// How many.
    pub count: u64,
}

/// A request or session that a record names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The request or session.
    pub name: String,
    /// How it was found: the `rule` byte of the control leaf's private part.
    pub rule: u8,
    /// Which record of this part shows it, counted from 0; in a part without records, its index in the stream.
    pub evidence: usize,
}

/// Why a stream is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// The `reason` byte of the close leaf: 1 the session's end was received, 2 the collector gave up waiting.
    pub reason: u8,
    /// How many records the producer said it sent, or `u64::MAX`.
    pub declared: u64,
}

/// One record to be prepared.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its bytes, already masked.
    pub envelope: Envelope<'a>,
    /// Bits of [`crate::leaf::flag`]; the writer adds those that only it knows.
    pub flags: u32,
    /// When it was received: Unix nanoseconds.
    pub received_ns: u64,
}

/// Records of one stream with everything done that does not need their place in it: salts drawn, commitments hashed,
/// segment packed.
#[derive(Debug, Clone)]
pub struct Prepared {
    pub(crate) commitments: Vec<Hash>,
    pub(crate) flags: Vec<u32>,
    pub(crate) received_ns: Vec<u64>,
    pub(crate) salts: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

/// Why records could not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The system has no randomness to give.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
    /// A record is too long for the format.
    #[error(transparent)]
    Malformed(#[from] segment::Malformed),
    /// The segment could not be packed.
    #[error(transparent)]
    Pack(#[from] segment::PackError),
}

impl Prepared {
    /// Draws salts, commits to each record and packs the segment. Costly: call it on the thread that received the
    /// records, never on the writer's.
    ///
    /// # Errors
    /// No randomness; records beyond the limits of a segment.
    pub fn new(records: &[Record<'_>]) -> Result<Self, PrepareError> {
        let mut salts = vec![0; 32 * records.len()];
        getrandom::fill(&mut salts).map_err(PrepareError::Random)?;
        Self::salted(records, salts)
    }

    /// As [`Prepared::new`] with the salts given; 32 bytes per record.
    fn salted(records: &[Record<'_>], salts: Vec<u8>) -> Result<Self, PrepareError> {
        let mut builder = Builder::new();
        let mut commitments = Vec::with_capacity(records.len());
        for (record, salt) in records.iter().zip(salts.as_chunks::<32>().0) {
            let salt: &Salt = salt;
            commitments.push(record.envelope.commitment(salt));
            builder.push(&record.envelope);
        }
        let payload = segment::pack(&builder.encode()?, INGEST_LEVEL)?;
        Ok(Self {
            commitments,
            flags: records.iter().map(|record| record.flags).collect(),
            received_ns: records.iter().map(|record| record.received_ns).collect(),
            salts,
            payload,
        })
    }

    /// How many records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commitments.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.commitments.is_empty()
    }

    /// The same without the records for which `keep` is false, as if they had never been in it.
    pub(crate) fn retain(&self, keep: &[bool]) -> Result<Self, PrepareError> {
        let plain = segment::unpack(&self.payload)?;
        let whole = segment::Segment::decode(&plain)?;
        let mut records = Vec::new();
        let mut salts = Vec::new();
        let parts = whole
            .envelopes()
            .iter()
            .zip(&self.flags)
            .zip(&self.received_ns);
        for ((((envelope, flags), received_ns), salt), keep) in
            parts.zip(self.salts.chunks(32)).zip(keep)
        {
            if let (Some(envelope), true) = (envelope, keep) {
                records.push(Record {
                    envelope: *envelope,
                    flags: *flags,
                    received_ns: *received_ns,
                });
                salts.extend_from_slice(salt);
            }
        }
        Self::salted(&records, salts)
    }
}

impl Batch {
    /// Records in it.
    #[must_use]
    pub fn records(&self) -> usize {
        self.streams.iter().map(|stream| stream.records.len()).sum()
    }

    /// About how many bytes it holds in memory.
    pub(crate) fn bytes(&self) -> usize {
        let records =
            |stream: &StreamBatch| stream.records.payload.len() + 96 * stream.records.len() + 512;
        self.streams.iter().map(records).sum::<usize>() + 512 * self.refused.len()
    }

    /// Refuses what could only fail later, on the writer's thread, where it would take other batches with it.
    pub(crate) fn check(&self) -> Result<(), AppendError> {
        for stream in &self.streams {
            let count = stream.records.len();
            let texts = [&stream.key.label, &stream.key.producer, &stream.key.claim];
            let named = stream.requests.iter().chain(&stream.links);
            if texts
                .into_iter()
                .chain(named.clone().map(|named| &named.name))
                .any(|text| text.len() > 0xffff)
            {
                return Err(malformed(
                    "a label, producer, request or session has more than 65,535 bytes",
                ));
            }
            if count > 0 && named.clone().any(|named| named.evidence >= count) {
                return Err(malformed(
                    "a link or binding names a record that is not in the batch",
                ));
            }
            if stream
                .run
                .as_ref()
                .is_some_and(|run| run.sequence.len() != count)
            {
                return Err(malformed(
                    "there are not as many sequence numbers as records",
                ));
            }
            if u32::try_from(count).is_err() {
                return Err(malformed("more records than a segment can count"));
            }
        }
        if self.refused.iter().any(|refused| refused.encode().is_err()) {
            return Err(malformed(
                "the description of a refused payload is too long",
            ));
        }
        Ok(())
    }
}

fn malformed(why: &str) -> AppendError {
    AppendError::Malformed {
        why: why.to_owned(),
    }
}

/// What was committed, for the sender to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Number of the commit.
    pub commit: u64,
    /// Leaves in the ledger log after it.
    pub ledger_size: u64,
    /// Root of the ledger log after it.
    pub ledger_root: Hash,
    /// What each stream got, in the order of the batch; without those whose records were all sealed before.
    pub streams: Vec<StreamReceipt>,
    /// Records that were sealed by an earlier batch and are answered with success.
    pub duplicates: u64,
    /// Records whose number is sealed with other bytes; sending them again will not help.
    pub conflicts: u64,
    /// Records that were not kept because their session is another producer's, or came with such records in a batch
    /// that is taken whole or not at all.
    pub foreign: u64,
}

/// Where a batch's records are in one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamReceipt {
    /// The stream.
    pub stream: StreamId,
    /// Index of the first record.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Root of the stream after the last of them.
    pub root: Hash,
}
