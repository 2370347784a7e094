//! Turning the records of one stream into what the ledger appends: masks applied, envelopes committed to.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use ledger::envelope::{
    CollectorPart, Delivery, Envelope, Part, PrincipalProof, ProducerProof, SessionRule, Signal,
};
use ledger::leaf::flag;
use ledger::otlp::Item;
use ledger::store::{Close, Lost, Named, Prepared, Record, Run, StreamBatch, StreamKey};
use vocabulary::{Event, attribute};

use super::assign::Group;
use super::session::RequestRule;
use super::surroundings::Surroundings;
use super::traces::DueLink;
use super::{Export, Read, mask, session};
use crate::agent_door::refusal::Refusal;

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
    /// Number of the collector part.
    part: usize,
    item: Cow<'b, [u8]>,
    flags: u32,
}

/// The collector parts of one stream's records, which nearly all are alike.
#[derive(Default)]
struct Parts {
    encoded: Vec<Vec<u8>>,
    plain: HashMap<(usize, SessionRule, PrincipalProof), usize>,
}

/// Makes the batch of one stream.
///
/// # Errors
/// No randomness, or a record beyond the limits of the format.
pub(super) fn stream_batch(
    export: &Export,
    group: Group,
    reads: &[Read<'_>],
    surroundings: &Surroundings<'_>,
    partly_refused: bool,
) -> Result<StreamBatch, Refusal> {
    let members: Vec<&Read<'_>> = group
        .members
        .iter()
        .filter_map(|(index, _)| reads.get(*index))
        .collect();
    let mut parts = Parts::default();
    let mut sealings = Vec::with_capacity(members.len());
    for (read, (_, rule)) in members.iter().zip(&group.members) {
        let part = parts.of(export, &group.key, *rule, read, surroundings)?;
        sealings.push(sealing(export, part, read, surroundings, partly_refused));
    }
    let records = members.iter().zip(&sealings).map(|(read, sealing)| {
        let about = surroundings.get(read.about);
        let envelope = Envelope {
            encoding: export.encoding,
            signal: export.signal,
            collector: parts.encoded.get(sealing.part).map_or(&[], Vec::as_slice),
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
    });
    let records: Vec<Record<'_>> = records.collect();
    let prepared =
        Prepared::new(&records).map_err(|error| Refusal::Unavailable(error.to_string()))?;
    Ok(StreamBatch {
        requests: requests(&group.key.label, &members, surroundings),
        links: Vec::new(),
        close: close(export.signal, &members),
        run: run(&members, surroundings),
        records: prepared,
        key: group.key,
    })
}

impl Parts {
    /// The number of a record's collector part, encoded once for all records that share it.
    fn of(
        &mut self,
        export: &Export,
        key: &StreamKey,
        rule: SessionRule,
        read: &Read<'_>,
        surroundings: &Surroundings<'_>,
    ) -> Result<usize, Refusal> {
        let about = surroundings.get(read.about);
        let principal = principal_proof(&read.item);
        let alike = (read.about, rule, principal);
        if read.masks.is_empty()
            && let Some(number) = self.plain.get(&alike)
        {
            return Ok(*number);
        }
        let part = CollectorPart {
            session_rule: rule,
            producer_proof: export.sender.proof(about.claim()),
            recording_mode: export.sender.recording_mode(),
            delivery: export.delivery,
            principal_proof: principal,
            session_label: key.label.clone(),
            producer: key.producer.clone(),
            claimed_producer: about.claim().to_owned(),
            masks: about
                .masks()
                .chain(mask::masks(Part::Item, &read.masks))
                .collect(),
            enrolled_key: export.sender.key,
        };
        let number = self.encoded.len();
        self.encoded.push(
            part.encode()
                .map_err(|error| Refusal::Malformed(error.to_string()))?,
        );
        if read.masks.is_empty() {
            self.plain.insert(alike, number);
        }
        Ok(number)
    }
}

fn sealing<'b>(
    export: &Export,
    part: usize,
    read: &Read<'b>,
    surroundings: &Surroundings<'_>,
    partly_refused: bool,
) -> Sealing<'b> {
    let mut flags = match export.delivery {
        Delivery::Strict => flag::STRICT,
        Delivery::Spooled | Delivery::Adopted => flag::SPOOLED,
        Delivery::Plain => 0,
    };
    if !read.masks.is_empty() || surroundings.get(read.about).is_masked() {
        flags |= flag::MASKED;
    }
    if partly_refused {
        flags |= flag::PARTLY_REFUSED;
    }
    let item = if read.masks.is_empty() {
        Cow::Borrowed(read.slice.item)
    } else {
        Cow::Owned(mask::overwrite(read.slice.item, &read.masks))
    };
    Sealing { part, item, flags }
}

/// Which requests the records of a stream name; the session's own label where they name none.
fn requests(label: &str, members: &[&Read<'_>], surroundings: &Surroundings<'_>) -> Vec<Named> {
    let mut known = HashSet::new();
    let mut named: Vec<Named> = Vec::new();
    for (evidence, read) in members.iter().enumerate() {
        let attributes = surroundings.get(read.about).attributes();
        let request = session::request(&read.item.attributes, attributes);
        let aliases =
            session::aliases(&read.item.attributes).map(|name| (name, RequestRule::Alias));
        for (name, rule) in request.into_iter().chain(aliases) {
            if known.insert(name) {
                named.push(Named {
                    name: name.to_owned(),
                    rule: rule as u8,
                    evidence,
                });
            }
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

/// The end of the session closes its stream; a span that happens to be called so does not.
fn close(signal: Signal, members: &[&Read<'_>]) -> Option<Close> {
    let ended = |read: &&&Read<'_>| Event::from_name(&read.item.name) == Some(Event::SessionEnd);
    let end = members
        .iter()
        .rfind(ended)
        .filter(|_| signal == Signal::Logs)?;
    let declared = end.item.attributes.int(attribute::SESSION_RECORDS);
    Some(Close {
        reason: 1,
        declared: declared
            .and_then(|records| u64::try_from(records).ok())
            .unwrap_or(u64::MAX),
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
        lost: lost(members),
    })
}

/// What the records say was lost.
fn lost(members: &[&Read<'_>]) -> Vec<Lost> {
    let told = |(evidence, read): (usize, &&Read<'_>)| {
        if Event::from_name(&read.item.name) != Some(Event::Loss) {
            return None;
        }
        let number = |key| {
            let number = read.item.attributes.int(key)?;
            u64::try_from(number).ok()
        };
        Some(Lost {
            evidence,
            from: number(attribute::LOSS_FROM_SEQ).or(read.sequence)?,
            count: number(attribute::LOSS_COUNT).unwrap_or(1),
        })
    };
    members.iter().enumerate().filter_map(told).collect()
}

/// A stream that gets no records now, only the link that has become known.
pub(super) fn link_only(link: &DueLink) -> Result<StreamBatch, Refusal> {
    let key = StreamKey {
        label: session::trace_label(&link.trace.1),
        rule: SessionRule::Trace,
        producer: link.producer.to_string(),
        proof: ProducerProof::None,
        claim: String::new(),
    };
    let named = Named {
        name: link.session.to_string(),
        rule: SessionRule::Inherited as u8,
        evidence: 0,
    };
    Ok(StreamBatch {
        key,
        records: Prepared::new(&[]).map_err(|error| Refusal::Unavailable(error.to_string()))?,
        run: None,
        requests: Vec::new(),
        links: vec![named],
        close: None,
    })
}
