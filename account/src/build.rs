//! The account of a query: resolve, verify, read, fold, judge.

use ledger::envelope::CollectorPart;
use ledger::reader::{Find, Reader};
use ledger::verify::{Trusted, VerifiedStream, Verifier};
use std::collections::{BTreeSet, HashMap};
use vocabulary::id::{RecordRef, SessionRef, StreamRef};
use vocabulary::record::{CheckedBy, ProducerProof, RecordingMode};
use vocabulary::session::{EndReason, SessionSource};
use vocabulary::source::Source;

use crate::error::AccountError;
use crate::fold::{Fold, Run};
use crate::gaps::{self, Hole, Numbers};
use crate::gather::{self, Gatherer, Part, Resolved};
use crate::judge::problems::Problems;
use crate::judge::{integrity, outcome, problems, scope, unknown, who};
use crate::model::{self, Account, Agent, Asked, Content, Evidence, Request, SCHEMA, Standing};
use crate::told::{Telling, Told};

/// How an account is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Read every leaf of the ledger log, so that no other session can name the request and no newer head
    /// exist unseen. Takes time in proportion to the ledger.
    pub all_bindings: bool,
    /// Whose check this is.
    pub checked_by: CheckedBy,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            all_bindings: false,
            checked_by: CheckedBy::Reader,
        }
    }
}

/// How often sessions that work was handed to are looked for in turn.
const GENERATIONS: usize = 16;

/// Answers `query` from a ledger. Facts come only from bytes that verified; whatever did not verify is a
/// problem of the account, not an error.
///
/// # Errors
/// When the store cannot be read at all, or the query names nothing or several things.
pub fn build(
    reader: &dyn Reader,
    trusted: &Trusted,
    query: &str,
    options: &Options,
) -> Result<Account, AccountError> {
    let mut verifier = Verifier::open(reader, trusted)?;
    if options.all_bindings {
        verifier.scan();
    }
    let mut gatherer = Gatherer::new(reader, &mut verifier);
    let resolved = gatherer.resolve(query, options.checked_by)?;
    let mut parts: Vec<Part> = Vec::new();
    let mut wanted: BTreeSet<String> = resolved.labels.iter().cloned().collect();
    if options.all_bindings && resolved.query.kind == model::QueryKind::Request {
        wanted.extend(gatherer.sealed(&resolved.query.matched)?);
    }
    for _ in 0..GENERATIONS {
        let known: BTreeSet<&String> = parts.iter().map(|part| &part.label).collect();
        let missing: Vec<String> = wanted
            .iter()
            .filter(|label| !known.contains(label))
            .cloned()
            .collect();
        if missing.is_empty() {
            break;
        }
        for label in missing {
            let part = gatherer.gather(&label, resolved.only)?;
            wanted.extend(handed_to(&part));
            parts.push(part);
        }
    }
    parts.retain(|part| !part.streams.is_empty());
    let index = std::mem::take(&mut gatherer.findings);
    parts.sort_by_key(|part| {
        part.streams
            .iter()
            .map(|(_, stream)| gather::first_ns(stream))
            .min()
    });
    let mut reading = Reading::default();
    reading.tell(&parts, &integrity::origin(verifier.ledger()));
    reading.holes = reading.look_for(reader, &mut verifier, &parts)?;
    Ok(reading.account(&parts, verifier.ledger(), &index, resolved, options))
}

/// Sessions that a session handed work to.
fn handed_to(part: &Part) -> Vec<String> {
    let mut labels = Vec::new();
    for (_, stream) in part
        .streams
        .iter()
        .filter(|(standing, _)| *standing != Standing::Claims)
    {
        let mut telling = Telling::default();
        for record in &stream.records {
            let Some(envelope) = record.envelope() else {
                continue;
            };
            if !contains(envelope.item, b"agent.delegate") {
                continue;
            }
            let nowhere = RecordRef {
                stream: StreamRef {
                    session: SessionRef(0),
                    stream: 0,
                },
                index: 0,
            };
            let Ok(told) = telling.read(nowhere, Standing::Own, record.leaf, envelope) else {
                continue;
            };
            if told.event == Some(vocabulary::Event::Delegate) {
                labels.extend(told.text(vocabulary::attribute::DELEGATE_SESSION));
            }
        }
    }
    labels
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// What is read from the streams, before it is judged.
#[derive(Default)]
struct Reading {
    fold: Fold,
    lost: Vec<(RecordRef, String)>,
    spooled: u64,
    numbers: Numbers,
    /// Numbers that are in no record, and whether every stream they could be in was looked at.
    holes: (Vec<Hole>, bool),
}

impl Reading {
    /// Reads every record of every session, each session in the order in which things happened.
    fn tell(&mut self, parts: &[Part], ledger: &str) {
        for (number, part) in parts.iter().enumerate() {
            let session = SessionRef(u32::try_from(number + 1).unwrap_or(u32::MAX));
            self.fold.runs.push(Run::new(row(session, part, ledger)));
            let mut all: Vec<Told<'_>> = Vec::new();
            for (letter, (standing, stream)) in part.streams.iter().enumerate() {
                let name = StreamRef {
                    session,
                    stream: u32::try_from(letter).unwrap_or(u32::MAX),
                };
                self.read(name, *standing, stream, &mut all);
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
    fn look_for<'r>(
        &mut self,
        reader: &'r dyn Reader,
        verifier: &mut Verifier<'r>,
        parts: &[Part],
    ) -> Result<(Vec<Hole>, bool), AccountError> {
        let holes = self.numbers.holes();
        if holes.is_empty() {
            return Ok((holes, true));
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
        let own = all.iter().find(|told| told.standing != Standing::Claims);
        if let Some(told) = own {
            run.row.recording_mode = RecordingMode::read(told.collector.recording_mode.as_str());
            run.row.session_source = source(&told.collector);
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

    fn account(
        mut self,
        parts: &[Part],
        ledger: &ledger::verify::VerifiedLedger,
        index: &[ledger::verify::Finding],
        resolved: Resolved,
        options: &Options,
    ) -> Account {
        let streams = parts.iter().zip(&self.fold.runs).flat_map(|(part, run)| {
            part.streams
                .iter()
                .zip(&run.row.streams)
                .map(|((_, stream), row)| (row.name, stream))
        });
        let evidence = integrity::Evidence {
            ledger,
            streams: streams.collect(),
            index,
            bindings_checked: options.all_bindings,
            spooled: self.spooled,
            holes: std::mem::take(&mut self.holes),
        };
        let fold = &mut self.fold;
        in_force(fold);
        let unread: BTreeSet<SessionRef> =
            self.lost.iter().map(|(at, _)| at.stream.session).collect();
        let incomplete: BTreeSet<SessionRef> = fold
            .runs
            .iter()
            .map(|run| run.row.name)
            .filter(|name| unread.contains(name) || evidence.is_incomplete(*name, fold))
            .collect();
        let found = scope::judge(fold, &|session| incomplete.contains(&session));
        let mut problems = Problems::default();
        let unrecovered = problems::collect(fold, &found, &mut problems);
        claimed(fold, &mut problems);
        refused(parts, fold, &mut problems);
        crate::replay::mismatches(fold, &mut problems);
        let integrity = integrity::collect(&evidence, fold, &mut problems);
        let problems = problems.worst_first();
        let outcome = outcome::collect(fold, &problems, unrecovered);
        let mut account = Account {
            schema: SCHEMA.to_owned(),
            request: request(&resolved, parts, fold),
            query: resolved.query,
            sessions: fold.runs.iter().map(|run| run.row.clone()).collect(),
            asked: fold.runs.iter().map(|run| asked(run, &fold.runs)).collect(),
            scope: fold
                .runs
                .iter_mut()
                .flat_map(|run| std::mem::take(&mut run.scopes))
                .collect(),
            who: who::collect(fold).into(),
            authorization: fold
                .runs
                .iter()
                .flat_map(|run| run.authorizations.clone())
                .collect(),
            context: std::mem::take(&mut fold.context).into(),
            actions: fold.acts.iter().map(|act| act.row.clone()).collect(),
            decisions: std::mem::take(&mut fold.decisions).into(),
            diffs: fold
                .changes
                .iter()
                .map(|change| change.row.clone())
                .collect(),
            problems: problems.into(),
            outcome,
            integrity,
            unknown: Vec::new().into(),
        };
        account.unknown = unknown::collect(&account, fold, &found.malformed, &self.lost).into();
        account
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
                producer_proof: first.as_ref().map_or(ProducerProof::Unknown, |part| {
                    ProducerProof::read(part.producer_proof.as_str())
                }),
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
        evidence: Evidence::new(Source::Stated, Vec::new()).with(&[
            ("records", Source::Observed),
            ("recording_mode", Source::Observed),
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

/// Closes each authorization where the next begins, and gives actions that name none the one in force.
fn in_force(fold: &mut Fold) {
    for run in &mut fold.runs {
        run.authorizations
            .sort_by_key(|row| (row.from, row.evidence.refs.first().copied()));
        let starts: Vec<_> = run
            .authorizations
            .iter()
            .skip(1)
            .map(|row| row.from)
            .collect();
        for (row, next) in run.authorizations.iter_mut().zip(starts) {
            row.to = next;
        }
    }
    for act in fold
        .acts
        .iter_mut()
        .filter(|act| act.row.authorization.is_none() && !act.claims && !act.remark)
    {
        let Some(run) = fold.runs.get(act.row.session.0 as usize - 1) else {
            continue;
        };
        let next = run
            .authorizations
            .partition_point(|row| row.from.is_none_or(|from| from <= act.time));
        let row = next
            .checked_sub(1)
            .and_then(|index| run.authorizations.get(index));
        if let Some(id) = row.and_then(|row| row.id.clone()) {
            act.row.authorization = Some(id);
            act.row
                .evidence
                .source_of
                .insert("authorization".to_owned(), Source::Derived);
        }
    }
}

/// Other producers that name a session.
fn claimed(fold: &Fold, problems: &mut Problems) {
    use vocabulary::problem::ProblemKind;
    for run in &fold.runs {
        for stream in run
            .row
            .streams
            .iter()
            .filter(|stream| stream.standing == Standing::Claims)
        {
            let what = format!("{} names session {}", stream.producer, run.row.id);
            let why = format!(
                "{} records of another producer: shown as claims, not merged",
                stream.records
            );
            let at = RecordRef {
                stream: stream.name,
                index: 0,
            };
            problems.add(
                ProblemKind::IdentityClaimed,
                Some(run.row.name),
                None,
                (what, why),
                vec![at],
            );
        }
    }
}

/// Exports of which the collector refused a part.
fn refused(parts: &[Part], fold: &Fold, problems: &mut Problems) {
    use vocabulary::problem::ProblemKind;
    for (part, run) in parts.iter().zip(&fold.runs) {
        let mut refs = Vec::new();
        for ((_, stream), row) in part.streams.iter().zip(&run.row.streams) {
            let refused = |flags: u32| flags & ledger::leaf::flag::PARTLY_REFUSED != 0;
            let hit = stream
                .records
                .iter()
                .filter(|record| refused(record.leaf.flags));
            refs.extend(hit.map(|record| RecordRef {
                stream: row.name,
                index: record.leaf.index,
            }));
        }
        if !refs.is_empty() {
            let what = "part of an export was refused".to_owned();
            let why = "the collector kept the rest and said so to the sender".to_owned();
            problems.add(
                ProblemKind::InputRefused,
                Some(run.row.name),
                None,
                (what, why),
                refs,
            );
        }
    }
}

/// What the outside calls it: the request asked for, else the one the records name, else the session.
fn request(resolved: &Resolved, parts: &[Part], fold: &Fold) -> Request {
    let mut aliases: Vec<String> = fold
        .names
        .iter()
        .flat_map(|named| named.aliases.clone())
        .collect();
    let bindings = || {
        parts
            .iter()
            .flat_map(|part| &part.streams)
            .flat_map(|(_, stream)| &stream.bindings)
    };
    let named = fold.names.iter().find(|named| !named.request.is_empty());
    let (id, origin) = match (resolved.query.kind, resolved.query.matched.first()) {
        (model::QueryKind::Request, Some(id)) => {
            let alias = named.filter(|named| named.request != *id && aliases.contains(id));
            let primary = alias.map_or_else(|| id.clone(), |named| named.request.clone());
            let rule = bindings()
                .find(|binding| binding.value.request == *id)
                .map(|found| found.value.rule);
            (primary, origin(rule))
        }
        _ => match named {
            Some(named) => (named.request.clone(), origin(Some(1))),
            None => (
                parts
                    .first()
                    .map(|part| part.label.clone())
                    .unwrap_or_default(),
                origin(Some(5)),
            ),
        },
    };
    aliases.retain(|alias| *alias != id);
    aliases.sort();
    aliases.dedup();
    let at = fold
        .names
        .iter()
        .find(|named| named.request == id)
        .map(|named| named.at);
    Request {
        id,
        aliases,
        origin,
        evidence: Evidence::new(Source::Stated, at.into_iter().collect()),
    }
}

/// How a request's name was found, by the rule of its binding.
fn origin(rule: Option<u8>) -> String {
    match rule {
        Some(1) => "recount.request.id of a record",
        Some(2) => "recount.request.id of a resource",
        Some(3) => "baggage",
        Some(4) => "alias",
        Some(5) => "the session's id: no request was named",
        _ => "unknown",
    }
    .to_owned()
}

/// What was asked of a session: its own record of it, else what the session that handed the work over says.
fn asked(run: &Run, runs: &[Run]) -> Asked {
    let handed = runs
        .iter()
        .flat_map(|other| &other.delegates)
        .find(|handed| handed.session == run.row.id && handed.intent.is_some());
    let (intent, at) = match (&run.intent, handed) {
        (Some((intent, at)), _) => (intent.clone(), Some(*at)),
        (None, Some(handed)) => (
            handed.intent.clone().unwrap_or_else(Content::absent),
            Some(handed.at),
        ),
        (None, None) => (Content::unknown("no record says what was asked"), None),
    };
    Asked {
        session: run.row.name,
        intent,
        trigger: run.trigger.clone(),
        principal: run.principal.clone(),
        on_behalf_of: run.on_behalf_of.clone(),
        at: run.row.started_at.or(run.span.map(|(from, _)| from)),
        evidence: Evidence::new(Source::Stated, run.started.into_iter().chain(at).collect())
            .with(&[("principal.proof", Source::Observed)]),
    }
}
