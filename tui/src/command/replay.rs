//! `recount replay`: the steps of a request, and the state after one of them as a fold over its diffs.

use std::fmt::Write as _;

use account::model::{Account, Diff};
use account::replay::{self, State};
use serde_json::json;
use vocabulary::action::Effect;
use vocabulary::id::RecordRef;
use vocabulary::record::ContentState;

use super::at::Moment;
use super::{Context, exit_of, out, split_ref, table};
use crate::app::line::shown;
use crate::app::rows::{self, Item, Rows};
use crate::app::words;
use crate::args::{FactForm, Replay};
use crate::failure::{Exit, Failure};

/// The columns of CSV: steps, and the resources of a state.
const STEPS: &[table::Column] = &[
    ("ref", "/ref"),
    ("at", "/at"),
    ("kind", "/kind"),
    ("state", "/state"),
    ("what", "/what"),
];
const RESOURCES: &[table::Column] = &[
    ("resource", "/resource"),
    ("state", "/content/state"),
    ("digest", "/content/digest"),
    ("by", "/by"),
];

pub(super) fn run(context: &Context, args: &Replay) -> Result<Exit, Failure> {
    let (query, within) = split_ref(&args.query);
    let mut source = context.source()?;
    let account = context.whole(&source, query)?;
    let upto = context.at()?.or(within);
    if let Some(upto) = upto {
        Moment::after(&account, upto)?;
    }
    match (args.output, upto) {
        (FactForm::Text, None) => out::text(&steps(&account))?,
        (FactForm::Text, Some(upto)) => out::text(&state_text(&account, upto))?,
        (FactForm::Json, Some(upto)) => out::json(&state_json(&account, upto))?,
        (form, Some(upto)) => {
            let state = state_json(&account, upto);
            let resources = state["resources"].as_array().map_or(&[][..], Vec::as_slice);
            match form {
                FactForm::Csv => table::csv(RESOURCES, resources)?,
                _ => table::lines(resources)?,
            }
        }
        (form, None) => {
            let index = Rows::of(&account);
            let step = |row: &rows::Row| {
                json!({
                    "ref": row.shown_by,
                    "doubtful": !rows::doubt(&account, row.item).is_empty(),
                    "at": row.at,
                    "kind": rows::kind(&account, row.item),
                    "state": rows::mark(&account, row).word,
                    "what": rows::what(&account, row.item),
                })
            };
            let steps: Vec<_> = index.iter().map(step).collect();
            match form {
                FactForm::Csv => table::csv(STEPS, &steps)?,
                _ => table::lines(&steps)?,
            }
        }
    }
    context.pin(&mut source);
    Ok(exit_of(&account))
}

fn steps(account: &Account) -> String {
    let index = Rows::of(account);
    let mut text = String::new();
    let mut changes: std::collections::HashMap<&str, Vec<&Diff>> = std::collections::HashMap::new();
    for diff in &account.diffs {
        if let Some(action) = &diff.action {
            changes.entry(action).or_default().push(diff);
        }
    }
    for row in index.iter() {
        let mark = rows::doubt(account, row.item);
        let shown_by = format!("{mark}{}", name(row.shown_by.as_ref()));
        let at = row
            .at
            .map_or_else(|| "unknown".to_owned(), |at| at.to_string());
        let kind = shown(rows::kind(account, row.item));
        let mark = rows::mark(account, row).word;
        let _ = writeln!(
            text,
            "{shown_by:<9} {at:<27} {kind:<7} {mark:<7} {}",
            shown(&rows::what(account, row.item))
        );
        if let Item::Action(n) = row.item {
            let id = &account.actions[n].id;
            for diff in changes.get(id.as_str()).into_iter().flatten() {
                let by = cited(diff);
                let effect = diff.effect.as_str().replace('_', " ");
                let _ = writeln!(
                    text,
                    "{by:<9} {:<27} {:<7} {:<7} {} {}",
                    "",
                    "change",
                    "",
                    words::sign(diff),
                    shown(&format!("{}  {effect}", diff.resource))
                );
            }
        }
    }
    text.push_str(&completeness(account, &replay::state_at(account, None)));
    text
}

/// A change's record, with `?` before it where the change depends on a part of the record that does not hold.
fn cited(diff: &Diff) -> String {
    format!(
        "{}{}",
        diff.evidence.mark(),
        name(diff.evidence.refs.first())
    )
}

fn name(shown_by: Option<&RecordRef>) -> String {
    shown_by.map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// The fold's own proof: every state before a change is the state that the change before it left.
fn completeness(account: &Account, state: &State<'_>) -> String {
    let mut text = String::new();
    let undone = |diff: &&Diff| matches!(diff.effect, Effect::RolledBack | Effect::None);
    let taken_back = account.diffs.iter().filter(undone).count();
    let breaks = replay::check(account.diffs.iter());
    let _ = writeln!(
        text,
        "fold       {} changes of {} resources, {} taken back; {} do not continue the change before them",
        account.diffs.len() - taken_back,
        state.len(),
        taken_back,
        breaks.len()
    );
    for it in &breaks {
        let _ = writeln!(
            text,
            "break      {} {} does not continue {}: somebody else changed it in between, or a change is not recorded",
            name(it.diff.evidence.refs.first()),
            shown(&it.diff.resource),
            name(it.last.evidence.refs.first())
        );
    }
    text
}

fn state_text(account: &Account, upto: RecordRef) -> String {
    let mut text = String::new();
    let index = Rows::of(account);
    let step = index.of_ref(upto).and_then(|row| index.get(row));
    let what = step
        .map(|row| rows::what(account, row.item))
        .unwrap_or_default();
    let _ = writeln!(text, "state      after {upto}  {}", shown(&what));
    let state = replay::state_at(account, Some(upto));
    for (resource, held) in &state {
        let by = match held.by {
            Some(diff) => format!("left by {}", cited(diff)),
            None => "not changed yet".to_owned(),
        };
        let there = if held.content.state == ContentState::Absent {
            "not there, "
        } else {
            ""
        };
        let _ = writeln!(text, "resource   {}  {there}{by}", shown(resource));
        match words::inline(held.content) {
            Some(content) => content.lines().for_each(|line| {
                let _ = writeln!(text, "  | {}", shown(line));
            }),
            None if held.content.state == ContentState::Absent => {}
            None => {
                let _ = writeln!(text, "  {}", shown(&words::content_state(held.content)));
            }
        }
    }
    text.push_str(&completeness(account, &state));
    text
}

fn state_json(account: &Account, upto: RecordRef) -> serde_json::Value {
    let state = replay::state_at(account, Some(upto));
    let resources: Vec<serde_json::Value> = state
        .iter()
        .map(|(resource, held)| {
            let by = held.by.and_then(|diff| diff.evidence.refs.first());
            let doubt = held.by.map(|diff| diff.evidence.doubt.as_slice());
            json!({
                "resource": resource, "content": held.content, "by": by,
                "doubt": doubt.unwrap_or_default(),
            })
        })
        .collect();
    let breaks: Vec<serde_json::Value> = replay::check(account.diffs.iter())
        .iter()
        .map(|it| json!({ "resource": it.diff.resource, "at": it.diff.evidence.refs.first(), "last": it.last.evidence.refs.first() }))
        .collect();
    json!({ "schema": "recount.state/1", "at": upto, "resources": resources, "breaks": breaks })
}
