//! From the bytes of an export to a batch for the ledger: cut, mask, assign, prepare.
//!
//! Everything here runs on the thread that received the export; only appending is left to the ledger's one writer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ledger::envelope::{Delivery, Encoding, Signal};
use ledger::leaf::RefusedPayload;
use ledger::otlp::{Item, Slice, slice_export};
use ledger::reader::StreamHint;
use ledger::store::{Batch, Owners};
use sha2::{Digest, Sha256};
use vocabulary::attribute;

use crate::agent_door::answer::Partial;
use crate::agent_door::refusal::Refusal;
use crate::producers::sender::Sender;

mod assign;
mod mask;
mod seal;
mod session;
mod surroundings;
mod traces;

use assign::assign;
use surroundings::Surroundings;
use traces::{DueLink, Traces};

/// The producer of lines that were written elsewhere and brought in by somebody without a credential.
pub(crate) const IMPORT: &str = "unauthenticated:import";

/// Which door an export came through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Http,
    Grpc,
    /// A spool that was brought in by hand.
    Adopt,
    /// A log that was brought in by hand.
    Import,
    /// OTLP/HTTP over a Unix socket.
    Socket,
}

impl Door {
    /// The producer as the collector knows it while nobody presents a credential.
    pub(crate) fn unauthenticated(self) -> &'static str {
        match self {
            Self::Http => "unauthenticated:otlp-http",
            Self::Grpc => "unauthenticated:otlp-grpc",
            Self::Adopt => "unauthenticated:adopt",
            Self::Import => IMPORT,
            Self::Socket => "unauthenticated:otlp-unix",
        }
    }

    /// Its number in a refused payload's private part: what came neither by HTTP nor by gRPC on a port is `other`.
    fn code(self) -> u8 {
        match self {
            Self::Http => 1,
            Self::Grpc => 2,
            Self::Adopt | Self::Import | Self::Socket => 3,
        }
    }
}

/// What is known of an export besides its body.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    pub(crate) door: Door,
    pub(crate) sender: Sender,
    pub(crate) encoding: Encoding,
    pub(crate) signal: Signal,
    pub(crate) delivery: Delivery,
    pub(crate) peer: String,
    /// When its last byte arrived, in unix nanoseconds.
    pub(crate) received_ns: u64,
}

/// An export ready to be appended.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) batch: Batch,
    pub(crate) partial: Partial,
    /// What the batch links; told to [`Intake::committed`].
    links: Vec<DueLink>,
}

/// Turns exports into batches. Remembers traces, nothing else.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    traces: Mutex<Traces>,
}

/// One record that was read, before its session is known.
struct Read<'b> {
    slice: Slice<'b>,
    about: usize,
    item: Item<'b>,
    masks: Vec<mask::Overwrite>,
    sequence: Option<u64>,
}

impl Intake {
    /// Cuts, masks and assigns the records of an export.
    ///
    /// # Errors
    /// What will never be accepted: a malformed request; of an SDK's export, any malformed record.
    pub(crate) fn prepare(&self, export: &Export, body: &Bytes) -> Result<Ready, Refusal> {
        let malformed = |error: ledger::otlp::Malformed| Refusal::Malformed(error.to_string());
        let slices = slice_export(export.encoding, export.signal, body).map_err(malformed)?;
        let mut surroundings = Surroundings::new(export.encoding);
        let mut reads = Vec::with_capacity(slices.len());
        let mut partial = Partial::default();
        if slices.is_empty() && !matches!(body.trim_ascii(), b"" | b"{}") {
            partial.message = format!(
                "no record of {} was found in the export",
                signal_name(export.signal)
            );
        }
        let mut sdk = false;
        for slice in &slices {
            match read(export, slice, &mut surroundings) {
                Ok(read) => {
                    sdk |= surroundings.get(read.about).is_sdk();
                    reads.push(read);
                }
                Err(error) => {
                    partial.rejected += 1;
                    if partial.message.is_empty() {
                        partial.message = format!("a record is malformed: {error}");
                    }
                    sdk |= surroundings.last_is_sdk();
                }
            }
        }
        if sdk && partial.rejected > 0 {
            return Err(Refusal::Malformed(partial.message));
        }
        let (groups, links) = assign(export, &reads, &surroundings, &mut self.traces());
        let mut streams = Vec::with_capacity(groups.len() + links.len());
        for group in groups {
            let partly = partial.rejected > 0;
            streams.push(seal::stream_batch(
                export,
                group,
                &reads,
                &surroundings,
                partly,
            )?);
        }
        for link in &links {
            streams.push(seal::link_only(link)?);
        }
        let mut refused = Vec::new();
        if partial.rejected > 0 {
            refused.push(refused_payload(
                export.door,
                &export.peer,
                &partial.message,
                Sent::Whole(body),
            ));
        }
        // The same bytes to another service are another export.
        let form = [export.encoding as u8, export.signal as u8];
        let digest = (!sdk).then(|| {
            let mut digest = Sha256::new().chain_update(form).chain_update(body);
            // The same bytes of another producer, too.
            if export.sender.is_proven() {
                digest.update(export.sender.name.as_bytes());
            }
            digest.finalize().into()
        });
        let recorders = export.sender.recorders.clone();
        let owners = recorders.map(|recorders| Owners {
            recorders,
            whole: sdk,
        });
        Ok(Ready {
            batch: Batch {
                streams,
                refused,
                digest,
                owners,
            },
            partial,
            links,
        })
    }

    /// Takes up the provisional streams that an earlier run left.
    pub(crate) fn recall(&self, hints: &[StreamHint]) {
        let mut traces = self.traces();
        for hint in hints.iter().rev() {
            let producer: Arc<str> = hint.producer.as_str().into();
            let circle = match hint.producer.starts_with("unauthenticated:") {
                true => "".into(),
                false => Arc::clone(&producer),
            };
            if let Some(trace) = session::labelled_trace(&hint.label) {
                let session = hint.sessions.first().map(String::as_str);
                traces.recall((circle, trace), producer, session);
            }
        }
    }

    /// The batch is durable: what it linked is linked.
    pub(crate) fn committed(&self, links: &[DueLink]) {
        if links.is_empty() {
            return;
        }
        let mut traces = self.traces();
        for link in links {
            traces.linked(link);
        }
    }

    fn traces(&self) -> MutexGuard<'_, Traces> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ready {
    /// What to tell [`Intake::committed`] once the batch is durable.
    pub(crate) fn links(&self) -> Vec<DueLink> {
        self.links.clone()
    }
}

fn signal_name(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "logs",
        Signal::Traces => "traces",
    }
}

fn read<'b>(
    export: &Export,
    slice: &Slice<'b>,
    surroundings: &mut Surroundings<'b>,
) -> Result<Read<'b>, ledger::otlp::Malformed> {
    let about = surroundings.of(slice)?;
    let item = Item::decode(export.encoding, export.signal, slice.item)?;
    let masks = mask::in_item(export.encoding, slice.item, &item);
    mask::not_too_many(masks.len() + surroundings.get(about).masks().count())?;
    let sequence = item
        .attributes
        .int(attribute::SEQ)
        .and_then(|seq| u64::try_from(seq).ok());
    let sender = surroundings.get(about);
    if sender.is_sdk() && (sequence.is_none() || sender.run().is_none()) {
        let missing = if sequence.is_none() {
            attribute::SEQ
        } else {
            attribute::RUN
        };
        let what = format!("{missing} is missing although the resource names a producer");
        return Err(ledger::otlp::Malformed {
            offset: 0,
            what: what.into(),
        });
    }
    Ok(Read {
        slice: *slice,
        about,
        item,
        masks,
        sequence,
    })
}

/// What was received of something that was not taken.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Sent<'b> {
    /// All of it, as sent.
    Whole(&'b [u8]),
    /// Its body was not read; its length if it was announced, else 0.
    Unread(u64),
}

/// What the ledger keeps of something it did not take. The digest of a body that was not read is zero.
pub(crate) fn refused_payload(door: Door, peer: &str, why: &str, sent: Sent<'_>) -> RefusedPayload {
    let (digest, size) = match sent {
        Sent::Whole(body) => (Sha256::digest(body).into(), body.len() as u64),
        Sent::Unread(size) => ([0; 32], size),
    };
    RefusedPayload {
        door: door.code(),
        why: why.chars().take(500).collect(),
        digest,
        size,
        peer: peer.to_owned(),
    }
}
