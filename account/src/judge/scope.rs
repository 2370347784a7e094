//! Declared scope against what was observed, access by access.

use std::collections::{HashMap, HashSet};
use vocabulary::Timestamp;
use vocabulary::action::{Access, Effect, Kind, Outcome};
use vocabulary::id::{RecordRef, SessionRef};
use vocabulary::record::ContentState;
use vocabulary::scope::{Scope, ScopeEntry};
use vocabulary::verdict::ScopeVerdict;

use crate::fold::{Act, Change, Fold, Run};
use crate::model::Outside;

/// One access beyond the scope in force.
#[derive(Debug)]
pub(crate) struct Beyond {
    pub(crate) session: SessionRef,
    /// Position of the action, where it is known.
    pub(crate) act: Option<usize>,
    pub(crate) outside: Outside,
    /// What happened, for people.
    pub(crate) what: String,
}

/// A widening of a session's scope.
#[derive(Debug)]
pub(crate) struct Widened {
    pub(crate) session: SessionRef,
    pub(crate) by: Vec<String>,
    pub(crate) at: Vec<RecordRef>,
}

/// What was found out about scopes.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) beyond: Vec<Beyond>,
    pub(crate) widened: Vec<Widened>,
    /// Entries that cannot be read, with their session.
    pub(crate) malformed: Vec<(SessionRef, String)>,
}

/// Scopes of one session in the order in which they came into force.
struct InForce {
    parsed: Vec<(Option<Timestamp>, Scope)>,
    memo: HashMap<(usize, Access, String), bool>,
    outside: Vec<Vec<Outside>>,
    /// Whether something could not be judged.
    unjudged: bool,
}

/// Judges every access and every effect by the scope in force at its time, and writes verdicts into the runs.
/// `incomplete` tells of sessions in which something may be missing.
pub(crate) fn judge(fold: &mut Fold, incomplete: &dyn Fn(SessionRef) -> bool) -> Found {
    let mut found = Found::default();
    let mut sessions: Vec<InForce> = fold
        .runs
        .iter_mut()
        .map(|run| in_force(run, &mut found))
        .collect();
    for index in 0..fold.changes.len() {
        judge_change(fold, index, &mut sessions, &mut found);
    }
    let told: HashSet<(usize, String)> = found
        .beyond
        .iter()
        .filter_map(|beyond| Some((beyond.act?, beyond.outside.resource.clone())))
        .collect();
    for (index, act) in fold.acts.iter().enumerate() {
        judge_act(act, index, &told, &mut sessions, &mut found);
    }
    let blind = blind_spots(fold);
    for (run, scopes) in fold.runs.iter_mut().zip(sessions) {
        let session = run.row.name;
        let blind = scopes.unjudged || incomplete(session) || blind.contains(&session);
        for (row, outside) in run.scopes.iter_mut().zip(scopes.outside) {
            row.verdict = match (outside.is_empty(), blind) {
                (false, _) => ScopeVerdict::Exceeded,
                (true, false) => ScopeVerdict::Within,
                (true, true) => ScopeVerdict::Unknown,
            };
            row.outside = outside;
        }
    }
    found
}

/// Orders a session's scopes, closes each where the next begins, and notes where one is wider than the last.
fn in_force(run: &mut Run, found: &mut Found) -> InForce {
    run.scopes
        .sort_by_key(|scope| (scope.from, scope.evidence.refs.first().copied()));
    let starts: Vec<Option<Timestamp>> =
        run.scopes.iter().skip(1).map(|scope| scope.from).collect();
    for (scope, next) in run.scopes.iter_mut().zip(starts) {
        scope.to = next;
    }
    let mut unjudged = false;
    let mut parsed: Vec<(Option<Timestamp>, Scope)> = Vec::with_capacity(run.scopes.len());
    for row in &run.scopes {
        let mut scope = Scope::default();
        for entry in &row.entries {
            match entry.parse::<ScopeEntry>() {
                Ok(entry) => scope.entries.push(entry),
                Err(error) => {
                    unjudged = true;
                    found.malformed.push((row.session, error.to_string()));
                }
            }
        }
        if let Some((_, before)) = parsed.last() {
            let by: Vec<String> = before
                .widened_by(&scope)
                .iter()
                .map(ToString::to_string)
                .collect();
            if !by.is_empty() {
                let at = row.evidence.refs.clone();
                found.widened.push(Widened {
                    session: row.session,
                    by,
                    at,
                });
            }
        }
        parsed.push((row.from, scope));
    }
    let outside = parsed.iter().map(|_| Vec::new()).collect();
    InForce {
        parsed,
        memo: HashMap::new(),
        outside,
        unjudged,
    }
}

impl InForce {
    /// The scope in force at a time; what came before the first declaration is judged by nothing.
    fn at(&mut self, time: Timestamp) -> Option<usize> {
        let next = self
            .parsed
            .partition_point(|(from, _)| from.is_some_and(|from| from <= time));
        let found = next.checked_sub(1);
        self.unjudged |= found.is_none();
        found
    }

    fn covers(&mut self, scope: usize, access: Access, resource: &str) -> bool {
        let slot = (scope, access, resource.to_owned());
        if let Some(known) = self.memo.get(&slot) {
            return *known;
        }
        let parsed = self.parsed.get(scope);
        let covers = parsed.is_some_and(|(_, scope)| scope.covering(access, resource).is_some());
        self.memo.insert(slot, covers);
        covers
    }

    fn exceeded(&mut self, scope: usize, outside: Outside) {
        if let Some(list) = self.outside.get_mut(scope) {
            list.push(outside);
        }
    }
}

fn judge_change(fold: &mut Fold, index: usize, sessions: &mut [InForce], found: &mut Found) {
    let Some(change) = fold.changes.get_mut(index) else {
        return;
    };
    let session = change.row.session;
    let Some(scopes) = sessions.get_mut(session.0 as usize - 1) else {
        return;
    };
    if change.claims {
        return;
    }
    let act = change.act.and_then(|act| fold.acts.get(act));
    let time = act.map_or(change.row.at.unwrap_or_default(), |act| act.time);
    let Some(scope) = scopes.at(time) else { return };
    let access = change_access(change);
    let resource = &change.row.resource;
    let by_action = act
        .and_then(|act| act.row.access)
        .filter(|access| *access != Access::Read);
    let covered = scopes.covers(scope, access, resource)
        || by_action.is_some_and(|access| scopes.covers(scope, access, resource));
    change.row.in_scope = Some(covered);
    if covered || matches!(change.row.effect, Effect::None | Effect::RolledBack) {
        return;
    }
    let outside = Outside {
        action: change.row.action.clone(),
        diff: Some(change.row.id.clone()),
        access: Some(access),
        resource: resource.clone(),
        refs: change.row.evidence.refs.clone(),
    };
    scopes.exceeded(scope, outside.clone());
    let verb = act.and_then(|act| act.row.operation.clone());
    let verb = verb.unwrap_or_else(|| access.to_string());
    let what = format!("{verb} {resource}{}", sides(&change.row));
    found.beyond.push(Beyond {
        session,
        act: change.act,
        outside,
        what,
    });
}

fn judge_act(
    act: &Act,
    index: usize,
    told: &HashSet<(usize, String)>,
    sessions: &mut [InForce],
    found: &mut Found,
) {
    let session = act.row.session;
    let Some(scopes) = sessions.get_mut(session.0 as usize - 1) else {
        return;
    };
    if act.claims || !touches(act) {
        return;
    }
    let (Some(access), Some(resource)) = (act.row.access, act.row.target.resource.as_deref())
    else {
        scopes.unjudged = true;
        return;
    };
    let Some(scope) = scopes.at(act.time) else {
        return;
    };
    if scopes.covers(scope, access, resource) || told.contains(&(index, resource.to_owned())) {
        return;
    }
    let outside = Outside {
        action: Some(act.row.id.clone()),
        diff: None,
        access: Some(access),
        resource: resource.to_owned(),
        refs: act.row.evidence.refs.clone(),
    };
    scopes.exceeded(scope, outside.clone());
    found.beyond.push(Beyond {
        session,
        act: Some(index),
        outside,
        what: act.what(),
    });
}

/// Whether an attempt reached its target, or may have.
fn touches(act: &Act) -> bool {
    let done = act.row.outcome == Outcome::Success && act.row.effect != Effect::RolledBack;
    let without_effect = matches!(act.row.effect, Effect::None | Effect::RolledBack);
    act.ran() && (done || !without_effect)
}

/// What a change did, where it is short enough to be read in a line: ` discount 0 -> 10`.
fn sides(row: &crate::model::Diff) -> String {
    const SHORT: usize = 24;
    let text = |old: &str, new: &str, path: &str| {
        let short = old.len() <= SHORT && new.len() <= SHORT && path.len() <= SHORT;
        short.then(|| {
            format!(
                " {path}{}{old} -> {new}",
                if path.is_empty() { "" } else { " " }
            )
        })
    };
    let (Some(old), Some(new)) = (row.before.as_text(), row.after.as_text()) else {
        return String::new();
    };
    if let Some(sides) = text(old.trim(), new.trim(), "") {
        return sides;
    }
    let Some([op]) = row
        .patch
        .as_ref()
        .and_then(|patch| patch.as_array())
        .map(Vec::as_slice)
    else {
        return String::new();
    };
    let (Some("replace"), Some(path), Some(new)) =
        (op["op"].as_str(), op["path"].as_str(), op.get("value"))
    else {
        return String::new();
    };
    let old: Option<serde_json::Value> = serde_json::from_str(old).ok();
    let old = old
        .as_ref()
        .and_then(|old| old.pointer(path))
        .map(ToString::to_string);
    let path = path.trim_start_matches('/');
    old.and_then(|old| text(&old, &new.to_string(), path))
        .unwrap_or_default()
}

fn change_access(change: &Change) -> Access {
    match change.row.after.state {
        ContentState::Absent => Access::Delete,
        _ => Access::Write,
    }
}

/// Sessions in which something could have happened that no recorder saw.
fn blind_spots(fold: &Fold) -> HashSet<SessionRef> {
    let seen = |session: SessionRef| {
        let run = fold.runs.get(session.0 as usize - 1);
        run.is_some_and(|run| {
            run.captures
                .iter()
                .any(|capture| capture == "process:diffs")
        })
    };
    let blind = fold.acts.iter().filter(|act| {
        let process = act.row.kind == Kind::Process && act.ran() && !seen(act.row.session);
        act.is_dangling() || act.claims || process
    });
    blind.map(|act| act.row.session).collect()
}
