//! S4 Diffs: what changed, resource by resource, with the action behind every change.

use account::model::Diff;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::answer::short;
use super::{columns, select, stack};
use crate::app::changes::{Line as Change, Resource};
use crate::app::line::{Line, rule};
use crate::app::look::{Look, Token};
use crate::app::{Model, Opened, words};

/// The list of resources (wide terminals only), the lines, and the line about provenance.
fn parts(area: Rect) -> (Option<Rect>, Rect, Rect) {
    let below = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1),
    );
    let left = (area.width >= super::WIDE).then(|| Rect {
        width: area.width * 30 / 100,
        ..below
    });
    let main = match left {
        Some(left) => Rect::new(
            left.right() + 2,
            below.y,
            below.width.saturating_sub(left.width + 2),
            below.height,
        ),
        None => below,
    };
    let about = main.height.min(4);
    let lines = Rect::new(
        main.x,
        main.y + 1,
        main.width,
        main.height.saturating_sub(1 + about),
    );
    let about = Rect::new(main.x, lines.bottom(), main.width, about);
    (left, lines, about)
}

pub(super) fn fit(model: &mut Model, area: Rect) {
    let (_, lines, _) = parts(area);
    let beside = model.diffs.side_by_side && area.width >= 100;
    if beside != model.diffs.beside {
        model.diffs.beside = beside;
        crate::app::show_resource(model, model.diffs.resource);
    }
    model.diffs.list.set_height(usize::from(lines.height));
}

pub(super) fn text_of(model: &Model, line: usize) -> String {
    model
        .diffs
        .lines
        .get(line)
        .map(Change::text)
        .unwrap_or_default()
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(opened) = &model.opened else { return };
    let (look, width) = (model.look, usize::from(area.width));
    let changes = &opened.changes;
    let total = changes.resources.len();
    let view = match (model.diffs.stored_patch, model.diffs.beside) {
        (true, _) => "stored patch",
        (false, true) => "side by side",
        (false, false) => "unified",
    };
    let head = Line::of(
        Token::Plain,
        format!(" {}", words::count(total as u64, "resource", "resources")),
    )
    .put(Token::Added, format!(" +{}", changes.added))
    .put(Token::Removed, format!(" -{}", changes.removed))
    .put(Token::Dim, format!("   view: {view}"));
    let at = (model.diffs.resource + 1).min(total);
    head.right(
        Line::of(Token::Dim, format!("resource {at}/{total} ")),
        width,
        look,
    )
    .draw(buf, (area.x, area.y), area.width, look);
    let (left, lines, about) = parts(area);
    if let Some(left) = left {
        let below = Rect::new(area.x, left.y, area.width, left.height);
        columns(below, left.width, look, buf);
        resources(model, opened, left, buf);
    }
    let Some(resource) = changes.resources.get(model.diffs.resource) else {
        Line::of(Token::Dim, " nothing changed").draw(buf, (lines.x, lines.y), lines.width, look);
        return;
    };
    title(resource, opened, usize::from(lines.width), look).draw(
        buf,
        (lines.x, lines.y - 1),
        lines.width,
        look,
    );
    let beside = model.diffs.beside;
    for (n, y) in model.diffs.list.window().zip(lines.top()..lines.bottom()) {
        let line = match (&model.diffs.lines[n], beside) {
            (Change::Change(diff), _) => change_line(
                model,
                &opened.account.diffs[*diff],
                usize::from(lines.width),
            ),
            (other, true) => side_by_side(other, usize::from(lines.width), look),
            (other, false) => unified(other),
        };
        line.cut(usize::from(lines.width), look)
            .draw(buf, (lines.x, y), lines.width, look);
        if n == model.diffs.list.cursor() {
            select(buf, lines, y, look);
        }
    }
    stack(
        &provenance(model, opened, usize::from(about.width)),
        about,
        look,
        buf,
    );
}

fn title(resource: &Resource, opened: &Opened, width: usize, look: Look) -> Line {
    let refs: Vec<String> = resource
        .diffs
        .iter()
        .filter_map(|n| opened.account.diffs[*n].evidence.refs.first())
        .take(4)
        .map(|shown_by| short(Some(shown_by)))
        .collect();
    let out = if resource.outside {
        "  OUT OF SCOPE"
    } else {
        ""
    };
    let undone = if resource.undone { "  taken back" } else { "" };
    let title = format!(
        "{} {} +{} -{}{out}{undone}",
        resource.sign, resource.name, resource.added, resource.removed
    );
    rule(&title, &refs.join(" "), width, look)
}

fn resources(model: &Model, opened: &Opened, area: Rect, buf: &mut Buffer) {
    let (look, width) = (model.look, usize::from(area.width));
    rule("Resources", "]f next", width, look).draw(buf, (area.x, area.y), area.width, look);
    let height = usize::from(area.height).saturating_sub(1);
    let all = &opened.changes.resources;
    let first = model
        .diffs
        .resource
        .saturating_sub(height / 2)
        .min(all.len().saturating_sub(height));
    for (n, y) in (first..all.len()).zip(area.top() + 1..area.bottom()) {
        let resource = &all[n];
        let here = n == model.diffs.resource;
        let sign = if here {
            ">"
        } else if resource.outside {
            "!"
        } else {
            " "
        };
        let tail = Line::of(Token::Added, format!("+{}", resource.added))
            .put(Token::Removed, format!(" -{}", resource.removed));
        let line = Line::of(Token::Plain, sign)
            .put(
                Token::Plain,
                format!("{} {}", resource.sign, words::resource(&resource.name)),
            )
            .right(tail, width, look);
        line.draw(buf, (area.x, y), area.width, look);
        if here {
            select(buf, area, y, look);
        }
    }
}

fn change_line(model: &Model, diff: &Diff, width: usize) -> Line {
    let at = diff
        .at
        .map(|at| format!(" {}", model.clock.short(at)))
        .unwrap_or_default();
    let scope = if diff.in_scope == Some(false) {
        "  OUT OF SCOPE"
    } else {
        ""
    };
    Line::of(
        Token::Title,
        format!(" @@ {}{at} @@", short(diff.evidence.refs.first())),
    )
    .put(
        Token::Dim,
        format!(" {}", diff.effect.as_str().replace('_', " ")),
    )
    .put(Token::Error, scope)
    .cut(width, model.look)
}

fn number(line: usize) -> String {
    if line == 0 {
        "    ".to_owned()
    } else {
        format!("{line:>4}")
    }
}

pub(super) fn unified(change: &Change) -> Line {
    let row = |old: usize, new: usize, token: Token, sign: &str, text: &str| {
        Line::of(Token::Dim, format!(" {} {} ", number(old), number(new)))
            .put(token, format!("{sign} "))
            .put(token, tabs(text))
    };
    match change {
        Change::Change(_) => Line::new(),
        Change::Hunk(old, new) => Line::of(Token::Dim, format!(" ...  -{old} +{new}")),
        Change::Same(old, new, text) => row(*old, *new, Token::Plain, " ", text),
        Change::Removed(old, text) => row(*old, 0, Token::Removed, "-", text),
        Change::Added(new, text) => row(0, *new, Token::Added, "+", text),
        Change::Pair(old, _, new, text) => row(*old, *new, Token::Added, "~", text),
        Change::Note(text) => Line::of(Token::Dim, format!(" {}", tabs(text))),
    }
}

fn side_by_side(change: &Change, width: usize, look: Look) -> Line {
    let half = width.saturating_sub(1) / 2;
    let cell = |line: usize, token: Token, sign: &str, text: &str| {
        Line::of(Token::Dim, format!("{} ", number(line)))
            .put(token, format!("{sign} "))
            .put(token, tabs(text))
            .cut(half.saturating_sub(1), look)
    };
    let pair =
        |left: Line, right: Line| left.column(half, 0).put(Token::Dim, look.bar()).join(right);
    match change {
        Change::Same(old, new, text) => pair(
            cell(*old, Token::Plain, " ", text),
            cell(*new, Token::Plain, " ", text),
        ),
        Change::Removed(old, text) => pair(cell(*old, Token::Removed, "-", text), Line::new()),
        Change::Added(new, text) => pair(Line::new(), cell(*new, Token::Added, "+", text)),
        Change::Pair(old, before, new, after) => pair(
            cell(*old, Token::Removed, "-", before),
            cell(*new, Token::Added, "+", after),
        ),
        other => unified(other),
    }
}

/// Tabs as spaces, so that code keeps its shape.
fn tabs(text: &str) -> String {
    text.replace('\t', "    ")
}

/// Which action made the change under the cursor, how both sides were read, and why.
fn provenance(model: &Model, opened: &Opened, width: usize) -> Vec<Line> {
    let (account, look) = (&opened.account, model.look);
    let upto = model
        .diffs
        .lines
        .iter()
        .take(model.diffs.list.cursor() + 1)
        .rev();
    let Some(diff) = upto.into_iter().find_map(|line| match line {
        Change::Change(diff) => account.diffs.get(*diff),
        _ => None,
    }) else {
        return Vec::new();
    };
    let action = diff
        .action
        .as_ref()
        .and_then(|id| account.actions.iter().find(|action| action.id == *id));
    let title = format!("change {}", short(diff.evidence.refs.first()));
    let said = |word: Option<&str>| {
        word.map_or_else(|| "unknown".to_owned(), |word| word.replace('_', " "))
    };
    let read = format!(
        " before was read {}, after {}",
        said(diff.read_before.map(|it| it.as_str())),
        said(diff.read_after.map(|it| it.as_str()))
    );
    let scope = match diff.in_scope {
        Some(true) => Line::of(Token::Good, " inside the scope"),
        Some(false) => Line::of(Token::Error, " OUTSIDE the declared scope"),
        None => Line::of(Token::Ask, " no scope was in force"),
    };
    let mut lines = vec![rule(&title, "Enter shows the action", width, look)];
    lines.push(match action {
        Some(action) => Line::of(
            Token::Plain,
            format!(
                " by {} {}",
                short(action.evidence.refs.first()),
                words::action(action)
            ),
        ),
        None => Line::of(Token::Ask, " by an action that is not recorded"),
    });
    lines.push(Line::of(Token::Plain, read));
    lines.push(scope.put(
        Token::Dim,
        format!(", {}", diff.effect.as_str().replace('_', " ")),
    ));
    lines
}
