//! From a session's label to verified streams: every stream that belongs to it, and in what standing.

use ledger::leaf::StreamId;
use ledger::reader::{Find, Reader, StreamHint};
use ledger::verify::{Finding, VerifiedStream, Verifier};
use std::collections::{BTreeSet, HashMap};
use vocabulary::event::Event;

use crate::error::AccountError;
use crate::model::Standing;

/// One session's verified streams.
#[derive(Debug)]
pub(crate) struct Part {
    /// The session's id.
    pub(crate) label: String,
    /// Its streams, own ones first.
    pub(crate) streams: Vec<(Standing, VerifiedStream)>,
}

/// Finds and verifies streams; each is read once.
pub(crate) struct Gatherer<'r, 'v> {
    pub(crate) reader: &'r dyn Reader,
    pub(crate) verifier: &'v mut Verifier<'r>,
    read: HashMap<StreamId, VerifiedStream>,
    /// What the index got wrong.
    pub(crate) findings: Vec<Finding>,
}

impl<'r, 'v> Gatherer<'r, 'v> {
    pub(crate) fn new(reader: &'r dyn Reader, verifier: &'v mut Verifier<'r>) -> Self {
        Self {
            reader,
            verifier,
            read: HashMap::new(),
            findings: Vec::new(),
        }
    }

    /// Every stream of a session, verified.
    pub(crate) fn gather(
        &mut self,
        label: &str,
        only: Option<StreamId>,
    ) -> Result<Part, AccountError> {
        let hints = match only {
            Some(stream) => self.reader.find(&Find::Stream(stream))?,
            None => self.reader.find(&Find::Session(label.to_owned()))?,
        };
        let mut streams = Vec::new();
        for hint in &hints {
            let stream = self.stream(hint);
            let linked = stream.links.iter().any(|link| link.value.session == label);
            let labelled = label_of(stream).as_deref() == Some(label);
            if linked || labelled || only.is_some() || !stream.findings.is_empty() {
                let standing = if labelled {
                    Standing::Own
                } else {
                    Standing::Linked
                };
                streams.push((
                    standing,
                    self.read
                        .remove(&hint.stream)
                        .unwrap_or_else(|| empty(hint)),
                ));
            }
        }
        let owner = claims(&mut streams);
        streams.sort_by_key(|(standing, stream)| {
            let others = owner != Some(stream.stream);
            (*standing, others, first_ns(stream))
        });
        Ok(Part {
            label: label.to_owned(),
            streams,
        })
    }

    pub(crate) fn stream(&mut self, hint: &StreamHint) -> &VerifiedStream {
        let verifier = &mut *self.verifier;
        self.read
            .entry(hint.stream)
            .or_insert_with(|| verifier.read_stream(hint))
    }
}

/// A stream of which nothing was read; only there so that nothing has to be assumed.
fn empty(hint: &StreamHint) -> VerifiedStream {
    VerifiedStream {
        stream: hint.stream,
        opening: None,
        links: Vec::new(),
        bindings: Vec::new(),
        records: Vec::new(),
        head: None,
        tail: 0,
        newest: false,
        findings: Vec::new(),
    }
}

/// The session label a stream was opened under; each of its sealed records says it too.
pub(crate) fn label_of(stream: &VerifiedStream) -> Option<String> {
    if let Some(opening) = &stream.opening {
        return Some(opening.value.label.clone());
    }
    let envelope = stream
        .records
        .iter()
        .find_map(ledger::verify::VerifiedRecord::envelope)?;
    let part = ledger::envelope::CollectorPart::decode(envelope.collector).ok()?;
    Some(part.session_label)
}

/// The sessions that a stream belongs to: those it was linked to, else the one it was opened under.
pub(crate) fn sessions(stream: &VerifiedStream) -> BTreeSet<String> {
    let linked: BTreeSet<String> = stream
        .links
        .iter()
        .map(|link| link.value.session.clone())
        .collect();
    match label_of(stream) {
        Some(label) if linked.is_empty() || !label.starts_with("trace:") => {
            linked.into_iter().chain([label]).collect()
        }
        _ => linked,
    }
}

/// When a stream's first record came.
pub(crate) fn first_ns(stream: &VerifiedStream) -> u64 {
    stream
        .records
        .first()
        .map_or(u64::MAX, |record| record.leaf.received_unix_ns)
}

/// Of several producers under one label, the one that came first is the session's own, an enrolled recorder only if
/// it opened the session itself or nobody else did anything in it: one that looks on may well be sealed before a
/// begin that waits in the agent's spool. Gives the owner's stream. Another one's word is a claim, unless its stream was joined by a sealed link, it is an enrolled recorder, or its records go on the chain
/// of the owner's: a spool that was adopted, or another door, of the same run. Two enrolled producers are never one,
/// whatever chain they go on: whoever has read the records of one can go on its chain.
fn claims(streams: &mut [(Standing, VerifiedStream)]) -> Option<StreamId> {
    let own = |(standing, _): &&(Standing, VerifiedStream)| *standing == Standing::Own;
    let first = streams
        .iter()
        .filter(own)
        .min_by_key(|(_, stream)| (looks_on(stream), first_ns(stream)));
    let (_, first) = first?;
    let (owner, name) = (first.stream, producer(first));
    let others: Vec<usize> = (0..streams.len())
        .filter(|at| {
            let (standing, stream) = &streams[*at];
            let another = stream.stream != owner && producer(stream) != name;
            *standing == Standing::Own && another && !is_enrolled(stream)
        })
        .collect();
    let joined = |at: &usize| {
        let first = streams.iter().find(|(_, stream)| stream.stream == owner);
        let other = &streams[*at].1;
        first.is_some_and(|(_, first)| {
            !(is_known(first) && is_known(other)) && crate::chain::are_joined(other, first)
        })
    };
    let claims: Vec<usize> = others.into_iter().filter(|at| !joined(at)).collect();
    for at in claims {
        streams[at].0 = Standing::Claims;
    }
    Some(owner)
}

/// Whether a stream is an enrolled recorder's that did not open the session.
pub(crate) fn looks_on(stream: &VerifiedStream) -> bool {
    let first = || {
        let envelope = stream.records.first()?.envelope()?;
        let item =
            ledger::otlp::Item::decode(envelope.encoding, envelope.signal, envelope.item).ok()?;
        Event::from_name(&item.name)
    };
    is_enrolled(stream) && first() != Some(Event::SessionStart)
}

fn producer(stream: &VerifiedStream) -> Option<String> {
    stream
        .opening
        .as_ref()
        .map(|opening| opening.value.producer.clone())
        .or_else(|| {
            let envelope = stream
                .records
                .iter()
                .find_map(ledger::verify::VerifiedRecord::envelope)?;
            Some(
                ledger::envelope::CollectorPart::decode(envelope.collector)
                    .ok()?
                    .producer,
            )
        })
}

/// Whether the collector knew the producer by a credential.
fn is_known(stream: &VerifiedStream) -> bool {
    producer(stream).is_some_and(|name| !name.starts_with("unauthenticated:"))
}

fn is_enrolled(stream: &VerifiedStream) -> bool {
    use ledger::envelope::{CollectorPart, RecordingMode};
    let envelope = stream
        .records
        .iter()
        .find_map(ledger::verify::VerifiedRecord::envelope);
    let part = envelope.and_then(|envelope| CollectorPart::decode(envelope.collector).ok());
    part.is_some_and(|part| part.recording_mode == RecordingMode::Independent)
}
