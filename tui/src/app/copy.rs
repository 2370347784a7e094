//! What the copy keys put on the clipboard.

use vocabulary::id::RecordRef;

use super::changes::{self, View};
use super::keys::{Action, Screen};
use super::model::{Effect, Model, Notice};
use super::rows::{self, Item};
use super::update::say;
use crate::screen;
use crate::source::place::quoted;

/// Copies the selected line, its JSON, its reference, the command that shows it, or the patch.
pub(super) fn copy(model: &mut Model, action: Action) -> Vec<Effect> {
    let text = match action {
        Action::CopyJson => json(model),
        Action::CopyLink => link(model),
        Action::CopyCitation => return cite(model),
        Action::CopyCommand => Some(command(model)),
        Action::CopyPatch => patch(model),
        _ => Some(
            screen::text_of(model, model.active().cursor())
                .trim()
                .to_owned(),
        ),
    };
    if text.is_none() {
        say(model, "there is nothing here to copy");
    }
    text.map(Effect::Copy).into_iter().collect()
}

/// The clipboard has the text, as far as anybody can tell.
pub(super) fn copied(model: &mut Model, text: &str, ways: &str) {
    let first = text.lines().next().unwrap_or_default();
    let hint = match account::shown::has_hidden(text) {
        true => "it has characters that cannot be seen",
        false => "",
    };
    model.message = Some(Notice {
        what: format!("copied {ways}: {first}"),
        hint: hint.to_owned(),
    });
}

fn link(model: &Model) -> Option<String> {
    let account = &model.opened.as_ref()?.account;
    Some(crate::source::link::to(account, reference(model)))
}

fn cite(model: &mut Model) -> Vec<Effect> {
    let Some(record) = reference(model) else {
        say(model, "no record is selected here that could be cited");
        return Vec::new();
    };
    let query = model.query().to_owned();
    vec![Effect::Cite { query, record }]
}

/// A citation was made: it is copied.
pub(super) fn cited(model: &mut Model, result: Result<String, Notice>) -> Vec<Effect> {
    match result {
        Ok(text) => vec![Effect::Copy(text)],
        Err(notice) => {
            model.message = Some(notice);
            Vec::new()
        }
    }
}

fn selected(model: &Model) -> Option<Item> {
    let opened = model.opened.as_ref()?;
    match model.screen {
        Screen::Timeline => Some(opened.rows.get(model.timeline_row()?)?.item),
        Screen::Decisions => Some(Item::Decision(model.decisions.cursor())),
        Screen::Replay => Some(opened.rows.get(super::replay::row(model)?)?.item),
        Screen::Diffs => opened
            .changes
            .resources
            .get(model.diffs.resource)?
            .diffs
            .first()
            .map(|n| Item::Diff(*n)),
        _ => None,
    }
}

pub(super) fn reference(model: &Model) -> Option<RecordRef> {
    let opened = model.opened.as_ref()?;
    if model.screen == Screen::Answer {
        return opened
            .account
            .problems
            .get(model.answer.cursor())?
            .evidence
            .refs
            .first()
            .copied();
    }
    if model.screen == Screen::Notes {
        return super::noting::selected(model);
    }
    if model.screen == Screen::Replay {
        return opened.steps.get(model.replay.list.cursor())?.shown_by;
    }
    rows::refs(&opened.account, selected(model)?)
        .first()
        .copied()
}

fn json(model: &Model) -> Option<String> {
    let account = &model.opened.as_ref()?.account;
    let value = match (model.screen, selected(model)) {
        (Screen::Answer, _) => serde_json::to_string(account.problems.get(model.answer.cursor())?),
        (Screen::Integrity, _) => serde_json::to_string(&account.integrity),
        (_, Some(Item::Start(n) | Item::End(n))) => serde_json::to_string(account.sessions.get(n)?),
        (_, Some(Item::Asked(n))) => serde_json::to_string(account.asked.get(n)?),
        (_, Some(Item::Scope(n))) => serde_json::to_string(account.scope.get(n)?),
        (_, Some(Item::Authorization(n))) => serde_json::to_string(account.authorization.get(n)?),
        (_, Some(Item::Context(n))) => serde_json::to_string(account.context.get(n)?),
        (_, Some(Item::Action(n))) => serde_json::to_string(account.actions.get(n)?),
        (_, Some(Item::Decision(n))) => serde_json::to_string(account.decisions.get(n)?),
        (_, Some(Item::Reasoning(n))) => serde_json::to_string(account.reasoning.get(n)?),
        (_, Some(Item::Diff(n))) => serde_json::to_string(account.diffs.get(n)?),
        (_, None) => return None,
    };
    value.ok()
}

/// The command that shows this screen in a shell.
fn command(model: &Model) -> String {
    let query = quoted(model.query());
    let at = model.opened.as_ref().and_then(|opened| opened.at);
    let at = at.map(|at| format!("--at {} ", quoted(&at.to_string())));
    let place = &model.place_flags;
    let flags = match model.screen {
        Screen::Home | Screen::Notes | Screen::Replay | Screen::Integrity => place.clone(),
        _ => format!("{}{place}", at.unwrap_or_default()),
    };
    match model.screen {
        Screen::Home => format!("recount log {}{flags}", kept(&model.home.filter)),
        Screen::Answer => format!("recount show {query} {flags}"),
        Screen::Timeline => {
            let filter = &model.timeline.filter;
            let filter = match (model.timeline.only_problems, filter.is_empty()) {
                (false, _) => filter.clone(),
                (true, true) => "is:problem".to_owned(),
                (true, false) => format!("is:problem ({filter})"),
            };
            format!("recount log {query} {}{flags}", kept(&filter))
        }
        Screen::Decisions => match reference(model) {
            Some(shown_by) => format!(
                "recount why {} {flags}",
                quoted(&format!("{}#{shown_by}", model.query()))
            ),
            None => format!("recount why {query} {flags}"),
        },
        Screen::Diffs => {
            let resource = model
                .opened
                .as_ref()
                .and_then(|opened| opened.changes.resources.get(model.diffs.resource));
            let path = resource
                .map(|resource| quoted(super::words::resource(&resource.name)))
                .unwrap_or_default();
            diff(model, &query, &path)
        }
        Screen::Notes => format!("recount notes {query} {flags}"),
        Screen::Replay => match reference(model) {
            Some(shown_by) => {
                format!(
                    "recount replay {query} --at {} {flags}",
                    quoted(&shown_by.to_string())
                )
            }
            None => format!("recount replay {query} {flags}"),
        },
        Screen::Integrity => format!("recount verify {query} {flags}"),
    }
}

/// The command that shows a resource's changes as the screen does.
fn diff(model: &Model, query: &str, path: &str) -> String {
    let opened = model.opened.as_ref();
    let record = |edit: usize| {
        let opened = opened?;
        let diffs = &opened.changes.resources.get(model.diffs.resource)?.diffs;
        let diff = diffs.get(edit.min(diffs.len().saturating_sub(1)))?;
        opened.account.diffs[*diff].evidence.refs.first().copied()
    };
    let then = opened.and_then(|opened| opened.at);
    let (net, at) = match model.diffs.view {
        View::Net => (" --net", then),
        View::At(edit) => (" --net", record(edit).or(then)),
        View::PerEdit | View::Stored => ("", then),
    };
    let at = at.map_or_else(String::new, |at| {
        format!(" --at {}", quoted(&at.to_string()))
    });
    let beside = if model.diffs.beside {
        " --side-by-side"
    } else {
        ""
    };
    format!(
        "recount diff {query} {path}{net}{beside}{at} {}",
        model.place_flags
    )
}

/// The flag that keeps what a filter keeps.
fn kept(filter: &str) -> String {
    match filter.is_empty() {
        true => String::new(),
        false => format!("--where {} ", quoted(filter)),
    }
}

fn patch(model: &Model) -> Option<String> {
    let opened = model.opened.as_ref()?;
    let resource = opened.changes.resources.get(model.diffs.resource)?;
    let patches: Vec<String> = resource
        .diffs
        .iter()
        .filter_map(|n| changes::patch(&opened.account.diffs[*n]))
        .collect();
    (!patches.is_empty()).then(|| patches.concat())
}
