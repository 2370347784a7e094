//! Marks, tags and comments: what keys do about them, and what stands about a row.

use vocabulary::id::RecordRef;

use super::copy::reference;
use super::keys::Screen;
use super::model::{Effect, Model, Notice, PromptKind};
use super::prompt::ask;
use super::rows::{self, Row};
use super::travel::{go_to_row, leave_for};
use super::update::say as tell;
use crate::notes::{Note, Noted, Said, Standing, about};

/// What is written about any record of a row.
pub(super) fn standing<'a>(model: &'a Model, row: &Row) -> Option<&'a Standing> {
    let opened = model.opened.as_ref()?;
    let refs = rows::refs(&opened.account, row.item);
    refs.iter()
        .find_map(|record| model.noted.records.get(record))
}

/// Whether a row is marked.
pub(crate) fn is_marked(model: &Model, row: &Row) -> bool {
    !model.noted.records.is_empty() && standing(model, row).is_some_and(|it| it.marked)
}

/// What is written about a row, as facts: name and text.
pub(crate) fn lines(model: &Model, row: &Row) -> Vec<(&'static str, String)> {
    let Some(standing) = standing(model, row) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if !standing.tags.is_empty() {
        lines.push(("tags", standing.tags.join(" ")));
    }
    for (at, by, text) in &standing.comments {
        lines.push(("note", format!("{text}  ({by}, {})", model.clock.full(*at))));
    }
    lines
}

fn note(model: &Model, said: Said) -> Vec<Effect> {
    let Some(opened) = &model.opened else {
        return Vec::new();
    };
    let about = about(&opened.account, reference(model));
    vec![Effect::Note { about, said }]
}

/// Marks what is selected, or takes the mark back.
pub(super) fn mark(model: &mut Model) -> Vec<Effect> {
    let marked = match reference(model) {
        Some(record) => model.noted.records.get(&record).is_some_and(|it| it.marked),
        None => model.noted.request.marked,
    };
    note(model, if marked { Said::Unmark } else { Said::Mark })
}

/// Asks under which name the filter is to be kept.
pub(super) fn ask_name(model: &mut Model) {
    if filter_here(model).is_empty() {
        tell(model, "there is no filter to save: f filters");
    } else {
        ask(model, PromptKind::Save);
    }
}

fn filter_here(model: &Model) -> &str {
    match model.screen {
        Screen::Home => &model.home.filter,
        _ => &model.timeline.filter,
    }
}

/// What was typed at one of the prompts for notes.
pub(super) fn say(model: &mut Model, kind: PromptKind, text: &str) -> Vec<Effect> {
    if text.is_empty() {
        return Vec::new();
    }
    match kind {
        PromptKind::Comment => note(model, Said::Comment(text.to_owned())),
        PromptKind::Tag => {
            let tags = text.split_whitespace();
            let said = tags.map(|tag| match tag.strip_prefix('-') {
                Some(tag) => Said::Untag(tag.to_owned()),
                None => Said::Tag(tag.trim_start_matches('#').to_owned()),
            });
            said.flat_map(|said| note(model, said)).collect()
        }
        PromptKind::Save => {
            let name = text.trim_start_matches('@').to_owned();
            let filter = filter_here(model).to_owned();
            vec![Effect::Note {
                about: crate::notes::About::Nothing,
                said: Said::Filter { name, filter },
            }]
        }
        _ => Vec::new(),
    }
}

/// A note is written down: what stands about the account is computed again.
pub(super) fn noted(model: &mut Model, result: Result<Box<Note>, Notice>) {
    match result {
        Ok(note) => {
            let said = match &note.said {
                Said::Mark => "marked".to_owned(),
                Said::Unmark => "no longer marked".to_owned(),
                Said::Tag(tag) => format!("tagged {tag}"),
                Said::Untag(tag) => format!("no longer tagged {tag}"),
                Said::Comment(_) => "written down".to_owned(),
                Said::Filter { name, .. } => format!("saved: f @{name} is it again"),
            };
            tell(model, &said);
            model.notes.push(*note);
            if let Some(opened) = &model.opened {
                model.noted = Noted::of(&model.notes, &opened.account);
            }
        }
        Err(notice) => model.message = Some(notice),
    }
}

/// The record of the selected line of the notes; none for one about the request or a filter.
pub(super) fn selected(model: &Model) -> Option<RecordRef> {
    crate::screen::note_at(model, model.noting.cursor()).and_then(|line| match line {
        Line::Record(record) => Some(record),
        _ => None,
    })
}

/// What a line of the notes screen leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A record.
    Record(RecordRef),
    /// A saved filter.
    Filter(String),
    /// Nothing.
    Text,
}

/// Opens what the selected line of the notes is about.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    match crate::screen::note_at(model, model.noting.cursor()) {
        Some(Line::Record(record)) => {
            let row = model
                .opened
                .as_ref()
                .and_then(|opened| opened.rows.of_ref(record));
            match row {
                Some(row) => {
                    leave_for(model, Screen::Timeline);
                    go_to_row(model, row);
                }
                None => tell(model, "no row of the timeline shows that record"),
            }
        }
        Some(Line::Filter(filter)) => {
            leave_for(model, Screen::Timeline);
            super::prompt::set_filter(model, filter);
        }
        _ => {}
    }
    Vec::new()
}
