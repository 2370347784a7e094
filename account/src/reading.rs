//! Verified streams into folded records, session by session.

use ledger::envelope::CollectorPart;
use ledger::reader::{Find, Reader};
use ledger::verify::{VerifiedStream, Verifier};
use std::collections::HashMap;
use vocabulary::Timestamp;
use vocabulary::attribute as key;
use vocabulary::id::{RecordRef, SessionRef, StreamRef};
use vocabulary::record::{ProducerProof, RecordingMode, SenderKind};
use vocabulary::session::{EndReason, SessionSource};
use vocabulary::source::Source;

use crate::error::AccountError;
use crate::fold::{Fold, Imported, Run};
use crate::gaps::{self, Hole, Numbers};
use crate::gather::{Part, looks_on};
use crate::meanwhile::Meanwhile;
use crate::model::{self, Agent, Evidence, Standing};
use crate::told::{Telling, Told};

/// What is read from the streams, before it is judged.
#[derive(Default)]
pub(crate) struct Reading {
    pub(crate) fold: Fold,
    pub(crate) lost: Vec<(RecordRef, String)>,
    pub(crate) spooled: u64,
    pub(crate) numbers: Numbers,
    /// Numbers that are in no record, and whether every stream they could be in was looked at.
    pub(crate) holes: (Vec<Hole>, bool),
    /// What the ledger log says beside the records.
    pub(crate) meanwhile: Meanwhile,
    /// When the newest leaf under the checkpoint was written, by the collector's clock.
    pub(crate) signed_ns: Option<u64>,
}

impl Reading {
    /// Reads every record of every session, each session in the order in which things happened.
    pub(crate) fn tell(&mut self, parts: &[Part], ledger: &str) {
        for (number, part) in parts.iter().enumerate() {
            let session = SessionRef(u32::try_from(number + 1).unwrap_or(u32::MAX));
            self.fold.runs.push(Run::new(row(session, part, ledger)));
            let mut all: Vec<Told<'_>> = Vec::new();
            // Who looks on does so beside somebody.
            let alone = part
                .streams
                .iter()
                .all(|(standing, stream)| *standing == Standing::Claims || looks_on(stream));
            for (letter, (standing, stream)) in part.streams.iter().enumerate() {
                let name = StreamRef {
                    session,
                    stream: u32::try_from(letter).unwrap_or(u32::MAX),
                };
                let from = all.len();
                self.read(name, *standing, stream, &mut all);
                if !alone && looks_on(stream) {
                    all[from..].iter_mut().for_each(|told| told.observer = true);
                }
            }
            all.sort_by_key(|told| (told.time, told.at));
            for told in &all {
                self.fold.tell(told);
            }
            self.describe(session, &all);
        }
        self.parents(parts);
        self.fold = std::mem::take(&mut self.fold).finish();
    }

    fn read<'a>(
        &mut self,
        name: StreamRef,
        standing: Standing,
        stream: &'a VerifiedStream,
        all: &mut Vec<Told<'a>>,
    ) {
        let mut telling = Telling::default();
        for record in &stream.records {
            let at = RecordRef {
                stream: name,
                index: record.leaf.index,
            };
            self.spooled += u64::from(record.leaf.flags & ledger::leaf::flag::SPOOLED != 0);
            let Some(envelope) = record.envelope() else {
                self.lost.push((at, "its payload was erased".to_owned()));
                continue;
            };
            match telling.read(at, standing, record.leaf, envelope) {
                Ok(told) => {
                    self.numbers.note(&told);
                    all.push(told);
                }
                Err(why) => self.lost.push((at, why)),
            }
        }
    }

    /// Numbers that are missing here and in every stream that was active at the same time.
    pub(crate) fn look_for<'r>(
        &mut self,
        reader: &'r dyn Reader,
        verifier: &mut Verifier<'r>,
        parts: &[Part],
    ) -> Result<(Vec<Hole>, bool), AccountError> {
        let holes = self.numbers.holes();
        if holes.is_empty() {
            return Ok((holes, true));
        }
        if reader.is_excerpt() {
            // The numbers may be in streams that were left out.
            return Ok((holes, false));
        }
        let streams = || {
            parts
                .iter()
                .flat_map(|part| &part.streams)
                .map(|(_, stream)| stream)
        };
        let times = || {
            streams()
                .flat_map(|stream| &stream.records)
                .map(|record| record.leaf.received_unix_ns)
        };
        let from_ns = times()
            .min()
            .unwrap_or_default()
            .saturating_sub(gaps::AROUND_NS);
        let to_ns = times()
            .max()
            .unwrap_or_default()
            .saturating_add(gaps::AROUND_NS);
        let read = streams().map(|stream| stream.stream).collect();
        let hints = reader.find(&Find::Received { from_ns, to_ns })?;
        let Some(others) = gaps::candidates(hints, &read) else {
            return Ok((holes, false));
        };
        for hint in others {
            self.numbers.fill(&verifier.read_stream(&hint));
        }
        Ok((self.numbers.holes(), true))
    }

    /// What the collector decided about a session, from its first own record.
    fn describe(&mut self, session: SessionRef, all: &[Told<'_>]) {
        let Some(run) = self.fold.run(session) else {
            return;
        };
        let own = all
            .iter()
            .find(|told| told.standing != Standing::Claims && !told.observer);
        if let Some(told) = own {
            run.row.recording_mode = RecordingMode::read(told.collector.recording_mode.as_str());
            run.row.session_source = source(&told.collector);
            if run.row.recording_mode == RecordingMode::Imported {
                run.imported = Some(imported(told));
            }
            // The name that an SDK gives to its per-process session of records without one.
            if run.row.id.starts_with("unattributed") {
                run.row.session_source = SessionSource::Unattributed;
            }
            if run.row.evidence.refs.is_empty() {
                run.row.evidence.refs.push(told.at);
            }
        }
    }

    fn parents(&mut self, parts: &[Part]) {
        let names: HashMap<&str, SessionRef> = parts
            .iter()
            .zip(&self.fold.runs)
            .map(|(part, run)| (part.label.as_str(), run.row.name))
            .collect();
        let delegated: Vec<(String, SessionRef)> = self
            .fold
            .runs
            .iter()
            .flat_map(|run| {
                run.delegates
                    .iter()
                    .map(|to| (to.session.clone(), run.row.name))
            })
            .collect();
        for run in &mut self.fold.runs {
            let named = run
                .parent_id
                .as_deref()
                .and_then(|parent| names.get(parent))
                .copied();
            let by = delegated
                .iter()
                .find(|(to, _)| *to == run.row.id)
                .map(|(_, from)| *from);
            run.row.parent = named.or(by).filter(|parent| *parent != run.row.name);
        }
    }
}

/// Who brought a record in, as it says; the time is the collector's.
fn imported(told: &Told<'_>) -> Imported {
    let text = |key| told.resource.str(key).map(str::to_owned);
    let by = match (text(key::IMPORTED_BY), text(key::HOST_NAME)) {
        (Some(by), Some(host)) => Some(format!("{by} on {host}")),
        (by, _) => by,
    };
    let of = |key| told.item.attributes.str(key).map(str::to_owned);
    let file = match (of(key::LINE_SOURCE), of(key::LINE_FILE)) {
        (Some(file), Some(digest)) => Some(format!("{file} ({digest})")),
        (file, digest) => file.or(digest),
    };
    Imported {
        by,
        file,
        at: Timestamp::from_unix_ns(told.leaf.received_unix_ns),
        shown_by: told.at,
    }
}

fn row(session: SessionRef, part: &Part, ledger: &str) -> model::Session {
    let streams = part
        .streams
        .iter()
        .enumerate()
        .map(|(letter, (standing, stream))| {
            let first = stream
                .records
                .iter()
                .find_map(ledger::verify::VerifiedRecord::envelope);
            let first = first.and_then(|envelope| CollectorPart::decode(envelope.collector).ok());
            let opening = stream.opening.as_ref().map(|opening| &opening.value);
            let claim = opening.map(|opening| opening.claim.clone());
            let claim = claim.or_else(|| first.as_ref().map(|part| part.claimed_producer.clone()));
            model::Stream {
                name: StreamRef {
                    session,
                    stream: u32::try_from(letter).unwrap_or(u32::MAX),
                },
                log: stream.stream.to_string(),
                producer: opening
                    .map(|opening| opening.producer.clone())
                    .or_else(|| first.as_ref().map(|part| part.producer.clone()))
                    .unwrap_or_else(|| "unknown".to_owned()),
                producer_proof: first
                    .as_ref()
                    .map_or(ProducerProof::Unknown, producer_proof),
                claim: claim.filter(|claim| !claim.is_empty()),
                standing: *standing,
                records: stream.records.len() as u64,
            }
        });
    let streams: Vec<model::Stream> = streams.collect();
    model::Session {
        name: session,
        id: part.label.clone(),
        ledger: ledger.to_owned(),
        records: streams.iter().map(|stream| stream.records).sum(),
        streams,
        parent: None,
        agent: Agent::default(),
        started_at: None,
        ended_at: None,
        end_reason: EndReason::Unknown,
        recording_mode: RecordingMode::Unknown,
        session_source: SessionSource::Unknown,
        sender: SenderKind::Unknown,
        numbered: 0,
        signed: 0,
        evidence: Evidence::new(Source::Stated, Vec::new()).with(&[
            ("records", Source::Observed),
            ("recording_mode", Source::Observed),
            ("sender", Source::Derived),
            ("numbered", Source::Derived),
            ("signed", Source::Derived),
            ("session_source", Source::Observed),
        ]),
    }
}

/// The collector's rule in the vocabulary's words.
fn source(part: &CollectorPart) -> SessionSource {
    use ledger::envelope::SessionRule;
    match part.session_rule {
        SessionRule::SessionAttribute | SessionRule::SessionResource => SessionSource::SessionId,
        SessionRule::Conversation => SessionSource::GenAiConversation,
        SessionRule::Inherited => SessionSource::Trace,
        SessionRule::Baggage => SessionSource::Baggage,
        SessionRule::Trace => SessionSource::Derived,
        SessionRule::Unattributed => SessionSource::Unattributed,
        SessionRule::Dialect => SessionSource::Unknown,
    }
}

/// How the sender proved who it is, in the vocabulary's words; its own word proves nothing.
fn producer_proof(part: &CollectorPart) -> ProducerProof {
    use ledger::envelope::ProducerProof as Kept;
    match part.producer_proof {
        Kept::None | Kept::Asserted => ProducerProof::Unauthenticated,
        Kept::PeerCredentials => ProducerProof::PeerCredentials,
        Kept::Token => ProducerProof::Token,
        Kept::Certificate => ProducerProof::Certificate,
    }
}
