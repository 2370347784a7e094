//! What may follow the first key of two: shown as soon as that key is pressed.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{clear, stack};
use crate::app::Model;
use crate::app::bindings::BINDINGS;
use crate::app::line::{Line, rule};
use crate::app::look::Token;

/// Draws the keys that go on from what was typed, above the last row.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    if model.typed.is_empty() || model.prompt.is_some() {
        return;
    }
    let width = usize::from(area.width);
    let mut lines = vec![rule(&model.typed, "Esc cancels", width, model.look)];
    lines.extend(rows(model, width));
    let height = u16::try_from(lines.len())
        .unwrap_or(u16::MAX)
        .min(area.height);
    let below = Rect::new(area.x, area.bottom() - height, area.width, height);
    clear(buf, below);
    stack(&lines, below, model.look, buf);
}

/// The second keys with what they do, as many to a row as fit.
fn rows(model: &Model, width: usize) -> Vec<Line> {
    let mut rows: Vec<Line> = Vec::new();
    for binding in BINDINGS.iter().filter(|it| it.works_on(model.screen)) {
        let all = binding
            .keys
            .split(' ')
            .filter(|keys| keys.chars().count() == 2);
        let next = all.filter_map(|keys| keys.strip_prefix(model.typed.as_str()));
        for key in next.filter(|key| !key.is_empty()) {
            let what = binding.what;
            let what = what.strip_prefix("next ").unwrap_or(what);
            let what = what.strip_prefix("previous ").unwrap_or(what);
            let cell = Line::of(Token::Title, key).put(Token::Dim, format!(" {what}"));
            match rows.pop() {
                Some(row) if row.width() + cell.width() + 3 <= width => {
                    let column = row.width();
                    rows.push(row.column(column, 2).join(cell));
                }
                row => {
                    rows.extend(row);
                    rows.push(Line::of(Token::Plain, " ").join(cell));
                }
            }
        }
    }
    rows
}
