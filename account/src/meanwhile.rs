//! What the ledger log says while the sessions were recorded: refused payloads, numbers that never came, conflicts.
//!
//! These statements belong to no record, so they are looked for where they can be: between the leaf that opens
//! the first stream and the newest head of the last one, and a little after it.

use ledger::leaf::{GapNote, RefusedPayload};
use ledger::verify::{Contradiction, Finding, Remarks, Sealed, VerifiedStream, Verifier};
use std::collections::BTreeSet;
use vocabulary::id::{SessionRef, StreamRef};

use crate::fold::Run;
use crate::gaps::Numbers;
use crate::gather::Part;
use crate::model::Standing;
use crate::reading::Reading;

/// So many leaves after a head are looked at: the collector says a gap a while after the stream was closed, since a
/// sender's connections may overtake each other.
const AFTER: u64 = 512;

/// What is refused within this time after the last record may still have been sent with it. Nanoseconds.
const AFTER_NS: u64 = 1_000_000_000;

/// `kind` of a conflict leaf: one number of a run with two contents.
const NUMBER_REUSED: u8 = 1;

/// `kind` of a conflict leaf: another producer named a session.
const SESSION_CLAIMED: u8 = 3;

/// Statements of the collector that may concern the sessions read.
#[derive(Debug, Default)]
pub(crate) struct Meanwhile {
    /// What was refused at a door that one of the sessions uses.
    pub(crate) refused: Vec<Sealed<RefusedPayload>>,
    /// Numbers that never came, of streams read here.
    pub(crate) gaps: Vec<(StreamRef, Sealed<GapNote>)>,
    /// What cannot be true beside the sessions read, or beside the ledger as a whole.
    pub(crate) conflicts: Vec<Contradicted>,
    /// Leaves in which something refused could stand and that were not read.
    pub(crate) unread: u64,
}

/// A conflict, and what of the account it concerns; neither stream nor session where it is the whole ledger.
#[derive(Debug)]
pub(crate) struct Contradicted {
    pub(crate) stream: Option<StreamRef>,
    pub(crate) session: Option<SessionRef>,
    pub(crate) said: Contradiction,
}

/// What of the account a statement of the collector can concern.
struct Here<'a> {
    /// Streams of the sessions' own producers.
    own: Vec<(StreamRef, &'a VerifiedStream)>,
    /// Streams of other producers that name one of the sessions.
    claims: Vec<(StreamRef, &'a VerifiedStream)>,
    /// The sessions' names.
    sessions: Vec<(SessionRef, &'a str)>,
    /// The runs that numbered the records, each with the first stream that has some of them.
    runs: Vec<(&'a str, StreamRef)>,
}

impl Reading {
    /// Looks for them; what does not verify is added to the findings.
    pub(crate) fn look_meanwhile(
        &mut self,
        verifier: &mut Verifier<'_>,
        parts: &[Part],
        findings: &mut Vec<Finding>,
    ) {
        let runs = &self.fold.runs;
        let here = Here::new(parts, runs, &self.numbers);
        let over = runs.iter().all(|run| run.ended.is_some() || run.abandoned);
        let Some((from, to)) = here.range(over, verifier.ledger().size) else {
            return;
        };
        let mut meanwhile = Meanwhile::default();
        let mut take = |remarks: Remarks| meanwhile.take(remarks, &here);
        match verifier.remarks(from, to) {
            Ok(Some(remarks)) => take(remarks),
            Ok(None) => {
                // Too many to read for one answer; a gap stands beside the head of its stream.
                for head in here.own.iter().filter_map(|(_, stream)| stream.head) {
                    let around = (head.index.saturating_sub(AFTER), head.index + AFTER);
                    match verifier.remarks(around.0, around.1) {
                        Ok(remarks) => take(remarks.unwrap_or_default()),
                        Err(finding) => findings.push(finding),
                    }
                }
                meanwhile.unread = to - from;
            }
            Err(finding) => findings.push(finding),
        }
        // Where every leaf was read, what was noted much later is known too.
        let conflicts = verifier.conflicts().iter().cloned();
        meanwhile
            .conflicts
            .extend(conflicts.filter_map(|said| here.concerned(said)));
        meanwhile.unread = meanwhile.unread.max(verifier.left_out(from, to));
        let last = here
            .own
            .iter()
            .filter_map(|(_, stream)| Some(stream.records.last()?.leaf.received_unix_ns));
        let until = last.max().filter(|_| over).map(|last| last + AFTER_NS);
        meanwhile
            .refused
            .retain(|note| until.is_none_or(|until| note.unix_ns <= until));
        meanwhile.once();
        self.meanwhile = meanwhile;
    }
}

impl Meanwhile {
    fn take(&mut self, remarks: Remarks, here: &Here<'_>) {
        let at_door = |door: u8| {
            here.own
                .iter()
                .any(|(_, stream)| door_of(stream).is_none_or(|its| its == door))
        };
        let refused = remarks.refused.into_iter();
        self.refused
            .extend(refused.filter(|note| at_door(note.value.door)));
        for (id, note) in remarks.gaps {
            let name = here.own.iter().find(|(_, stream)| stream.stream == id);
            self.gaps.extend(name.map(|(name, _)| (*name, note)));
        }
        let conflicts = remarks.conflicts.into_iter();
        self.conflicts
            .extend(conflicts.filter_map(|said| here.concerned(said)));
    }

    /// Ranges may overlap.
    fn once(&mut self) {
        self.refused.sort_by_key(|note| note.index);
        self.refused.dedup_by_key(|note| note.index);
        self.gaps.sort_by_key(|(_, note)| note.index);
        self.gaps.dedup_by_key(|(_, note)| note.index);
        self.conflicts.sort_by_key(|one| one.said.note.index);
        self.conflicts.dedup_by_key(|one| one.said.note.index);
    }
}

impl<'a> Here<'a> {
    fn new(parts: &'a [Part], runs: &'a [Run], numbers: &'a Numbers) -> Self {
        let mut here = Self {
            own: Vec::new(),
            claims: Vec::new(),
            sessions: Vec::new(),
            runs: numbers.runs(),
        };
        for (part, run) in parts.iter().zip(runs) {
            here.sessions.push((run.row.name, &run.row.id));
            for ((standing, stream), row) in part.streams.iter().zip(&run.row.streams) {
                let list = match standing {
                    Standing::Claims => &mut here.claims,
                    Standing::Own | Standing::Linked => &mut here.own,
                };
                list.push((row.name, stream));
            }
        }
        here
    }

    /// The leaves from the opening of the first stream to a little after the newest head of the last one, or to the
    /// end of the ledger while a session runs.
    fn range(&self, over: bool, size: u64) -> Option<(u64, u64)> {
        let streams = || self.own.iter().map(|(_, stream)| stream);
        let opened = streams().filter_map(|stream| Some(stream.opening.as_ref()?.index));
        let heads = streams().filter_map(|stream| Some(stream.head?.index));
        let to = match heads.max() {
            Some(head) if over => (head + 1 + AFTER).min(size),
            _ => size,
        };
        Some((opened.min()?, to))
    }

    /// What a conflict concerns: the stream it names; without one, the run or session in its words, or else the whole
    /// ledger. `None` if it is about something that is not read here.
    fn concerned(&self, said: Contradiction) -> Option<Contradicted> {
        let mut streams = self.own.iter().chain(&self.claims);
        let words = words(&said.note.value.what);
        let (stream, session) = match (said.stream, said.kind) {
            (Some(id), _) => {
                let found = streams.find(|(_, stream)| stream.stream == id);
                (Some(found?.0), None)
            }
            (None, NUMBER_REUSED) => {
                let found = self.runs.iter().find(|(run, _)| words.contains(run));
                (Some(found?.1), None)
            }
            (None, SESSION_CLAIMED) => {
                let found = self.sessions.iter().find(|(_, id)| words.contains(id));
                (None, Some(found?.0))
            }
            (None, _) => (None, None),
        };
        Some(Contradicted {
            stream,
            session,
            said,
        })
    }
}

/// The names in a statement of the collector: whatever stands between spaces, quotes and commas.
fn words(text: &str) -> BTreeSet<&str> {
    text.split([' ', '"', '`', ',', ';']).collect()
}

/// The door of a sender without a credential, as `refused_payload` numbers doors; `None` where it is not known.
fn door_of(stream: &VerifiedStream) -> Option<u8> {
    let producer = &stream.opening.as_ref()?.value.producer;
    match producer.strip_prefix("unauthenticated:")? {
        "otlp-http" => Some(1),
        "otlp-grpc" => Some(2),
        "adopt" => Some(3),
        _ => None,
    }
}
