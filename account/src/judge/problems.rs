//! Everything wrong or missing, worst first.

use std::collections::HashMap;
use vocabulary::action::Access;
use vocabulary::id::{RecordRef, SessionRef};
use vocabulary::problem::ProblemKind;
use vocabulary::source::Source;
use vocabulary::verdict::Approval;

use super::denied::{Again, denied};
use super::failure;
use super::recovery::Recovery;
use super::scope::Found;
use super::together::{removals, sessions, unlocked};
use crate::fold::{Act, Approved, Fold};
use crate::model::{Evidence, Problem};

/// At most this many references on a problem that stands for many records.
const REFS: usize = 100;

/// Approvals by the action they are about.
pub(super) type Approvals<'a> = HashMap<(SessionRef, &'a str), &'a Approved>;

/// Collects problems; sorts them at the end.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    /// One problem: what happened, and what makes it one.
    pub(crate) fn add(
        &mut self,
        kind: ProblemKind,
        session: Option<SessionRef>,
        action: Option<&str>,
        (what, why): (String, String),
        mut refs: Vec<RecordRef>,
    ) {
        refs.dedup();
        refs.truncate(REFS);
        self.0.push(Problem {
            kind,
            severity: kind.severity(),
            session,
            action: action.map(str::to_owned),
            what,
            why,
            could_allow: Vec::new(),
            evidence: Evidence::new(Source::Derived, refs),
        });
    }

    /// One problem of one action.
    pub(super) fn of(&mut self, kind: ProblemKind, act: &Act, why: String, more: &[RecordRef]) {
        let mut refs = act.row.evidence.refs.clone();
        refs.extend_from_slice(more);
        self.add(
            kind,
            Some(act.row.session),
            Some(&act.row.id),
            (act.what(), why),
            refs,
        );
    }

    /// Worst first; equals in the order of their records.
    pub(crate) fn worst_first(mut self) -> Vec<Problem> {
        self.0
            .sort_by_key(|problem| (problem.kind, problem.evidence.refs.first().copied()));
        self.0
    }
}

/// What the folded records show. Returns how many errors were never made good.
pub(crate) fn collect(fold: &Fold, found: &Found, problems: &mut Problems) -> u64 {
    let recovery = Recovery::new(&fold.acts);
    let approved: Approvals<'_> = fold
        .approvals
        .iter()
        .filter(|approval| approval.what == Approval::Approved && !approval.claims)
        .filter_map(|approval| {
            Some((
                (approval.at.stream.session, approval.action.as_deref()?),
                approval,
            ))
        })
        .collect();
    beyond(fold, found, &approved, problems);
    let again = Again::new(&fold.acts);
    let mut unrecovered = 0;
    for (index, act) in fold.acts.iter().enumerate().filter(|(_, act)| !act.claims) {
        if act.is_dangling() {
            dangling(fold, act, problems);
        }
        if act.began.is_none() && act.ended.is_some() {
            let why = "its end is there and its begin is not".to_owned();
            problems.of(ProblemKind::RecordMissing, act, why, &[]);
        }
        denied(act, index, fold, &again, &approved, problems);
        if act.failed() {
            unrecovered += u64::from(!failure::failed(fold, act, index, &recovery, problems));
        }
    }
    missing_diffs(fold, problems);
    unlocked(fold, problems);
    removals(fold, problems);
    sessions(fold, found, problems);
    notes(fold, problems);
    unrecovered
}

fn beyond(fold: &Fold, found: &Found, approved: &Approvals<'_>, problems: &mut Problems) {
    for one in &found.beyond {
        let id = one.outside.action.as_deref();
        let mut refs = one.outside.refs.clone();
        let act = one.act.and_then(|index| fold.acts.get(index));
        refs.extend(
            act.iter()
                .flat_map(|act| act.row.evidence.refs.iter().copied()),
        );
        let (kind, why) = match id.and_then(|id| approved.get(&(one.session, id))) {
            Some(approval) => {
                refs.push(approval.at);
                let why = format!(
                    "outside the declared scope, approved by {}",
                    approver(approval)
                );
                (ProblemKind::ApprovedException, why)
            }
            None => {
                let read = one.outside.access == Some(Access::Read);
                let done = if read { "read" } else { "executed" };
                let why = format!("{done}; no entry of the scope in force covers it");
                (ProblemKind::EffectOutsideScope, why)
            }
        };
        problems.add(kind, Some(one.session), id, (one.what.clone(), why), refs);
    }
}

pub(super) fn approver(approval: &Approved) -> &str {
    approval.by.as_deref().unwrap_or("somebody not named")
}

fn dangling(fold: &Fold, act: &Act, problems: &mut Problems) {
    let why = match fold.runs.get(act.row.session.0 as usize - 1) {
        Some(run) if run.ended.is_some() => {
            "its session ended without an end of it: what came of it is not known"
        }
        Some(run) if run.abandoned => "its session was abandoned: what came of it is not known",
        _ => "no end so far, and its session has not ended either",
    };
    problems.of(ProblemKind::DanglingAction, act, why.to_owned(), &[]);
}

/// Diffs that an action's end counts and that are not there.
fn missing_diffs(fold: &Fold, problems: &mut Problems) {
    let mut seen: HashMap<usize, u64> = HashMap::new();
    for act in fold.changes.iter().filter_map(|change| change.act) {
        *seen.entry(act).or_default() += 1;
    }
    for (index, act) in fold.acts.iter().enumerate().filter(|(_, act)| !act.claims) {
        let there = seen.get(&index).copied().unwrap_or_default();
        if let Some(declared) = act.declared_diffs.filter(|declared| *declared > there) {
            let why = format!("its end counts {declared} diffs and {there} are there");
            problems.of(ProblemKind::RecordMissing, act, why, &[]);
        }
    }
}

/// What recorders reported themselves, unless the records show it already.
fn notes(fold: &Fold, problems: &mut Problems) {
    let mut acts: HashMap<(SessionRef, &str), &Act> = HashMap::new();
    if !fold.notes.is_empty() {
        acts = fold
            .acts
            .iter()
            .map(|act| ((act.row.session, act.row.id.as_str()), act))
            .collect();
    }
    let known: std::collections::HashSet<(ProblemKind, String)> = problems
        .0
        .iter()
        .filter_map(|problem| Some((problem.kind, problem.action.clone()?)))
        .collect();
    for note in &fold.notes {
        let act = note
            .action
            .as_deref()
            .and_then(|id| acts.get(&(note.session, id)));
        let told = note
            .action
            .clone()
            .is_some_and(|id| known.contains(&(note.kind, id)));
        let outside = note.kind == ProblemKind::EffectOutsideScope;
        if told || (outside && act.is_some_and(|act| !act.ran())) {
            continue;
        }
        let what = act.map_or_else(|| note.what.clone(), |act| act.what());
        let text = (what, note.why.clone());
        let action = note.action.as_deref();
        problems.add(
            note.kind,
            Some(note.session),
            action,
            text,
            note.refs.clone(),
        );
    }
}
