//! Lines about what was done, why, and who answers for it.

use vocabulary::action::{Access, Effect};
use vocabulary::record::ContentState;
use vocabulary::source::Source;

use super::{Fact, content};
use crate::model::{Account, Decision, Diff, Reasoning, fully};
use crate::shown::line;

/// What was read, by what it is called; what else was done, by kind.
pub(super) fn read(account: &Account) -> String {
    let counts = &account.outcome.counts;
    let mut parts = Vec::new();
    if !counts.read_as.is_empty() {
        parts.push(format!("{} read", fully(&counts.read_as).join(", ")));
    }
    let told = ["http", "file", "db"];
    let others = counts
        .by_kind
        .iter()
        .filter(|(kind, _)| !told.contains(&kind.as_str()))
        .filter(|(kind, _)| !counts.read.contains_key(*kind));
    parts.extend(others.map(|(kind, number)| {
        let many = if *number == 1 { "" } else { "s" };
        format!("{number} {kind} action{many}")
    }));
    let total = format!("{} actions in all{}", counts.actions, took(account));
    if parts.is_empty() {
        total
    } else {
        format!("{}; {total}", line(&parts.join(", ")))
    }
}

/// How long the first session took.
fn took(account: &Account) -> String {
    let first = account.sessions.first();
    let times = first.and_then(|row| Some((row.started_at?, row.ended_at?)));
    times.map_or_else(String::new, |(from, to)| {
        let tenths = to.since_ns(from) / 100_000_000;
        format!(", {}.{} s", tenths / 10, tenths % 10)
    })
}

pub(super) fn changed(account: &Account) -> String {
    let counts = &account.outcome.counts;
    let back = match counts.rolled_back {
        0 => String::new(),
        number => format!("; {number} rolled back"),
    };
    if counts.changed_as.is_empty() {
        format!("no change observed{back}")
    } else {
        format!("{}{back}", line(&fully(&counts.changed_as).join(", ")))
    }
}

pub(super) fn diff(row: &Diff) -> Fact {
    let sign = match (row.before.state, row.after.state) {
        (ContentState::Absent, _) => "A",
        (_, ContentState::Absent) => "D",
        _ => "M",
    };
    let effect = match row.effect {
        Effect::Committed => String::new(),
        effect => format!("  {}", effect.as_str().replace('_', " ")),
    };
    let scope = match row.in_scope {
        Some(false) => "  OUT-OF-SCOPE",
        Some(true) => "",
        None => "  scope unknown",
    };
    let text = format!("{sign} {}{effect}{scope}", line(&row.resource));
    Fact::new("changed", text, Some(&row.evidence)).stated(row.evidence.source == Source::Stated)
}

pub(super) fn scope(account: &Account) -> Vec<Fact> {
    let mut list = Vec::new();
    for row in &account.scope {
        let by = row.declared_by.as_deref().unwrap_or("nobody named");
        let version = row.version.as_deref().unwrap_or("unknown");
        let verdict = row.verdict.as_str().to_uppercase();
        let text = format!(
            "{verdict}  {} version {}, declared by {}: {}",
            row.session,
            line(version),
            line(by),
            line(&row.entries.join("; ")),
        );
        list.push(Fact::new("scope", text, Some(&row.evidence)));
        for outside in &row.outside {
            let access = outside.access.map_or("touched", Access::as_str);
            let text = format!("outside: {access} {}", line(&outside.resource));
            list.push(Fact {
                refs: outside.refs.clone(),
                ..Fact::new("scope", text, None)
            });
        }
    }
    if list.is_empty() {
        list.push(Fact::new(
            "scope",
            "UNKNOWN  none was declared".to_owned(),
            None,
        ));
    }
    list
}

pub(super) fn problems(account: &Account) -> Vec<Fact> {
    let of = |row: &crate::model::Problem| {
        let text = format!(
            "{} {}  {}  {}",
            row.severity,
            row.kind,
            line(&row.what),
            line(&row.why)
        );
        Fact::new("problem", text, Some(&row.evidence))
    };
    if account.problems.is_empty() {
        return vec![Fact::new("problem", "none found".to_owned(), None)];
    }
    account.problems.iter().map(of).collect()
}

pub(super) fn decision(row: &Decision) -> Vec<Fact> {
    let said = |label: &str, value: &Option<String>| {
        value
            .as_deref()
            .map(|value| format!("  {label}: {}", line(value)))
            .unwrap_or_default()
    };
    let question = row
        .question
        .as_deref()
        .unwrap_or("a question that was not recorded");
    let chosen = if row.chosen.is_empty() {
        "nothing".to_owned()
    } else {
        row.chosen.join(", ")
    };
    let of = row
        .candidates
        .count
        .map(|count| format!(" of {count}"))
        .unwrap_or_default();
    let text = format!(
        "{}{}  chose {}{of}{}{}  led to {} action{}",
        line(question),
        row.made_by
            .map(|by| format!("  by {by}"))
            .unwrap_or_default(),
        line(&chosen),
        said("criteria", &row.criteria),
        said("because", &row.rationale),
        row.led_to.len(),
        if row.led_to.len() == 1 { "" } else { "s" },
    );
    let mut list = vec![Fact::new("why", text, Some(&row.evidence)).stated(true)];
    for discarded in &row.discarded {
        let reason = discarded.reason.as_deref().unwrap_or("no reason given");
        let text = format!("discarded {}: {}", line(&discarded.option), line(reason));
        list.push(Fact::new("why", text, Some(&row.evidence)).stated(true));
    }
    list
}

/// Reasoning that no decision tells already.
pub(super) fn reasoning(account: &Account) -> Vec<Fact> {
    let told = |row: &&Reasoning| {
        let text = row.content.as_text();
        let same = |decision: &Decision| {
            row.decision.as_ref() == Some(&decision.id)
                && decision.session == row.session
                && decision.rationale.as_deref() == text
        };
        text.is_none() || !account.decisions.iter().any(same)
    };
    let of = |row: &Reasoning| {
        let text = format!("reasoning  {}", content(&row.content));
        Fact::new("why", text, Some(&row.evidence)).stated(true)
    };
    account.reasoning.iter().filter(told).map(of).collect()
}

pub(super) fn responsible(account: &Account) -> Vec<Fact> {
    let of = |row: &crate::model::Who| {
        let identity = row.identity.as_deref().unwrap_or("unknown");
        let text = format!(
            "{:<8} {}  {}  proof: {}",
            row.role,
            row.session,
            line(identity),
            line(&row.proof)
        );
        Fact::new("who", text, Some(&row.evidence)).stated(row.evidence.source == Source::Stated)
    };
    let named = account.who.iter().map(of);
    named.chain(could_allow(account)).collect()
}

/// Who could have allowed what was not, each person once for each reason.
fn could_allow(account: &Account) -> Vec<Fact> {
    let mut facts: Vec<(String, Fact)> = Vec::new();
    for problem in &account.problems {
        let session = problem
            .session
            .map_or_else(String::new, |it| it.to_string());
        let Some(at) = problem.evidence.refs.first() else {
            continue;
        };
        for one in &problem.could_allow {
            let (who, why) = (line(&one.identity), line(&one.why));
            let slot = format!("{session} {who} {why}");
            match facts.iter_mut().find(|(known, _)| *known == slot) {
                Some((_, fact)) => fact.text.push_str(&format!(", {at}")),
                None => {
                    let text = format!(
                        "{:<8} {session}  {who}  {why}: could have allowed {at}",
                        "could"
                    );
                    let fact = Fact::new("who", text, Some(&one.evidence)).stated(true);
                    facts.push((slot, fact));
                }
            }
        }
    }
    facts.into_iter().map(|(_, fact)| fact).collect()
}
