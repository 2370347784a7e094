//! S7 Notes: what an investigator wrote about this request, and the filters that were saved.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::answer::short;
use super::{select, stack};
use crate::app::keys::Screen;
use crate::app::line::{Line, rule, wrap};
use crate::app::list::List;
use crate::app::look::Token;
use crate::app::{Model, NoteLine, rows};
use crate::notes::Standing;

pub(super) fn fit(model: &mut Model, area: Rect) {
    if model.screen != Screen::Notes {
        return;
    }
    let total = lines(model, usize::from(area.width)).len();
    let mut list = List::new(total);
    list.set_height(usize::from(area.height));
    list.go(model.noting.cursor());
    model.noting = list;
}

pub(super) fn text_of(model: &Model, line: usize) -> String {
    lines(model, usize::from(model.size.0))
        .get(line)
        .map(|(_, line)| line.text())
        .unwrap_or_default()
}

/// What a line leads to.
pub(crate) fn note_at(model: &Model, line: usize) -> Option<NoteLine> {
    let lines = lines(model, usize::from(model.size.0));
    lines.into_iter().nth(line).map(|(leads, _)| leads)
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let lines = lines(model, usize::from(area.width));
    let window = model.noting.window();
    let visible: Vec<Line> = lines
        .get(window.clone())
        .unwrap_or_default()
        .iter()
        .map(|(_, line)| line.clone())
        .collect();
    stack(&visible, area, model.look, buf);
    if window.contains(&model.noting.cursor()) {
        let at = u16::try_from(model.noting.cursor() - window.start).unwrap_or(u16::MAX);
        select(buf, area, area.y.saturating_add(at), model.look);
    }
}

fn lines(model: &Model, width: usize) -> Vec<(NoteLine, Line)> {
    let Some(opened) = &model.opened else {
        return Vec::new();
    };
    let look = model.look;
    let text = |line: Line| (NoteLine::Text, line);
    let mut lines = vec![text(rule(
        "Notes on this request",
        "kept beside the ledger, no part of the record",
        width,
        look,
    ))];
    if !model.noted.request.is_empty() {
        let head = Line::of(Token::Title, " request");
        lines.extend(told(
            model,
            &model.noted.request,
            head,
            NoteLine::Text,
            width,
        ));
    }
    for (record, standing) in &model.noted.records {
        let row = opened.rows.of_ref(*record);
        let row = row.and_then(|row| opened.rows.get(row));
        let what = row.map(|row| rows::what(&opened.account, row.item));
        let head = Line::of(Token::Title, format!(" {}", short(Some(record))))
            .column(9, 1)
            .put(Token::Plain, what.unwrap_or_default());
        lines.extend(told(
            model,
            standing,
            head,
            NoteLine::Record(*record),
            width,
        ));
    }
    if model.noted.is_empty() {
        lines.push(text(Line::of(
            Token::Dim,
            " none yet: m marks, t tags, c comments what is selected, on every screen",
        )));
    }
    let unreadable = model.notes.unreadable();
    if let Some(first) = unreadable.first() {
        let said = format!(
            " {} of the notes file cannot be read and stay as they are, the first is line {first}",
            crate::app::words::count(unreadable.len() as u64, "line", "lines")
        );
        lines.push(text(Line::of(Token::Ask, said)));
    }
    lines.push(text(rule(
        "Saved filters",
        "Enter filters by it",
        width,
        look,
    )));
    let filters = model.notes.filters();
    if filters.is_empty() {
        let none = " none yet: S in the timeline saves its filter; f @NAME is it again";
        lines.push(text(Line::of(Token::Dim, none)));
    }
    for (name, filter) in filters {
        let line = Line::of(Token::Title, format!(" @{name}"))
            .column(16, 1)
            .put(Token::Plain, filter);
        lines.push((NoteLine::Filter(filter.to_owned()), line));
    }
    lines
}

/// What stands about one thing: its head with mark and tags, then its comments.
fn told(
    model: &Model,
    standing: &Standing,
    head: Line,
    leads: NoteLine,
    width: usize,
) -> Vec<(NoteLine, Line)> {
    let mut head = Line::of(Token::Plain, if standing.marked { "*" } else { " " }).join(head);
    for tag in &standing.tags {
        head = head.put(Token::Found, format!(" #{tag}"));
    }
    let mut lines = vec![(leads.clone(), head.cut(width, model.look))];
    for (at, by, comment) in &standing.comments {
        let said = format!("{comment}  ({by}, {})", model.clock.full(*at));
        for part in wrap(&said, width.saturating_sub(10)) {
            let line = Line::new().column(10, 0).put(Token::Stated, part);
            lines.push((leads.clone(), line));
        }
    }
    lines
}
