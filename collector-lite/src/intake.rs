//! From the bytes of an export to a batch for the ledger: cut, mask, assign, prepare.
//!
//! Everything here runs on the thread that received the export; only appending is left to the ledger's one writer.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ledger::envelope::{
    CollectorPart, Delivery, Encoding, Envelope, Part, PrincipalProof, RecordingMode,
};
use ledger::envelope::{ProducerProof, SessionRule, Signal};
use ledger::leaf::{RefusedPayload, flag};
use ledger::otlp::{Item, Slice, slice_export};
use ledger::store::{Batch, Close, Named, Prepared, Record, Run, StreamBatch, StreamKey};
use sha2::{Digest, Sha256};
use vocabulary::{Event, attribute};

use crate::agent_door::answer::Partial;
use crate::agent_door::refusal::Refusal;

mod mask;
mod session;
mod surroundings;
mod traces;

use session::RequestRule;
use surroundings::{About, Surroundings};
use traces::Traces;

/// Which door an export came through. The numbers are those of a refused payload's private part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Door {
    Http = 1,
    Grpc = 2,
    /// A spool that was brought in by hand.
    Adopt = 3,
}

impl Door {
    /// The producer as the collector knows it while nobody presents a credential.
    fn unauthenticated(self) -> &'static str {
        match self {
            Self::Http => "unauthenticated:otlp-http",
            Self::Grpc => "unauthenticated:otlp-grpc",
            Self::Adopt => "unauthenticated:adopt",
        }
    }
}

/// What is known of an export besides its body.
#[derive(Debug, Clone)]
pub(crate) struct Export {
    pub(crate) door: Door,
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
    /// Traces whose provisional streams the batch links; told to [`Intake::committed`].
    links: Vec<[u8; 16]>,
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

/// Everything of one stream in one export, in the order of arrival.
struct Group {
    key: StreamKey,
    members: Vec<usize>,
    rules: Vec<SessionRule>,
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
        let (groups, links) = self.assign(export, &reads, &surroundings);
        let mut streams = Vec::with_capacity(groups.len() + links.len());
        for group in groups {
            streams.push(stream_batch(
                export,
                group,
                &reads,
                &surroundings,
                partial.rejected > 0,
            )?);
        }
        let linked = links.iter().map(|(trace, _)| *trace).collect();
        for (trace, session) in links {
            streams.push(link_only(export, &trace, &session)?);
        }
        let mut refused = Vec::new();
        if partial.rejected > 0 {
            refused.push(refused_payload(
                export.door,
                &export.peer,
                &partial.message,
                body,
            ));
        }
        // The same bytes to another service are another export.
        let form = [export.encoding as u8, export.signal as u8];
        let digest = (!sdk).then(|| {
            Sha256::new()
                .chain_update(form)
                .chain_update(body)
                .finalize()
                .into()
        });
        Ok(Ready {
            batch: Batch {
                streams,
                refused,
                digest,
            },
            partial,
            links: linked,
        })
    }

    /// The batch is durable: what it linked is linked.
    pub(crate) fn committed(&self, links: &[[u8; 16]]) {
        let mut traces = self.traces();
        for trace in links {
            traces.linked(trace);
        }
    }

    fn traces(&self) -> MutexGuard<'_, Traces> {
        self.traces.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives every record its stream. Names that one record of an export gives its trace hold for the whole export.
    fn assign(
        &self,
        export: &Export,
        reads: &[Read<'_>],
        surroundings: &Surroundings<'_>,
    ) -> (Vec<Group>, Vec<([u8; 16], String)>) {
        let mut traces = self.traces();
        let named = |read: &Read<'_>| {
            let about = surroundings.get(read.about);
            session::named(&read.item.attributes, about.attributes())
                .map(|(name, rule)| (name.to_owned(), rule))
        };
        let names: Vec<Option<(String, SessionRule)>> = reads.iter().map(named).collect();
        let mut touched = Vec::new();
        for (read, name) in reads.iter().zip(&names) {
            if let (Some(trace), Some((name, _))) = (&read.item.trace_id, name) {
                traces.learn(trace, name);
                touched.push(*trace);
            }
        }
        let mut groups: Vec<Group> = Vec::new();
        // Two runs of an SDK number their records apart, so they are apart here even within one stream.
        let mut places: HashMap<(String, Option<(String, String)>), usize> = HashMap::new();
        for (index, (read, name)) in reads.iter().zip(names).enumerate() {
            let (label, rule) = match (name, &read.item.trace_id) {
                (Some(named), _) => named,
                (None, Some(trace)) => match traces.inherit(trace) {
                    Some(session) => (session.to_string(), SessionRule::Inherited),
                    None => (session::trace_label(trace), SessionRule::Trace),
                },
                (None, None) => (
                    unattributed(surroundings.get(read.about)),
                    SessionRule::Unattributed,
                ),
            };
            let about = surroundings.get(read.about);
            let run = about
                .run()
                .map(|(producer, run)| (producer.to_owned(), run.to_owned()));
            let place = *places.entry((label, run)).or_insert_with_key(|(label, _)| {
                let claim = about.claim();
                let key = StreamKey {
                    label: label.clone(),
                    rule,
                    producer: export.door.unauthenticated().to_owned(),
                    proof: if claim.is_empty() {
                        ProducerProof::None
                    } else {
                        ProducerProof::Asserted
                    },
                    claim,
                };
                groups.push(Group {
                    key,
                    members: Vec::new(),
                    rules: Vec::new(),
                });
                groups.len() - 1
            });
            if let Some(group) = groups.get_mut(place) {
                group.members.push(index);
                group.rules.push(rule);
            }
        }
        touched.sort_unstable();
        touched.dedup();
        let due = |trace: [u8; 16]| {
            traces
                .due_link(&trace)
                .map(|session| (trace, session.to_string()))
        };
        (groups, touched.into_iter().filter_map(due).collect())
    }
}

impl Ready {
    /// What to tell [`Intake::committed`] once the batch is durable.
    pub(crate) fn links(&self) -> Vec<[u8; 16]> {
        self.links.clone()
    }
}

/// Where records go that name neither a session nor a trace: one stream per sending process, if it says who it is.
fn unattributed(about: &About<'_>) -> String {
    match about.claim() {
        claim if claim.is_empty() => "unattributed".to_owned(),
        claim => format!("unattributed:{claim}"),
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
    let sequence = item
        .attributes
        .int(attribute::SEQ)
        .and_then(|seq| u64::try_from(seq).ok());
    if surroundings.get(about).is_sdk() && sequence.is_none() {
        let what = format!(
            "{} is missing although the resource names a producer",
            attribute::SEQ
        );
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

/// What the collector decides about each record of a stream.
fn collector_part(export: &Export, key: &StreamKey, rule: SessionRule) -> CollectorPart {
    CollectorPart {
        session_rule: rule,
        producer_proof: key.proof,
        recording_mode: RecordingMode::SelfRecorded,
        delivery: export.delivery,
        principal_proof: PrincipalProof::None,
        session_label: key.label.clone(),
        producer: key.producer.clone(),
        claimed_producer: key.claim.clone(),
        masks: Vec::new(),
    }
}

/// How well the principal is proven: at most as well as the sender claims, and never by us, who checked nothing.
fn principal_proof(item: &Item<'_>) -> PrincipalProof {
    if item.attributes.get(attribute::PRINCIPAL_SUBJECT).is_none()
        && item.attributes.get(attribute::USER_ID).is_none()
    {
        return PrincipalProof::None;
    }
    match item.attributes.str(attribute::PRINCIPAL_PROOF) {
        Some("token_presented") => PrincipalProof::TokenPresented,
        Some("verified_by_agent") => PrincipalProof::VerifiedByAgent,
        _ => PrincipalProof::Asserted,
    }
}

/// The bytes of one record's envelope that differ from what was received: its masks and the collector part.
struct Sealing<'b> {
    collector: Vec<u8>,
    item: Cow<'b, [u8]>,
    flags: u32,
}

fn stream_batch(
    export: &Export,
    group: Group,
    reads: &[Read<'_>],
    surroundings: &Surroundings<'_>,
    partly_refused: bool,
) -> Result<StreamBatch, Refusal> {
    let members: Vec<&Read<'_>> = group
        .members
        .iter()
        .filter_map(|index| reads.get(*index))
        .collect();
    let mut sealings = Vec::with_capacity(members.len());
    for (read, rule) in members.iter().zip(&group.rules) {
        sealings.push(sealing(
            export,
            &group.key,
            *rule,
            read,
            surroundings,
            partly_refused,
        )?);
    }
    let records: Vec<Record<'_>> = members
        .iter()
        .zip(&sealings)
        .map(|(read, sealing)| {
            let about = surroundings.get(read.about);
            let envelope = Envelope {
                encoding: export.encoding,
                signal: export.signal,
                collector: &sealing.collector,
                resource: about.resource(),
                resource_schema_url: read.slice.resource_schema_url,
                scope: about.scope(),
                scope_schema_url: read.slice.scope_schema_url,
                item: &sealing.item,
            };
            Record {
                envelope,
                flags: sealing.flags,
                received_ns: export.received_ns,
            }
        })
        .collect();
    let prepared =
        Prepared::new(&records).map_err(|error| Refusal::Unavailable(error.to_string()))?;
    Ok(StreamBatch {
        requests: requests(&group.key.label, &members, surroundings),
        links: Vec::new(),
        close: close(&members),
        run: run(&members, surroundings),
        records: prepared,
        key: group.key,
    })
}

fn sealing<'b>(
    export: &Export,
    key: &StreamKey,
    rule: SessionRule,
    read: &Read<'b>,
    surroundings: &Surroundings<'_>,
    partly_refused: bool,
) -> Result<Sealing<'b>, Refusal> {
    let about = surroundings.get(read.about);
    let mut part = collector_part(export, key, rule);
    part.principal_proof = principal_proof(&read.item);
    part.masks = about
        .masks()
        .chain(mask::masks(Part::Item, &read.masks))
        .collect();
    let mut flags = match export.delivery {
        Delivery::Strict => flag::STRICT,
        Delivery::Spooled | Delivery::Adopted => flag::SPOOLED,
        Delivery::Plain => 0,
    };
    if !part.masks.is_empty() {
        flags |= flag::MASKED;
    }
    if partly_refused {
        flags |= flag::PARTLY_REFUSED;
    }
    let collector = part
        .encode()
        .map_err(|error| Refusal::Malformed(error.to_string()))?;
    let item = if read.masks.is_empty() {
        Cow::Borrowed(read.slice.item)
    } else {
        Cow::Owned(mask::overwrite(read.slice.item, &read.masks))
    };
    Ok(Sealing {
        collector,
        item,
        flags,
    })
}

/// Which requests the records of a stream name; the session's own label where they name none.
fn requests(label: &str, members: &[&Read<'_>], surroundings: &Surroundings<'_>) -> Vec<Named> {
    let mut named: Vec<Named> = Vec::new();
    let mut add = |name: &str, rule: RequestRule, evidence: usize| {
        if !named.iter().any(|known| known.name == name) {
            named.push(Named {
                name: name.to_owned(),
                rule: rule as u8,
                evidence,
            });
        }
    };
    for (evidence, read) in members.iter().enumerate() {
        let attributes = surroundings.get(read.about).attributes();
        if let Some((name, rule)) = session::request(&read.item.attributes, attributes) {
            add(name, rule, evidence);
        }
        for alias in session::aliases(&read.item.attributes) {
            add(alias, RequestRule::Alias, evidence);
        }
    }
    if named.is_empty() {
        named.push(Named {
            name: label.to_owned(),
            rule: RequestRule::SessionLabel as u8,
            evidence: 0,
        });
    }
    named
}

/// The end of the session closes its stream.
fn close(members: &[&Read<'_>]) -> Option<Close> {
    let ended = members
        .iter()
        .any(|read| Event::from_name(&read.item.name) == Some(Event::SessionEnd));
    ended.then_some(Close {
        reason: 1,
        declared: u64::MAX,
    })
}

/// The sequence numbers of an SDK's records.
fn run(members: &[&Read<'_>], surroundings: &Surroundings<'_>) -> Option<Run> {
    let first = surroundings.get(members.first()?.about);
    let (producer, run) = first.run()?;
    let sequence = members
        .iter()
        .map(|read| read.sequence)
        .collect::<Option<Vec<u64>>>()?;
    Some(Run {
        producer: producer.to_owned(),
        run: run.to_owned(),
        sequence,
    })
}

/// A stream that gets no records now, only the link that has become known.
fn link_only(export: &Export, trace: &[u8; 16], session: &str) -> Result<StreamBatch, Refusal> {
    let key = StreamKey {
        label: session::trace_label(trace),
        rule: SessionRule::Trace,
        producer: export.door.unauthenticated().to_owned(),
        proof: ProducerProof::None,
        claim: String::new(),
    };
    Ok(StreamBatch {
        key,
        records: Prepared::new(&[]).map_err(|error| Refusal::Unavailable(error.to_string()))?,
        run: None,
        requests: Vec::new(),
        links: vec![Named {
            name: session.to_owned(),
            rule: SessionRule::Inherited as u8,
            evidence: 0,
        }],
        close: None,
    })
}

/// What the ledger keeps of something it did not take.
pub(crate) fn refused_payload(door: Door, peer: &str, why: &str, body: &[u8]) -> RefusedPayload {
    RefusedPayload {
        door: door as u8,
        why: why.chars().take(500).collect(),
        digest: Sha256::digest(body).into(),
        size: body.len() as u64,
        peer: peer.to_owned(),
    }
}
