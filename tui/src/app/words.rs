//! How rows of the account are said in one line.

use crate::app::line::Line;
use crate::app::look::Token;
use account::model::{
    Action, Asked, Authorization, Content, Context, Decision, Diff, Inline, Principal, Reasoning,
    Scope, Session,
};
use vocabulary::action::{Kind, Outcome};
use vocabulary::record::ContentState;

/// The inline text of a content, when it has one.
pub fn inline(content: &Content) -> Option<&str> {
    content.as_text()
}

/// A content in a few words: its first line, or why there is none.
pub fn content(content: &Content) -> String {
    match &content.inline {
        Some(Inline::Text(text)) => first_line(text),
        Some(Inline::Bytes(bytes)) => account::shown::of_bytes(bytes, 64),
        None => content_state(content),
    }
}

/// What is known of a content that has no inline text.
pub fn content_state(content: &Content) -> String {
    let state = match content.state {
        ContentState::NotCaptured => "not captured",
        other => other.as_str(),
    };
    let size = content
        .size
        .map(|size| format!(", {size} bytes"))
        .unwrap_or_default();
    let digest = content
        .digest
        .as_ref()
        .map(|digest| format!(", {digest}"))
        .unwrap_or_default();
    let why = content
        .why
        .as_ref()
        .map(|why| format!(": {why}"))
        .unwrap_or_default();
    format!("({state}{size}{digest}{why})")
}

fn first_line(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default().trim_end();
    if lines.next().is_some() {
        format!("{first} ...")
    } else {
        first.to_owned()
    }
}

/// `renewal-agent 1.4.0`.
pub fn agent(session: &Session) -> String {
    let name = session
        .agent
        .name
        .as_deref()
        .or(session.agent.id.as_deref())
        .unwrap_or("unknown");
    match &session.agent.version {
        Some(version) => format!("{name} {version}"),
        None => name.to_owned(),
    }
}

/// Who set it going, as a person would say it.
pub fn principal(principal: &Principal) -> String {
    principal
        .display
        .as_deref()
        .or(principal.subject.as_deref())
        .unwrap_or("unknown")
        .to_owned()
}

/// A session's start.
pub fn session_started(session: &Session) -> String {
    let host = session
        .agent
        .host
        .as_ref()
        .map(|host| format!(" on {host}"))
        .unwrap_or_default();
    format!("session {} started: {}{host}", session.name, agent(session))
}

/// What was asked.
pub fn asked(asked: &Asked) -> String {
    match inline(&asked.intent) {
        Some(text) => format!(
            "{} asked \"{}\"",
            principal(&asked.principal),
            first_line(text)
        ),
        None => format!(
            "{} asked {}",
            principal(&asked.principal),
            content_state(&asked.intent)
        ),
    }
}

/// A declared scope.
pub fn scope(scope: &Scope) -> String {
    let version = scope
        .version
        .as_ref()
        .map(|version| format!(" {version}"))
        .unwrap_or_default();
    format!("scope{version}: {}", scope.entries.join(", "))
}

/// An authorization.
pub fn authorization(authorization: &Authorization) -> String {
    let policy = authorization.policy.as_deref().unwrap_or("unknown policy");
    let version = authorization
        .version
        .as_ref()
        .map(|version| format!(" {version}"))
        .unwrap_or_default();
    format!(
        "{policy}{version}: {}",
        authorization.permissions.join(", ")
    )
}

/// Something loaded.
pub fn context(context: &Context) -> String {
    let name = context.name.as_deref().unwrap_or("unnamed");
    let trust = context
        .trust
        .map(|trust| format!("  ({trust})"))
        .unwrap_or_default();
    format!("{} {name}{trust}", context.kind)
}

/// What an action was to do to what.
pub fn attempt(action: &Action) -> String {
    let verb = action.operation.as_deref().or(action.name.as_deref());
    let verb = verb
        .or_else(|| action.access.map(|access| access.as_str()))
        .unwrap_or("unknown");
    let target = action.target.resource.as_deref().map(resource);
    match target {
        Some(target) if target.starts_with(verb) => target.to_owned(),
        Some(target) => format!("{verb} {target}"),
        None => verb.to_owned(),
    }
}

/// An action: what it did to what, and what came of it.
pub fn action(action: &Action) -> String {
    let mut said = attempt(action);
    let result = action.result.clone().or_else(|| outcome(action));
    if let Some(result) = result {
        said.push_str("  ");
        said.push_str(&result);
    }
    if action.kind == Kind::Llm
        && let (Some(sent), Some(got)) = (action.usage.input_tokens, action.usage.output_tokens)
    {
        said.push_str(&format!("  in {} out {}", tokens(sent), tokens(got)));
    }
    if let Some(rule) = &action.rule {
        said.push_str(&format!("  ({rule})"));
    }
    said
}

fn outcome(action: &Action) -> Option<String> {
    let error = action
        .error
        .as_ref()
        .and_then(|error| error.message.as_ref().or(error.class.as_ref()));
    match action.outcome {
        Outcome::Success => None,
        Outcome::Unknown if action.access.is_some() && action.ended_at.is_none() => {
            Some("no end was recorded".to_owned())
        }
        Outcome::Unknown => None,
        other => Some(match error {
            Some(error) => format!("{}: {error}", other.as_str().replace('_', " ")),
            None => other.as_str().replace('_', " "),
        }),
    }
}

/// A number of tokens, short.
pub fn tokens(count: u64) -> String {
    if count < 1000 {
        count.to_string()
    } else {
        format!("{}.{}k", count / 1000, count % 1000 / 100)
    }
}

/// A canonical resource without the kind in front.
pub fn resource(resource: &str) -> &str {
    resource.split_once(':').map_or(resource, |(_, rest)| rest)
}

/// A sentence with its resources shortened for narrow places: `http:crm.example.test/accounts/7` becomes
/// `crm /accounts/7`, and other kinds lose their prefix. The whole name is one key away.
pub fn brief(text: &str) -> String {
    text.split(' ')
        .map(brief_word)
        .collect::<Vec<_>>()
        .join(" ")
}

fn brief_word(word: &str) -> String {
    if let Some(rest) = word.strip_prefix("http:") {
        let (host, path) = rest
            .split_once('/')
            .map_or((rest, None), |(host, path)| (host, Some(path)));
        let host = host.split('.').next().unwrap_or(host);
        return path.map_or_else(|| host.to_owned(), |path| format!("{host} /{path}"));
    }
    let known = ["file:", "db:", "llm:", "process:", "tool:", "mcp:"];
    let bare = known
        .iter()
        .find_map(|kind| word.strip_prefix(kind))
        .filter(|rest| !rest.is_empty());
    bare.unwrap_or(word).to_owned()
}

/// A decision.
pub fn decision(decision: &Decision) -> String {
    let question = decision
        .question
        .as_deref()
        .or(decision.criteria.as_deref())
        .unwrap_or("question unknown");
    let chosen = if decision.chosen.is_empty() {
        String::new()
    } else {
        format!(" -> {}", decision.chosen.join(", "))
    };
    format!("{question}{chosen}")
}

/// Reasoning: its first line, as somebody's words.
pub fn reasoning(reasoning: &Reasoning) -> String {
    match inline(&reasoning.content) {
        Some(text) => format!("stated \"{}\"", first_line(text)),
        None => format!("reasoning {}", content_state(&reasoning.content)),
    }
}

/// `A`, `M` or `D`: what became of the resource.
pub fn sign(diff: &Diff) -> &'static str {
    match (diff.before.state, diff.after.state) {
        (ContentState::Absent, ContentState::Absent) => "-",
        (ContentState::Absent, _) => "A",
        (_, ContentState::Absent) => "D",
        _ => "M",
    }
}

/// A change: what became of which resource, and of one value from what to what.
pub fn change(diff: &Diff) -> String {
    let undone = match diff.effect {
        vocabulary::action::Effect::RolledBack => "  taken back",
        _ => "",
    };
    format!("{} {}{undone}", sign(diff), resource(&diff.resource))
}

/// `1 file`, `3 files`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// As many parts as there is room for, each at most once; the rest is counted by `others`.
pub fn fitting(parts: &[String], room: usize, others: impl Fn(usize) -> String) -> String {
    for shown in (1..=parts.len()).rev() {
        let mut said = parts[..shown].join(", ");
        if shown < parts.len() {
            said = format!("{said}, {}", others(parts.len() - shown));
        }
        if Line::of(Token::Plain, &said).width() <= room || shown == 1 {
            return said;
        }
    }
    String::new()
}

/// A number of actions of one kind.
pub fn actions(kind: &str, number: u64) -> String {
    match kind {
        "http" => count(number, "HTTP call", "HTTP calls"),
        "file" => count(number, "file action", "file actions"),
        "db" => count(number, "statement", "statements"),
        "llm" => count(number, "LLM call", "LLM calls"),
        "process" => count(number, "command", "commands"),
        "tool" => count(number, "tool call", "tool calls"),
        "agent" => count(number, "delegation", "delegations"),
        other => format!("{number} {other}"),
    }
}
