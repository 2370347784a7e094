//! Problems that stand for many records, or for a session as a whole.

use std::collections::BTreeMap;
use vocabulary::action::{Effect, Kind, ReadBefore};
use vocabulary::id::{RecordRef, SessionRef};
use vocabulary::problem::ProblemKind;

use super::problems::Problems;
use super::scope::Found;
use crate::fold::{Change, Fold};

/// Changes whose state before was read without a lock, one problem per session and kind.
pub(super) fn unlocked(fold: &Fold, problems: &mut Problems) {
    let mut groups: BTreeMap<(SessionRef, &Kind), Vec<&Change>> = BTreeMap::new();
    for change in fold.changes.iter().filter(|change| !change.claims) {
        let row = &change.row;
        let stands = !matches!(row.effect, Effect::None | Effect::RolledBack);
        if row.read_before == Some(ReadBefore::Unlocked) && stands {
            groups
                .entry((row.session, &row.kind))
                .or_default()
                .push(change);
        }
    }
    for ((session, kind), changes) in groups {
        let refs = changes
            .iter()
            .flat_map(|change| change.row.evidence.refs.iter().copied());
        let refs = refs.collect();
        let (what, action) = match changes.as_slice() {
            [one] => (one.row.resource.clone(), one.row.action.as_deref()),
            many => (format!("{} changes of kind {kind}", many.len()), None),
        };
        let why = "the state before was read without a lock: somebody else may have changed it \
                   in between";
        problems.add(
            ProblemKind::ReadUnlocked,
            Some(session),
            action,
            (what, why.to_owned()),
            refs,
        );
    }
}

/// Credentials removed before sealing, one problem per session and rule.
pub(super) fn removals(fold: &Fold, problems: &mut Problems) {
    let mut groups: BTreeMap<(SessionRef, &str), (u64, Vec<RecordRef>)> = BTreeMap::new();
    for removal in &fold.removals {
        let slot = (removal.at.stream.session, removal.rule.as_str());
        let group = groups.entry(slot).or_default();
        group.0 += removal.bytes;
        group.1.push(removal.at);
    }
    for ((session, rule), (bytes, refs)) in groups {
        let times = refs.len();
        let places = if times == 1 { "place" } else { "places" };
        let what = format!("removed before sealing by rule {rule}");
        let why = format!("{bytes} bytes in {times} {places}: not in the record");
        problems.add(
            ProblemKind::SecretRemoved,
            Some(session),
            None,
            (what, why),
            refs,
        );
    }
}

/// What concerns a session as a whole.
pub(super) fn sessions(fold: &Fold, found: &Found, problems: &mut Problems) {
    for widened in &found.widened {
        let what = format!("scope widened by {}", widened.by.join(", "));
        let why = "a later declaration covers what the one before did not".to_owned();
        let session = Some(widened.session);
        problems.add(
            ProblemKind::ScopeWidened,
            session,
            None,
            (what, why),
            widened.at.clone(),
        );
    }
    for loss in &fold.losses {
        let what = match loss.records {
            Some(1) => "1 record lost".to_owned(),
            Some(count) => format!("{count} records lost"),
            None => "records lost, nobody knows how many".to_owned(),
        };
        let why = format!("declared by the recorder: {}", loss.why);
        let refs = loss.refs.clone();
        problems.add(
            ProblemKind::LossDeclared,
            loss.session,
            None,
            (what, why),
            refs,
        );
    }
    for run in &fold.runs {
        let session = Some(run.row.name);
        if !run.late.is_empty() {
            let what = format!(
                "{} records arrived after the session had ended",
                run.late.len()
            );
            let why = "they are kept and marked late".to_owned();
            problems.add(
                ProblemKind::LateRecord,
                session,
                None,
                (what, why),
                run.late.clone(),
            );
        }
        if let Some((first, count, most)) = run.clock {
            let side = if most > 0 { "ahead of" } else { "behind" };
            let seconds = most.abs() / 1_000_000_000;
            let what = format!("the sender's clock is up to {seconds} s {side} the collector's");
            let why = format!("{count} records; times shown are the sender's");
            problems.add(
                ProblemKind::ClockDisagrees,
                session,
                None,
                (what, why),
                vec![first],
            );
        }
        if run.row.session_source == vocabulary::session::SessionSource::Unattributed {
            let what = "recorded outside any session".to_owned();
            let why = "the recorder had no session in its context".to_owned();
            let first = run.row.evidence.refs.iter().take(1).copied().collect();
            problems.add(ProblemKind::Unattributed, session, None, (what, why), first);
        }
    }
}
