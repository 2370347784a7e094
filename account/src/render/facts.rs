//! The facts of an account in reading order, each as one line with the records that show it.

use vocabulary::action::{Access, Effect};
use vocabulary::id::RecordRef;
use vocabulary::record::ContentState;
use vocabulary::source::Source;

use crate::judge::outcome::things;
use crate::judge::who;
use crate::model::{Account, Content, Decision, Diff, Evidence};
use crate::shown::line;

/// One line of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The stable name of its field: `request`, `session`, `asked`, `result`, `read`, `changed`, `scope`,
    /// `problem`, `why`, `who`, `record`, `unknown`.
    pub field: &'static str,
    /// What it says, fit to be shown.
    pub text: String,
    /// The records that show it.
    pub refs: Vec<RecordRef>,
    /// Whether it is only somebody's word.
    pub stated: bool,
}

/// At most this many references are written behind a line.
const REFS: usize = 4;

impl Fact {
    fn new(field: &'static str, text: String, evidence: Option<&Evidence>) -> Self {
        Self {
            field,
            text,
            refs: evidence
                .map(|evidence| evidence.refs.clone())
                .unwrap_or_default(),
            stated: false,
        }
    }

    fn stated(mut self, stated: bool) -> Self {
        self.stated = stated;
        self
    }

    /// The references behind the line, as text.
    #[must_use]
    pub fn references(&self) -> String {
        let shown: Vec<String> = self
            .refs
            .iter()
            .take(REFS)
            .map(ToString::to_string)
            .collect();
        match self.refs.len().checked_sub(REFS) {
            Some(more) if more > 0 => format!("{} +{more}", shown.join(" ")),
            _ => shown.join(" "),
        }
    }
}

/// Every fact of an account. No group has more than `limit` lines; what is left out is counted.
#[must_use]
pub fn facts(account: &Account, limit: usize) -> Vec<Fact> {
    let mut list = Vec::new();
    list.push(request(account));
    list.extend(bounded(sessions(account), limit));
    list.extend(bounded(asked(account), limit));
    list.push(result(account));
    list.extend(bounded(ends(account), limit));
    list.push(Fact::new("read", read(account), None));
    list.push(Fact::new("changed", changed(account), None));
    list.extend(bounded(account.diffs.iter().map(diff).collect(), limit));
    list.extend(bounded(scope(account), limit));
    list.extend(bounded(problems(account), limit));
    list.extend(bounded(
        account.decisions.iter().flat_map(decision).collect(),
        limit,
    ));
    list.extend(bounded(responsible(account), limit));
    list.extend(record(account));
    list.extend(unknown(account, limit));
    list
}

fn bounded(mut facts: Vec<Fact>, limit: usize) -> Vec<Fact> {
    let total = facts.len();
    if total > limit {
        let field = facts.first().map_or("record", |fact| fact.field);
        facts.truncate(limit);
        facts.push(Fact::new(
            field,
            format!("{} more lines (--all shows them)", total - limit),
            None,
        ));
    }
    facts
}

fn request(account: &Account) -> Fact {
    let request = &account.request;
    let mut text = line(&request.id).into_string();
    for alias in &request.aliases {
        text = format!("{text}  {}", line(alias));
    }
    Fact::new(
        "request",
        format!("{text}  named by {}", line(&request.origin)),
        Some(&request.evidence),
    )
}

fn sessions(account: &Account) -> Vec<Fact> {
    let of = |row: &crate::model::Session| {
        let agent = who::agent(&row.agent).unwrap_or_else(|| "agent unknown".to_owned());
        let parent = row
            .parent
            .map(|parent| format!(", child of {parent}"))
            .unwrap_or_default();
        let text = format!(
            "{}  {}  {}  {}..{}  {} records{parent}; recorded by {}, found by {}",
            row.name,
            line(&row.id),
            line(&agent),
            time(row.started_at),
            time(row.ended_at),
            row.records,
            row.recording_mode,
            row.session_source,
        );
        Fact::new("session", text, Some(&row.evidence))
    };
    account.sessions.iter().map(of).collect()
}

fn time(time: Option<vocabulary::Timestamp>) -> String {
    time.map_or_else(|| "unknown".to_owned(), |time| time.to_string())
}

fn asked(account: &Account) -> Vec<Fact> {
    let of = |row: &crate::model::Asked| {
        let by = who::name(&row.principal).unwrap_or_else(|| "unknown".to_owned());
        let origin = row
            .trigger
            .origin
            .as_deref()
            .map(|origin| format!(" {origin}"))
            .unwrap_or_default();
        let behalf = match row.on_behalf_of.as_slice() {
            [] => String::new(),
            some => format!(", on behalf of {}", some.join(", ")),
        };
        let trigger = format!("{}{origin}", row.trigger.kind);
        let text = format!(
            "{}  {}  by {} ({}) in {}{}  {}  proof: {}",
            row.session,
            content(&row.intent),
            line(&by),
            row.principal.kind,
            line(&trigger),
            line(&behalf),
            time(row.at),
            row.principal.proof,
        );
        Fact::new("asked", text, Some(&row.evidence)).stated(true)
    };
    account.asked.iter().map(of).collect()
}

/// A content in a few words: its text where it is text, else what it is.
fn content(content: &Content) -> String {
    match (content.state, content.as_text()) {
        (ContentState::Present, Some(text)) => format!("\"{}\"", line(text)),
        (ContentState::Truncated, Some(text)) => format!("\"{}…\" (cut)", line(text)),
        (state, _) => match content.why.as_deref() {
            Some(why) => format!("{state} ({})", line(why)),
            None => state.to_string(),
        },
    }
}

fn result(account: &Account) -> Fact {
    let outcome = &account.outcome;
    let status = outcome.status.as_str().to_uppercase();
    Fact::new(
        "result",
        format!("{status}  {}", line(&outcome.summary)),
        Some(&outcome.evidence),
    )
}

/// How each session ended, in its agent's own words.
fn ends(account: &Account) -> Vec<Fact> {
    let several = account.outcome.sessions.len() > 1;
    let told = account
        .outcome
        .sessions
        .iter()
        .filter(|row| several || row.summary.is_some());
    told.map(|row| {
        let said = row
            .summary
            .as_deref()
            .map(|text| format!("  \"{}\"", line(text)))
            .unwrap_or_default();
        let stated = row.summary.is_some();
        Fact::new(
            "result",
            format!("{} {}{said}", row.session, row.status),
            None,
        )
        .stated(stated)
    })
    .collect()
}

fn read(account: &Account) -> String {
    let counts = &account.outcome.counts;
    let mut parts: Vec<String> = counts
        .read
        .iter()
        .map(|(kind, number)| format!("{number} {} read", line(kind)))
        .collect();
    let told = ["http", "file", "db"];
    let others = counts
        .by_kind
        .iter()
        .filter(|(kind, _)| !told.contains(&kind.as_str()));
    parts.extend(
        others
            .filter(|(kind, _)| !counts.read.contains_key(*kind))
            .map(|(kind, number)| {
                format!(
                    "{number} {} action{}",
                    line(kind),
                    if *number == 1 { "" } else { "s" }
                )
            }),
    );
    let total = format!("{} actions in all{}", counts.actions, took(account));
    if parts.is_empty() {
        total
    } else {
        format!("{}; {total}", parts.join(", "))
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

fn changed(account: &Account) -> String {
    let counts = &account.outcome.counts;
    let parts: Vec<String> = counts
        .changed
        .iter()
        .map(|(kind, number)| things(&line(kind).into_string(), *number))
        .collect();
    let back = match counts.rolled_back {
        0 => String::new(),
        number => format!("; {number} rolled back"),
    };
    if parts.is_empty() {
        format!("no change observed{back}")
    } else {
        format!("{}{back}", parts.join(", "))
    }
}

fn diff(row: &Diff) -> Fact {
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

fn scope(account: &Account) -> Vec<Fact> {
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

fn problems(account: &Account) -> Vec<Fact> {
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

fn decision(row: &Decision) -> Vec<Fact> {
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

fn responsible(account: &Account) -> Vec<Fact> {
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
    account.who.iter().map(of).collect()
}

fn record(account: &Account) -> Vec<Fact> {
    let integrity = &account.integrity;
    let of: u64 = account.sessions.iter().map(|row| row.records).sum();
    let status = integrity.status.as_str().to_uppercase();
    let checked = &integrity.checked;
    let text = format!(
        "{status}  {}/{of} records, {}/{} sessions; checked by {}",
        checked.records, checked.sessions, checked.of, account.query.checked_by,
    );
    let mut list = vec![Fact::new("record", text, None)];
    for ledger in &integrity.ledgers {
        let signed = ledger.checkpoint.as_ref().map_or_else(
            || "nothing signed".to_owned(),
            |checkpoint| format!("checkpoint {} {}", checkpoint.size, checkpoint.root),
        );
        let text = format!("ledger {}  {signed}  key {}", line(&ledger.id), ledger.key);
        list.push(Fact::new("record", text, None));
    }
    for gap in &integrity.gaps {
        list.push(Fact::new(
            "record",
            format!("gap: {}", line(&gap.why)),
            None,
        ));
    }
    for loss in &integrity.losses {
        let number = loss.records.map_or_else(
            || "unknown number of".to_owned(),
            |number| number.to_string(),
        );
        let text = format!("loss: {number} records, {}", line(&loss.why));
        list.push(Fact {
            refs: loss.refs.clone(),
            ..Fact::new("record", text, None)
        });
    }
    for what in &integrity.not_proven {
        list.push(Fact::new(
            "record",
            format!("not proven: {}", line(what)),
            None,
        ));
    }
    list
}

/// What is not known, the same reason told once.
fn unknown(account: &Account, limit: usize) -> Vec<Fact> {
    let mut groups: Vec<(String, String, Vec<&str>)> = Vec::new();
    let mut known: std::collections::HashMap<(String, &str), usize> =
        std::collections::HashMap::new();
    for row in &account.unknown {
        let field = row
            .fact
            .trim_start_matches('/')
            .split('/')
            .filter(|part| part.parse::<u64>().is_err());
        let field = field.collect::<Vec<_>>().join(".");
        let slot = (field.clone(), row.why.as_str());
        match known.get(&slot) {
            Some(index) => groups[*index].2.push(&row.fact),
            None => {
                known.insert(slot, groups.len());
                groups.push((field, row.why.clone(), vec![&row.fact]));
            }
        }
    }
    let of = |(field, why, facts): (String, String, Vec<&str>)| {
        let times = if facts.len() > 1 {
            format!(" ({} times)", facts.len())
        } else {
            String::new()
        };
        Fact::new(
            "unknown",
            format!("{}{times}: {}", line(&field), line(&why)),
            None,
        )
    };
    bounded(groups.into_iter().map(of).collect(), limit)
}
