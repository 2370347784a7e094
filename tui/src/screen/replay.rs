//! S5 Replay: the steps, and what everything was right after the one under the cursor.

use account::model::Account;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::answer::{cited, short};
use super::diffs::{Columns, unified};
use super::{columns, select, stack};
use crate::app::clock::duration;
use crate::app::line::{Line, rule};
use crate::app::look::Token;
use crate::app::replay::{self, Standing, What};
use crate::app::{Model, Opened, rows, words};

/// Where the parts are: the steps, and the state beside or below them.
struct Parts {
    steps: Rect,
    state: Rect,
    wide: bool,
}

fn parts(area: Rect) -> Parts {
    let below = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1),
    );
    if area.width >= super::WIDE {
        let left = area.width * 45 / 100;
        return Parts {
            steps: Rect {
                width: left,
                ..below
            },
            state: Rect::new(
                left + 2,
                below.y,
                area.width.saturating_sub(left + 2),
                below.height,
            ),
            wide: true,
        };
    }
    let height = (below.height / 3).max(2).min(below.height);
    Parts {
        steps: Rect { height, ..below },
        state: Rect::new(
            below.x,
            below.y + height,
            below.width,
            below.height - height,
        ),
        wide: false,
    }
}

pub(super) fn fit(model: &mut Model, area: Rect) {
    let parts = parts(area);
    model
        .replay
        .list
        .set_height(usize::from(parts.steps.height));
}

pub(super) fn text_of(model: &Model, line: usize) -> String {
    let opened = model.opened.as_ref();
    let step = opened.and_then(|opened| Some((opened, opened.steps.get(line)?)));
    step.map(|(opened, step)| replay::what(opened, step))
        .unwrap_or_default()
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(opened) = &model.opened else { return };
    let (look, parts) = (model.look, parts(area));
    head(model, opened, usize::from(area.width)).draw(buf, (area.x, area.y), area.width, look);
    let list = if parts.wide {
        let below = Rect::new(area.x, parts.steps.y, area.width, parts.steps.height);
        columns(below, parts.steps.width, look, buf).0
    } else {
        parts.steps
    };
    if opened.steps.is_empty() {
        return Line::of(Token::Dim, " nothing is recorded to replay").draw(
            buf,
            (list.x, list.y),
            list.width,
            look,
        );
    }
    let refs = model
        .replay
        .list
        .window()
        .filter_map(|n| opened.steps.get(n))
        .map(|step| doubt(opened, step).len() + short(step.shown_by.as_ref()).len())
        .max()
        .unwrap_or(0);
    for (n, y) in model.replay.list.window().zip(list.top()..list.bottom()) {
        let here = n == model.replay.list.cursor();
        step(model, opened, n, refs)
            .cut(usize::from(list.width), look)
            .draw(buf, (list.x, y), list.width, look);
        if here {
            select(buf, list, y, look);
        }
    }
    let width = usize::from(parts.state.width);
    let height = usize::from(parts.state.height);
    stack(&state(model, opened, width, height), parts.state, look, buf);
}

/// Where the replay is, and whether it moves.
fn head(model: &Model, opened: &Opened, width: usize) -> Line {
    let (at, total) = (model.replay.list.cursor(), model.replay.list.total());
    let moving = if model.replay.playing.is_some() {
        "playing"
    } else {
        "paused"
    };
    let mut line = Line::of(
        Token::Plain,
        format!(" step {} of {total}  ", (at + 1).min(total)),
    )
    .put(Token::Title, moving)
    .put(Token::Dim, format!(" {}", replay::speed(&model.replay)));
    if let Some(mark) = model.replay.mark.and_then(|mark| opened.steps.get(mark)) {
        line.add(
            Token::Ask,
            &format!("  compared with {}", short(mark.shown_by.as_ref())),
        );
    }
    let start = (0..total).find_map(|n| opened.steps.get(n)?.at);
    let now = opened.steps.get(at).and_then(|step| step.at);
    let time = match (start, now) {
        (Some(start), Some(now)) => format!(
            "{} +{} {} ",
            model.clock.precise(now),
            duration(now.since_ns(start)),
            model.clock.name()
        ),
        _ => "time unknown ".to_owned(),
    };
    line.right(Line::of(Token::Dim, time), width, model.look)
}

fn step(model: &Model, opened: &Opened, n: usize, refs: usize) -> Line {
    let account = &opened.account;
    let Some(step) = opened.steps.get(n) else {
        return Line::new();
    };
    let row = opened.steps.row(account, &opened.rows, n);
    let row = row.and_then(|row| opened.rows.get(row));
    let (kind, mark) = match (step.what, row) {
        (What::Change(diff), _) if account.diffs[diff].in_scope == Some(false) => {
            ("change", (Token::Error, "OUT"))
        }
        (What::Change(_), _) => ("change", (Token::Plain, "")),
        (What::Ended(_), _) => ("end", (Token::Plain, "")),
        (What::Row(_), Some(row)) => {
            let mark = rows::mark(account, row);
            (rows::kind(account, row.item), (mark.token, mark.word))
        }
        (What::Row(_), None) => ("", (Token::Plain, "")),
    };
    let sign = if n == model.replay.list.cursor() {
        ">"
    } else if model.replay.mark == Some(n) {
        "*"
    } else if matches!(step.what, What::Change(_)) {
        "+"
    } else {
        " "
    };
    Line::of(Token::Plain, sign)
        .put(Token::Ask, doubt(opened, step))
        .put(Token::Dim, short(step.shown_by.as_ref()))
        .column(refs + 2, 1)
        .join(Line::of(Token::Plain, kind).cut(6, model.look))
        .column(refs + 9, 1)
        .put(mark.0, mark.1)
        .column(refs + 16, 1)
        .put(Token::Plain, replay::what(opened, step))
}

/// `?` where a step depends on a part of the record that does not hold.
fn doubt(opened: &Opened, step: &crate::app::replay::Step) -> &'static str {
    let account = &opened.account;
    match step.what {
        What::Ended(action) => account.actions[action].evidence.mark(),
        What::Row(row) => opened
            .rows
            .get(row)
            .map_or("", |row| crate::app::rows::doubt(account, row.item)),
        What::Change(diff) => account.diffs[diff].evidence.mark(),
    }
}

/// The state after the step: sessions, what runs, what changed, and the resource that is looked at.
fn state(model: &Model, opened: &Opened, width: usize, height: usize) -> Vec<Line> {
    let (account, look, world) = (&opened.account, model.look, &model.replay.world);
    let here = opened.steps.get(model.replay.list.cursor());
    let name = short(here.and_then(|step| step.shown_by.as_ref()));
    let counts = format!(
        "{}, {}",
        words::count(world.changes as u64, "change", "changes"),
        words::count(world.problems as u64, "problem", "problems")
    );
    let mut lines = vec![rule(&format!("State after {name}"), &counts, width, look)];
    let small = height < 16;
    for running in world.sessions.iter().take(if small { 2 } else { 6 }) {
        lines.push(session(account, running));
    }
    for action in world.running.iter().take(if small { 1 } else { 5 }) {
        lines.push(
            Line::of(Token::Ask, " runs ")
                .put(Token::Plain, words::attempt(&account.actions[*action])),
        );
    }
    let room = if small { 3 } else { height / 3 };
    let looked_at = model.replay.looked_at();
    let at = world
        .resources
        .iter()
        .position(|it| Some(it.resource) == looked_at)
        .unwrap_or(0);
    let first = at.saturating_sub(room.saturating_sub(1));
    for it in world.resources.iter().skip(first).take(room) {
        lines.push(resource(opened, it, looked_at == Some(it.resource)));
    }
    let below = world.changed.saturating_sub(first + room);
    if below > 0 {
        lines.push(Line::of(
            Token::Dim,
            format!("  + {below} that changed earlier, ]f"),
        ));
    }
    lines.extend(content(model, opened, width));
    lines
}

fn session(account: &Account, running: &replay::Running) -> Line {
    let session = &account.sessions[running.session];
    let (token, word) = if running.ended {
        (Token::Dim, "ended")
    } else {
        (Token::Good, "running")
    };
    let mut line = Line::of(Token::Plain, format!(" {} ", session.name)).put(token, word);
    match running.scope.map(|n| &account.scope[n]) {
        Some(scope) => {
            let version = scope.version.as_deref().unwrap_or("undated");
            let entries = words::count(scope.entries.len() as u64, "entry", "entries");
            line.add(Token::Plain, &format!("  scope {version}, {entries}"));
        }
        None => line.add(Token::Ask, "  no scope"),
    }
    match running.authorization.map(|n| &account.authorization[n]) {
        Some(it) => line.add(Token::Plain, &format!("  {}", words::authorization(it))),
        None => line.add(Token::Ask, "  no authorization"),
    }
    line
}

fn resource(opened: &Opened, it: &Standing, looked_at: bool) -> Line {
    let resource = &opened.changes.resources[it.resource];
    let diff = &opened.account.diffs[it.by];
    let mut line = Line::of(Token::Plain, if looked_at { ">" } else { " " })
        .put(
            if it.now { Token::Added } else { Token::Plain },
            format!("{} {}", words::sign(diff), words::resource(&resource.name)),
        )
        .put(Token::Dim, format!("  left by {}", cited(&diff.evidence)));
    if it.now {
        line.add(Token::Title, "  this step");
    }
    line
}

/// The resource that is looked at, as the step left it.
fn content(model: &Model, opened: &Opened, width: usize) -> Vec<Line> {
    let look = model.look;
    let Some(resource) = model.replay.looked_at() else {
        return vec![Line::of(Token::Dim, " nothing has changed yet")];
    };
    let name = words::resource(&opened.changes.resources[resource].name);
    let here = model.replay.list.cursor();
    let title = match model.replay.mark {
        Some(mark) => {
            let other = opened.steps.get(mark).and_then(|step| step.shown_by);
            let way = if mark <= here { "since" } else { "until" };
            format!("{way} {}: {name}", short(other.as_ref()))
        }
        None if opened.steps.left_by(resource, here).is_none() => {
            format!("{name}, not changed yet")
        }
        None => name.to_owned(),
    };
    let hint = if model.replay.held.is_some() {
        "held, Esc lets go"
    } else {
        "]f [f others"
    };
    let mut lines = vec![rule(&title, hint, width, look)];
    // What a step changed is what the eye looks for: it is shown first where the content is long.
    let changed = crate::app::changes::Line::changed;
    let first = model.replay.lines.iter().position(changed).unwrap_or(0);
    let skip = first.saturating_sub(2);
    if skip > 0 {
        lines.push(Line::of(
            Token::Dim,
            format!(" ... {} above", words::count(skip as u64, "line", "lines")),
        ));
    }
    let names = model.replay.lines.iter().map(|line| match line {
        crate::app::changes::Line::Field(field, _) => field.field.chars().count(),
        _ => 0,
    });
    let place = Columns {
        width,
        names: names.max().unwrap_or(0),
    };
    let shown = model.replay.lines.iter().skip(skip);
    lines.extend(shown.map(|line| unified(line, place, look)));
    lines
}
