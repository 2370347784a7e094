//! The right half of a wide Answer: what changed, the selected problem, what is not known.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{cited, short};
use crate::app::line::{Line, rule, wrap};
use crate::app::look::{Look, Token};
use crate::app::rows::Item;
use crate::app::{Model, Opened, words};
use crate::screen::{detail, stack};

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(opened) = &model.opened else { return };
    let (look, width) = (model.look, usize::from(area.width));
    let room = usize::from(area.height);
    let mut lines = changed(opened, room / 3, width, look);
    lines.extend(selected(model, opened, room / 3, width));
    lines.extend(not_told(opened, width, look));
    lines.truncate(room);
    stack(&lines, area, look, buf);
}

fn changed(opened: &Opened, rows: usize, width: usize, look: Look) -> Vec<Line> {
    let resources = &opened.changes.resources;
    let title = format!(
        "Changed ({} +{} -{})",
        words::count(resources.len() as u64, "resource", "resources"),
        opened.changes.added,
        opened.changes.removed
    );
    let mut lines = vec![rule(&title, "4 opens", width, look)];
    if resources.is_empty() {
        lines.push(Line::of(Token::Dim, " nothing changed"));
    }
    // What is outside the scope must not be lost below the fold.
    let (outside, inside): (Vec<_>, Vec<_>) =
        resources.iter().partition(|resource| resource.outside);
    for resource in outside.iter().chain(&inside).take(rows) {
        let out = if resource.outside { "!" } else { " " };
        let refs: Vec<String> = resource
            .diffs
            .iter()
            .filter_map(|n| opened.account.diffs[*n].evidence.refs.first())
            .take(3)
            .map(|shown_by| short(Some(shown_by)))
            .collect();
        let tail = Line::of(
            Token::Added,
            format!("{:>5}", format!("+{}", resource.added)),
        )
        .put(
            Token::Removed,
            format!("{:>5}", format!("-{}", resource.removed)),
        )
        .put(Token::Dim, format!("  {:<12}", refs.join(" ")))
        .put(Token::Error, if resource.outside { "OUT" } else { "" });
        lines.push(
            Line::of(Token::Error, out)
                .put(Token::Plain, format!("{} {}", resource.sign, resource.name))
                .right(tail, width, look),
        );
    }
    if resources.len() > rows {
        lines.push(Line::of(
            Token::Dim,
            format!(" + {} more", resources.len() - rows),
        ));
    }
    lines.push(Line::new());
    lines
}

fn selected(model: &Model, opened: &Opened, rows: usize, width: usize) -> Vec<Line> {
    let look = model.look;
    let Some(problem) = opened.account.problems.get(model.answer.cursor()) else {
        return Vec::new();
    };
    let mark = crate::app::marks::of_problem(problem);
    let title = format!("Selected: {} {}", cited(&problem.evidence), mark.word);
    let mut lines = vec![rule(&title, problem.severity.as_str(), width, look)];
    for text in wrap(
        &format!("{}: {}", problem.what, problem.why),
        width.saturating_sub(2),
    ) {
        lines.push(Line::of(Token::Plain, format!(" {text}")));
    }
    if let Some(Item::Action(n)) = opened
        .rows
        .of_problem(model.answer.cursor())
        .and_then(|row| opened.rows.get(row))
        .map(|row| row.item)
    {
        lines.extend(detail::action(opened, n, width));
    }
    lines.truncate(rows.max(8));
    lines.push(Line::new());
    lines
}

fn not_told(opened: &Opened, width: usize, look: Look) -> Vec<Line> {
    let account = &opened.account;
    let mut lines = vec![rule(
        &format!("Not proven ({})", account.integrity.not_proven.len()),
        "5 opens",
        width,
        look,
    )];
    for text in &account.integrity.not_proven {
        lines.push(Line::of(Token::Plain, format!(" {text}")));
    }
    lines.push(Line::new());
    lines.push(rule(
        &format!("Unknown ({})", account.unknown.total()),
        "",
        width,
        look,
    ));
    for unknown in &account.unknown {
        lines.push(
            Line::of(Token::Plain, format!(" {}", unknown.fact))
                .put(Token::Dim, format!("  {}", unknown.why)),
        );
    }
    lines
}
