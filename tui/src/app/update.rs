//! What a message does to the model. Pure: no clock, no file, no terminal.

use std::collections::HashSet;

use super::card;
use super::chain;
use super::edits::{context, next_change_line, next_resource, next_view, other_edit};
use super::export;
use super::follow;
use super::jumps;
use super::keys::{self, Action, Key, Meaning, Screen};
use super::list::List;
use super::model::{Effect, Listed, Model, Msg, Notice, Opened, PromptKind};
use super::noting;
use super::palette::{Meant, Palette};
use super::picker::{Picked, Picker};
use super::prompt::{ask, find, keep_rows, keep_sessions, type_key};
use super::renew::renew;
use super::replay;
use super::travel::{
    enter, go_back, is_anomaly, is_file, is_finding, is_human, jump, mark_is, next_problem,
    replay_here, show_record, show_tab, turn_tab,
};
use crate::screen;

/// Changes the model and says what else is to be done.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    model.dirty = true;
    let at_home = model.screen == Screen::Home;
    let mut effects = match msg {
        Msg::Resize(columns, rows) => {
            model.size = (columns, rows);
            Vec::new()
        }
        Msg::Background { light } => {
            model.look.theme = model.look.theme.on(light);
            Vec::new()
        }
        Msg::Key(key) => press(model, key),
        Msg::Noted(result) => {
            noting::noted(model, result);
            Vec::new()
        }
        Msg::Copied { text, ways } => {
            super::copy::copied(model, &text, &ways);
            Vec::new()
        }
        Msg::Cited(result) => super::copy::cited(model, result),
        Msg::Exported(result) => {
            export::exported(model, result);
            Vec::new()
        }
        Msg::Woke(wake) => replay::woke(model, wake),
        Msg::News { generation, news } => follow::take(model, generation, news),
        Msg::Opened { generation, result } => take_account(model, generation, result),
        Msg::Which {
            generation,
            query,
            candidates,
        } => {
            if answers(model, generation) {
                model.picker = Some(Picker::of(query, candidates));
            }
            Vec::new()
        }
        Msg::Sessions { generation, result } => {
            answers(model, generation);
            if model.home.listing == Some(generation) {
                match result {
                    Ok(listed) => take_sessions(model, generation, listed),
                    Err(notice) => {
                        model.home.listing = None;
                        model.message = Some(notice);
                        Vec::new()
                    }
                }
            } else {
                Vec::new()
            }
        }
    };
    screen::fit(model);
    replay::sync(model);
    // Home and an account are watched in different ways.
    let watched = |effect: &Effect| matches!(effect, Effect::Follow { .. });
    if at_home != (model.screen == Screen::Home) && !effects.iter().any(watched) {
        effects.push(model.watch());
    }
    effects
}

/// An account that was asked for. Read again, it takes the place of what is shown; else it begins on its first page.
fn take_account(
    model: &mut Model,
    generation: u64,
    result: Result<Box<Opened>, Notice>,
) -> Vec<Effect> {
    let asked = model.waiting.clone();
    if !answers(model, generation) {
        return Vec::new();
    }
    match result {
        Ok(opened) => {
            let again = opened.account.query.text == model.query();
            if again && model.screen != Screen::Home {
                renew(model, opened);
            } else {
                model.show(opened);
            }
            let query = asked.map(|(_, query)| query).unwrap_or_default();
            show_record(model, &query);
            vec![model.watch()]
        }
        Err(notice) => {
            model.message = Some(notice);
            Vec::new()
        }
    }
}

/// A part of the sessions: the first one replaces what was listed before; the cursor stays on its session.
fn take_sessions(model: &mut Model, generation: u64, listed: Listed) -> Vec<Effect> {
    let home = &mut model.home;
    let under = home.kept.get(home.list.cursor());
    let under = under.and_then(|n| Some(home.sessions.get(*n)?.session.clone()));
    let moved = home.list.cursor() > 0;
    if home.fresh.replace(generation) != Some(generation) {
        home.sessions.clear();
    }
    let known: HashSet<String> = home
        .sessions
        .iter()
        .map(|row| row.session.clone())
        .collect();
    let mut rows = listed.rows;
    // A session that several names lead to is one row.
    rows.retain(|row| !known.contains(&row.session));
    home.sessions.extend(rows);
    home.sessions
        .sort_by_key(|row| std::cmp::Reverse(row.started));
    home.read = true;
    home.older = listed.older;
    home.listing = listed.next.map(|_| generation);
    keep_sessions(model);
    let home = &mut model.home;
    let at = home
        .kept
        .iter()
        .position(|n| Some(&home.sessions[*n].session) == under.as_ref());
    if let Some(at) = at.filter(|_| moved) {
        home.list.jump(at);
    }
    let more = listed.next.map(|from| Effect::List { generation, from });
    more.into_iter().collect()
}

/// Whether an answer is the one that is waited for; older ones are dropped.
fn answers(model: &mut Model, generation: u64) -> bool {
    let waited = model
        .waiting
        .as_ref()
        .is_some_and(|(number, _)| *number == generation);
    if waited {
        model.waiting = None;
    }
    waited
}

fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    if key == Key::ctrl('c') {
        return vec![Effect::Quit];
    }
    if model.prompt.is_some() {
        return type_key(model, key);
    }
    if let Some(picker) = &mut model.picker {
        return match picker.press(key) {
            Picked::Stay => Vec::new(),
            Picked::Close => {
                model.picker = None;
                Vec::new()
            }
            Picked::Open(query) => {
                model.picker = None;
                vec![model.open(&query)]
            }
        };
    }
    if model.card.is_some() {
        return read_card(model, key);
    }
    if let Some(palette) = &mut model.palette {
        return match palette.press(key, model.screen) {
            Meant::Stay => Vec::new(),
            Meant::Close => {
                model.palette = None;
                Vec::new()
            }
            Meant::Do(action) => {
                model.palette = None;
                model.message = None;
                act(model, action)
            }
        };
    }
    if model.help.is_some() {
        return read_help(model, key);
    }
    model.message = None;
    model.typed.push_str(&key.name());
    match keys::meaning(&model.typed, model.screen) {
        Meaning::Begins => Vec::new(),
        Meaning::Does(action) => {
            model.typed.clear();
            act(model, action)
        }
        Meaning::Nothing => {
            model.typed.clear();
            Vec::new()
        }
    }
}

fn read_help(model: &mut Model, key: Key) -> Vec<Effect> {
    let does = keys::meaning(&key.name(), model.screen);
    if let Some(list) = &mut model.help {
        match does {
            Meaning::Does(Action::Down) => list.step(1),
            Meaning::Does(Action::Up) => list.step(-1),
            Meaning::Does(Action::HalfDown | Action::PageDown) => list.page(1),
            Meaning::Does(Action::HalfUp | Action::PageUp) => list.page(-1),
            _ => model.help = None,
        }
    }
    Vec::new()
}

/// Scrolls the card; any other key closes it.
fn read_card(model: &mut Model, key: Key) -> Vec<Effect> {
    let does = keys::meaning(&key.name(), model.screen);
    if let Some(card) = &mut model.card {
        match does {
            Meaning::Does(Action::Down) => card.list.step(1),
            Meaning::Does(Action::Up) => card.list.step(-1),
            Meaning::Does(Action::HalfDown | Action::PageDown) => card.list.page(1),
            Meaning::Does(Action::HalfUp | Action::PageUp) => card.list.page(-1),
            _ => model.card = None,
        }
    }
    Vec::new()
}

/// Does what a key means; where it led far, the place is remembered.
fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    let was = jumps::is_jump(action).then(|| jumps::here(model));
    let effects = does(model, action);
    if let Some(was) = was {
        jumps::remember(model, was);
    }
    effects
}

fn does(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Down => model.active_mut().step(1),
        Action::Up => model.active_mut().step(-1),
        Action::HalfDown => model.active_mut().page(1),
        Action::HalfUp => model.active_mut().page(-1),
        Action::PageDown => model.active_mut().page(2),
        Action::PageUp => model.active_mut().page(-2),
        Action::Top => model.active_mut().go(0),
        Action::Bottom => {
            model.active_mut().go(usize::MAX);
            model.timeline.end = Some(model.timeline.list.cursor());
        }
        Action::Tab(number) => show_tab(model, usize::from(number) - 1),
        Action::NextTab => turn_tab(model, 1),
        Action::PreviousTab => turn_tab(model, Screen::TABS.len() - 1),
        Action::Enter => return enter(model),
        Action::Back => {
            go_back(model);
        }
        Action::Leave => {
            if !go_back(model) {
                return vec![Effect::Quit];
            }
        }
        Action::Quit => return vec![Effect::Quit],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Open => ask(model, PromptKind::Open),
        Action::Search => ask(model, PromptKind::Search),
        Action::Filter => ask(model, PromptKind::Filter),
        Action::GoTo => ask(model, PromptKind::GoTo),
        Action::NextFound => find(model, 1),
        Action::PreviousFound => find(model, -1),
        Action::NextProblem | Action::PreviousProblem => {
            next_problem(model, action == Action::NextProblem)
        }
        Action::NextDenied | Action::PreviousDenied => {
            jump(
                model,
                action == Action::NextDenied,
                "denial",
                |model, row| mark_is(model, row, &["DENY", "RETRY"]),
            );
        }
        Action::NextError | Action::PreviousError => {
            jump(model, action == Action::NextError, "error", |model, row| {
                mark_is(
                    model,
                    row,
                    &["ERR", "TIME", "PERM", "NOEND", "RATE", "RACE"],
                )
            });
        }
        Action::NextHuman | Action::PreviousHuman => {
            jump(
                model,
                action == Action::NextHuman,
                "human decision",
                |model, row| {
                    let opened = model.opened.as_ref();
                    opened.is_some_and(|opened| is_human(opened, row))
                },
            );
        }
        Action::NextChange | Action::PreviousChange if model.screen == Screen::Diffs => {
            next_change_line(model, action == Action::NextChange);
        }
        Action::NextChange | Action::PreviousChange if model.screen == Screen::Replay => {
            replay::jump(
                model,
                action == Action::NextChange,
                "change",
                true,
                |_, _| false,
            );
        }
        Action::NextChange | Action::PreviousChange => {
            jump(model, action == Action::NextChange, "change", |_, row| {
                row.changed
            });
        }
        Action::NextAnomaly | Action::PreviousAnomaly => {
            jump(model, action == Action::NextAnomaly, "anomaly", is_anomaly);
        }
        Action::NextFile | Action::PreviousFile => {
            jump(
                model,
                action == Action::NextFile,
                "row about a file",
                is_file,
            );
        }
        Action::JumpBack => jumps::back(model),
        Action::JumpForward => jumps::forward(model),
        Action::Blame => card::open(model),
        Action::NextFinding | Action::PreviousFinding => {
            jump(
                model,
                action == Action::NextFinding,
                "finding about the record",
                is_finding,
            );
        }
        Action::NextResource if model.screen == Screen::Replay => replay::next_resource(model, 1),
        Action::PreviousResource if model.screen == Screen::Replay => {
            replay::next_resource(model, -1);
        }
        Action::NextResource => next_resource(model, 1),
        Action::PreviousResource => next_resource(model, -1),
        Action::ReplayHere => replay_here(model),
        Action::Play => return replay::play(model),
        Action::Faster => return replay::faster(model, 1),
        Action::Slower => return replay::faster(model, -1),
        Action::Compare => replay::compare(model),
        Action::OnlyProblems => {
            model.timeline.only_problems = !model.timeline.only_problems;
            keep_rows(model);
        }
        Action::Preview => {
            model.timeline.no_preview = !model.timeline.no_preview;
            model.timeline.zoomed = false;
        }
        Action::Zoom => {
            model.timeline.zoomed = !model.timeline.zoomed;
            model.timeline.no_preview &= !model.timeline.zoomed;
        }
        Action::Export(form) => export::ask(model, form),
        Action::SideBySide => model.diffs.side_by_side = Some(!model.diffs.beside),
        Action::MoreContext => context(model, model.diffs.context.saturating_mul(2).clamp(1, 4096)),
        Action::LessContext => context(model, model.diffs.context / 2),
        Action::DiffView => next_view(model),
        Action::EarlierEdit => other_edit(model, -1),
        Action::LaterEdit => other_edit(model, 1),
        Action::CopyLine
        | Action::CopyJson
        | Action::CopyLink
        | Action::CopyCitation
        | Action::CopyCommand
        | Action::CopyPatch => {
            return super::copy::copy(model, action);
        }
        Action::Palette => model.palette = Some(Palette::open(model.screen)),
        Action::Cause => chain::up(model),
        Action::Result => chain::down(model),
        Action::Mark => return noting::mark(model),
        Action::Tag => ask(model, PromptKind::Tag),
        Action::Comment => ask(model, PromptKind::Comment),
        Action::SaveFilter => noting::ask_name(model),
        Action::NextMark | Action::PreviousMark => {
            jump(model, action == Action::NextMark, "note", |model, row| {
                noting::standing(model, row).is_some()
            });
        }
        Action::TimeFormat => model.timeline.offsets = !model.timeline.offsets,
        Action::Zone => model.clock.toggle(),
        Action::Again => return again(model),
        Action::Follow => return follow::toggle(model),
        Action::Help => model.help = Some(List::default()),
    }
    Vec::new()
}

fn again(model: &mut Model) -> Vec<Effect> {
    let query = model.query().to_owned();
    if model.screen == Screen::Home || query.is_empty() {
        vec![model.list()]
    } else {
        vec![model.open(&query)]
    }
}

pub(super) fn say(model: &mut Model, what: &str) {
    model.message = Some(Notice {
        what: what.to_owned(),
        hint: String::new(),
    });
}
