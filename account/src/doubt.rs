//! Which facts depend on a part of the record that does not hold; `docs/decisions/0045-what-depends-on-a-broken-part.md`
//! says why just these.

use std::collections::{BTreeMap, HashMap};
use vocabulary::id::{RecordRef, SessionRef};
use vocabulary::problem::ProblemKind;

use crate::model::{Account, Action, Broken, Evidence};

/// So many broken parts are named per row.
const NAMED: usize = 8;

/// The parts that do not hold, and which sessions they are in.
struct Parts {
    broken: Vec<Broken>,
    /// Names of everything that is broken, missing or lost, by session.
    short: BTreeMap<SessionRef, Vec<String>>,
    /// Names of what concerns no single session.
    anywhere: Vec<String>,
}

/// Notes on every row of an account which broken parts it depends on.
pub(crate) fn mark(account: &mut Account) {
    let parts = Parts::of(account);
    if parts.broken.is_empty() && parts.short.is_empty() && parts.anywhere.is_empty() {
        return;
    }
    macro_rules! cited {
        ($($list:ident),*) => {$(
            for row in account.$list.items_mut() {
                let doubt = parts.cited(&row.evidence);
                put(&mut row.evidence, doubt);
            }
        )*};
    }
    cited!(asked, authorization, context, decisions, reasoning, who);
    let acts = actions(account, &parts);
    diffs(account, &parts, &acts);
    problems(account, &parts, &acts);
    for row in account.scope.items_mut() {
        put(&mut row.evidence, parts.of_session(row.session));
    }
    for row in account.sessions.items_mut() {
        put(&mut row.evidence, parts.of_session(row.name));
    }
    put(&mut account.outcome.evidence, parts.all());
}

fn put(evidence: &mut Evidence, mut doubt: Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    doubt.retain(|name| seen.insert(name.clone()));
    doubt.truncate(NAMED);
    evidence.doubt = doubt;
}

/// The actions that depend on something, each with what.
type Acts<'a> = HashMap<(SessionRef, String), Vec<&'a Broken>>;

fn actions<'p>(account: &mut Account, parts: &'p Parts) -> Acts<'p> {
    let mut acts = HashMap::new();
    for row in account.actions.items_mut() {
        let mut names = parts.cited(&row.evidence);
        let within = parts.within(row);
        names.extend(within.iter().map(|part| part.name.clone()));
        if !names.is_empty() {
            acts.insert((row.session, row.id.clone()), within);
        }
        put(&mut row.evidence, names);
    }
    acts
}

/// A change depends on what it cites, on the action that it names where this is not in the account, and on what
/// broke before it within that action.
fn diffs(account: &mut Account, parts: &Parts, acts: &Acts<'_>) {
    let known: std::collections::HashSet<(SessionRef, String)> = account
        .actions
        .iter()
        .map(|row| (row.session, row.id.clone()))
        .collect();
    for row in account.diffs.items_mut() {
        let mut names = parts.cited(&row.evidence);
        let first = row.evidence.refs.first().copied();
        let slot = row.action.clone().map(|id| (row.session, id));
        match slot {
            Some(slot) if !known.contains(&slot) => names.extend(parts.of_session(row.session)),
            Some(slot) => {
                let within = acts.get(&slot).map(Vec::as_slice).unwrap_or_default();
                let before = |part: &&&Broken| first.is_some_and(|first| part.is_before(first));
                names.extend(within.iter().filter(before).map(|part| part.name.clone()));
            }
            None => {}
        }
        put(&mut row.evidence, names);
    }
}

/// A problem depends on what it cites and on its action; what is wrong with the record itself is certain.
fn problems(account: &mut Account, parts: &Parts, acts: &Acts<'_>) {
    let doubted: HashMap<(SessionRef, String), Vec<String>> = account
        .actions
        .iter()
        .filter(|row| acts.contains_key(&(row.session, row.id.clone())))
        .map(|row| ((row.session, row.id.clone()), row.evidence.doubt.clone()))
        .collect();
    for row in account.problems.items_mut() {
        let certain = matches!(
            row.kind,
            ProblemKind::RecordBroken | ProblemKind::RecordMissing | ProblemKind::LossDeclared
        );
        if certain {
            continue;
        }
        let mut names = parts.cited(&row.evidence);
        if let (Some(session), Some(action)) = (row.session, row.action.clone()) {
            names.extend(
                doubted
                    .get(&(session, action))
                    .into_iter()
                    .flatten()
                    .cloned(),
            );
        }
        put(&mut row.evidence, names);
    }
}

impl Parts {
    fn of(account: &Account) -> Self {
        let integrity = &account.integrity;
        let mut parts = Self {
            broken: integrity.broken.clone(),
            short: BTreeMap::new(),
            anywhere: Vec::new(),
        };
        for part in &integrity.broken {
            parts.note(part.session, part.name.clone());
        }
        // A gap that the verifier found is a broken part already; a gap in a numbering has no place among the records.
        let told = |stream, from| {
            let mut all = integrity.broken.iter();
            all.any(|part| part.missing && part.stream == stream && part.from == Some(from))
        };
        for gap in &integrity.gaps {
            if !told(gap.stream, gap.from) {
                let of = gap
                    .stream
                    .map_or_else(|| "ledger".to_owned(), |it| it.to_string());
                let to = gap.to.map(|to| format!("-{to}")).unwrap_or_default();
                parts.note(
                    gap.session,
                    format!("{of}, missing number {}{to}", gap.from),
                );
            }
        }
        for loss in &integrity.losses {
            let by = loss.refs.first();
            let by = by.map_or_else(String::new, |by| format!(" ({by})"));
            parts.note(loss.session, format!("declared loss{by}"));
        }
        parts
    }

    fn note(&mut self, session: Option<SessionRef>, name: String) {
        match session {
            Some(session) => self.short.entry(session).or_default().push(name),
            None => self.anywhere.push(name),
        }
    }

    /// Everything that does not hold.
    fn all(&self) -> Vec<String> {
        let of_sessions = self.short.values().flatten();
        self.anywhere.iter().chain(of_sessions).cloned().collect()
    }

    /// What does not hold in a session or in no single one.
    fn of_session(&self, session: SessionRef) -> Vec<String> {
        let here = self.short.get(&session).into_iter().flatten();
        self.anywhere.iter().chain(here).cloned().collect()
    }

    /// The broken parts that a row's own records are in.
    fn cited(&self, evidence: &Evidence) -> Vec<String> {
        let holds =
            |part: &&Broken| part.is_everything() || evidence.refs.iter().any(|at| part.has(*at));
        let found = self.broken.iter().filter(holds);
        found.map(|part| part.name.clone()).collect()
    }

    /// The broken records between the first and the last of an action; for one without an end, all after its begin.
    fn within(&self, row: &Action) -> Vec<&Broken> {
        let own = |first: &RecordRef| {
            let same = row.evidence.refs.iter();
            let same = same.filter(|at| at.stream == first.stream);
            same.map(|at| at.index).max().unwrap_or(first.index)
        };
        let Some(first) = row.evidence.refs.first() else {
            return Vec::new();
        };
        let last = if row.ended_at.is_some() {
            own(first)
        } else {
            u64::MAX
        };
        let between = |part: &&Broken| {
            part.stream == Some(first.stream)
                && part
                    .from
                    .is_some_and(|from| from > first.index && from < last)
        };
        self.broken.iter().filter(between).collect()
    }
}

impl Broken {
    /// Whether nothing that was read can be relied on: what is signed for the ledger as a whole does not hold.
    fn is_everything(&self) -> bool {
        self.stream.is_none() && self.from.is_none()
    }

    fn has(&self, at: RecordRef) -> bool {
        let here = self.stream == Some(at.stream);
        let after = self.from.is_none_or(|from| at.index >= from);
        here && after && self.to.is_none_or(|to| at.index <= to)
    }

    fn is_before(&self, at: RecordRef) -> bool {
        self.stream == Some(at.stream) && self.from.is_some_and(|from| from < at.index)
    }
}
