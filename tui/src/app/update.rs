//! What a message does to the model. Pure: no clock, no file, no terminal.

use vocabulary::id::RecordRef;

use super::changes;
use super::filter::{Filter, Seen};
use super::keys::{self, Action, Code, Key, Meaning, Screen};
use super::list::List;
use super::marks;
use super::model::{Effect, Model, Msg, Notice, Prompt, PromptKind, Spot};
use super::rows::{self, Item, Row};
use crate::screen;

/// Changes the model and says what else is to be done.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    model.dirty = true;
    let effects = match msg {
        Msg::Resize(columns, rows) => {
            model.size = (columns, rows);
            Vec::new()
        }
        Msg::Key(key) => press(model, key),
        Msg::Opened { generation, result } => {
            if answers(model, generation) {
                match result {
                    Ok(opened) => model.show(opened),
                    Err(notice) => model.message = Some(notice),
                }
            }
            Vec::new()
        }
        Msg::Sessions { generation, result } => {
            if answers(model, generation) {
                match result {
                    Ok(sessions) => {
                        model.home.sessions = sessions;
                        model.home.read = true;
                        keep_sessions(model);
                    }
                    Err(notice) => model.message = Some(notice),
                }
            }
            Vec::new()
        }
    };
    screen::fit(model);
    effects
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

fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Down => model.active_mut().step(1),
        Action::Up => model.active_mut().step(-1),
        Action::HalfDown => model.active_mut().page(1),
        Action::HalfUp => model.active_mut().page(-1),
        Action::PageDown => model.active_mut().page(2),
        Action::PageUp => model.active_mut().page(-2),
        Action::Top => model.active_mut().go(0),
        Action::Bottom => model.active_mut().go(usize::MAX),
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
                is_human,
            );
        }
        Action::NextChange | Action::PreviousChange if model.screen == Screen::Diffs => {
            next_change_line(model, action == Action::NextChange);
        }
        Action::NextChange | Action::PreviousChange => {
            jump(model, action == Action::NextChange, "change", |_, row| {
                row.changed
            });
        }
        Action::NextFinding | Action::PreviousFinding => {
            jump(
                model,
                action == Action::NextFinding,
                "finding about the record",
                is_finding,
            );
        }
        Action::NextResource => next_resource(model, 1),
        Action::PreviousResource => next_resource(model, -1),
        Action::OnlyProblems => {
            model.timeline.only_problems = !model.timeline.only_problems;
            keep_rows(model);
        }
        Action::Preview => model.timeline.no_preview = !model.timeline.no_preview,
        Action::SideBySide => model.diffs.side_by_side = !model.diffs.side_by_side,
        Action::MoreContext => context(model, model.diffs.context.saturating_mul(2).clamp(1, 4096)),
        Action::LessContext => context(model, model.diffs.context / 2),
        Action::Patch => {
            model.diffs.stored_patch = !model.diffs.stored_patch;
            show_resource(model, model.diffs.resource);
        }
        Action::CopyLine
        | Action::CopyJson
        | Action::CopyRef
        | Action::CopyCommand
        | Action::CopyPatch => {
            return super::copy::copy(model, action);
        }
        Action::TimeFormat => model.timeline.offsets = !model.timeline.offsets,
        Action::Zone => model.clock.toggle(),
        Action::Again => return again(model),
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

fn show_tab(model: &mut Model, number: usize) {
    if let (Some(screen), true) = (Screen::TABS.get(number), model.opened.is_some()) {
        model.screen = *screen;
    }
}

fn turn_tab(model: &mut Model, by: usize) {
    let at = Screen::TABS
        .iter()
        .position(|screen| *screen == model.screen)
        .unwrap_or(0);
    show_tab(model, (at + by) % Screen::TABS.len());
}

/// Remembers where the user is before opening something.
fn leave_for(model: &mut Model, screen: Screen) {
    let spot = Spot {
        screen: model.screen,
        cursor: model.active().cursor(),
    };
    if model.back.len() > 100 {
        model.back.remove(0);
    }
    model.back.push(spot);
    model.screen = screen;
}

/// Goes to where the user was; `false` when there is nowhere to go.
fn go_back(model: &mut Model) -> bool {
    if model.screen == Screen::Timeline
        && (!model.timeline.filter.is_empty() || model.timeline.only_problems)
    {
        model.timeline.filter.clear();
        model.timeline.only_problems = false;
        keep_rows(model);
        return true;
    }
    if model.screen == Screen::Home && !model.home.filter.is_empty() {
        model.home.filter.clear();
        keep_sessions(model);
        return true;
    }
    if let Some(spot) = model.back.pop() {
        model.screen = spot.screen;
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

fn enter(model: &mut Model) -> Vec<Effect> {
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
            let line = model.diffs.list.cursor();
            let diff = model
                .diffs
                .lines
                .iter()
                .take(line + 1)
                .rev()
                .find_map(|line| match line {
                    changes::Line::Change(diff) => Some(*diff),
                    _ => None,
                });
            let action = diff
                .and_then(|diff| opened.account.diffs.get(diff))
                .and_then(|diff| diff.action.as_deref());
            if let Some(row) = action.and_then(|id| opened.rows.of_action(id)) {
                leave_for(model, Screen::Timeline);
                go_to_row(model, row);
            }
        }
        Screen::Integrity => {}
    }
    Vec::new()
}

fn enter_home(model: &mut Model) -> Vec<Effect> {
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
fn enter_row(model: &mut Model, row: Row) {
    let Some(opened) = &model.opened else { return };
    let diff = match row.item {
        Item::Action(n) => {
            let id = &opened.account.actions[n].id;
            opened
                .account
                .diffs
                .iter()
                .position(|diff| diff.action.as_ref() == Some(id))
        }
        Item::Diff(n) => Some(n),
        _ => None,
    };
    let decision = match row.item {
        Item::Decision(n) => Some(n),
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
        let line = model
            .diffs
            .lines
            .iter()
            .position(|line| *line == changes::Line::Change(diff));
        model.diffs.list.jump(line.unwrap_or(0));
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

fn say(model: &mut Model, what: &str) {
    model.message = Some(Notice {
        what: what.to_owned(),
        hint: String::new(),
    });
}

fn next_problem(model: &mut Model, forward: bool) {
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
        Screen::Timeline => jump(model, forward, "problem", |_, row| row.problem.is_some()),
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
fn jump(model: &mut Model, forward: bool, what: &str, fits: impl Fn(&Model, &Row) -> bool) {
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

fn mark_is(model: &Model, row: &Row, words: &[&str]) -> bool {
    let Some(opened) = &model.opened else {
        return false;
    };
    words.contains(&rows::mark(&opened.account, row).word)
}

fn is_human(model: &Model, row: &Row) -> bool {
    let Some(opened) = &model.opened else {
        return false;
    };
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

fn is_finding(model: &Model, row: &Row) -> bool {
    let Some(opened) = &model.opened else {
        return false;
    };
    let problem = row
        .problem
        .and_then(|n| opened.account.problems.get(n as usize));
    problem.is_some_and(|problem| marks::is_finding(problem.kind))
}

fn next_change_line(model: &mut Model, forward: bool) {
    let at = model.diffs.list.cursor();
    let lines = &model.diffs.lines;
    let changed = |n: usize| {
        use changes::Line::{Added, Pair, Removed};
        matches!(lines[n], Added(..) | Removed(..) | Pair(..))
    };
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

fn next_resource(model: &mut Model, by: isize) {
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

fn context(model: &mut Model, lines: usize) {
    model.diffs.context = lines;
    show_resource(model, model.diffs.resource);
}

/// Computes the lines of a resource's changes.
pub(crate) fn show_resource(model: &mut Model, resource: usize) {
    let Some(opened) = &model.opened else { return };
    let Some(shown) = opened.changes.resources.get(resource) else {
        return;
    };
    model.diffs.lines = if model.diffs.stored_patch {
        changes::stored_patches(&opened.account, shown)
    } else {
        let lines = changes::lines(&opened.account, shown, model.diffs.context);
        if model.diffs.beside {
            changes::beside(lines)
        } else {
            lines
        }
    };
    let mut list = List::new(model.diffs.lines.len());
    if resource == model.diffs.resource {
        list.go(model.diffs.list.cursor());
    }
    model.diffs.resource = resource;
    model.diffs.list = list;
}

/// Applies Home's filter.
pub(crate) fn keep_sessions(model: &mut Model) {
    let wanted: Vec<String> = model
        .home
        .filter
        .split_whitespace()
        .map(str::to_lowercase)
        .collect();
    let home = &mut model.home;
    home.kept = (0..home.sessions.len())
        .filter(|n| {
            let text = home.sessions[*n].text().to_lowercase();
            wanted.iter().all(|word| match word.strip_prefix('-') {
                Some(rest) if !rest.is_empty() => !text.contains(rest),
                _ => text.contains(word.as_str()),
            })
        })
        .collect();
    home.list.set_total(home.kept.len());
}

/// Applies the timeline's filter; the cursor stays on its row where that is kept.
pub(crate) fn keep_rows(model: &mut Model) {
    let Some(opened) = &model.opened else { return };
    let before = model.timeline_row();
    match Filter::parse(&model.timeline.filter) {
        Ok(filter) => model.timeline.parsed = filter,
        Err(error) => {
            model.message = Some(Notice {
                what: error.to_string(),
                hint: String::new(),
            });
            return;
        }
    }
    let (filter, only) = (&model.timeline.parsed, model.timeline.only_problems);
    let account = &opened.account;
    let kept = opened.rows.iter().enumerate().filter(|(_, row)| {
        if only && row.problem.is_none() {
            return false;
        }
        if filter.is_empty() {
            return true;
        }
        let text = if filter.needs_text() {
            rows::what(account, row.item).to_lowercase()
        } else {
            String::new()
        };
        filter.keeps(&Seen {
            kind: rows::kind(account, row.item),
            mark: rows::mark(account, row).word,
            text: &text,
            problem: row.problem.is_some(),
            changed: row.changed,
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

fn ask(model: &mut Model, kind: PromptKind) {
    let text = match (kind, model.screen) {
        (PromptKind::Filter, Screen::Home) => model.home.filter.clone(),
        (PromptKind::Filter, _) => model.timeline.filter.clone(),
        _ => String::new(),
    };
    model.prompt = Some(Prompt {
        kind,
        before: text.clone(),
        text,
    });
}

fn type_key(model: &mut Model, key: Key) -> Vec<Effect> {
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
        // Half-typed words such as `is:d` are no mistake yet.
        let text = text.clone();
        if Filter::parse(&text).is_ok() {
            set_filter(model, text);
        }
    }
    Vec::new()
}

fn set_filter(model: &mut Model, text: String) {
    if model.screen == Screen::Home {
        model.home.filter = text;
        keep_sessions(model);
    } else {
        model.timeline.filter = text;
        keep_rows(model);
    }
}

fn answer_prompt(model: &mut Model, prompt: Prompt) -> Vec<Effect> {
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
        PromptKind::Filter => set_filter(model, prompt.text.trim().to_owned()),
        PromptKind::GoTo => go_to(model, text),
    }
    Vec::new()
}

fn go_to(model: &mut Model, text: &str) {
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

/// A reference as the user writes it: `s1a#14`, or `14` and `#14` in the first stream.
pub fn parse_ref(text: &str) -> Option<RecordRef> {
    let text = text.trim();
    let bare = text.strip_prefix('#').unwrap_or(text);
    if !bare.is_empty() && bare.bytes().all(|c| c.is_ascii_digit()) {
        return format!("s1a#{bare}").parse().ok();
    }
    text.parse().ok()
}

/// Goes to the next line that contains what was searched for, around the end once.
fn find(model: &mut Model, step: isize) {
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
