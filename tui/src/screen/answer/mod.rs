//! S1 Answer: what was asked, what came of it, what is wrong, why, who, and whether the record is whole.

mod facts;
mod record;
mod side;
mod who;
mod why;

use account::model::{Account, Evidence};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use vocabulary::id::RecordRef;

use super::{columns, select};
use crate::app::line::{Line, rule};
use crate::app::look::{Look, Token};
use crate::app::{Model, Opened, marks, words};

/// How the rows of the page are shared out.
struct Plan {
    problems: usize,
    why: usize,
    who: usize,
}

/// Everything but the lists: a rule, seven facts, four headings.
const FIXED: usize = 11;

fn plan(model: &Model, area: Rect) -> Plan {
    let total = model
        .opened
        .as_ref()
        .map_or(0, |opened| opened.account.problems.len());
    let height = usize::from(area.height);
    let (why, who) = match height {
        0..=18 => (1, 1),
        19..=30 => (2, 2),
        _ => (8, 7),
    };
    let room = height.saturating_sub(FIXED + why + who);
    // One more row for the people, where they need it and enough problems stay visible.
    let needed = model.opened.as_ref().map_or(0, |opened| {
        who::people(&opened.account, false, usize::from(area.width), model.look).len()
    });
    let who = if needed > who && room > 4 {
        who + 1
    } else {
        who
    };
    let room = height.saturating_sub(FIXED + why + who);
    let problems = room.min(total.max(1));
    Plan {
        problems: problems.max(1),
        why: why + room.saturating_sub(problems).min(4),
        who,
    }
}

/// Rows of problems that can be moved through; the last row counts the others where there are more.
fn visible(plan: &Plan, total: usize) -> usize {
    if total > plan.problems && plan.problems > 1 {
        plan.problems - 1
    } else {
        plan.problems
    }
}

pub(super) fn fit(model: &mut Model, area: Rect) {
    let total = model
        .opened
        .as_ref()
        .map_or(0, |opened| opened.account.problems.len());
    let plan = plan(model, area);
    model.answer.set_height(visible(&plan, total));
}

pub(super) fn text_of(model: &Model, line: usize) -> String {
    let problem = model
        .opened
        .as_ref()
        .and_then(|opened| opened.account.problems.get(line));
    problem
        .map(|problem| {
            format!(
                "{} {} {}",
                marks::of_problem(problem).word,
                problem.what,
                problem.why
            )
        })
        .unwrap_or_default()
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(opened) = &model.opened else { return };
    let look = model.look;
    rule("", "", usize::from(area.width), look).draw(buf, (0, area.y), area.width, look);
    let below = Rect::new(
        area.x,
        area.y + 1,
        area.width,
        area.height.saturating_sub(1),
    );
    let left = if area.width >= super::WIDE {
        let (left, right) = columns(below, area.width * 52 / 100, look, buf);
        side::draw(model, right, buf);
        left
    } else {
        below
    };
    page(model, opened, &plan(model, area), left, buf);
}

fn page(model: &Model, opened: &Opened, plan: &Plan, area: Rect, buf: &mut Buffer) {
    let (account, look, width) = (&opened.account, model.look, usize::from(area.width));
    let mut lines = facts::facts(model, account, width);
    let hint = if account.problems.is_empty() {
        ""
    } else {
        "e next, Enter opens"
    };
    let order = if account.problems.len() > 1 {
        ", worst first"
    } else {
        ""
    };
    let title = format!("Problems ({}){order}", account.problems.total());
    lines.push(rule(&title, hint, width, look));
    let first = lines.len();
    lines.extend(problems(model, account, plan, width));
    lines.extend(why::why(account, plan.why, width, look));
    lines.push(rule("Who is responsible", "", width, look));
    lines.extend(who::who(account, plan.who, width, look));
    let room = usize::from(area.height).saturating_sub(1);
    lines.truncate(room);
    lines.push(rule(&record::record(model, account), "", width, look));
    if model.size.0 < super::WIDE {
        lines.extend(record::rest(account, width, look));
    }
    super::stack(&lines, area, look, buf);
    let cursor = model.answer.cursor();
    if model.answer.window().contains(&cursor) {
        let at = first + cursor - model.answer.window().start;
        if at < room {
            select(
                buf,
                area,
                area.y + u16::try_from(at).unwrap_or(u16::MAX),
                look,
            );
        }
    }
}

/// `#171` in the first stream of the first session, else the whole reference.
pub(super) fn short(shown_by: Option<&RecordRef>) -> String {
    match shown_by {
        Some(it) if it.stream.to_string() == "s1a" => format!("#{:03}", it.index),
        Some(it) => it.to_string(),
        None => "-".to_owned(),
    }
}

/// The first record of a row, with `?` before it where the row depends on a part of the record that does not hold.
pub(super) fn cited(evidence: &Evidence) -> String {
    format!("{}{}", evidence.mark(), short(evidence.refs.first()))
}

fn problems(model: &Model, account: &Account, plan: &Plan, width: usize) -> Vec<Line> {
    let look = model.look;
    if account.problems.is_empty() {
        return vec![Line::of(Token::Good, " none found").cut(width, look)];
    }
    let window = model.answer.window();
    let refs: Vec<String> = account.problems[window.clone()]
        .iter()
        .map(|problem| cited(&problem.evidence))
        .collect();
    let column = refs.iter().map(String::len).max().unwrap_or(0) + 2;
    let mut lines = Vec::new();
    for (problem, shown_by) in account.problems[window.clone()].iter().zip(&refs) {
        let mark = marks::of_problem(problem);
        let pointer = if window.start + lines.len() == model.answer.cursor() {
            ">"
        } else {
            " "
        };
        let head = Line::of(Token::Plain, pointer)
            .put(Token::Dim, shown_by)
            .column(column, 1)
            .put(mark.token, mark.word);
        let head = head.column(column + 6, 1);
        let room = width.saturating_sub(head.width());
        let (what, why) = (words::brief(&problem.what), words::brief(&problem.why));
        lines.push(head.join(two_parts(&what, &why, room, look)));
    }
    let total = account.problems.total();
    if window.len() < total && lines.len() < plan.problems {
        let rest = total - window.len();
        let next = if window.end < total {
            account.problems.get(window.end)
        } else {
            account.problems.first()
        };
        let said = next.map(|problem| {
            let mark = marks::of_problem(problem).word;
            format!(
                ": {} {mark} {}",
                cited(&problem.evidence),
                words::brief(&problem.what)
            )
        });
        let which = if window.end < total {
            "lesser"
        } else {
            "above"
        };
        lines.push(
            Line::of(
                Token::Dim,
                format!(" + {rest} {which}{}", said.unwrap_or_default()),
            )
            .cut(width, look),
        );
    }
    lines
}

/// What happened, and to the right of it what makes it a problem; both are cut where they must be.
fn two_parts(what: &str, why: &str, room: usize, look: Look) -> Line {
    let (what, why) = (Line::of(Token::Plain, what), Line::of(Token::Dim, why));
    let left = if what.width() + why.width() + 2 <= room {
        what.width().max((room / 2).min(room - why.width() - 2))
    } else {
        // What happened comes first; the reason keeps a quarter of the row, or what it needs.
        let reserved = why.width().min(room / 4) + 2;
        what.width().min(room.saturating_sub(reserved))
    };
    what.cut(left, look)
        .column(left, 0)
        .column(left + 2, 2)
        .join(why)
        .cut(room, look)
}
