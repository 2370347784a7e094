//! The card over the diffs: who left a line as it is.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::clear;
use crate::app::Model;
use crate::app::line::{Line, rule, wrap};
use crate::app::look::Token;

/// Columns of the names.
const NAMES: usize = 11;

fn lines(model: &Model, width: usize) -> Vec<Line> {
    let Some(card) = &model.card else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for (name, text) in &card.facts {
        let parts = wrap(text, width.saturating_sub(NAMES + 1));
        for (n, part) in parts.iter().enumerate() {
            let name = if n == 0 { name } else { "" };
            lines.push(
                Line::of(Token::Title, format!(" {name}"))
                    .column(NAMES, 1)
                    .put(Token::Plain, part),
            );
        }
    }
    lines
}

fn place(area: Rect, count: usize) -> Rect {
    let rows = u16::try_from(count).unwrap_or(u16::MAX).saturating_add(2);
    Rect::new(area.x, area.y, area.width, area.height.min(rows))
}

pub(super) fn fit(model: &mut Model, area: Rect) {
    let count = lines(model, usize::from(area.width)).len();
    let height = place(area, count).height.saturating_sub(2);
    if let Some(card) = &mut model.card {
        card.list.set_total(count);
        card.list.set_height(usize::from(height));
    }
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(card) = &model.card else { return };
    let (look, width) = (model.look, usize::from(area.width));
    let lines = lines(model, width);
    let whole = place(area, lines.len());
    clear(buf, whole);
    let title = format!("Blame {}", card.title);
    rule(&title, "Esc closes", width, look).draw(buf, (whole.x, whole.y), whole.width, look);
    let inner = Rect::new(
        whole.x,
        whole.y + 1,
        whole.width,
        whole.height.saturating_sub(2),
    );
    let window = card.list.window();
    super::stack(lines.get(window).unwrap_or_default(), inner, look, buf);
    rule("", "", width, look).draw(
        buf,
        (whole.x, whole.bottom().saturating_sub(1)),
        whole.width,
        look,
    );
}
