//! Everything wrong or missing, worst first.

use std::collections::{BTreeMap, HashMap};
use vocabulary::action::{Access, Effect, Kind, Outcome, ReadBefore};
use vocabulary::id::{RecordRef, SessionRef};
use vocabulary::problem::ProblemKind;
use vocabulary::source::Source;
use vocabulary::verdict::{Approval, Verdict};

use super::failure;
use super::recovery::Recovery;
use super::scope::Found;
use crate::fold::{Act, Approved, Change, Fold};
use crate::model::{Evidence, Problem};

/// At most this many references on a problem that stands for many records.
const REFS: usize = 100;

/// Approvals by the action they are about.
type Approvals<'a> = HashMap<(SessionRef, &'a str), &'a Approved>;

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

fn approver(approval: &Approved) -> &str {
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

/// Executed actions by what they touched, to find a denied one that was tried again.
struct Again<'a> {
    touched: HashMap<(SessionRef, Option<Access>, &'a str), Vec<usize>>,
    retries: HashMap<(SessionRef, &'a str), usize>,
}

impl<'a> Again<'a> {
    fn new(acts: &'a [Act]) -> Self {
        let mut touched: HashMap<_, Vec<usize>> = HashMap::new();
        let mut retries = HashMap::new();
        for (index, act) in acts
            .iter()
            .enumerate()
            .filter(|(_, act)| act.ran() && !act.claims)
        {
            let row = &act.row;
            if let Some(resource) = &row.target.resource {
                let slot = (row.session, row.access, resource.as_str());
                touched.entry(slot).or_default().push(index);
            }
            if let Some(earlier) = &row.retry_of {
                retries.insert((row.session, earlier.as_str()), index);
            }
        }
        Self { touched, retries }
    }

    fn of(&self, act: &Act, index: usize) -> Option<usize> {
        if let Some(retry) = self.retries.get(&(act.row.session, act.row.id.as_str())) {
            return Some(*retry);
        }
        let resource = act.row.target.resource.as_deref()?;
        let list = self
            .touched
            .get(&(act.row.session, act.row.access, resource))?;
        list.get(list.partition_point(|later| *later <= index))
            .copied()
    }
}

fn denied(
    act: &Act,
    index: usize,
    fold: &Fold,
    again: &Again<'_>,
    approved: &Approvals<'_>,
    problems: &mut Problems,
) {
    let rule = act.row.rule.as_deref().unwrap_or("not named");
    if let Some(approval) = approved.get(&(act.row.session, act.row.id.as_str())) {
        let asked = matches!(act.row.verdict, Some(Verdict::Deny | Verdict::Ask));
        if asked && act.ran() {
            let said = act.row.verdict.map_or("", Verdict::as_str);
            let by = approver(approval);
            let why = format!("policy said {said}, rule {rule}; approved by {by}");
            problems.of(ProblemKind::ApprovedException, act, why, &[approval.at]);
        }
        return;
    }
    if act.row.outcome != Outcome::Denied && act.row.verdict != Some(Verdict::Deny) {
        return;
    }
    if act.ran() {
        let why = format!("denied by rule {rule} and executed all the same");
        problems.of(ProblemKind::DeniedThenRetried, act, why, &[]);
        return;
    }
    let later = again.of(act, index).and_then(|later| fold.acts.get(later));
    let allowed = |later: &&Act| approved.contains_key(&(later.row.session, later.row.id.as_str()));
    match later.filter(|later| !allowed(later)) {
        Some(later) => {
            let at = later.first().map(|at| at.to_string()).unwrap_or_default();
            let outcome = later.row.outcome;
            let why = format!("rule {rule}: not executed; tried again at {at}, outcome {outcome}");
            problems.of(
                ProblemKind::DeniedThenRetried,
                act,
                why,
                &later.row.evidence.refs,
            );
        }
        None => problems.of(
            ProblemKind::Denied,
            act,
            format!("rule {rule}: not executed"),
            &[],
        ),
    }
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

/// Changes whose state before was read without a lock, one problem per session and kind.
fn unlocked(fold: &Fold, problems: &mut Problems) {
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
fn removals(fold: &Fold, problems: &mut Problems) {
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
fn sessions(fold: &Fold, found: &Found, problems: &mut Problems) {
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
