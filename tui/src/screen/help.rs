//! The help overlay: the key table, grouped, for the screen it was opened on.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{clear, stack};
use crate::app::Model;
use crate::app::bindings::BINDINGS;
use crate::app::keys::{Binding, Screen};
use crate::app::line::{Line, rule};
use crate::app::list::List;
use crate::app::look::Token;

fn parts(area: Rect) -> Rect {
    let width = if area.width < 100 { area.width } else { 76 };
    let x = area.x + (area.width - width) / 2;
    Rect::new(x, area.y, width, area.height)
}

pub(super) fn fit(model: &mut Model, area: Rect) {
    let total = lines(model.screen, usize::from(parts(area).width)).len();
    if let Some(list) = &mut model.help {
        let mut fitted =
            List::new(total.saturating_sub(usize::from(area.height).saturating_sub(2)) + 1);
        fitted.go(list.cursor());
        *list = fitted;
    }
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(list) = &model.help else { return };
    let (area, look) = (parts(area), model.look);
    clear(buf, area);
    let width = usize::from(area.width);
    let lines = lines(model.screen, width);
    let hint = if list.total() > 1 {
        "j k scroll, any other key closes"
    } else {
        "any key closes"
    };
    rule(&format!("Help: {}", model.screen.name()), hint, width, look).draw(
        buf,
        (area.x, area.y),
        area.width,
        look,
    );
    let inner = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(2),
    );
    stack(
        lines.get(list.cursor()..).unwrap_or_default(),
        inner,
        look,
        buf,
    );
    rule("", "", width, look).draw(
        buf,
        (area.x, area.bottom().saturating_sub(1)),
        area.width,
        look,
    );
}

/// The groups, each with its keys packed two to a row; a key and its opposite share a place.
pub(super) fn lines(screen: Screen, width: usize) -> Vec<Line> {
    const NAME: usize = 10;
    const KEYS: usize = 10;
    let half = (width.saturating_sub(NAME + 1)) / 2;
    let here: Vec<&Binding> = BINDINGS
        .iter()
        .filter(|binding| binding.works_on(screen))
        .collect();
    let mut groups: Vec<&str> = here.iter().map(|binding| binding.group).collect();
    groups.dedup();
    let mut lines = Vec::new();
    for group in groups {
        let mut row = Line::of(Token::Title, format!(" {group}")).column(NAME, 1);
        let mut used = 0;
        for (keys, what) in cells(here.iter().filter(|it| it.group == group)) {
            let cell = Line::of(Token::Plain, keys)
                .column(KEYS, 1)
                .put(Token::Dim, what);
            let long = cell.width() >= half;
            if used == 2 || (used == 1 && long) {
                lines.push(std::mem::replace(&mut row, Line::new().column(NAME, 0)));
                used = 0;
            }
            row = row.column(NAME + used * half, 0).join(cell);
            used += if long { 2 } else { 1 };
        }
        lines.push(row);
    }
    lines
}

/// Keys and what they do, `next X` and `previous X` as one.
fn cells<'a>(bindings: impl Iterator<Item = &'a &'a Binding>) -> Vec<(String, String)> {
    let mut cells: Vec<(String, String)> = Vec::new();
    for binding in bindings {
        let keys = binding
            .keys
            .replace("Ctrl-", "^")
            .replace("PageDown", "PgDn")
            .replace("PageUp", "PgUp");
        let opposite = binding.what.strip_prefix("previous ");
        match (cells.last_mut(), opposite) {
            (Some((last, what)), Some(rest)) if what.strip_prefix("next ") == Some(rest) => {
                *last = format!("{last} {keys}");
                *what = format!("next, previous {rest}");
            }
            _ => cells.push((keys, binding.what.to_owned())),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_help_line_fits_and_every_binding_is_in_it() {
        for screen in Screen::TABS.into_iter().chain([Screen::Home]) {
            let lines = lines(screen, 76);
            for line in &lines {
                assert!(line.width() <= 76, "{}", line.text());
            }
            let text: String = lines.iter().map(|line| line.text() + "\n").collect();
            for binding in BINDINGS.iter().filter(|binding| binding.works_on(screen)) {
                let what = binding.what.trim_start_matches("next ");
                assert!(
                    text.contains(what),
                    "{} is not in the help of {screen:?}",
                    binding.what
                );
            }
        }
    }
}
