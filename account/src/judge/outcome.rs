//! How a request ended, computed from what was counted and never from what a summary claims.

use std::collections::{BTreeMap, BTreeSet};
use vocabulary::action::{Access, Effect, Kind, Outcome};
use vocabulary::problem::ProblemKind;
use vocabulary::record::ContentState;
use vocabulary::session::{EndReason, OutcomeStatus};
use vocabulary::source::Source;

use super::things::things;
use crate::fold::{Change, Fold, Run};
use crate::model::{Counts, Evidence, Problem, Produced, SessionOutcome, Summary, plainly};

/// Counts, status and one line.
pub(crate) fn collect(fold: &Fold, problems: &[Problem], unrecovered: u64) -> Summary {
    let counts = counts(fold, problems, unrecovered);
    let sessions: Vec<SessionOutcome> = fold.runs.iter().map(session).collect();
    let produced = fold
        .changes
        .iter()
        .filter(|change| is_new(change))
        .map(|change| Produced {
            resource: change.row.resource.clone(),
            diff: change.row.id.clone(),
            refs: change.row.evidence.refs.clone(),
        });
    Summary {
        status: status(fold, &sessions, &counts),
        summary: line(fold, problems, &counts),
        produced: produced.collect(),
        counts,
        sessions,
        evidence: Evidence::new(
            Source::Derived,
            fold.runs.iter().filter_map(|run| run.ended).collect(),
        ),
    }
}

fn is_new(change: &Change) -> bool {
    let row = &change.row;
    let made = row.before.state == ContentState::Absent && row.after.state != ContentState::Absent;
    made && row.effect == Effect::Committed && !change.claims
}

fn counts(fold: &Fold, problems: &[Problem], unrecovered: u64) -> Counts {
    let decisions = fold.decisions.len() as u64;
    let mut counts = Counts {
        unrecovered,
        decisions,
        ..Counts::default()
    };
    let mut read: BTreeMap<&Kind, BTreeSet<&str>> = BTreeMap::new();
    for act in fold.acts.iter().filter(|act| !act.claims && !act.remark) {
        let row = &act.row;
        counts.actions += 1;
        *counts.by_kind.entry(row.kind.to_string()).or_default() += 1;
        *counts
            .by_outcome
            .entry(row.outcome.to_string())
            .or_default() += 1;
        if row.access == Some(Access::Read) && row.outcome == Outcome::Success {
            read.entry(&row.kind)
                .or_default()
                .extend(row.target.resource.as_deref());
        }
    }
    let mut changed: BTreeMap<&Kind, BTreeSet<&str>> = BTreeMap::new();
    for change in fold.changes.iter().filter(|change| !change.claims) {
        match change.row.effect {
            Effect::Committed => {
                counts.effects += 1;
                changed
                    .entry(&change.row.kind)
                    .or_default()
                    .insert(&change.row.resource);
            }
            Effect::RolledBack => counts.rolled_back += 1,
            Effect::None | Effect::Pending | Effect::Unknown => {}
        }
    }
    let number = |sets: BTreeMap<&Kind, BTreeSet<&str>>| {
        sets.into_iter()
            .map(|(kind, set)| (kind.to_string(), set.len() as u64))
            .collect()
    };
    let called = |sets: &BTreeMap<&Kind, BTreeSet<&str>>, read: bool| {
        let all = sets
            .iter()
            .flat_map(|(kind, set)| set.iter().map(move |one| (*kind, *one)));
        things(all.collect::<Vec<_>>(), read)
    };
    counts.read_as = called(&read, true);
    counts.changed_as = called(&changed, false);
    counts.read = number(read);
    counts.changed = number(changed);
    counts.effects_outside = of(problems, ProblemKind::EffectOutsideScope);
    counts
}

fn of(problems: &[Problem], kind: ProblemKind) -> u64 {
    problems
        .iter()
        .filter(|problem| problem.kind == kind)
        .count() as u64
}

fn session(run: &Run) -> SessionOutcome {
    let status = match (run.ended.is_some(), run.abandoned) {
        (true, _) => reason(run.row.end_reason),
        (false, true) => OutcomeStatus::Abandoned,
        (false, false) if run.started.is_some() => OutcomeStatus::Running,
        (false, false) => OutcomeStatus::Unknown,
    };
    SessionOutcome {
        session: run.row.name,
        status,
        summary: run.summary.clone(),
    }
}

fn reason(reason: EndReason) -> OutcomeStatus {
    match reason {
        EndReason::Completed => OutcomeStatus::Completed,
        EndReason::Partial => OutcomeStatus::Partial,
        EndReason::Failed => OutcomeStatus::Failed,
        EndReason::Denied => OutcomeStatus::Denied,
        EndReason::Cancelled | EndReason::Abandoned => OutcomeStatus::Abandoned,
        EndReason::Unknown => OutcomeStatus::Unknown,
    }
}

/// The sessions nobody started for another one decide; a completed request with something left undone is
/// partial, whatever its agent says.
fn status(fold: &Fold, sessions: &[SessionOutcome], counts: &Counts) -> OutcomeStatus {
    const WORST_FIRST: [OutcomeStatus; 7] = [
        OutcomeStatus::Running,
        OutcomeStatus::Abandoned,
        OutcomeStatus::Failed,
        OutcomeStatus::Denied,
        OutcomeStatus::Unknown,
        OutcomeStatus::Partial,
        OutcomeStatus::Completed,
    ];
    let rank = |status: OutcomeStatus| WORST_FIRST.iter().position(|known| *known == status);
    let roots = fold
        .runs
        .iter()
        .zip(sessions)
        .filter(|(run, _)| run.row.parent.is_none());
    let worst = roots
        .map(|(_, session)| session.status)
        .min_by_key(|status| rank(*status));
    let status = worst.unwrap_or(OutcomeStatus::Unknown);
    let dangling = fold.acts.iter().any(|act| act.is_dangling() && !act.claims);
    let unfinished = sessions
        .iter()
        .any(|one| one.status != OutcomeStatus::Completed);
    if status == OutcomeStatus::Completed && (counts.unrecovered > 0 || dangling || unfinished) {
        return OutcomeStatus::Partial;
    }
    status
}

fn line(fold: &Fold, problems: &[Problem], counts: &Counts) -> String {
    let changed = plainly(&counts.changed_as);
    let remarks = fold.acts.iter().filter(|act| act.remark).count();
    let mut parts = vec![match changed.as_slice() {
        [] if counts.actions == 0 && remarks == 1 => "1 line".to_owned(),
        [] if counts.actions == 0 && remarks > 0 => format!("{remarks} lines"),
        [] => format!("{} actions, no change observed", counts.actions),
        some => format!("{} changed", some.join(", ")),
    }];
    let mut tell = |number: u64, words: &str| {
        if number > 0 {
            parts.push(format!("{number} {words}"));
        }
    };
    tell(
        of(problems, ProblemKind::EffectOutsideScope),
        "outside scope",
    );
    tell(of(problems, ProblemKind::PermissionRefused), "refused");
    let denied = of(problems, ProblemKind::Denied) + of(problems, ProblemKind::DeniedThenRetried);
    tell(denied, "denied");
    tell(of(problems, ProblemKind::ErrorUnrecovered), "failed");
    tell(of(problems, ProblemKind::DanglingAction), "never ended");
    parts.join("; ")
}
