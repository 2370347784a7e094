//! Failed attempts: what sort of failure, in whose words, made good or not.

use vocabulary::id::RecordRef;
use vocabulary::problem::ProblemKind;

use super::problems::Problems;
use super::recovery::Recovery;
use crate::fold::{Act, Fold};

/// One failed attempt. Returns whether a later one made good for it.
pub(super) fn failed(
    fold: &Fold,
    act: &Act,
    index: usize,
    recovery: &Recovery<'_>,
    problems: &mut Problems,
) -> bool {
    let kind = failure(act);
    let later = recovery.of(index);
    let ending = match (later.and_then(Act::first), kind) {
        (Some(at), ProblemKind::RateLimited) => format!("retried, succeeded at {at}"),
        (Some(at), ProblemKind::WriteConflict) => {
            format!("changed by somebody else in between; redone at {at}")
        }
        (Some(at), _) => format!("recovered at {at}"),
        (None, ProblemKind::WriteConflict) => {
            "changed by somebody else in between; not redone".to_owned()
        }
        (None, _) => "no later success".to_owned(),
    };
    let mut more: Vec<RecordRef> = later
        .into_iter()
        .flat_map(|act| act.row.evidence.refs.iter().copied())
        .collect();
    let mut why = format!("{}; {ending}", said(act));
    if kind == ProblemKind::PermissionRefused
        && let Some(at) = reduced(fold, act)
    {
        why = format!("{}; permission reduced at {at}; {ending}", said(act));
        more.push(at);
    }
    let kind = match kind {
        ProblemKind::ErrorUnrecovered if later.is_some() => ProblemKind::ErrorRecovered,
        kind => kind,
    };
    problems.of(kind, act, why, &more);
    later.is_some()
}

/// What a failure is, by the counterpart's own code; `error_unrecovered` when it is none of the special ones.
fn failure(act: &Act) -> ProblemKind {
    let error = act.row.error.as_ref();
    let class = error
        .and_then(|error| error.class.as_deref())
        .unwrap_or_default();
    let native = error
        .and_then(|error| error.native.as_deref())
        .unwrap_or_default();
    let status = act
        .status
        .or_else(|| class.parse().ok())
        .or_else(|| native.parse().ok());
    match (status, class) {
        (Some(401 | 403 | 407), _)
        | (_, "permission_denied" | "PermissionDenied" | "unauthorized" | "forbidden") => {
            ProblemKind::PermissionRefused
        }
        (Some(409 | 412), _) | (_, "write_conflict") => ProblemKind::WriteConflict,
        (Some(429), _) | (_, "rate_limited" | "rate_limit_exceeded") => ProblemKind::RateLimited,
        _ => ProblemKind::ErrorUnrecovered,
    }
}

/// The failure in the counterpart's words.
fn said(act: &Act) -> String {
    let error = act.row.error.clone().unwrap_or_default();
    let parts = [
        act.row.result.clone(),
        error.class,
        error.native,
        error.message,
    ];
    let mut told: Vec<String> = Vec::new();
    for part in parts.into_iter().flatten() {
        if !part.is_empty() && !told.iter().any(|known| known.contains(&part)) {
            told.push(part);
        }
    }
    if told.is_empty() {
        act.row.outcome.to_string()
    } else {
        told.join(", ")
    }
}

/// The authorization change before an action that took permissions away.
fn reduced(fold: &Fold, act: &Act) -> Option<RecordRef> {
    let run = fold.runs.get(act.row.session.0 as usize - 1)?;
    let until = |from: Option<vocabulary::Timestamp>| from.is_none_or(|from| from <= act.time);
    let periods: Vec<_> = run
        .authorizations
        .iter()
        .take_while(|row| until(row.from))
        .collect();
    let change = periods.windows(2).rev().find(|pair| {
        pair[0]
            .permissions
            .iter()
            .any(|permission| !pair[1].permissions.contains(permission))
    })?;
    change[1].evidence.refs.first().copied()
}
