//! Records that must exist and are not there: noted in the ledger log, or seen as holes in a numbering.

use ledger::leaf::GapNote;
use ledger::verify::{Finding, Place, Sealed};
use vocabulary::id::{SessionRef, StreamRef};
use vocabulary::problem::ProblemKind;

use super::integrity::Evidence;
use super::problems::Problems;
use crate::fold::Fold;
use crate::gaps::Hole;
use crate::model::Gap;

/// `why` of a gap leaf: the producer said itself that it lost them.
const DECLARED: u8 = 2;

impl Evidence<'_> {
    /// The holes that are gaps: of sessions that are over, not told of as a loss, found nowhere else, and not in
    /// the ledger log already.
    pub(super) fn missing(&self, fold: &Fold) -> Vec<&Hole> {
        let (holes, looked) = &self.holes;
        let over = |session: SessionRef| {
            let run = fold.runs.get(session.0 as usize - 1);
            run.is_some_and(|run| run.ended.is_some() || run.abandoned)
        };
        let gap = |hole: &&Hole| {
            *looked && over(hole.session) && !lost(fold, hole.session) && !self.is_noted(hole)
        };
        holes.iter().filter(gap).collect()
    }

    fn is_noted(&self, hole: &Hole) -> bool {
        let covers = |note: &GapNote| {
            note.run == hole.run && note.first <= hole.from && note.last >= hole.to
        };
        self.noted.iter().any(|(_, note)| covers(&note.value))
    }
}

fn lost(fold: &Fold, session: SessionRef) -> bool {
    fold.losses.iter().any(|loss| loss.session == Some(session))
}

/// The gaps of the numbering, and a problem for each unless the loss was declared and is one already.
pub(super) fn collect(evidence: &Evidence<'_>, fold: &Fold, problems: &mut Problems) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut add =
        |stream: StreamRef, (run, from, to): (&str, u64, u64), why: String, told: bool| {
            if !told {
                let count = to.saturating_sub(from).saturating_add(1);
                let what = format!("{count} of {stream}'s records from number {from}");
                problems.add(
                    ProblemKind::RecordMissing,
                    Some(stream.session),
                    None,
                    (what, format!("run {run} numbers its records and {why}")),
                    Vec::new(),
                );
            }
            gaps.push(Gap {
                session: Some(stream.session),
                stream: Some(stream),
                from,
                to: Some(to),
                why: format!("run {run} numbers its records and {why}"),
            });
        };
    for (stream, note) in evidence.noted {
        let told = note.value.why == DECLARED && lost(fold, stream.session);
        add(*stream, place(note), said(note), told);
    }
    for hole in evidence.missing(fold) {
        let why = "these are in no stream of that time".to_owned();
        add(hole.stream, (&hole.run, hole.from, hole.to), why, false);
    }
    gaps
}

fn place(note: &Sealed<GapNote>) -> (&str, u64, u64) {
    (&note.value.run, note.value.first, note.value.last)
}

fn said(note: &Sealed<GapNote>) -> String {
    let index = note.index;
    match note.value.why {
        DECLARED => format!("says that it lost these (ledger leaf {index})"),
        _ => format!("these had not come when the stream was closed (ledger leaf {index})"),
    }
}

/// The gap that a finding of the verifier is.
pub(super) fn gap(name: Option<StreamRef>, finding: &Finding) -> Gap {
    let (from, to) = match finding.place {
        Place::Records { from, to, .. } | Place::Control { from, to } => (from, Some(to - 1)),
        Place::Ledger | Place::Stream(_) | Place::Tile { .. } => (0, None),
    };
    Gap {
        session: name.map(|name| name.session),
        stream: name,
        from,
        to,
        why: finding.what.clone(),
    }
}
