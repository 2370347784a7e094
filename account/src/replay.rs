//! The world as the diffs leave it, step by step: what a resource was at any record.
//!
//! The fold is also a proof: each state before must be the state that the last diff left. Where it is not,
//! somebody else changed the resource, or a diff is missing, and the account says so.

use std::collections::{BTreeMap, HashMap};
use vocabulary::action::Effect;
use vocabulary::id::RecordRef;
use vocabulary::problem::ProblemKind;
use vocabulary::record::ContentState;

use crate::fold::Fold;
use crate::judge::problems::Problems;
use crate::model::{Account, Content, Diff};

/// One resource as it was at some record.
#[derive(Debug, Clone, PartialEq)]
pub struct Held<'a> {
    /// Its state.
    pub content: &'a Content,
    /// The diff that left it so; `None` while only its state before a later diff is known.
    pub by: Option<&'a Diff>,
}

/// Every resource that a diff tells of, at one record.
pub type State<'a> = BTreeMap<&'a str, Held<'a>>;

/// The state of every changed resource right after the record `at`; the whole account's end for `None`.
///
/// Diffs that were taken back count while their transaction is open and not after: at a record within it the
/// state is the one after its commit or rollback.
#[must_use]
pub fn state_at(account: &Account, at: Option<RecordRef>) -> State<'_> {
    let limit = at.map(|at| Limit::new(account, at));
    let mut state = State::new();
    for diff in account.diffs.iter().filter(|diff| counts(diff)) {
        let done = limit.as_ref().is_none_or(|limit| limit.includes(diff));
        if done {
            state.insert(
                &diff.resource,
                Held {
                    content: &diff.after,
                    by: Some(diff),
                },
            );
        } else {
            let before = Held {
                content: &diff.before,
                by: None,
            };
            state.entry(&diff.resource).or_insert(before);
        }
    }
    state
}

/// A point in the record: everything up to one index of one stream, and up to its time in the others.
struct Limit {
    at: RecordRef,
    time: Option<vocabulary::Timestamp>,
}

impl Limit {
    fn new(account: &Account, at: RecordRef) -> Self {
        let diffs = account.diffs.iter().map(|row| (&row.evidence.refs, row.at));
        let begins = account
            .actions
            .iter()
            .filter_map(|row| Some((row.evidence.refs.first()?, row.began_at)));
        let ends = account
            .actions
            .iter()
            .filter_map(|row| Some((row.evidence.refs.get(1)?, row.ended_at)));
        let decisions = account
            .decisions
            .iter()
            .map(|row| (&row.evidence.refs, row.at));
        let listed = diffs
            .chain(decisions)
            .filter_map(|(refs, at)| Some((refs.first()?, at)));
        let before = |(found, time): (&RecordRef, Option<vocabulary::Timestamp>)| {
            (found.stream == at.stream && found.index <= at.index).then_some((found.index, time))
        };
        let nearest = listed
            .chain(begins)
            .chain(ends)
            .filter_map(before)
            .max_by_key(|(index, _)| *index);
        Self {
            at,
            time: nearest.and_then(|(_, time)| time),
        }
    }

    fn includes(&self, diff: &Diff) -> bool {
        match diff.evidence.refs.first() {
            Some(found) if found.stream == self.at.stream => found.index <= self.at.index,
            _ => diff.at <= self.time,
        }
    }
}

/// Whether a diff leaves a state behind.
fn counts(diff: &Diff) -> bool {
    !matches!(diff.effect, Effect::None | Effect::RolledBack)
}

/// One place where the diffs do not fit together.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch<'a> {
    /// The diff whose state before is not the folded one.
    pub diff: &'a Diff,
    /// The diff that left another state.
    pub last: &'a Diff,
}

/// Every diff whose state before is not the state that the last diff of the resource left.
pub fn check<'a>(diffs: impl Iterator<Item = &'a Diff>) -> Vec<Mismatch<'a>> {
    let mut last: HashMap<&str, &Diff> = HashMap::new();
    let mut found = Vec::new();
    for diff in diffs.filter(|diff| counts(diff)) {
        if let Some(last) = last.insert(&diff.resource, diff)
            && same(&last.after, &diff.before) == Some(false)
        {
            found.push(Mismatch { diff, last });
        }
    }
    found
}

/// Whether two states are the same; `None` where that cannot be told.
fn same(one: &Content, other: &Content) -> Option<bool> {
    match (one.state, other.state) {
        (ContentState::Absent, ContentState::Absent) => return Some(true),
        (ContentState::Unknown | ContentState::NotCaptured, _)
        | (_, ContentState::Unknown | ContentState::NotCaptured) => return None,
        (ContentState::Absent, _) | (_, ContentState::Absent) => return Some(false),
        _ => {}
    }
    match (&one.digest, &other.digest) {
        (Some(one), Some(other))
            if std::mem::discriminant(one) == std::mem::discriminant(other) =>
        {
            Some(one == other)
        }
        _ => Some(one.bytes()? == other.bytes()?),
    }
}

/// A problem for each place where the diffs do not fit together.
pub(crate) fn mismatches(fold: &Fold, problems: &mut Problems) {
    let rows = fold
        .changes
        .iter()
        .filter(|change| !change.claims)
        .map(|change| &change.row);
    for mismatch in check(rows) {
        let at = mismatch
            .last
            .evidence
            .refs
            .first()
            .map(ToString::to_string)
            .unwrap_or_default();
        let what = format!("{} changed in between", mismatch.diff.resource);
        let why = format!(
            "the state before is not the one left at {at}: a change in between is not in this record"
        );
        let mut refs = mismatch.diff.evidence.refs.clone();
        refs.extend(&mismatch.last.evidence.refs);
        let action = mismatch.diff.action.as_deref();
        let session = Some(mismatch.diff.session);
        problems.add(
            ProblemKind::WriteConflict,
            session,
            action,
            (what, why),
            refs,
        );
    }
}
