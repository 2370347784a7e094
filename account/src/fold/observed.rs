//! What an agent told of and a recorder beside it saw: one action, told once.

use std::collections::{BTreeSet, HashMap};
use vocabulary::action::{Effect, Kind, Outcome};
use vocabulary::attribute as key;
use vocabulary::digest::Digest;
use vocabulary::id::SessionRef;
use vocabulary::problem::ProblemKind;
use vocabulary::record::ContentState;
use vocabulary::source::Source;

use super::{Act, Fold, Note};
use crate::model::{Content, Diff};

/// What was seen of an action that was told of: its target, and how the caller addressed it.
type Addressed = HashMap<(SessionRef, String), (String, Option<String>)>;

/// Positions of two acts that are one: what the agent told of, what was seen of it.
struct Pair {
    told: usize,
    seen: usize,
}

impl Fold {
    /// Joins what recorders beside the agent saw to what the agent told of, by the span that it named to them. The
    /// first that was seen under a span is the same action; a further one, and what was seen while something else
    /// ran, is part of it: two effects are never counted as one.
    pub(super) fn join_observed(&mut self) {
        if self.acts.iter().all(|act| act.observed.is_none()) {
            return;
        }
        let pairs = self.pairs();
        let mut renamed = HashMap::new();
        let mut addressed = Addressed::new();
        for Pair { told, seen } in &pairs {
            let [told, seen] = if self.acts[*told].is_span() {
                [*seen, *told]
            } else {
                [*told, *seen]
            };
            self.merge(told, seen);
            let (kept, gone) = (&self.acts[told].row, &self.acts[seen].row);
            renamed.insert((gone.session, gone.id.clone()), kept.id.clone());
            if let Some((_, by)) = &self.acts[seen].observed {
                let target = gone.target.resource.clone().unwrap_or_default();
                let slot = (kept.session, kept.id.clone());
                addressed.insert(slot, (target, by.clone()));
            }
        }
        let of_seen = |row: &Diff| {
            let slot = row.action.clone().map(|id| (row.session, id));
            slot.is_some_and(|slot| renamed.contains_key(&slot))
        };
        let changes = self.changes.iter().enumerate();
        let seen = changes.filter(|(_, change)| !change.claims && of_seen(&change.row));
        let seen: BTreeSet<usize> = seen.map(|(at, _)| at).collect();
        self.rename(&renamed);
        self.join_calls();
        self.join_changes(&seen, &addressed);
    }

    fn pairs(&mut self) -> Vec<Pair> {
        let mut of: HashMap<(SessionRef, bool, String), usize> = HashMap::new();
        for (index, act) in self.acts.iter().enumerate() {
            if let (Some(trace), Some(span), false) =
                (&act.row.trace_id, &act.row.span_id, act.recorder_own)
            {
                let slot = (act.row.session, act.claims, format!("{trace}-{span}"));
                of.entry(slot).or_insert(index);
            }
        }
        let mut seen: Vec<usize> = (0..self.acts.len())
            .filter(|index| {
                let act = &self.acts[*index];
                act.observed.is_some() && !act.recorder_own
            })
            .collect();
        seen.sort_by_key(|index| (self.acts[*index].time, self.acts[*index].first()));
        let mut taken = BTreeSet::new();
        let mut pairs = Vec::new();
        for index in seen {
            let act = &self.acts[index];
            let Some((span, _)) = &act.observed else {
                continue;
            };
            let slot = (act.row.session, act.claims, span.clone());
            let Some(told) = of.get(&slot).copied().filter(|told| *told != index) else {
                continue;
            };
            if is_same(&self.acts[told], act) && taken.insert(told) {
                pairs.push(Pair { told, seen: index });
            } else if act.row.parent.is_none() {
                self.acts[index].row.parent = Some(self.acts[told].row.id.clone());
            }
        }
        pairs
    }

    /// Takes what was seen into what was told; the row of the former is told no more.
    fn merge(&mut self, told: usize, seen: usize) {
        let differences = differences(&self.acts[told], &self.acts[seen]);
        let (refs, row) = {
            let seen = &mut self.acts[seen];
            seen.recorder_own = true;
            (seen.row.evidence.refs.clone(), seen.row.clone())
        };
        let (ended, status) = (self.acts[seen].ended, self.acts[seen].status);
        let diffs = self.acts[seen].declared_diffs;
        let act = &mut self.acts[told];
        act.row.corroborated_by.extend(&refs);
        if let Some(target) = &row.target.resource
            && act.row.target.resource.as_ref() != Some(target)
        {
            let detail = &mut act.row.target.detail;
            detail.insert(key::TARGET.to_owned(), target.clone());
        }
        act.status = act.status.or(status);
        // What the agent could not know, or did not live to tell.
        if act.ended.is_none() && ended.is_some() {
            act.ended = ended;
            act.declared_diffs = diffs;
            act.row.ended_at = row.ended_at;
            act.row.outcome = row.outcome;
            act.row.output = row.output;
            act.row.result = row.result;
            act.row.error = row.error;
            act.row.effect = row.effect;
        } else if act.row.effect == Effect::Unknown && row.effect != Effect::Unknown {
            act.row.effect = row.effect;
            let source = &mut act.row.evidence.source_of;
            source.insert("effect".to_owned(), Source::Observed);
        }
        let usage = &mut act.row.usage;
        usage.input_tokens = usage.input_tokens.or(row.usage.input_tokens);
        usage.output_tokens = usage.output_tokens.or(row.usage.output_tokens);
        if !differences.is_empty() {
            let note = Note {
                kind: ProblemKind::Contradiction,
                session: act.row.session,
                action: Some(act.row.id.clone()),
                what: act.what(),
                why: format!(
                    "its own record and that of a recorder beside it differ: {}",
                    differences.join("; ")
                ),
                refs: act.row.evidence.refs.iter().copied().chain(refs).collect(),
            };
            self.notes.push(note);
        }
    }

    /// Whatever names an action by the id under which it was seen names it by the one under which it was told of.
    fn rename(&mut self, renamed: &HashMap<(SessionRef, String), String>) {
        let name = |session: SessionRef, id: &mut Option<String>| {
            let slot = id.take().map(|id| (session, id));
            *id = slot.map(|slot| renamed.get(&slot).cloned().unwrap_or(slot.1));
        };
        for act in &mut self.acts {
            name(act.row.session, &mut act.row.parent);
            name(act.row.session, &mut act.row.retry_of);
        }
        for change in &mut self.changes {
            name(change.row.session, &mut change.row.action);
        }
        for (at, of, _) in &mut self.calls {
            if let Some(decision) = self.decisions.get(*at) {
                let mut id = Some(std::mem::take(of));
                name(decision.session, &mut id);
                *of = id.unwrap_or_default();
            }
        }
        let mut kept: Vec<Note> = Vec::with_capacity(self.notes.len());
        for mut note in std::mem::take(&mut self.notes) {
            name(note.session, &mut note.action);
            let same = |known: &&mut Note| {
                known.action.is_some()
                    && (known.kind, known.session, &known.action)
                        == (note.kind, note.session, &note.action)
                    && note.kind != ProblemKind::Contradiction
            };
            match kept.iter_mut().find(same) {
                Some(known) => known.refs.extend(note.refs),
                None => kept.push(note),
            }
        }
        self.notes = kept;
    }

    /// A tool call that two recorders read in one reply is one decision.
    fn join_calls(&mut self) {
        let mut first: HashMap<(SessionRef, String, String), usize> = HashMap::new();
        let mut twice = HashMap::new();
        for (at, of, call) in &self.calls {
            let Some(row) = self.decisions.get(*at) else {
                continue;
            };
            let slot = (row.session, of.clone(), call.clone());
            let known = *first.entry(slot).or_insert(*at);
            if known != *at && self.decisions[known].chosen == row.chosen {
                twice.insert(*at, known);
            }
        }
        if twice.is_empty() {
            return;
        }
        let mut positions = HashMap::new();
        let mut kept = Vec::with_capacity(self.decisions.len());
        for (at, mut row) in std::mem::take(&mut self.decisions).into_iter().enumerate() {
            // What comes later in the list may be known by an earlier name only: the first is always kept.
            match twice.get(&at).and_then(|first| positions.get(first)) {
                Some(position) => {
                    let first: &mut crate::model::Decision = &mut kept[*position];
                    first.evidence.refs.append(&mut row.evidence.refs);
                    positions.insert(at, *position);
                }
                None => {
                    positions.insert(at, kept.len());
                    kept.push(row);
                }
            }
        }
        self.decisions = kept;
        for at in self.decision_of.values_mut() {
            *at = positions.get(at).copied().unwrap_or(*at);
        }
    }

    /// Two diffs of one resource by one action, one of each recorder, are one: the side that only one of them knows is
    /// taken from it, and a side that both know and that differs is a problem.
    fn join_changes(&mut self, seen: &BTreeSet<usize>, addressed: &Addressed) {
        let mut joined: HashMap<usize, usize> = HashMap::new();
        for at in seen {
            let row = &self.changes[*at].row;
            let slot = (row.session, row.action.clone().unwrap_or_default());
            let called = match addressed.get(&slot) {
                Some((target, Some(by))) => renamed(&row.resource, target, by),
                _ => row.resource.clone(),
            };
            let own = self.changes.iter().enumerate().position(|(own, change)| {
                !seen.contains(&own)
                    && !joined.contains_key(&own)
                    && change.row.session == row.session
                    && change.row.action == row.action
                    && change.row.resource == called
            });
            if let Some(own) = own {
                joined.insert(own, *at);
            }
        }
        let gone: BTreeSet<usize> = joined.values().copied().collect();
        for (own, at) in joined {
            let (one, other) = (self.changes[own].row.clone(), self.changes[at].row.clone());
            let differs = differing(&one, &other);
            if differs.is_empty() {
                self.changes[own].row = both(one, other);
            } else {
                self.notes.push(disagree(&one, &other, &differs));
                let refs = &mut self.changes[own].row.evidence.refs;
                refs.extend(other.evidence.refs);
            }
        }
        let mut at = 0..;
        self.changes
            .retain(|_| at.next().is_none_or(|at| !gone.contains(&at)));
    }
}

/// A resource that was seen, as the caller addresses it: behind a relay only its beginning differs.
fn renamed(resource: &str, target: &str, addressed: &str) -> String {
    let common = target
        .bytes()
        .rev()
        .zip(addressed.bytes().rev())
        .take_while(|(one, other)| one == other)
        .count();
    let beginnings = target
        .get(..target.len() - common)
        .zip(addressed.get(..addressed.len() - common));
    match beginnings.and_then(|(one, other)| Some((resource.strip_prefix(one)?, other))) {
        Some((rest, beginning)) => format!("{beginning}{rest}"),
        None => resource.to_owned(),
    }
}

/// Whether both can be one call: a recorder that stands at the network sees the call that `http` capture told of by
/// its own kind.
fn is_same(told: &Act, seen: &Act) -> bool {
    let kind = told.row.kind == seen.row.kind
        || (told.row.kind == Kind::Http && matches!(seen.row.kind, Kind::Llm | Kind::Mcp))
        || (told.is_span() && matches!(seen.row.kind, Kind::Http | Kind::Llm | Kind::Mcp))
            && matches!(
                told.row.kind,
                Kind::Http | Kind::Llm | Kind::Mcp | Kind::Other(_)
            );
    let ran = !matches!(told.row.outcome, Outcome::Denied | Outcome::NotExecuted);
    kind && ran && told.observed.is_none() && seen.ran()
}

/// What two recorders of one call say differently.
fn differences(told: &Act, seen: &Act) -> Vec<String> {
    let mut found = Vec::new();
    if let (Some(told), Some(seen)) = (told.status, seen.status)
        && told != seen
    {
        found.push(format!("status {told}, seen {seen}"));
    }
    if told.row.kind == seen.row.kind && !told.is_span() {
        for (name, one, other) in [
            ("input", &told.row.input, &seen.row.input),
            ("output", &told.row.output, &seen.row.output),
        ] {
            if differ(one, other) {
                found.push(format!("the {name}'s digest"));
            }
        }
    }
    found
}

/// Whether two contents are both known whole and are not the same. Digests under a key are those of one session and
/// one recorder, and compare with nothing.
fn differ(one: &Content, other: &Content) -> bool {
    // A text of a recorder's own stands for what was sent.
    let own = |content: &Content| {
        let media_type = content.media_type.as_deref().unwrap_or_default();
        media_type.starts_with("application/vnd.recount.")
    };
    if own(one) || own(other) {
        return false;
    }
    match (one.state, other.state) {
        (ContentState::Present, ContentState::Present) => match (&one.digest, &other.digest) {
            (Some(Digest::Sha256(one)), Some(Digest::Sha256(other))) => one != other,
            _ => match (&one.inline, &other.inline) {
                (Some(one), Some(other)) => one != other,
                _ => false,
            },
        },
        (ContentState::Present, ContentState::Absent)
        | (ContentState::Absent, ContentState::Present) => true,
        _ => false,
    }
}

fn differing(one: &Diff, other: &Diff) -> Vec<&'static str> {
    let sides = [
        ("before", &one.before, &other.before),
        ("after", &one.after, &other.after),
    ];
    sides
        .into_iter()
        .filter(|(_, one, other)| differ(one, other))
        .map(|(name, ..)| name)
        .collect()
}

/// One diff of two that agree: the one that knows more, with the records of both.
fn both(one: Diff, other: Diff) -> Diff {
    let known = |diff: &Diff| {
        [&diff.before, &diff.after]
            .into_iter()
            .filter(|side| matches!(side.state, ContentState::Present | ContentState::Absent))
            .count()
    };
    let (mut kept, gone) = if known(&other) > known(&one) {
        let named = Diff {
            id: one.id.clone(),
            resource: one.resource.clone(),
            ..other
        };
        (named, one)
    } else {
        (one, other)
    };
    kept.evidence.refs.extend(gone.evidence.refs);
    kept.evidence.refs.sort_unstable();
    kept
}

fn disagree(one: &Diff, other: &Diff, sides: &[&str]) -> Note {
    Note {
        kind: ProblemKind::Contradiction,
        session: one.session,
        action: one.action.clone(),
        what: one.resource.clone(),
        why: format!(
            "two recorders saw another state {} the change",
            sides.join(" and ")
        ),
        refs: one
            .evidence
            .refs
            .iter()
            .chain(&other.evidence.refs)
            .copied()
            .collect(),
    }
}
