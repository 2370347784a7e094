//! What the ends of sessions say they wrote, compared with what is here.

use std::collections::{BTreeMap, BTreeSet};
use vocabulary::id::{SessionRef, StreamRef};
use vocabulary::problem::ProblemKind;

use super::integrity::Evidence;
use super::problems::Problems;
use crate::fold::{Ended, Fold};
use crate::model::{Declared, Gap};

/// One row per end that declares a count, and a gap with a problem where fewer records are here and nothing else says
/// already which are missing.
pub(super) fn collect(
    evidence: &Evidence<'_>,
    fold: &Fold,
    gaps: &mut Vec<Gap>,
    problems: &mut Problems,
) -> Vec<Declared> {
    let mut rows = Vec::new();
    for (stream, row) in declared(evidence, fold) {
        let lacks = row.declared.saturating_sub(row.here + row.unreadable);
        if lacks > explained(evidence, fold, stream) {
            let noun = if lacks == 1 { "record" } else { "records" };
            let what = format!("{lacks} {noun} of {}", stream.session);
            let why = said(&row);
            problems.add(
                ProblemKind::RecordMissing,
                Some(stream.session),
                None,
                (what, why.clone()),
                row.refs.clone(),
            );
            gaps.push(Gap {
                session: Some(stream.session),
                stream: Some(stream),
                from: 0,
                to: None,
                why,
            });
        }
        rows.push(row);
    }
    rows
}

/// The sessions of which fewer records are here than their ends declare.
pub(crate) fn short(evidence: &Evidence<'_>, fold: &Fold) -> BTreeSet<SessionRef> {
    declared(evidence, fold)
        .values()
        .filter(|row| row.here + row.unreadable < row.declared)
        .map(|row| row.session)
        .collect()
}

fn said(row: &Declared) -> String {
    let leaf = row
        .leaf
        .map(|leaf| format!(" (ledger leaf {leaf})"))
        .unwrap_or_default();
    format!(
        "its end says that it wrote {} records and {} are here{leaf}",
        row.declared, row.here
    )
}

/// The newest count of each stream: that of the sealed close, else that of the end itself.
fn declared(evidence: &Evidence<'_>, fold: &Fold) -> BTreeMap<StreamRef, Declared> {
    let mut rows = BTreeMap::new();
    for end in fold.counted.ends() {
        if let Some(declared) = end.declared {
            rows.insert(
                end.at.stream,
                row(evidence, fold, end.at.stream, declared, None),
            );
        }
    }
    for (name, stream) in evidence.own() {
        let close = stream.head.filter(|head| head.closed);
        if let Some((close, declared)) = close.and_then(|head| Some((head, head.declared?))) {
            rows.insert(name, row(evidence, fold, name, declared, Some(close.index)));
        }
    }
    rows
}

fn row(
    evidence: &Evidence<'_>,
    fold: &Fold,
    stream: StreamRef,
    declared: u64,
    leaf: Option<u64>,
) -> Declared {
    let end = fold.counted.end_of(stream);
    Declared {
        session: stream.session,
        stream,
        declared,
        here: fold.counted.here(stream.session, end),
        unreadable: evidence.unreadable(stream.session),
        leaf,
        refs: end.map(|end: &Ended| end.at).into_iter().collect(),
    }
}

/// How many records of the run are told of as missing already, or were declared as lost.
fn explained(evidence: &Evidence<'_>, fold: &Fold, stream: StreamRef) -> u64 {
    let lost: u64 = fold
        .losses
        .iter()
        .filter(|loss| loss.session == Some(stream.session))
        .filter_map(|loss| loss.records)
        .sum();
    let end = fold.counted.end_of(stream);
    let Some((run, last)) = end.and_then(|end| end.number.as_ref()) else {
        return lost;
    };
    let upto = |from: u64, to: u64| match from <= *last {
        true => to.min(*last).saturating_sub(from).saturating_add(1),
        false => 0,
    };
    let noted = evidence
        .noted
        .iter()
        .filter(|(_, note)| note.value.run == *run);
    let noted: u64 = noted
        .map(|(_, note)| upto(note.value.first, note.value.last))
        .sum();
    let holes = evidence.missing(fold);
    let holes = holes.iter().filter(|hole| hole.run == *run);
    let holes: u64 = holes.map(|hole| upto(hole.from, hole.to)).sum();
    lost.saturating_add(noted).saturating_add(holes)
}
