//! A later account in the place of an earlier one: nothing that the user looks at moves, and nothing flickers.
//!
//! Indexes into an account mean nothing in the next one, so what is selected is looked up there by what it is.

use account::model::Account;
use vocabulary::Timestamp;
use vocabulary::id::RecordRef;

use super::changes::Line;
use super::edits::show_resource;
use super::keys::Screen;
use super::list::List;
use super::model::{Model, Opened, Spot};
use super::prompt::keep_rows;
use super::replay::What;
use super::rows::{Item, Row};
use crate::notes::Noted;

/// What a row is, in this account and in the next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Action(String),
    Decision(String),
    Other(
        std::mem::Discriminant<Item>,
        Option<Timestamp>,
        Option<RecordRef>,
    ),
}

impl Name {
    fn of(account: &Account, row: &Row) -> Name {
        match row.item {
            Item::Action(n) => Name::Action(account.actions[n].id.clone()),
            Item::Decision(n) => Name::Decision(account.decisions[n].id.clone()),
            other => Name::Other(std::mem::discriminant(&other), row.at, row.shown_by),
        }
    }

    fn row_in(&self, opened: &Opened) -> Option<usize> {
        match self {
            Name::Action(id) => opened.rows.of_action(id),
            Name::Decision(id) => opened.rows.of_decision(id),
            Name::Other(kind, at, shown_by) => {
                let same = |row: &Row| {
                    std::mem::discriminant(&row.item) == *kind
                        && (row.at, row.shown_by) == (*at, *shown_by)
                };
                opened.rows.iter().position(same)
            }
        }
    }
}

/// What a step of the replay is.
enum StepName {
    Row(Name),
    Change(String),
    Ended(String),
}

impl StepName {
    fn of(opened: &Opened, step: usize) -> Option<StepName> {
        let account = &opened.account;
        Some(match opened.steps.get(step)?.what {
            What::Row(row) => StepName::Row(Name::of(account, opened.rows.get(row)?)),
            What::Change(diff) => StepName::Change(account.diffs.get(diff)?.id.clone()),
            What::Ended(n) => StepName::Ended(account.actions.get(n)?.id.clone()),
        })
    }

    fn step_in(&self, opened: &Opened) -> Option<usize> {
        let account = &opened.account;
        match self {
            StepName::Row(name) => opened.steps.of_row(name.row_in(opened)?),
            StepName::Change(id) => {
                let diff = account.diffs.iter().position(|diff| diff.id == *id)?;
                opened.steps.of_diff(diff)
            }
            StepName::Ended(id) => {
                let row = opened.rows.of_action(id)?;
                let Item::Action(action) = opened.rows.get(row)?.item else {
                    return None;
                };
                let from = opened.steps.of_row(row)?;
                let is_end = |step: &usize| {
                    opened.steps.get(*step).map(|it| it.what) == Some(What::Ended(action))
                };
                (from..opened.steps.len()).find(is_end).or(Some(from))
            }
        }
    }
}

/// Where the user is, in names.
struct Held {
    problem: Option<(String, Option<RecordRef>, Option<String>)>,
    row: Option<Name>,
    /// Whether the timeline shows its end, because the user went there.
    at_end: bool,
    decision: Option<String>,
    resource: Option<String>,
    step: Option<StepName>,
    mark: Option<StepName>,
    watched: Option<String>,
}

impl Held {
    fn of(model: &Model, opened: &Opened) -> Held {
        let account = &opened.account;
        let resource = |n: usize| opened.changes.resources.get(n).map(|it| it.name.clone());
        let row = model.timeline_row().and_then(|at| opened.rows.get(at));
        let list = &model.timeline.list;
        Held {
            problem: account.problems.get(model.answer.cursor()).map(problem),
            row: row.map(|row| Name::of(account, row)),
            at_end: model.timeline.end == Some(list.cursor()) && list.cursor() + 1 == list.total(),
            decision: account
                .decisions
                .get(model.decisions.cursor())
                .map(|it| it.id.clone()),
            resource: resource(model.diffs.resource),
            step: StepName::of(opened, model.replay.list.cursor()),
            mark: model
                .replay
                .mark
                .and_then(|step| StepName::of(opened, step)),
            watched: model.replay.held.and_then(resource),
        }
    }
}

fn problem(it: &account::model::Problem) -> (String, Option<RecordRef>, Option<String>) {
    let shown_by = it.evidence.refs.first().copied();
    (it.kind.as_str().to_owned(), shown_by, it.action.clone())
}

/// Puts a later account in the place of the one that is shown.
pub(crate) fn renew(model: &mut Model, opened: Box<Opened>) {
    let Some(before) = model.opened.take() else {
        return model.show(opened);
    };
    let held = Held::of(model, &before);
    let back = names_of(model, &before);
    model.noted = Noted::of(&model.notes, &opened.account);
    model.opened = Some(opened);
    let Some(opened) = &model.opened else { return };
    let account = &opened.account;
    let places = account.problems.iter();
    let problem_at = places.map(problem).position(|it| Some(it) == held.problem);
    keep(&mut model.answer, account.problems.len(), problem_at);
    let decision = held.decision.as_ref();
    let decision_at = account
        .decisions
        .iter()
        .position(|it| Some(&it.id) == decision);
    keep(&mut model.decisions, account.decisions.len(), decision_at);
    let named = |name: &Option<String>| {
        let resources = &opened.changes.resources;
        resources
            .iter()
            .position(|it| Some(&it.name) == name.as_ref())
    };
    let (resource, watched) = (named(&held.resource), named(&held.watched));
    let step = held.step.as_ref().and_then(|it| it.step_in(opened));
    let mark = held.mark.as_ref().and_then(|it| it.step_in(opened));
    let row = held.row.as_ref().and_then(|name| name.row_in(opened));
    keep(&mut model.replay.list, opened.steps.len(), step);
    model.replay.renewed(watched, mark);
    keep_timeline(model, row, held.at_end);
    go_back_to(model, back);
    keep_diffs(model, resource);
}

fn keep(list: &mut List, total: usize, at: Option<usize>) {
    list.keep(total, at.unwrap_or(list.cursor()));
}

fn keep_timeline(model: &mut Model, row: Option<usize>, at_end: bool) {
    let list = model.timeline.list;
    // The filter decides anew, without the old cursor.
    model.timeline.kept.clear();
    keep_rows(model);
    let total = model.timeline.kept.len();
    let wanted = row.and_then(|row| u32::try_from(row).ok());
    let at = wanted.map(|row| model.timeline.kept.partition_point(|kept| *kept < row));
    model.timeline.list = list;
    keep(&mut model.timeline.list, total, at);
    if at_end {
        model.timeline.list.go(usize::MAX);
        model.timeline.end = Some(model.timeline.list.cursor());
    }
}

/// The lines of the shown resource are made again; the cursor stays on its line as far as changes come after it.
fn keep_diffs(model: &mut Model, resource: Option<usize>) {
    let top = model.diffs.list;
    let before: Vec<Line> = std::mem::take(&mut model.diffs.lines);
    model.diffs.resource = resource.unwrap_or(0);
    show_resource(model, model.diffs.resource);
    if resource.is_some() && !before.is_empty() {
        let total = model.diffs.lines.len();
        model.diffs.list = top;
        keep(&mut model.diffs.list, total, None);
    }
}

/// Where going back leads, and whence the user jumped, in names.
fn names_of(model: &Model, opened: &Opened) -> Vec<(Spot, Option<Name>)> {
    let named = |spot: &Spot| match spot.screen {
        // The filter may have been another one then: a row that is not kept now has no name.
        Screen::Timeline => {
            let row = model.timeline.kept.get(spot.cursor);
            let row = row.and_then(|at| opened.rows.get(*at as usize));
            row.map(|row| Name::of(&opened.account, row))
        }
        _ => None,
    };
    let spots = model.back.iter().chain(model.jumps.spots());
    spots.map(|spot| (*spot, named(spot))).collect()
}

fn go_back_to(model: &mut Model, back: Vec<(Spot, Option<Name>)>) {
    let Some(opened) = &model.opened else { return };
    let kept = &model.timeline.kept;
    let moved = back.into_iter().map(|(spot, name)| {
        let row = name.and_then(|name| name.row_in(opened));
        let row = row.and_then(|row| u32::try_from(row).ok());
        let at = row.and_then(|row| kept.binary_search(&row).ok());
        Spot {
            cursor: at.unwrap_or(spot.cursor),
            ..spot
        }
    });
    let mut moved: Vec<Spot> = moved.collect();
    let jumps = moved.split_off(model.back.len().min(moved.len()));
    model.back = moved;
    model.jumps.renew(jumps);
}
