//! Moving through the edits of a resource: which one is shown, how, and what is behind the line under the cursor.

use super::changes::{self, By, View};
use super::line::Line;
use super::list::List;
use super::look::Token;
use super::model::Model;
use super::update::say;

/// The change behind the line under the cursor of the diffs, as an index into the account's diffs; for a line that
/// nothing recorded is behind, that of the line above.
pub(crate) fn change_under(model: &Model) -> Option<usize> {
    let upto = model.diffs.lines.iter().take(model.diffs.list.cursor() + 1);
    upto.rev().find_map(|line| match line.by()? {
        By::Diff(diff) => Some(diff),
        By::Earlier | By::Unrecorded => None,
    })
}

/// Puts the cursor on a change of the resource shown; looks at its edits one by one where it is one of several.
pub(super) fn show_change(model: &mut Model, diff: usize) {
    let place = |model: &Model| {
        let mut lines = model.diffs.lines.iter();
        lines.position(|line| *line == changes::Line::Change(diff))
    };
    if place(model).is_none() {
        model.diffs.view = View::PerEdit;
        show_resource(model, model.diffs.resource);
    }
    let line = place(model).unwrap_or(0);
    model.diffs.list.jump(line);
}

pub(super) fn next_change_line(model: &mut Model, forward: bool) {
    let at = model.diffs.list.cursor();
    let lines = &model.diffs.lines;
    let changed = |n: usize| lines[n].changed();
    // A run of changed lines is one change: go to where a run begins.
    let begins = |n: &usize| changed(*n) && (*n == 0 || !changed(*n - 1));
    let found = if forward {
        (at + 1..lines.len()).find(begins)
    } else {
        (0..at).rev().find(begins)
    };
    match found {
        Some(line) => model.diffs.list.jump(line),
        None => next_resource(model, if forward { 1 } else { -1 }),
    }
}

pub(super) fn next_resource(model: &mut Model, by: isize) {
    let Some(opened) = &model.opened else { return };
    let last = opened.changes.resources.len().saturating_sub(1);
    let to = model.diffs.resource.saturating_add_signed(by).min(last);
    if to == model.diffs.resource {
        say(
            model,
            if by > 0 {
                "this is the last resource"
            } else {
                "this is the first resource"
            },
        );
    } else {
        show_resource(model, to);
    }
}

pub(super) fn context(model: &mut Model, lines: usize) {
    model.diffs.context = lines;
    show_resource(model, model.diffs.resource);
}

/// The next way to look at a resource's edits: net, each by itself, net up to the one under the cursor, as stored.
pub(super) fn next_view(model: &mut Model) {
    let Some(opened) = &model.opened else { return };
    let Some(resource) = opened.changes.resources.get(model.diffs.resource) else {
        return;
    };
    let under = change_under(model);
    let place = under.and_then(|diff| resource.diffs.iter().position(|n| *n == diff));
    model.diffs.view = match model.diffs.view {
        View::Net => View::PerEdit,
        View::PerEdit => View::At(place.unwrap_or(resource.diffs.len().saturating_sub(1))),
        View::At(_) => View::Stored,
        View::Stored => View::Net,
    };
    show_resource(model, model.diffs.resource);
}

/// The state after an earlier or later edit of the same resource.
pub(super) fn other_edit(model: &mut Model, by: isize) {
    let Some(opened) = &model.opened else { return };
    let Some(resource) = opened.changes.resources.get(model.diffs.resource) else {
        return;
    };
    let last = resource.diffs.len().saturating_sub(1);
    let here = match model.diffs.view {
        View::At(edit) => edit.min(last),
        _ => last,
    };
    let to = here.saturating_add_signed(by).min(last);
    if to == here && matches!(model.diffs.view, View::At(_)) {
        let what = if by > 0 { "last" } else { "first" };
        return say(model, &format!("this is the {what} edit of this resource"));
    }
    model.diffs.view = View::At(to);
    show_resource(model, model.diffs.resource);
}

/// Computes the lines of a resource's changes.
pub(crate) fn show_resource(model: &mut Model, resource: usize) {
    let Some(opened) = &model.opened else { return };
    let Some(shown) = opened.changes.resources.get(resource) else {
        return;
    };
    if resource != model.diffs.resource {
        model.diffs.view = model.diffs.view.without_place();
    }
    let diffs = &model.diffs;
    let lines = changes::lines(&opened.account, shown, diffs.view, diffs.context);
    model.diffs.lines = match diffs.beside {
        true => changes::beside(lines),
        false => lines,
    };
    let names = model.diffs.lines.iter().map(|line| match line {
        changes::Line::Field(field, _) => Line::of(Token::Plain, &field.field).width(),
        _ => 0,
    });
    model.diffs.field_width = names.max().unwrap_or(0);
    let mut list = List::new(model.diffs.lines.len());
    if resource == model.diffs.resource {
        list.go(model.diffs.list.cursor());
    }
    model.diffs.resource = resource;
    model.diffs.list = list;
}
