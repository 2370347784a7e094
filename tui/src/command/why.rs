//! `recount why`: decisions, with what was considered, chosen and discarded, and who allowed it.

use std::fmt::Write as _;

use account::model::{Account, Decision, Reasoning};
use vocabulary::Source as Strength;
use vocabulary::id::RecordRef;

use super::{Context, exit_of, out, split_ref, table};
use crate::app::line::shown;
use crate::app::rows::{self, Item, Rows};
use crate::args::{FactForm, Why};
use crate::failure::{Exit, Failure};

/// The columns of CSV.
const COLUMNS: &[table::Column] = &[
    ("ref", "/refs/0"),
    ("session", "/session"),
    ("at", "/at"),
    ("made_by", "/made_by"),
    ("point", "/point"),
    ("question", "/question"),
    ("chosen", "/chosen"),
    ("rationale", "/rationale"),
    ("reasoning", "/content/inline"),
    ("source", "/source"),
];

pub(super) fn run(context: &Context, args: &Why) -> Result<Exit, Failure> {
    let (query, within) = split_ref(&args.query);
    let mut source = context.source()?;
    let account = context.account(&source, query)?;
    let index = Rows::of(&account);
    let (chosen, reasoning) = match within {
        None => (
            account.decisions.iter().collect(),
            account.reasoning.iter().collect(),
        ),
        Some(wanted) => behind(&account, &index, wanted)?,
    };
    match args.output {
        form @ (FactForm::Json | FactForm::Jsonl | FactForm::Csv) => {
            let rows = chosen.iter().copied().map(Row::Decision);
            let rows = rows.chain(reasoning.iter().copied().map(Row::Reasoning));
            let rows: Vec<Row<'_>> = rows.collect();
            match form {
                FactForm::Csv => table::csv(COLUMNS, &rows)?,
                FactForm::Jsonl => table::lines(&rows)?,
                _ => out::json(&rows)?,
            }
        }
        FactForm::Text => {
            let mut text = String::new();
            if let Some(wanted) = within {
                text.push_str(&row(&account, &index, wanted));
            }
            if chosen.is_empty() && reasoning.is_empty() {
                text.push_str("why        unknown: no decision was recorded for it\n");
            }
            for decision in &chosen {
                text.push_str(&told(&account, &index, decision));
            }
            for row in reasoning {
                text.push_str(&reasoned(&account, &index, row));
            }
            out::text(&text)?;
        }
    }
    context.pin(&mut source);
    Ok(exit_of(&account))
}

/// One row of the JSON form, exactly as the account has it.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Row<'a> {
    Decision(&'a Decision),
    Reasoning(&'a Reasoning),
}

/// What explains a record.
type Behind<'a> = (Vec<&'a Decision>, Vec<&'a Reasoning>);

/// What is behind a record: itself, or the decision that its action or its reasoning names, and what was said
/// about that.
fn behind<'a>(
    account: &'a Account,
    index: &Rows,
    wanted: RecordRef,
) -> Result<Behind<'a>, Failure> {
    let none = || Failure::NoRecord {
        query: account.query.text.clone(),
        wanted: wanted.to_string(),
    };
    let row = index
        .of_ref(wanted)
        .and_then(|row| index.get(row))
        .ok_or_else(none)?;
    let named = |id: &String| index.decision(id).and_then(|n| account.decisions.get(n));
    let decision = match row.item {
        Item::Decision(n) => account.decisions.get(n),
        Item::Action(n) => account.actions[n].decision.as_ref().and_then(named),
        Item::Reasoning(n) => account.reasoning[n].decision.as_ref().and_then(named),
        _ => None,
    };
    let itself = |it: &&Reasoning| it.evidence.refs.contains(&wanted);
    let about = |it: &&Reasoning| {
        decision.is_some_and(|decision| {
            it.decision.as_ref() == Some(&decision.id) && it.session == decision.session
        })
    };
    let reasoning = account.reasoning.iter();
    let reasoning = reasoning.filter(|it| itself(it) || about(it)).collect();
    Ok((decision.into_iter().collect(), reasoning))
}

/// What the asked record is, what policy said about it, and what it changed.
fn row(account: &Account, index: &Rows, wanted: RecordRef) -> String {
    let mut text = String::new();
    let Some(row) = index.of_ref(wanted).and_then(|row| index.get(row)) else {
        return text;
    };
    let mark = rows::mark(account, row).word;
    let _ = writeln!(
        text,
        "record     {}{wanted} {} {mark} {}",
        rows::doubt(account, row.item),
        shown(rows::kind(account, row.item)),
        shown(&rows::what(account, row.item))
    );
    if let Item::Action(n) = row.item {
        let action = &account.actions[n];
        let verdict = action
            .verdict
            .map_or("none was recorded", |verdict| verdict.as_str());
        let rule = action
            .rule
            .as_ref()
            .map(|rule| format!("  rule {rule}"))
            .unwrap_or_default();
        let _ = writeln!(text, "verdict    {verdict}{}", shown(&rule));
        let authorization = action.authorization.as_ref().and_then(|id| {
            account
                .authorization
                .iter()
                .find(|it| it.id.as_ref() == Some(id))
        });
        if let Some(it) = authorization {
            let by = it.granted_by.as_deref().unwrap_or("unknown");
            let _ = writeln!(
                text,
                "allowed    {}",
                shown(&format!(
                    "{}, granted by {by}",
                    crate::app::words::authorization(it)
                ))
            );
        }
        for problem in account
            .problems
            .iter()
            .filter(|problem| problem.action.as_ref() == Some(&action.id))
        {
            let what = format!("{}: {}: {}", problem.kind, problem.what, problem.why);
            let _ = writeln!(text, "problem    {}", shown(&what));
            for one in &problem.could_allow {
                let refs: Vec<String> = one.evidence.refs.iter().map(ToString::to_string).collect();
                let (who, refs) = (&one.identity, refs.join(" "));
                let could = format!("have allowed it: {who}, who {}  {refs}", one.why);
                let _ = writeln!(text, "could      {}", shown(&could));
            }
        }
    }
    text
}

fn told(account: &Account, index: &Rows, it: &Decision) -> String {
    let mut text = String::new();
    let mut fact = |name: &str, what: &str| {
        let _ = writeln!(text, "{name:<10} {}", shown(what));
    };
    let refs = it.evidence.refs.iter();
    let refs: Vec<String> = refs
        .map(|at| format!("{}{at}", it.evidence.mark()))
        .collect();
    let source = match it.evidence.source {
        Strength::Stated => "stated by the agent, not observed",
        other => other.as_str(),
    };
    let at = it
        .at
        .map(|at| at.to_string())
        .unwrap_or_else(|| "time unknown".to_owned());
    fact("decision", &format!("{}  {at}  ({source})", refs.join(" ")));
    fact("question", it.question.as_deref().unwrap_or("unknown"));
    let by = it.made_by.map_or("unknown", |by| by.as_str());
    fact(
        "made-by",
        &format!(
            "{by}, at {}",
            it.point.map_or("unknown", |point| point.as_str())
        ),
    );
    if let Some(criteria) = &it.criteria {
        fact("criteria", criteria);
    }
    if let Some(ordering) = &it.ordering {
        fact("order", ordering);
    }
    if let Some(count) = it.candidates.count {
        fact("options", &count.to_string());
    }
    it.considered
        .iter()
        .for_each(|option| fact("considered", option));
    it.chosen.iter().for_each(|option| fact("chosen", option));
    for discarded in &it.discarded {
        let reason = discarded.reason.as_deref().unwrap_or("no reason was given");
        fact("discarded", &format!("{}: {reason}", discarded.option));
    }
    if let Some(rationale) = &it.rationale {
        fact("stated", &format!("\"{rationale}\""));
    }
    for id in &it.led_to {
        let row = index.of_action(id).and_then(|row| index.get(row));
        let what = row.map(|row| {
            let shown_by = row
                .shown_by
                .map(|shown_by| shown_by.to_string())
                .unwrap_or_default();
            let mark = rows::doubt(account, row.item);
            format!("{mark}{shown_by} {}", rows::what(account, row.item))
        });
        fact("led-to", &what.unwrap_or_else(|| id.clone()));
    }
    text.push('\n');
    text
}

/// A piece of reasoning, whole.
fn reasoned(account: &Account, index: &Rows, it: &Reasoning) -> String {
    let refs: Vec<String> = it.evidence.refs.iter().map(ToString::to_string).collect();
    let at = it
        .at
        .map_or_else(|| "time unknown".to_owned(), |at| at.to_string());
    let mut text = String::new();
    let mut fact = |name: &str, what: &str| {
        let _ = writeln!(text, "{name:<10} {}", shown(what));
    };
    let source = "stated by the agent, not observed";
    fact(
        "reasoning",
        &format!("{}  {at}  ({source})", refs.join(" ")),
    );
    match it.content.as_text() {
        Some(said) => said.lines().for_each(|line| fact("stated", line)),
        None => fact("stated", &crate::app::words::content_state(&it.content)),
    }
    let about = it.decision.as_ref().and_then(|id| index.decision(id));
    if let Some(about) = about.and_then(|n| account.decisions.get(n)) {
        fact("about", &crate::app::words::decision(about));
    }
    text.push('\n');
    text
}
