//! Up to what led to a row, and down to what it led to: intent, decision, action, change.

use super::keys::Screen;
use super::model::{Model, Opened};
use super::rows::{Item, Row};
use super::travel::{go_to_row, leave_for};
use super::update::say;

/// Goes from the selected row to the one that led to it.
pub(super) fn up(model: &mut Model) {
    go(model, cause, "nothing is recorded that led to this");
}

/// Goes from the selected row to the first one that it led to.
pub(super) fn down(model: &mut Model) {
    go(model, result, "nothing is recorded that this led to");
}

fn go(model: &mut Model, way: fn(&Opened, usize) -> Option<usize>, none: &str) {
    let Some(opened) = &model.opened else { return };
    let here = match model.screen {
        Screen::Timeline => model.timeline_row(),
        Screen::Replay => super::replay::row(model),
        Screen::Answer => opened.rows.of_problem(model.answer.cursor()),
        Screen::Decisions => {
            let decision = opened.account.decisions.get(model.decisions.cursor());
            decision.and_then(|it| opened.rows.of_decision(&it.id))
        }
        _ => None,
    };
    match here.and_then(|row| way(opened, row)) {
        Some(row) => {
            leave_for(model, Screen::Timeline);
            go_to_row(model, row);
        }
        None => say(model, none),
    }
}

/// The row that led to a row: an action's decision, else the action it was part of; a decision's latest call of a
/// model before it, else what was asked.
pub(super) fn cause(opened: &Opened, row: usize) -> Option<usize> {
    let (account, rows) = (&opened.account, &opened.rows);
    let asked = |session| {
        let mut all = rows.iter();
        all.position(|it| matches!(it.item, Item::Asked(n) if account.asked[n].session == session))
    };
    match rows.get(row)?.item {
        Item::Action(n) => {
            let action = &account.actions[n];
            let decision = action.decision.as_deref();
            let decision = decision.and_then(|id| rows.of_decision(id));
            let parent = || rows.of_action(action.parent.as_deref()?);
            decision.or_else(parent).or_else(|| asked(action.session))
        }
        Item::Decision(n) => {
            let session = account.decisions[n].session;
            let said = |it: &Row| match it.item {
                Item::Action(n) => {
                    let action = &account.actions[n];
                    action.session == session && action.kind.as_str() == "llm"
                }
                _ => false,
            };
            let before = (0..row).rev().find(|at| rows.get(*at).is_some_and(said));
            before.or_else(|| asked(session))
        }
        Item::Reasoning(n) => rows.of_decision(account.reasoning[n].decision.as_deref()?),
        Item::Diff(n) => rows.of_action(account.diffs[n].action.as_deref()?),
        Item::Start(n) => {
            let parent = account.sessions[n].parent?;
            let delegated = |it: &Row| match it.item {
                Item::Start(n) => account.sessions[n].name == parent,
                _ => false,
            };
            rows.iter().position(delegated)
        }
        _ => None,
    }
    .filter(|cause| *cause != row)
}

/// The first row that a row led to: a decision's first action; the first action that is part of this one, else the
/// next one that retries it; what was asked led to its session's first decision.
pub(super) fn result(opened: &Opened, row: usize) -> Option<usize> {
    let (account, rows) = (&opened.account, &opened.rows);
    let first = |fits: &dyn Fn(usize) -> bool| {
        let fits = |it: &Row| matches!(it.item, Item::Action(n) if fits(n));
        rows.iter().position(fits)
    };
    match rows.get(row)?.item {
        Item::Decision(n) => {
            let led_to = account.decisions[n].led_to.iter();
            led_to.filter_map(|id| rows.of_action(id)).min()
        }
        Item::Action(n) => {
            let id = account.actions[n].id.as_str();
            let part = |n: usize| account.actions[n].parent.as_deref() == Some(id);
            let retry = |n: usize| account.actions[n].retry_of.as_deref() == Some(id);
            first(&part).or_else(|| first(&retry))
        }
        Item::Asked(n) => {
            let session = account.asked[n].session;
            let decides = |it: &Row| match it.item {
                Item::Decision(n) => account.decisions[n].session == session,
                _ => false,
            };
            rows.iter().position(decides)
        }
        Item::Reasoning(n) => rows.of_decision(account.reasoning[n].decision.as_deref()?),
        _ => None,
    }
    .filter(|result| *result != row)
}
