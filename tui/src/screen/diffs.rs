//! S4 Diffs: what changed, resource by resource, with the action behind every change.

use account::model::Diff;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

mod about;
mod line;

use super::answer::{cited, short};
use super::{columns, select, stack};
use crate::app::changes::{Line as Change, Resource, View};
use crate::app::line::{Line, rule};
use crate::app::look::{Look, Token};
use crate::app::{Model, Opened, words};

pub(super) use line::{Columns, unified};

/// A part of the screen that is this wide shows both sides beside each other.
const ROOM: u16 = 100;

/// Rows that say what is behind the selected line.
const ABOUT: u16 = 5;

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
    let about = main.height.min(ABOUT);
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
    let wanted = match model.diffs.side_by_side {
        Some(wanted) => wanted && area.width >= ROOM,
        None => lines.width >= ROOM,
    };
    let beside = wanted && model.diffs.view != View::Stored;
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
    let view = view(model, opened);
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
    let place = Columns {
        width: usize::from(lines.width),
        names: model.diffs.field_width,
    };
    for (n, y) in model.diffs.list.window().zip(lines.top()..lines.bottom()) {
        let line = match &model.diffs.lines[n] {
            Change::Change(diff) => heading(model, &opened.account.diffs[*diff]),
            Change::Net(last, count) => net(opened, *last, *count),
            other if model.diffs.beside => line::side_by_side(other, place, look),
            other => unified(other, place, look),
        };
        line.cut(usize::from(lines.width), look)
            .draw(buf, (lines.x, y), lines.width, look);
        if n == model.diffs.list.cursor() {
            select(buf, lines, y, look);
        }
    }
    stack(
        &about::lines(model, opened, usize::from(about.width)),
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

fn heading(model: &Model, diff: &Diff) -> Line {
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
        format!(" @@ {}{at} @@", cited(&diff.evidence)),
    )
    .put(
        Token::Dim,
        format!(" {}", diff.effect.as_str().replace('_', " ")),
    )
    .put(Token::Error, scope)
}

/// The heading of several edits taken together.
fn net(opened: &Opened, last: usize, count: usize) -> Line {
    let last = opened.account.diffs[last].evidence.refs.first();
    Line::of(
        Token::Title,
        format!(" @@ {count} edits, last {} @@", short(last)),
    )
    .put(Token::Dim, " each line names its own below")
}

/// What is looked at: which edits, and whether both sides are beside each other.
fn view(model: &Model, opened: &Opened) -> String {
    let resource = opened.changes.resources.get(model.diffs.resource);
    let edits = resource.map(|it| it.diffs.as_slice()).unwrap_or_default();
    let view = match model.diffs.view {
        View::Net => "net".to_owned(),
        View::PerEdit => "per edit".to_owned(),
        View::Stored => return "stored patch".to_owned(),
        View::At(at) => {
            let at = at.min(edits.len().saturating_sub(1));
            let record = edits.get(at).map(|n| &opened.account.diffs[*n]);
            let record = record.and_then(|diff| diff.evidence.refs.first());
            format!("at {}, edit {} of {}", short(record), at + 1, edits.len())
        }
    };
    match model.diffs.beside {
        true => format!("{view}, side by side"),
        false => view,
    }
}
