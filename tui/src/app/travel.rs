//! Getting somewhere: opening what is selected, going back, jumping to what matters.

use super::edits::{change_under, show_change, show_resource};
use super::keys::Screen;
use super::marks;
use super::model::{Effect, Model, Opened, Spot};
use super::prompt::{keep_rows, keep_sessions};
use super::replay;
use super::rows::{self, Item, Row};
use super::update::say;
use crate::source::link;

pub(super) fn show_tab(model: &mut Model, number: usize) {
    if let (Some(screen), true) = (Screen::TABS.get(number), model.opened.is_some()) {
        model.screen = *screen;
    }
}

/// Where a query names a record, as `47892#s1a#14` or by a link: shows it in the timeline.
pub(crate) fn show_record(model: &mut Model, query: &str) {
    let Some(opened) = &model.opened else { return };
    let followed = link::followed(query, |_| Ok(opened.account.clone()));
    let query = followed.unwrap_or_else(|_| query.to_owned());
    let (_, wanted) = vocabulary::reference::split(&query);
    let Some(wanted) = wanted.filter(|_| query != opened.account.request.id) else {
        return;
    };
    match opened.rows.of_ref(wanted) {
        Some(row) => {
            leave_for(model, Screen::Timeline);
            go_to_row(model, row);
        }
        None => say(model, &format!("no row of the timeline shows {wanted}")),
    }
}

pub(super) fn turn_tab(model: &mut Model, by: usize) {
    let at = Screen::TABS
        .iter()
        .position(|screen| *screen == model.screen)
        .unwrap_or(0);
    show_tab(model, (at + by) % Screen::TABS.len());
}

/// Remembers where the user is before opening something.
pub(super) fn leave_for(model: &mut Model, screen: Screen) {
    let spot: Spot = super::jumps::here(model);
    if model.back.len() > 100 {
        model.back.remove(0);
    }
    model.back.push(spot);
    model.screen = screen;
}

/// Goes to where the user was; `false` when there is nowhere to go.
pub(super) fn go_back(model: &mut Model) -> bool {
    if model.screen == Screen::Timeline
        && (!model.timeline.filter.is_empty() || model.timeline.only_problems)
    {
        model.timeline.filter.clear();
        model.timeline.only_problems = false;
        keep_rows(model);
        return true;
    }
    if model.screen == Screen::Replay && model.replay.held.take().is_some() {
        say(model, "the resource that changed last is shown again");
        return true;
    }
    if model.screen == Screen::Home && !model.home.filter.is_empty() {
        model.home.filter.clear();
        keep_sessions(model);
        return true;
    }
    if let Some(spot) = model.back.pop() {
        model.screen = spot.screen;
        if spot.screen == Screen::Diffs && spot.resource != model.diffs.resource {
            show_resource(model, spot.resource);
        }
        model.active_mut().go(spot.cursor);
        return true;
    }
    match model.screen {
        Screen::Home => false,
        Screen::Answer if model.home.read => {
            model.screen = Screen::Home;
            true
        }
        Screen::Answer => false,
        _ => {
            model.screen = Screen::Answer;
            true
        }
    }
}

pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    let Some(opened) = &model.opened else {
        return enter_home(model);
    };
    match model.screen {
        Screen::Home => return enter_home(model),
        Screen::Answer => {
            let row = opened.rows.of_problem(model.answer.cursor());
            match row {
                Some(row) => {
                    leave_for(model, Screen::Timeline);
                    go_to_row(model, row);
                }
                None if opened.account.problems.is_empty() => leave_for(model, Screen::Timeline),
                None => leave_for(model, Screen::Integrity),
            }
        }
        Screen::Timeline => {
            let Some(at) = model.timeline_row() else {
                return Vec::new();
            };
            let Some(row) = opened.rows.get(at).copied() else {
                return Vec::new();
            };
            enter_row(model, row);
        }
        Screen::Decisions => {
            let decision = opened.account.decisions.get(model.decisions.cursor());
            if let Some(row) = decision.and_then(|decision| opened.rows.of_decision(&decision.id)) {
                leave_for(model, Screen::Timeline);
                go_to_row(model, row);
            }
        }
        Screen::Diffs => {
            let action = change_under(model)
                .and_then(|diff| opened.account.diffs.get(diff))
                .and_then(|diff| diff.action.as_deref());
            if let Some(row) = action.and_then(|id| opened.rows.of_action(id)) {
                leave_for(model, Screen::Timeline);
                go_to_row(model, row);
            }
        }
        Screen::Replay => {
            if let Some(row) = replay::row(model) {
                leave_for(model, Screen::Timeline);
                go_to_row(model, row);
            }
        }
        Screen::Notes => return super::noting::enter(model),
        Screen::Integrity => {}
    }
    Vec::new()
}

/// From what is selected to the state right after it.
pub(super) fn replay_here(model: &mut Model) {
    let Some(opened) = &model.opened else { return };
    let row = match model.screen {
        Screen::Answer => opened.rows.of_problem(model.answer.cursor()),
        Screen::Timeline => model.timeline_row(),
        Screen::Decisions => {
            let decision = opened.account.decisions.get(model.decisions.cursor());
            decision.and_then(|decision| opened.rows.of_decision(&decision.id))
        }
        Screen::Diffs => {
            let step = change_under(model).and_then(|diff| opened.steps.of_diff(diff));
            leave_for(model, Screen::Replay);
            if let Some(step) = step {
                model.replay.list.jump(step);
            }
            return;
        }
        _ => None,
    };
    replay::open_at(model, row);
}

pub(super) fn enter_home(model: &mut Model) -> Vec<Effect> {
    let selected = model
        .home
        .kept
        .get(model.home.list.cursor())
        .and_then(|n| model.home.sessions.get(*n));
    let Some(row) = selected else {
        return Vec::new();
    };
    let query = row.request.clone();
    vec![model.open(&query)]
}

/// From a row to what explains it: a change to its diff, a decision to its card, an action to its decision.
pub(super) fn enter_row(model: &mut Model, row: Row) {
    let Some(opened) = &model.opened else { return };
    let diff = match row.item {
        Item::Action(n) => {
            let id = &opened.account.actions[n].id;
            opened.rows.diffs_of_action(id).first().copied()
        }
        Item::Diff(n) => Some(n),
        _ => None,
    };
    let decision = match row.item {
        Item::Decision(n) => Some(n),
        Item::Reasoning(n) => {
            let named = opened.account.reasoning[n].decision.as_ref();
            named.and_then(|id| opened.rows.decision(id))
        }
        Item::Action(n) => opened.account.actions[n].decision.as_ref().and_then(|id| {
            opened
                .account
                .decisions
                .iter()
                .position(|decision| decision.id == *id)
        }),
        _ => None,
    };
    if let Some(diff) = diff {
        let resource = opened.changes.of_diff(diff).unwrap_or(0);
        leave_for(model, Screen::Diffs);
        show_resource(model, resource);
        show_change(model, diff);
    } else if let Some(decision) = decision {
        leave_for(model, Screen::Decisions);
        model.decisions.jump(decision);
    } else {
        say(model, "nothing else is recorded about this row");
    }
}

/// Puts the timeline's cursor on a row of the account; lifts the filter when it hides the row.
pub(crate) fn go_to_row(model: &mut Model, row: usize) {
    let wanted = u32::try_from(row).unwrap_or(u32::MAX);
    if model.timeline.kept.binary_search(&wanted).is_err() {
        model.timeline.filter.clear();
        model.timeline.only_problems = false;
        keep_rows(model);
    }
    if let Ok(at) = model.timeline.kept.binary_search(&wanted) {
        model.timeline.list.jump(at);
    }
}

pub(super) fn next_problem(model: &mut Model, forward: bool) {
    match model.screen {
        Screen::Home => {
            let home = &model.home;
            let at = home.list.cursor();
            let bad = |kept: &usize| {
                home.sessions
                    .get(home.kept[*kept])
                    .is_some_and(|row| row.is_bad())
            };
            let found = if forward {
                (at + 1..home.kept.len()).find(bad)
            } else {
                (0..at).rev().find(bad)
            };
            match found {
                Some(row) => model.home.list.go(row),
                None => say(model, "no further session with a problem"),
            }
        }
        Screen::Timeline | Screen::Replay => {
            jump(model, forward, "problem", |_, row| row.problem.is_some());
        }
        Screen::Answer => {
            let before = model.answer.cursor();
            model.answer.step(if forward { 1 } else { -1 });
            if model.answer.cursor() == before {
                say(model, "no further problem");
            }
        }
        _ => {
            model.answer.step(if forward { 1 } else { -1 });
            if let Some(row) = model
                .opened
                .as_ref()
                .and_then(|opened| opened.rows.of_problem(model.answer.cursor()))
            {
                leave_for(model, Screen::Timeline);
                go_to_row(model, row);
            } else {
                say(model, "no problem has a place in the timeline");
            }
        }
    }
}

/// Moves the timeline's cursor to the next or previous row that fits, opening the timeline for it.
pub(super) fn jump(
    model: &mut Model,
    forward: bool,
    what: &str,
    fits: impl Fn(&Model, &Row) -> bool,
) {
    if model.screen == Screen::Replay {
        return replay::jump(model, forward, what, false, fits);
    }
    let Some(opened) = &model.opened else { return };
    let here = model.screen == Screen::Timeline;
    let at = model.timeline.list.cursor();
    let kept = &model.timeline.kept;
    let holds = |at: &usize| {
        opened
            .rows
            .get(kept[*at] as usize)
            .is_some_and(|row| fits(model, row))
    };
    let found = match (forward, here) {
        (true, true) => (at + 1..kept.len()).find(holds),
        (false, true) => (0..at.min(kept.len())).rev().find(holds),
        (true, false) => (0..kept.len()).find(holds),
        (false, false) => (0..kept.len()).rev().find(holds),
    };
    match found {
        Some(row) => {
            if !here {
                leave_for(model, Screen::Timeline);
            }
            model.timeline.list.jump(row);
        }
        None => say(
            model,
            &format!("no {} {what}", if forward { "further" } else { "earlier" }),
        ),
    }
}

pub(super) fn mark_is(model: &Model, row: &Row, words: &[&str]) -> bool {
    let Some(opened) = &model.opened else {
        return false;
    };
    words.contains(&rows::mark(&opened.account, row).word)
}

pub(super) fn is_human(opened: &Opened, row: &Row) -> bool {
    match row.item {
        Item::Decision(n) => {
            opened.account.decisions[n].made_by == Some(vocabulary::decision::MadeBy::Operator)
        }
        Item::Action(n) => {
            let action = &opened.account.actions[n];
            action.verdict == Some(vocabulary::verdict::Verdict::Ask)
        }
        _ => false,
    }
}

/// Whether something about a row is unusual without having been denied or having failed.
pub(super) fn is_anomaly(model: &Model, row: &Row) -> bool {
    mark_is(
        model,
        row,
        &[
            "OUT", "CONFL", "RETRY", "WIDER", "APPR", "RACE", "UNLCK", "SECRET", "UNATTR",
        ],
    )
}

/// Whether a row touches a file.
pub(super) fn is_file(model: &Model, row: &Row) -> bool {
    let Some(opened) = &model.opened else {
        return false;
    };
    let account = &opened.account;
    match row.item {
        Item::Action(n) => account.actions[n].kind == vocabulary::action::Kind::File,
        Item::Diff(n) => account.diffs[n].kind == vocabulary::action::Kind::File,
        _ => false,
    }
}

pub(super) fn is_finding(model: &Model, row: &Row) -> bool {
    let Some(opened) = &model.opened else {
        return false;
    };
    let problem = row
        .problem
        .and_then(|n| opened.account.problems.get(n as usize));
    problem.is_some_and(|problem| marks::is_finding(problem.kind))
}
