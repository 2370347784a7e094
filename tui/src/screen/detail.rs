//! One row of the timeline told in full: for the preview, the detail pane and the selected problem.

use account::model::{Action, Allower, Content, Problem};
use vocabulary::action::{Durability, Kind};
use vocabulary::record::ContentState;

use super::answer::{cited, short};
use crate::app::clock::took;
use crate::app::line::{Line, rule, wrap};
use crate::app::look::Token;
use crate::app::rows::{self, Item, Row};
use crate::app::{Model, Opened, marks, words};

/// Width of the names before the facts.
const NAMES: usize = 11;

fn fact(name: &str, text: impl AsRef<str>, width: usize) -> Vec<Line> {
    tagged(Token::Plain, name, text, width)
}

fn tagged(token: Token, name: &str, text: impl AsRef<str>, width: usize) -> Vec<Line> {
    let texts = wrap(text.as_ref(), width.saturating_sub(NAMES + 1));
    let most = 6;
    let cut = texts.len() > most;
    let mut lines: Vec<Line> = texts
        .into_iter()
        .take(most)
        .enumerate()
        .map(|(n, text)| {
            Line::of(Token::Dim, format!(" {}", if n == 0 { name } else { "" }))
                .column(NAMES, 1)
                .put(token, text)
        })
        .collect();
    if cut {
        lines.push(
            Line::new()
                .column(NAMES, 1)
                .put(Token::Dim, "(cut; y j copies all)"),
        );
    }
    lines
}

/// A content as a fact; one line that says why when it is not there.
fn content(name: &str, content: &Content, width: usize) -> Vec<Line> {
    let mut lines = match words::inline(content) {
        Some(text) => fact(name, text, width),
        None => fact(name, words::content_state(content), width),
    };
    for redaction in &content.redactions {
        lines.extend(fact(
            "",
            format!(
                "removed before sealing: {} by {}",
                redaction.path, redaction.rule
            ),
            width,
        ));
    }
    lines
}

/// Who could have allowed what nobody allowed, one line each.
fn allowers(problem: &Problem, width: usize) -> Vec<Line> {
    let told = |one: &Allower| {
        let shown_by = cited(&one.evidence);
        let text = format!(
            "have allowed it: {}, who {} {shown_by}",
            one.identity, one.why
        );
        tagged(Token::Stated, "could", text, width)
    };
    problem.could_allow.iter().flat_map(told).collect()
}

/// The facts of a row, most telling first.
pub(super) fn row(model: &Model, opened: &Opened, row: &Row, width: usize) -> Vec<Line> {
    let account = &opened.account;
    let mut lines = Vec::new();
    if let Some(problem) = row.problem.and_then(|n| account.problems.get(n as usize)) {
        let mark = marks::of_problem(problem);
        lines.extend(tagged(
            mark.token,
            "problem",
            format!("{}: {}", problem.what, problem.why),
            width,
        ));
    }
    for (name, text) in crate::app::note_lines(model, row) {
        lines.extend(tagged(Token::Stated, name, text, width));
    }
    match row.item {
        Item::Action(n) => {
            lines.extend(deed(opened, n, width));
            let problem = row.problem.and_then(|n| account.problems.get(n as usize));
            lines.extend(problem.into_iter().flat_map(|it| allowers(it, width)));
            lines.extend(behind(opened, n, width));
        }
        Item::Decision(n) => lines.extend(decision(opened, n, width)),
        Item::Asked(n) => {
            let asked = &account.asked[n];
            lines.extend(content("intent", &asked.intent, width));
            let principal = &asked.principal;
            let issuer = principal
                .issuer
                .as_ref()
                .map(|issuer| format!(" at {issuer}"))
                .unwrap_or_default();
            let subject = principal.subject.as_deref().unwrap_or("unknown");
            lines.extend(fact(
                "by",
                format!("{} ({subject}{issuer})", words::principal(principal)),
                width,
            ));
            lines.extend(fact(
                "proof",
                principal.proof.as_str().replace('_', " "),
                width,
            ));
        }
        Item::Scope(n) => {
            let scope = &account.scope[n];
            for entry in &scope.entries {
                lines.extend(fact("may", entry, width));
            }
            lines.extend(fact(
                "by",
                scope.declared_by.as_deref().unwrap_or("unknown"),
                width,
            ));
            lines.extend(fact("verdict", scope.verdict.as_str(), width));
            for outside in &scope.outside {
                lines.extend(tagged(Token::Error, "outside", &outside.resource, width));
            }
        }
        Item::Authorization(n) => {
            let it = &account.authorization[n];
            lines.extend(fact("policy", words::authorization(it), width));
            lines.extend(fact(
                "by",
                it.granted_by.as_deref().unwrap_or("unknown"),
                width,
            ));
        }
        Item::Context(n) => {
            let it = &account.context[n];
            lines.extend(fact("what", words::context(it), width));
            lines.extend(fact(
                "digest",
                it.digest.as_deref().unwrap_or("unknown"),
                width,
            ));
        }
        Item::Start(n) | Item::End(n) => {
            let it = &account.sessions[n];
            lines.extend(fact("session", format!("{}  {}", it.name, it.id), width));
            lines.extend(fact("agent", words::agent(it), width));
            lines.extend(fact(
                "records",
                format!("{}, recorded by {}", it.records, it.recording_mode),
                width,
            ));
        }
        Item::Reasoning(n) => {
            lines.extend(content("stated", &account.reasoning[n].content, width));
            let about = account.reasoning[n].decision.as_ref();
            let about = about.and_then(|id| opened.rows.decision(id));
            if let Some(about) = about.and_then(|n| account.decisions.get(n)) {
                lines.extend(fact("about", words::decision(about), width));
            }
        }
        Item::Diff(n) => lines.extend(fact("what", &account.diffs[n].resource, width)),
    }
    lines.extend(evidence(model, opened, row, width));
    lines
}

/// The facts of an action, the most telling first: a preview shows only a few.
pub(super) fn action(opened: &Opened, n: usize, width: usize) -> Vec<Line> {
    let mut lines = deed(opened, n, width);
    lines.extend(behind(opened, n, width));
    lines
}

/// What was done to what, and what came of it.
fn deed(opened: &Opened, n: usize, width: usize) -> Vec<Line> {
    let it = &opened.account.actions[n];
    let target = it.target.resource.as_deref().unwrap_or("unknown");
    let mut lines = fact("target", target, width);
    if let Some(verdict) = it.verdict {
        let rule = it.rule.as_deref().unwrap_or("rule unknown");
        lines.extend(fact("verdict", format!("{verdict}  {rule}"), width));
    }
    lines.extend(fact("outcome", outcome(it), width));
    if let Some(error) = &it.error {
        let parts = [&error.class, &error.native, &error.message];
        let text: Vec<&str> = parts.iter().filter_map(|part| part.as_deref()).collect();
        lines.extend(tagged(Token::Error, "error", text.join("  "), width));
    }
    lines
}

/// Why it was done, with what, and what it changed.
fn behind(opened: &Opened, n: usize, width: usize) -> Vec<Line> {
    let account = &opened.account;
    let it = &account.actions[n];
    let mut lines = Vec::new();
    let decision = it
        .decision
        .as_deref()
        .and_then(|id| opened.rows.decision(id));
    let decision = decision.and_then(|n| account.decisions.get(n));
    let why = match decision {
        Some(decision) => {
            format!(
                "{} {}",
                cited(&decision.evidence),
                words::decision(decision)
            )
        }
        None => "no decision is named".to_owned(),
    };
    lines.extend(tagged(Token::Stated, "why", why, width));
    for (name, side) in [("input", &it.input), ("output", &it.output)] {
        if side.state != ContentState::Absent {
            lines.extend(content(name, side, width));
        }
    }
    if it.kind == Kind::Llm {
        let said = |tokens: Option<u64>| tokens.map_or_else(|| "unknown".to_owned(), words::tokens);
        let (sent, got) = (said(it.usage.input_tokens), said(it.usage.output_tokens));
        lines.extend(fact("tokens", format!("in {sent} out {got}"), width));
    }
    for n in opened.rows.diffs_of_action(&it.id).iter().take(5) {
        let diff = &account.diffs[*n];
        let effect = diff.effect.as_str().replace('_', " ");
        let text = format!("{} {}  {effect}", words::sign(diff), diff.resource);
        lines.extend(fact("changed", text, width));
    }
    if let Some(durability) = it.durability {
        let text = match durability {
            Durability::Strict => "its begin was sealed before it ran",
            Durability::Spool => {
                "its begin was sealed later: no evidence that it preceded the action"
            }
            Durability::None => "its begin was not kept",
        };
        lines.extend(fact("sealed", text, width));
    }
    lines
}

fn outcome(it: &Action) -> String {
    let spent = took(it.began_at, it.ended_at).map(|spent| format!(", took {spent}"));
    let result = it.result.as_ref().map(|result| format!("  {result}"));
    format!(
        "{}{}, effect {}{}",
        it.outcome.as_str().replace('_', " "),
        result.unwrap_or_default(),
        it.effect.as_str().replace('_', " "),
        spent.unwrap_or_default()
    )
}

/// The facts of a decision.
pub(super) fn decision(opened: &Opened, n: usize, width: usize) -> Vec<Line> {
    let account = &opened.account;
    let it = &account.decisions[n];
    let or_unknown = |text: Option<&str>| text.unwrap_or("unknown").to_owned();
    let mut lines = fact("question", or_unknown(it.question.as_deref()), width);
    let by = or_unknown(it.made_by.map(|by| by.as_str()));
    lines.extend(fact(
        "made by",
        format!(
            "{by}, at {}",
            or_unknown(it.point.map(|point| point.as_str()))
        ),
        width,
    ));
    if let Some(criteria) = &it.criteria {
        lines.extend(fact("criteria", criteria, width));
    }
    if let Some(ordering) = &it.ordering {
        lines.extend(fact("order", ordering, width));
    }
    let count = it.candidates.count.unwrap_or(it.considered.len() as u64);
    if count > 0 {
        let named = if it.considered.is_empty() {
            String::new()
        } else {
            format!(": {}", it.considered.join(", "))
        };
        lines.extend(fact("options", format!("{count}{named}"), width));
    }
    let chosen = if it.chosen.is_empty() {
        "nothing".to_owned()
    } else {
        it.chosen.join(", ")
    };
    lines.extend(tagged(Token::Good, "chosen", chosen, width));
    for (n, discarded) in it.discarded.iter().enumerate() {
        let reason = discarded.reason.as_deref().unwrap_or("no reason was given");
        lines.extend(fact(
            if n == 0 { "discarded" } else { "" },
            format!("{}: {reason}", discarded.option),
            width,
        ));
    }
    if let Some(rationale) = &it.rationale {
        lines.extend(tagged(
            Token::Stated,
            "stated",
            format!("\"{rationale}\""),
            width,
        ));
    }
    for (n, id) in it.led_to.iter().enumerate() {
        let action = opened
            .rows
            .of_action(id)
            .and_then(|row| opened.rows.get(row));
        let text = match action {
            Some(row) => format!(
                "{} {}",
                short(row.shown_by.as_ref()),
                rows::what(account, row.item)
            ),
            None => id.clone(),
        };
        lines.extend(fact(if n == 0 { "led to" } else { "" }, text, width));
    }
    lines
}

fn evidence(model: &Model, opened: &Opened, row: &Row, width: usize) -> Vec<Line> {
    let refs: Vec<String> = rows::refs(&opened.account, row.item)
        .iter()
        .map(ToString::to_string)
        .collect();
    let at = row
        .at
        .map_or_else(|| "time unknown".to_owned(), |at| model.clock.full(at));
    let mut lines = vec![rule("Record", "", width, model.look)];
    lines.extend(fact("at", at, width));
    lines.extend(fact(
        "records",
        if refs.is_empty() {
            "none".to_owned()
        } else {
            refs.join(" ")
        },
        width,
    ));
    let source = match row.item {
        Item::Action(n) => Some(opened.account.actions[n].evidence.of("outcome")),
        Item::Decision(n) => Some(opened.account.decisions[n].evidence.source),
        Item::Reasoning(n) => Some(opened.account.reasoning[n].evidence.source),
        Item::Asked(n) => Some(opened.account.asked[n].evidence.source),
        _ => None,
    };
    if let Some(source) = source {
        lines.extend(fact("source", source.as_str(), width));
    }
    lines
}
