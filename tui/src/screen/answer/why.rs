//! The Answer's reasons: the decision in which most was weighed.

use account::model::{Account, Decision};

use super::cited;
use crate::app::line::{Line, rule, wrap};
use crate::app::look::{Look, Token};

/// The decision that most was weighed in: where most was discarded.
pub(super) fn main_decision(account: &Account) -> Option<(usize, &Decision)> {
    let weight = |decision: &Decision| {
        let considered = decision
            .candidates
            .count
            .unwrap_or(decision.considered.len() as u64);
        (
            decision.discarded.len(),
            considered,
            usize::from(decision.rationale.is_some()),
        )
    };
    account
        .decisions
        .iter()
        .enumerate()
        .rev()
        .max_by_key(|(_, decision)| weight(decision))
}

pub(super) fn why(account: &Account, rows: usize, width: usize, look: Look) -> Vec<Line> {
    let Some((_, decision)) = main_decision(account) else {
        return undecided(account, width, look);
    };
    let title = match decision.question.as_deref() {
        Some(question) => format!("Why: {question}"),
        None => "Why".to_owned(),
    };
    let source = match decision.evidence.source {
        vocabulary::Source::Stated => "stated by the agent, not observed",
        vocabulary::Source::Observed => "observed",
        vocabulary::Source::Derived => "derived",
    };
    let mut lines = vec![rule(&title, source, width, look)];
    let shown_by = cited(&decision.evidence);
    let indent = shown_by.len() + 2;
    let texts = wrap(&reasons(decision), width.saturating_sub(indent + 1));
    let more = texts.len() > rows;
    for (n, text) in texts.into_iter().take(rows).enumerate() {
        let head = if n == 0 {
            Line::of(Token::Dim, format!(" {shown_by}"))
        } else {
            Line::new()
        };
        let line = head.column(indent, 1).put(Token::Stated, text);
        let last = more && n + 1 == rows;
        let tail = Line::of(Token::Dim, if last { "3 shows all" } else { "" });
        lines.push(line.right(tail, width, look));
    }
    lines
}

/// What is said where nothing was decided: the first reasoning, else that nothing is known.
fn undecided(account: &Account, width: usize, look: Look) -> Vec<Line> {
    let told = account.reasoning.iter().find_map(|row| {
        let text = row.content.as_text()?;
        Some((cited(&row.evidence), text))
    });
    match told {
        Some((shown_by, text)) => vec![
            rule("Why", "stated by the agent, not observed", width, look),
            Line::of(Token::Dim, format!(" {shown_by} "))
                .put(Token::Stated, text.lines().next().unwrap_or_default())
                .cut(width, look),
        ],
        None => vec![
            rule("Why", "", width, look),
            Line::of(Token::Ask, " unknown: no decision was recorded").cut(width, look),
        ],
    }
}

/// How a choice was made, in one paragraph.
fn reasons(decision: &Decision) -> String {
    let mut said = Vec::new();
    let considered = decision
        .candidates
        .count
        .unwrap_or(decision.considered.len() as u64);
    let mut choice = String::new();
    if considered > 0 {
        choice = format!("{considered} considered > ");
    }
    choice.push_str(&match decision.chosen.as_slice() {
        [] => "nothing chosen".to_owned(),
        [one] => format!("chose {one}"),
        many => format!("{} chosen", many.len()),
    });
    match (&decision.rationale, &decision.criteria) {
        (Some(rationale), _) => said.push(rationale.clone()),
        (None, Some(criteria)) => said.push(format!("{choice} by {criteria}")),
        (None, None) => said.push(choice),
    }
    if !decision.discarded.is_empty() {
        said.push(format!(
            "{} discarded: {}",
            decision.discarded.len(),
            discarded(decision)
        ));
    }
    said.join("; ")
}

/// What was not chosen, options with one reason together: `Orbit (open sev-1 ticket); Kestrel, Lumen (value)`.
fn discarded(decision: &Decision) -> String {
    let mut groups: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
    for it in &decision.discarded {
        match groups
            .iter_mut()
            .find(|(reason, _)| *reason == it.reason.as_deref())
        {
            Some((_, options)) => options.push(&it.option),
            None => groups.push((it.reason.as_deref(), vec![&it.option])),
        }
    }
    let said = |(reason, options): (Option<&str>, Vec<&str>)| match reason {
        Some(reason) => format!("{} ({reason})", options.join(", ")),
        None => options.join(", "),
    };
    groups.into_iter().map(said).collect::<Vec<_>>().join("; ")
}
