//! The account as it was at one record: what had not happened yet is left out.

use account::model::{Account, Counts, Evidence, List};
use vocabulary::Timestamp;
use vocabulary::action::{Access, Effect, Outcome};
use vocabulary::id::RecordRef;
use vocabulary::session::{EndReason, OutcomeStatus};

use crate::failure::Failure;

/// A moment in an account: everything before it, in its own stream by index, in others by time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    upto: RecordRef,
    at: Option<Timestamp>,
}

impl Moment {
    /// The moment after a record. Fails for a record that the account does not have.
    pub(crate) fn after(account: &Account, upto: RecordRef) -> Result<Moment, Failure> {
        let streams = account.sessions.iter().flat_map(|session| &session.streams);
        let known = streams
            .filter(|stream| stream.name == upto.stream)
            .any(|stream| upto.index < stream.records);
        if !known {
            return Err(Failure::NoRecord {
                query: account.query.text.clone(),
                wanted: upto.to_string(),
            });
        }
        Ok(Moment {
            upto,
            at: time_of(account, upto),
        })
    }

    /// Whether a record had been made by then.
    pub(crate) fn has(&self, shown_by: RecordRef, at: Option<Timestamp>) -> bool {
        if shown_by.stream == self.upto.stream {
            return shown_by.index <= self.upto.index;
        }
        match (at, self.at) {
            (Some(at), Some(now)) => at <= now,
            _ => false,
        }
    }

    /// Whether a row's first record had been made by then; a row without records stays.
    pub(crate) fn began(&self, evidence: &Evidence, at: Option<Timestamp>) -> bool {
        evidence
            .refs
            .first()
            .is_none_or(|first| self.has(*first, at))
    }

    fn over(&self, evidence: &Evidence, at: Option<Timestamp>) -> bool {
        evidence.refs.iter().all(|shown_by| self.has(*shown_by, at))
    }
}

/// When a record was made, as far as a row of the account says it: the newest time at or before it.
fn time_of(account: &Account, upto: RecordRef) -> Option<Timestamp> {
    let actions = account.actions.iter().flat_map(|it| {
        [
            (it.evidence.refs.first(), it.began_at),
            (it.evidence.refs.last(), it.ended_at),
        ]
    });
    let decisions = account
        .decisions
        .iter()
        .map(|it| (it.evidence.refs.first(), it.at));
    let diffs = account
        .diffs
        .iter()
        .map(|it| (it.evidence.refs.first(), it.at));
    let sessions = account
        .sessions
        .iter()
        .map(|it| (it.evidence.refs.first(), it.started_at));
    let ends = account
        .sessions
        .iter()
        .map(|it| (it.evidence.refs.last(), it.ended_at));
    actions
        .chain(decisions)
        .chain(diffs)
        .chain(sessions)
        .chain(ends)
        .filter_map(|(shown_by, at)| Some((*shown_by?, at?)))
        .filter(|(shown_by, _)| shown_by.stream == upto.stream && shown_by.index <= upto.index)
        .map(|(_, at)| at)
        .max()
}

fn kept<T: Clone>(list: &List<T>, keep: impl Fn(&T) -> bool) -> List<T> {
    list.iter().filter(|row| keep(row)).cloned().collect()
}

/// The account as it was right after a record.
pub(crate) fn cut(account: &Account, upto: RecordRef) -> Result<Account, Failure> {
    let moment = Moment::after(account, upto)?;
    let mut then = account.clone();
    then.sessions = kept(&account.sessions, |it| {
        moment.began(&it.evidence, it.started_at)
    });
    for session in then.sessions.items_mut() {
        if !moment.over(&session.evidence, session.ended_at) {
            session.ended_at = None;
            session.end_reason = EndReason::Unknown;
        }
        let started = session.started_at;
        session
            .evidence
            .refs
            .retain(|shown_by| moment.has(*shown_by, started));
    }
    then.asked = kept(&account.asked, |it| moment.began(&it.evidence, it.at));
    then.scope = kept(&account.scope, |it| moment.began(&it.evidence, it.from));
    then.authorization = kept(&account.authorization, |it| {
        moment.began(&it.evidence, it.from)
    });
    then.context = kept(&account.context, |it| moment.began(&it.evidence, it.at));
    then.actions = kept(&account.actions, |it| {
        moment.began(&it.evidence, it.began_at)
    });
    for action in then.actions.items_mut() {
        action
            .approvals
            .retain(|answered| moment.has(answered.shown_by, Some(answered.at)));
        if !moment.over(&action.evidence, action.ended_at) {
            action.ended_at = None;
            action.outcome = Outcome::Unknown;
            action.effect = Effect::Unknown;
            action.result = None;
            action.error = None;
            let began_at = action.began_at;
            action
                .evidence
                .refs
                .retain(|shown_by| moment.has(*shown_by, began_at));
        }
    }
    then.decisions = kept(&account.decisions, |it| moment.began(&it.evidence, it.at));
    then.reasoning = kept(&account.reasoning, |it| moment.began(&it.evidence, it.at));
    then.diffs = kept(&account.diffs, |it| moment.began(&it.evidence, it.at));
    then.problems = kept(&account.problems, |it| {
        !it.evidence.refs.is_empty() && moment.over(&it.evidence, None)
    });
    then.who = kept(&account.who, |it| moment.began(&it.evidence, it.at));
    unend(&mut then);
    then.outcome
        .evidence
        .refs
        .retain(|shown_by| moment.has(*shown_by, None));
    summarise(&mut then, upto);
    Ok(then)
}

/// Takes back what only a session's end says about it.
fn unend(then: &mut Account) {
    let mut outcomes = then.outcome.sessions.clone();
    outcomes.retain(|it| {
        then.sessions
            .iter()
            .any(|session| session.name == it.session)
    });
    for outcome in &mut outcomes {
        let over = then.sessions.iter().any(|session| {
            session.name == outcome.session && session.end_reason != EndReason::Unknown
        });
        if !over {
            outcome.status = OutcomeStatus::Running;
            outcome.summary = None;
        }
    }
    then.outcome.sessions = outcomes;
}

/// What was read and what changed, by what it is called.
fn called(then: &Account, counts: &mut Counts) {
    let read = then
        .actions
        .iter()
        .filter(|it| it.access == Some(Access::Read) && it.outcome == Outcome::Success)
        .filter_map(|it| Some((&it.kind, it.target.resource.as_deref()?)));
    counts.read_as = account::things(read, true);
    let changed = then
        .diffs
        .iter()
        .filter(|it| it.effect != Effect::RolledBack)
        .map(|it| (&it.kind, it.resource.as_str()));
    counts.changed_as = account::things(changed, false);
}

/// Counts again what the cut left.
fn summarise(then: &mut Account, upto: RecordRef) {
    let mut counts = Counts {
        actions: then.actions.len() as u64,
        decisions: then.decisions.len() as u64,
        ..Counts::default()
    };
    for action in &then.actions {
        *counts
            .by_kind
            .entry(action.kind.as_str().to_owned())
            .or_default() += 1;
        *counts
            .by_outcome
            .entry(action.outcome.as_str().to_owned())
            .or_default() += 1;
    }
    let mut seen = std::collections::HashSet::new();
    for diff in then.diffs.iter() {
        if diff.effect == Effect::RolledBack {
            counts.rolled_back += 1;
        } else {
            counts.effects += 1;
            counts.effects_outside += u64::from(diff.in_scope == Some(false));
            if seen.insert(diff.resource.as_str()) {
                *counts
                    .changed
                    .entry(diff.kind.as_str().to_owned())
                    .or_default() += 1;
            }
        }
    }
    called(then, &mut counts);
    let running = then
        .sessions
        .iter()
        .any(|session| session.ended_at.is_none());
    if running {
        then.outcome.status = OutcomeStatus::Running;
    }
    then.outcome.summary = format!(
        "as of {upto}: {} actions begun, {} changes, {} decisions",
        counts.actions, counts.effects, counts.decisions
    );
    then.outcome.produced = kept(&then.outcome.produced, |it| {
        then.diffs.iter().any(|diff| diff.id == it.diff)
    });
    then.outcome.counts = counts;
}
