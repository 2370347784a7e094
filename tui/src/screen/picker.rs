//! Which one? What a name could mean, over the screen that it was asked on.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{clear, select};
use crate::app::Model;
use crate::app::line::{Line, rule};
use crate::app::look::Token;

/// The picker's place, and that of its list.
fn parts(model: &Model, area: Rect) -> (Rect, Rect) {
    let rows = model.picker.as_ref().map_or(0, |it| it.candidates.len());
    let rows = u16::try_from(rows).unwrap_or(u16::MAX).clamp(1, 12);
    let height = area.height.min(rows + 3);
    let whole = Rect::new(area.x, area.y, area.width, height);
    let list = Rect::new(area.x, area.y + 1, area.width, height.saturating_sub(3));
    (whole, list)
}

pub(super) fn fit(model: &mut Model, area: Rect) {
    let (_, list) = parts(model, area);
    if let Some(picker) = &mut model.picker {
        picker.list.set_height(usize::from(list.height));
    }
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(picker) = &model.picker else { return };
    let (look, (whole, list)) = (model.look, parts(model, area));
    let width = usize::from(whole.width);
    clear(buf, whole);
    let title = format!(
        "Which one? \"{}\" matches {} things",
        picker.query,
        picker.candidates.len()
    );
    rule(&title, "", width, look).draw(buf, (whole.x, whole.y), whole.width, look);
    for (n, y) in picker.list.window().zip(list.top()..list.bottom()) {
        let Some(it) = picker.candidates.get(n) else {
            continue;
        };
        let here = n == picker.list.cursor();
        let number = if n < 9 {
            format!("{}", n + 1)
        } else {
            " ".to_owned()
        };
        let at = it.started.map(|at| model.clock.full(at));
        let tail = format!("{}  {}  {} ", it.agent, at.unwrap_or_default(), it.status);
        Line::of(Token::Plain, if here { ">" } else { " " })
            .put(Token::Title, number)
            .put(Token::Dim, format!(" {:<8}", it.kind))
            .put(Token::Plain, &it.name)
            .put(Token::Dim, format!("  {}", it.query))
            .right(Line::of(Token::Dim, tail), width, look)
            .draw(buf, (list.x, y), list.width, look);
        if here {
            select(buf, list, y, look);
        }
    }
    let last = whole.bottom().saturating_sub(1);
    let hint =
        " In a pipe this is exit 2. Force one: request:, session:, ticket:, path:, user:, agent:";
    Line::of(Token::Dim, hint).cut(width, look).draw(
        buf,
        (whole.x, last.saturating_sub(1)),
        whole.width,
        look,
    );
    rule("Enter opens, Esc closes", "", width, look).draw(buf, (whole.x, last), whole.width, look);
}
