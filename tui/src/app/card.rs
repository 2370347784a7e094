//! Who left the line under the cursor as it is: what `recount blame` says of it within the opened request.

use account::change::{Behind, Blame, Blamed, Part, Step, blame, stands};

use super::changes::{By, Line, View};
use super::edits::change_under;
use super::list::List;
use super::model::Model;
use super::rows::Item;
use super::update::say;
use super::words;
use crate::source::place::quoted;

/// An open card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// What it is about.
    pub title: String,
    /// Facts: a name and what it says.
    pub facts: Vec<(&'static str, String)>,
    /// Its scroll position.
    pub list: List,
}

/// Opens the card of the line under the cursor of the diffs.
pub(super) fn open(model: &mut Model) {
    match card(model) {
        Some(card) => model.card = Some(card),
        None => say(model, "no line of a resource is selected"),
    }
}

fn card(model: &Model) -> Option<Card> {
    let opened = model.opened.as_ref()?;
    let account = &opened.account;
    let resource = opened.changes.resources.get(model.diffs.resource)?;
    let line = model.diffs.lines.get(model.diffs.list.cursor())?;
    let part = part(line);
    let (title, now) = match &part {
        Some(Part::Line(n)) => (format!("{}:{n}", resource.name), None),
        Some(Part::Field(name)) => (format!("{}#{name}", resource.name), None),
        None => match line {
            Line::Removed(n, text) => (
                format!("{}, line {n} before", resource.name),
                Some(text.text.clone()),
            ),
            _ => return None,
        },
    };
    let edits = edits(model, &resource.diffs);
    let steps: Vec<Step<'_>> = edits
        .iter()
        .map(|n| Step::from(&account.diffs[*n]))
        .collect();
    let kind = &account.diffs[*resource.diffs.first()?].kind;
    let blamed = part.as_ref().and_then(|part| match blame(kind, &steps) {
        Blame::Parts(parts) => parts.into_iter().find(|it| it.part == *part),
        Blame::Gone | Blame::Opaque => None,
    });
    let mut facts = Vec::new();
    let by = match &blamed {
        Some(blamed) => {
            facts.push(("now", blamed.now.clone()));
            let nothing = || "nothing".to_owned();
            facts.push(("before", blamed.before.clone().unwrap_or_else(nothing)));
            origin(blamed, &edits)
        }
        None => {
            facts.extend(now.map(|now| ("was", now)));
            line.by().unwrap_or(By::Unrecorded)
        }
    };
    match by {
        By::Earlier => facts.push((
            "origin",
            "unknown: older than the first change that was recorded".to_owned(),
        )),
        By::Unrecorded => facts.push((
            "origin",
            "unknown: changed by something that was not recorded".to_owned(),
        )),
        By::Diff(n) => facts.extend(behind(model, n)),
    }
    let about = title
        .split_once(", line")
        .map_or(title.as_str(), |(name, _)| name);
    facts.push((
        "shell",
        format!("recount blame {} {}", quoted(about), model.place_flags),
    ));
    Some(Card {
        list: List::new(facts.len()),
        title,
        facts,
    })
}

/// The part of the resource that a line shows, as the edits looked at left it.
fn part(line: &Line) -> Option<Part> {
    match line {
        Line::Same(_, n, _) | Line::Added(n, _) | Line::Pair(_, _, n, _) if *n > 0 => {
            Some(Part::Line(*n))
        }
        Line::Field(field, _) if field.after.is_some() => Some(Part::Field(field.field.clone())),
        _ => None,
    }
}

fn origin(blamed: &Blamed, edits: &[usize]) -> By {
    match blamed.by.edit().and_then(|edit| edits.get(edit)) {
        Some(diff) => By::Diff(*diff),
        None if blamed.by == account::change::Origin::Earlier => By::Earlier,
        None => By::Unrecorded,
    }
}

/// The edits that the selected line is the result of.
fn edits(model: &Model, all: &[usize]) -> Vec<usize> {
    let Some(opened) = &model.opened else {
        return Vec::new();
    };
    let upto = match model.diffs.view {
        View::Net | View::Stored => all.len(),
        View::At(edit) => edit + 1,
        View::PerEdit => {
            let under = change_under(model);
            let at = all.iter().position(|n| Some(*n) == under);
            // By itself: a line number of this edit means nothing after the next one.
            return at.map(|at| vec![all[at]]).unwrap_or_default();
        }
    };
    let upto = all.iter().take(upto).copied();
    upto.filter(|n| stands(&opened.account.diffs[*n])).collect()
}

/// What is behind a change, fact by fact.
fn behind(model: &Model, n: usize) -> Vec<(&'static str, String)> {
    let Some(opened) = &model.opened else {
        return Vec::new();
    };
    let (account, diff) = (&opened.account, &opened.account.diffs[n]);
    let row = diff
        .action
        .as_deref()
        .and_then(|id| opened.rows.of_action(id));
    let action = row.and_then(|row| match opened.rows.get(row)?.item {
        Item::Action(n) => account.actions.get(n),
        _ => None,
    });
    let behind = Behind::of(account, diff, action);
    let unknown = || "unknown".to_owned();
    let record = behind
        .record
        .map_or_else(unknown, |it| format!("{}{it}", diff.evidence.mark()));
    let at = behind.at.map_or_else(unknown, |at| model.clock.full(at));
    let did = action.map_or_else(
        || "an action that is not recorded".to_owned(),
        words::action,
    );
    let mut facts = vec![
        ("record", format!("{record}  {at}")),
        ("did", did),
        ("agent", behind.agent.clone().unwrap_or_else(unknown)),
        ("asked by", behind.asked_by.clone().unwrap_or_else(unknown)),
        ("rule", behind.ruled()),
        ("allowed", behind.approved()),
    ];
    facts.extend(behind.decision.map(|it| ("why", format!("{it}  (stated)"))));
    facts
}
