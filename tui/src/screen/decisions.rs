//! S3 Decisions: each choice in one line, and the selected one with everything that was weighed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use vocabulary::Source;

use super::answer::{cited, short};
use super::{columns, detail, select, stack};
use crate::app::line::{Line, rule};
use crate::app::look::Token;
use crate::app::{Model, Opened, words};

/// Where the list is and where the selected decision is told.
fn parts(model: &Model, area: Rect) -> (Rect, Rect) {
    let below = Rect::new(
        area.x,
        area.y + 2,
        area.width,
        area.height.saturating_sub(2),
    );
    if area.width >= super::WIDE {
        let left = Rect {
            width: area.width / 2,
            ..below
        };
        return (
            left,
            Rect::new(
                left.right() + 2,
                below.y,
                below.width.saturating_sub(left.width + 2),
                below.height,
            ),
        );
    }
    let total = model
        .opened
        .as_ref()
        .map_or(0, |opened| opened.account.decisions.len());
    let rows = u16::try_from(total)
        .unwrap_or(u16::MAX)
        .clamp(1, (below.height * 2 / 5).max(1));
    let list = Rect {
        height: rows,
        ..below
    };
    (
        list,
        Rect::new(
            area.x,
            below.y + rows,
            area.width,
            below.height.saturating_sub(rows),
        ),
    )
}

pub(super) fn fit(model: &mut Model, area: Rect) {
    let (list, _) = parts(model, area);
    model.decisions.set_height(usize::from(list.height));
}

pub(super) fn text_of(model: &Model, line: usize) -> String {
    let decision = model
        .opened
        .as_ref()
        .and_then(|opened| opened.account.decisions.get(line));
    let Some(it) = decision else {
        return String::new();
    };
    let discarded: Vec<&str> = it.discarded.iter().map(|it| it.option.as_str()).collect();
    format!(
        "{} {} {}",
        words::decision(it),
        it.rationale.as_deref().unwrap_or_default(),
        discarded.join(" ")
    )
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(opened) = &model.opened else { return };
    let (look, width) = (model.look, usize::from(area.width));
    let account = &opened.account;
    let stated = account
        .decisions
        .iter()
        .filter(|it| it.evidence.source == Source::Stated)
        .count();
    let total = words::count(account.decisions.total() as u64, "decision", "decisions");
    let head = Line::of(
        Token::Plain,
        format!(" {total}, {stated} of them in the agent's own words"),
    );
    let tail = Line::of(
        Token::Dim,
        format!(
            "{} of {} ",
            (model.decisions.cursor() + 1).min(account.decisions.len()),
            account.decisions.len()
        ),
    );
    head.right(tail, width, look)
        .draw(buf, (area.x, area.y), area.width, look);
    rule("", "", width, look).draw(buf, (area.x, area.y + 1), area.width, look);
    let (list, card) = parts(model, area);
    if area.width >= super::WIDE {
        let below = Rect::new(area.x, list.y, area.width, list.height);
        columns(below, list.width, look, buf);
    }
    for (n, y) in model.decisions.window().zip(list.top()..list.bottom()) {
        line(opened, n, n == model.decisions.cursor())
            .cut(usize::from(list.width), look)
            .draw(buf, (list.x, y), list.width, look);
        if n == model.decisions.cursor() {
            select(buf, list, y, look);
        }
    }
    let at = model.decisions.cursor();
    let Some(it) = account.decisions.get(at) else {
        let none = match account.reasoning.total() as u64 {
            0 => " no decision was recorded; recount cannot say why".to_owned(),
            some => format!(
                " no decision was recorded; {} in the timeline (2), as the agent stated",
                words::count(some, "piece of reasoning is", "pieces of reasoning are")
            ),
        };
        Line::of(Token::Ask, none).draw(buf, (list.x, list.y), list.width, look);
        return;
    };
    let source = match it.evidence.source {
        Source::Stated => "stated by the agent, not observed",
        other => other.as_str(),
    };
    let mut lines = vec![rule(
        &cited(&it.evidence),
        source,
        usize::from(card.width),
        look,
    )];
    lines.extend(detail::decision(opened, at, usize::from(card.width)));
    stack(&lines, card, look, buf);
}

fn line(opened: &Opened, n: usize, here: bool) -> Line {
    let it = &opened.account.decisions[n];
    let by = it.made_by.map_or("-", |by| by.as_str());
    let point = it.point.map_or("-", |point| point.as_str());
    let led: Vec<String> = it
        .led_to
        .iter()
        .filter_map(|id| opened.rows.of_action(id))
        .filter_map(|row| opened.rows.get(row))
        .take(4)
        .map(|row| short(row.shown_by.as_ref()))
        .collect();
    let led = if led.is_empty() {
        String::new()
    } else {
        format!("  led to {}", led.join(" "))
    };
    Line::of(Token::Plain, if here { ">" } else { " " })
        .put(Token::Dim, cited(&it.evidence))
        .column(8, 1)
        .put(Token::Plain, by)
        .column(17, 1)
        .put(Token::Title, point)
        .column(29, 1)
        .put(Token::Plain, words::decision(it))
        .put(Token::Dim, led)
}
