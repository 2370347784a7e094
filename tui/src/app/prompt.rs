//! What the user types: prompts, filters, search, and going to a record.

use vocabulary::id::RecordRef;

use account::filter::Filter;

use super::export;
use super::facts::RowFacts;
use super::keys::{Code, Key, Screen};
use super::model::{Effect, Model, Notice, Prompt, PromptKind};
use super::noting;
use super::replay;
use super::travel::{go_to_row, leave_for};
use super::update::say;
use crate::screen;

/// Applies Home's filter.
pub(crate) fn keep_sessions(model: &mut Model) {
    let Some(filter) = filter(model, &model.home.filter.clone()) else {
        return;
    };
    let home = &mut model.home;
    home.kept = (0..home.sessions.len())
        .filter(|n| filter.keeps(&home.sessions[*n]))
        .collect();
    home.list.set_total(home.kept.len());
}

/// A filter that is to be applied; one that cannot be read is told.
fn filter(model: &mut Model, text: &str) -> Option<Filter> {
    match model.read_filter(text) {
        Ok(filter) => Some(filter),
        Err(wrong) => {
            model.message = Some(Notice {
                what: wrong.what,
                hint: wrong.hint,
            });
            None
        }
    }
}

/// Applies the timeline's filter; the cursor stays on its row where that is kept.
pub(crate) fn keep_rows(model: &mut Model) {
    let before = model.timeline_row();
    match filter(model, &model.timeline.filter.clone()) {
        Some(filter) => model.timeline.parsed = filter,
        None => return,
    }
    let Some(opened) = &model.opened else { return };
    let (filter, only) = (&model.timeline.parsed, model.timeline.only_problems);
    let kept = opened.rows.iter().enumerate().filter(|(_, row)| {
        (!only || row.problem.is_some())
            && filter.keeps(&RowFacts {
                opened,
                row,
                noted: &model.noted,
            })
    });
    model.timeline.kept = kept.filter_map(|(n, _)| u32::try_from(n).ok()).collect();
    model.timeline.list.set_total(model.timeline.kept.len());
    if let Some(before) = before {
        let wanted = u32::try_from(before).unwrap_or(u32::MAX);
        let at = model.timeline.kept.partition_point(|row| *row < wanted);
        model.timeline.list.go(at);
    }
    model.timeline.strip.clear();
}

pub(super) fn ask(model: &mut Model, kind: PromptKind) {
    let text = match (kind, model.screen) {
        (PromptKind::Filter, Screen::Home) => model.home.filter.clone(),
        (PromptKind::Filter, _) => model.timeline.filter.clone(),
        _ => String::new(),
    };
    model.prompt = Some(Prompt {
        kind,
        before: text.clone(),
        text,
        wrong: None,
    });
}

pub(super) fn type_key(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(prompt) = &mut model.prompt else {
        return Vec::new();
    };
    match key.code {
        Code::Char('u') if key.ctrl => prompt.text.clear(),
        Code::Char(c) if !key.ctrl => {
            if prompt.text.len() < 1024 {
                prompt.text.push(c);
            }
        }
        Code::Up | Code::Down if prompt.kind == PromptKind::Filter => {
            let step = if key.code == Code::Up { -1 } else { 1 };
            prompt.text = earlier(&model.filters, &prompt.text, step);
        }
        Code::Backspace => {
            if prompt.text.pop().is_none() {
                model.prompt = None;
                return Vec::new();
            }
        }
        Code::Esc => {
            let cancelled = model.prompt.take();
            if let Some(Prompt {
                kind: PromptKind::Filter,
                before,
                ..
            }) = cancelled
            {
                set_filter(model, before);
            }
            return Vec::new();
        }
        Code::Enter => {
            let Some(entered) = model.prompt.take() else {
                return Vec::new();
            };
            return answer_prompt(model, entered);
        }
        _ => return Vec::new(),
    }
    if let Some(Prompt {
        kind: PromptKind::Filter,
        text,
        ..
    }) = &model.prompt
    {
        // What is half typed is shown to be no filter yet, and the list stays as it was.
        let text = text.clone();
        let wrong = model.read_filter(&text).err();
        if wrong.is_none() {
            set_filter(model, text);
        }
        if let Some(prompt) = &mut model.prompt {
            prompt.wrong = wrong;
        }
    }
    Vec::new()
}

/// The filter that was used before or after this one; none after the last.
fn earlier(filters: &[String], text: &str, step: isize) -> String {
    let here = filters.iter().position(|filter| filter == text);
    let at = here.unwrap_or(filters.len()).saturating_add_signed(step);
    filters.get(at).cloned().unwrap_or_default()
}

pub(super) fn set_filter(model: &mut Model, text: String) {
    if model.screen == Screen::Home {
        model.home.filter = text;
        keep_sessions(model);
    } else {
        model.timeline.filter = text;
        keep_rows(model);
    }
}

pub(super) fn answer_prompt(model: &mut Model, prompt: Prompt) -> Vec<Effect> {
    let text = prompt.text.trim();
    match prompt.kind {
        PromptKind::Open if text.is_empty() => {}
        PromptKind::Open => return vec![model.open(text)],
        PromptKind::Search => {
            if !text.is_empty() {
                model.search = text.to_lowercase();
            }
            find(model, 1);
        }
        PromptKind::Filter => {
            let text = prompt.text.trim().to_owned();
            if let Err(wrong) = model.read_filter(&text) {
                // It stays open, so that what was typed can be put right.
                model.prompt = Some(Prompt {
                    wrong: Some(wrong),
                    ..prompt
                });
                return Vec::new();
            }
            if !text.is_empty() {
                model.filters.retain(|filter| *filter != text);
                model.filters.push(text.clone());
            }
            set_filter(model, text);
        }
        PromptKind::GoTo => go_to(model, text),
        PromptKind::Tag | PromptKind::Comment | PromptKind::Save => {
            return noting::say(model, prompt.kind, text);
        }
        PromptKind::Export(form) => return export::write(model, form, text),
    }
    Vec::new()
}

pub(super) fn go_to(model: &mut Model, text: &str) {
    if let Some(percent) = text
        .strip_suffix('%')
        .and_then(|number| number.parse::<usize>().ok())
    {
        let list = model.active_mut();
        list.jump(
            list.total()
                .saturating_sub(1)
                .saturating_mul(percent.min(100))
                / 100,
        );
        return;
    }
    if model.screen == Screen::Replay
        && let Some(("until", wanted)) = text
            .split_once(' ')
            .or((text == "until").then_some(("until", "")))
    {
        return replay::until(model, wanted.trim());
    }
    if model.screen == Screen::Replay {
        if !parse_ref(text).is_some_and(|wanted| replay::go_to(model, wanted)) {
            say(
                model,
                &format!("no step shows record {text}; write 14, s1a#14, 50% or until is:denied"),
            );
        }
        return;
    }
    let Some(opened) = &model.opened else { return };
    match parse_ref(text).and_then(|wanted| opened.rows.of_ref(wanted)) {
        Some(row) => {
            if model.screen != Screen::Timeline {
                leave_for(model, Screen::Timeline);
            }
            go_to_row(model, row);
        }
        None => say(
            model,
            &format!("no row shows record {text}; write 14, s1a#14 or 50%"),
        ),
    }
}

/// Goes to the next line that contains what was searched for, around the end once.
pub(super) fn find(model: &mut Model, step: isize) {
    let wanted = model.search.clone();
    if wanted.is_empty() {
        return say(model, "nothing to search for: / asks");
    }
    let total = model.active().total();
    let at = model.active().cursor();
    let found = (1..=total)
        .map(|n| {
            if step > 0 {
                (at + n) % total
            } else {
                (at + total - n) % total
            }
        })
        .find(|line| {
            screen::text_of(model, *line)
                .to_lowercase()
                .contains(&wanted)
        });
    match found {
        Some(line) => model.active_mut().jump(line),
        None => say(model, &format!("nothing here contains \"{wanted}\"")),
    }
}

/// A reference as the user writes it: `s1a#14`, or `14` and `#14` in the first stream.
pub fn parse_ref(text: &str) -> Option<RecordRef> {
    vocabulary::reference::record(text)
}
