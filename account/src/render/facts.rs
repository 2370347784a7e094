//! The facts of an account in reading order, each as one line with the records that show it.

mod deeds;
mod record;

use vocabulary::id::RecordRef;
use vocabulary::record::ContentState;

use crate::judge::who;
use crate::model::{Account, Content, Evidence};
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
    /// Whether it depends on a part of the record that does not hold.
    pub doubtful: bool,
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
            doubtful: evidence.is_some_and(|evidence| !evidence.doubt.is_empty()),
        }
    }

    /// A fact that depends on what other evidence depends on.
    fn resting_on(mut self, evidence: &Evidence) -> Self {
        self.doubtful = !evidence.doubt.is_empty();
        self
    }

    /// `? ` before what depends on a part of the record that does not hold.
    #[must_use]
    pub fn mark(&self) -> &'static str {
        if self.doubtful { "? " } else { "" }
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
    let counted = |field, text| Fact::new(field, text, None).resting_on(&account.outcome.evidence);
    list.push(counted("read", deeds::read(account)));
    list.push(counted("changed", deeds::changed(account)));
    list.extend(bounded(
        account.diffs.iter().map(deeds::diff).collect(),
        limit,
    ));
    list.extend(bounded(deeds::scope(account), limit));
    list.extend(bounded(deeds::problems(account), limit));
    list.extend(bounded(
        account.decisions.iter().flat_map(deeds::decision).collect(),
        limit,
    ));
    list.extend(bounded(deeds::reasoning(account), limit));
    list.extend(bounded(deeds::responsible(account), limit));
    list.extend(record::record(account));
    list.extend(record::unknown(account, limit));
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
            "{}  {}  {}  {}..{}  {} records{parent}; recorded by {}, found by {}; {}",
            row.name,
            line(&row.id),
            line(&agent),
            time(row.started_at),
            time(row.ended_at),
            row.records,
            row.recording_mode,
            row.session_source,
            row.sent_by(),
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
        let session = account.sessions.iter().find(|it| it.name == row.session);
        let evidence = session.map_or(&account.outcome.evidence, |it| &it.evidence);
        Fact::new(
            "result",
            format!("{} {}{said}", row.session, row.status),
            None,
        )
        .resting_on(evidence)
        .stated(stated)
    })
    .collect()
}
