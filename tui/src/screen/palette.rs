//! The command palette, over the screen that it is for.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{clear, select};
use crate::app::Model;
use crate::app::line::{Line, rule};
use crate::app::look::Token;

/// The palette's place, and that of its list.
fn parts(area: Rect) -> (Rect, Rect) {
    // On a narrow screen the ends of covered lines would stand beside it.
    let width = if area.width < 100 { area.width } else { 90 };
    let height = area.height.min(16);
    let x = area.x + (area.width - width) / 2;
    let whole = Rect::new(x, area.y, width, height);
    let list = Rect::new(x, area.y + 1, width, height.saturating_sub(2));
    (whole, list)
}

pub(super) fn fit(model: &mut Model, area: Rect) {
    if let Some(palette) = &mut model.palette {
        palette.list.set_height(usize::from(parts(area).1.height));
    }
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(palette) = &model.palette else {
        return;
    };
    let (look, (whole, list)) = (model.look, parts(area));
    let width = usize::from(whole.width);
    clear(buf, whole);
    let found = palette.found(model.screen);
    let title = format!("> {}_", palette.text);
    let hint = format!("{} of what {} can do", found.len(), model.screen.name());
    rule(&title, &hint, width, look).draw(buf, (whole.x, whole.y), whole.width, look);
    for (n, y) in palette.list.window().zip(list.top()..list.bottom()) {
        let Some(binding) = found.get(n) else {
            continue;
        };
        let here = n == palette.list.cursor();
        Line::of(Token::Plain, if here { ">" } else { " " })
            .put(Token::Title, binding.keys)
            .column(16, 1)
            .put(Token::Plain, binding.what)
            .right(Line::of(Token::Dim, binding.group), width, look)
            .draw(buf, (list.x, y), list.width, look);
        if here {
            select(buf, list, y, look);
        }
    }
    if found.is_empty() {
        Line::of(Token::Dim, " nothing here is called that; Esc closes").draw(
            buf,
            (list.x, list.y),
            list.width,
            look,
        );
    }
    rule("", "", width, look).draw(
        buf,
        (whole.x, whole.bottom().saturating_sub(1)),
        whole.width,
        look,
    );
}
