//! Where stored bytes come from. What a reader returns is unverified: [`crate::verify`] checks it.
#![forbid(unsafe_code)]

use crate::acked::Acked;
use crate::envelope::{Encoding, Envelope};
use crate::leaf::{RECORD_LEAF, Salt, StreamId};
use crate::tree::Hash;
use crate::verify::Finding;

/// Why something stored could not be read. Its JSON is what a reader door answers, so that the far end has the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReadError {
    /// There is nothing there.
    #[error("no ledger at {place}")]
    Missing {
        /// Which store or socket.
        place: String,
    },
    /// It is there and may not be read.
    #[error("not allowed to read {place}: {why}")]
    NotAllowed {
        /// Which store or socket.
        place: String,
        /// What was refused, and who may.
        why: String,
    },
    /// It is there and does not answer now.
    #[error("{place} cannot be read now: {why}")]
    Unavailable {
        /// Which store or socket.
        place: String,
        /// Locked, not running, not answering.
        why: String,
    },
    /// A later release wrote it.
    #[error("{place} has format {found}; this release reads up to {known}")]
    Newer {
        /// Which store or socket.
        place: String,
        /// Format found.
        found: i64,
        /// Newest format known.
        known: i64,
    },
    /// It is something else.
    #[error("{place} is not a ledger: {what}")]
    Foreign {
        /// Which store or socket.
        place: String,
        /// What it is.
        what: String,
    },
    /// Its bytes cannot be what was written.
    #[error("{place} is damaged: {what}")]
    Damaged {
        /// Which store or socket.
        place: String,
        /// Which page, row, record or tile, and how.
        what: String,
    },
}

/// One of the two kinds of log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Log {
    /// The ledger's own log of control leaves.
    Ledger,
    /// The log of one stream.
    Stream(StreamId),
}

/// One leaf of the ledger log as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredControl {
    /// Where it is stored; the leaf says so itself.
    pub index: u64,
    /// Its bytes.
    pub leaf: Vec<u8>,
    /// Its private part, unless it has none or it was erased.
    pub private: Option<StoredPrivate>,
}

/// The private part beside a control leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPrivate {
    /// Its salt.
    pub salt: Salt,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// One record as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRecord {
    /// Where it is stored; the leaf says so itself.
    pub index: u64,
    /// Its leaf.
    pub leaf: [u8; RECORD_LEAF],
    /// Salt and envelope, or `None` where they were erased.
    pub body: Option<StoredBody>,
}

/// Salt and envelope of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBody {
    /// The salt of its commitment.
    pub salt: Salt,
    /// The envelope's bytes.
    pub envelope: Vec<u8>,
}

/// One record as stored, lent for the length of a call.
#[derive(Debug, Clone, Copy)]
pub struct LentRecord<'a> {
    /// Where it is stored.
    pub index: u64,
    /// Its leaf.
    pub leaf: &'a [u8; RECORD_LEAF],
    /// Salt and envelope.
    pub body: LentBody<'a>,
}

impl LentRecord<'_> {
    /// The record as one's own. What cannot be an envelope becomes bytes that no reader takes for one.
    #[must_use]
    pub fn to_stored(&self) -> StoredRecord {
        let body = match &self.body {
            LentBody::Whole { salt, envelope } => Some(StoredBody {
                salt: **salt,
                envelope: envelope.encode(),
            }),
            LentBody::Erased => None,
            LentBody::Damaged(_) => Some(StoredBody {
                salt: [0; 32],
                envelope: Vec::new(),
            }),
        };
        StoredRecord {
            index: self.index,
            leaf: *self.leaf,
            body,
        }
    }
}

/// Salt and envelope of a record, lent for the length of a call.
#[derive(Debug, Clone, Copy)]
pub enum LentBody<'a> {
    /// Both are there.
    Whole {
        /// The salt of its commitment.
        salt: &'a Salt,
        /// The envelope.
        envelope: Envelope<'a>,
    },
    /// They were erased.
    Erased,
    /// Something is there that cannot be an envelope: a segment that does not unpack, parts that do not parse.
    Damaged(&'a str),
}

/// What a stream is looked up by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Find {
    /// Streams bound to this request, exactly.
    Request(String),
    /// Streams bound to requests that start like this, for "did you mean".
    RequestPrefix(String),
    /// Streams of this session: by label or by link.
    Session(String),
    /// Streams whose session label or stream id starts like this.
    Prefix(String),
    /// One stream.
    Stream(StreamId),
    /// Streams whose first records may be of this trace. No index knows that: whoever holds the bytes looks for the
    /// trace id in them, which finds too much rather than too little.
    Trace {
        /// The trace id.
        trace: [u8; 16],
        /// How many records of each stream are looked at.
        first: u64,
    },
    /// Streams with a record received in this time: Unix nanoseconds, both ends included.
    Received {
        /// From.
        from_ns: u64,
        /// To.
        to_ns: u64,
    },
    /// The streams that received a record last, newest first, at most so many.
    Recent(usize),
    /// Every stream.
    All,
}

/// Whether the bytes of a record hold a trace id, as protobuf or as JSON writes it.
#[must_use]
pub fn mentions(envelope: &Envelope<'_>, trace: &[u8; 16]) -> bool {
    let item = envelope.item;
    match envelope.encoding {
        Encoding::Protobuf => item.windows(16).any(|bytes| bytes == trace),
        Encoding::Json => {
            let digits = format!("{:032x}", u128::from_be_bytes(*trace));
            item.windows(32)
                .any(|bytes| bytes.eq_ignore_ascii_case(digits.as_bytes()))
        }
    }
}

/// What the index says about a stream. All of it is a hint: where to look, never what to believe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamHint {
    /// The stream.
    pub stream: StreamId,
    /// Its session label.
    pub label: String,
    /// Its producer.
    pub producer: String,
    /// Sessions it is linked to.
    pub sessions: Vec<String>,
    /// Requests it is bound to.
    pub requests: Vec<String>,
    /// How many records it has.
    pub records: u64,
    /// When the first was received: Unix nanoseconds.
    pub first_ns: u64,
    /// When the last was received: Unix nanoseconds.
    pub last_ns: u64,
    /// Ledger index of its opening.
    pub open_index: Option<u64>,
    /// Ledger index of its newest head or close.
    pub head_index: Option<u64>,
    /// Ledger indexes of its session links and request bindings.
    pub link_indexes: Vec<u64>,
    /// Whether its newest head is a close.
    pub closed: bool,
}

/// How far a store says it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Number of the last commit.
    pub commit: u64,
    /// Leaves in the ledger log, those after the last checkpoint included.
    pub size: u64,
    /// What the `acked` file says, where it can be read.
    pub acked: Option<Acked>,
}

/// Where stored bytes come from.
///
/// Indexes are half-open ranges, `from..to`. A range that reaches beyond what is stored gives what there is,
/// in order and without holes of its own making: a row that is missing in the store is left out.
pub trait Reader {
    /// Which store or socket this is, for messages.
    fn place(&self) -> String;

    /// What the store itself finds wrong beyond what it returns: the structure of its pages, index rows that no
    /// other call shows. A reader without a store of its own finds nothing.
    ///
    /// # Errors
    /// As the store fails.
    fn self_check(&self) -> Result<Vec<Finding>, ReadError> {
        Ok(Vec::new())
    }

    /// How far the store has come.
    ///
    /// # Errors
    /// As the store fails.
    fn state(&self) -> Result<State, ReadError>;

    /// The exact bytes of the checkpoint signed last (`last_signed`).
    ///
    /// # Errors
    /// As the store fails.
    fn checkpoint(&self) -> Result<Option<Vec<u8>>, ReadError>;

    /// The newest checkpoint that enough witnesses cosigned, with their signature lines; older than the one signed
    /// last, since witnesses take their time. A reader without witnesses has none.
    ///
    /// # Errors
    /// As the store fails.
    fn witnessed(&self) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(None)
    }

    /// Leaves of the ledger log.
    ///
    /// # Errors
    /// As the store fails.
    fn control(&self, from: u64, to: u64) -> Result<Vec<StoredControl>, ReadError>;

    /// The hashes of a tile. Level 0: full tiles only. Higher levels: as many hashes as the tile has so far.
    ///
    /// # Errors
    /// As the store fails.
    fn tile(&self, log: Log, level: u8, n: u64) -> Result<Option<Vec<u8>>, ReadError>;

    /// Whether leaves of the ledger log may be left out on purpose: then one that is not there is no finding.
    fn is_excerpt(&self) -> bool {
        false
    }

    /// The root of the complete subtree over the leaves `index << level .. (index + 1) << level` of the ledger
    /// log, where it is kept apart from leaves and tiles.
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let _ = (level, index);
        None
    }

    /// Streams by what the index says.
    ///
    /// # Errors
    /// As the store fails.
    fn find(&self, wanted: &Find) -> Result<Vec<StreamHint>, ReadError>;

    /// Records of a stream.
    ///
    /// # Errors
    /// As the store fails.
    fn records(
        &self,
        stream: &StreamId,
        from: u64,
        to: u64,
    ) -> Result<Vec<StoredRecord>, ReadError>;

    /// Records of a stream, lent one after the other. Override it where that saves copying envelopes, and
    /// where damage to a segment must not keep the records of others from being read.
    ///
    /// # Errors
    /// As the store fails.
    fn scan(
        &self,
        stream: &StreamId,
        from: u64,
        to: u64,
        visit: &mut dyn FnMut(LentRecord<'_>),
    ) -> Result<(), ReadError> {
        for record in self.records(stream, from, to)? {
            let envelope = record
                .body
                .as_ref()
                .map(|body| Envelope::decode(&body.envelope));
            let why = envelope
                .as_ref()
                .and_then(|decoded| decoded.as_ref().err())
                .map(ToString::to_string);
            let body = match (&record.body, envelope) {
                (Some(body), Some(Ok(envelope))) => LentBody::Whole {
                    salt: &body.salt,
                    envelope,
                },
                (Some(_), _) => LentBody::Damaged(why.as_deref().unwrap_or_default()),
                (None, _) => LentBody::Erased,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Signal;

    #[test]
    fn a_trace_id_is_found_as_protobuf_and_as_json_write_it() {
        let trace = [0xab; 16];
        let of = |encoding, item| {
            let envelope = Envelope {
                encoding,
                signal: Signal::Logs,
                collector: b"",
                resource: b"",
                resource_schema_url: b"",
                scope: b"",
                scope_schema_url: b"",
                item,
            };
            mentions(&envelope, &trace)
        };
        let protobuf = [&[0x4a, 16][..], &trace, &[1]].concat();
        let json = format!("{{\"traceId\":\"{}\"}}", "Ab".repeat(16));
        assert!(of(Encoding::Protobuf, &protobuf));
        assert!(of(Encoding::Json, json.as_bytes()));
        assert!(!of(Encoding::Protobuf, json.as_bytes()));
        assert!(!of(Encoding::Json, &json.as_bytes()[..40]));
    }
}
