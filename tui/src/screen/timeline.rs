//! S2 Timeline: every row in order, as a virtual list, with a strip above and the selected row told beside it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::answer::short;
use super::{columns, detail, select, stack};
use crate::app::clock::duration;
use crate::app::line::{Line, rule};
use crate::app::look::Token;
use crate::app::rows::{self, Row};
use crate::app::{Model, Opened};

struct Parts {
    strip: bool,
    list: Rect,
    preview: Rect,
    wide: bool,
}

/// Rows that a list keeps beside a row that is told in full.
const ZOOMED: u16 = 3;

/// Rows above the list: filter and count, strip, heading.
fn parts(model: &Model, area: Rect) -> Parts {
    let strip = area.height >= 12;
    let above = if strip { 3 } else { 2 };
    let rest = area.height.saturating_sub(above);
    let wide = area.width >= super::WIDE && !model.timeline.no_preview;
    let preview = if wide || model.timeline.no_preview {
        0
    } else if model.timeline.zoomed {
        rest.saturating_sub(ZOOMED)
    } else if area.height < 16 {
        0
    } else {
        5
    };
    let list = Rect::new(
        area.x,
        area.y + above,
        area.width,
        rest.saturating_sub(preview),
    );
    let list = if wide {
        Rect {
            width: area.width * 62 / 100,
            ..list
        }
    } else {
        list
    };
    Parts {
        strip,
        list,
        preview: Rect::new(area.x, area.y + above + list.height, area.width, preview),
        wide,
    }
}

pub(super) fn fit(model: &mut Model, area: Rect) {
    let parts = parts(model, area);
    model
        .timeline
        .list
        .set_height(usize::from(parts.list.height));
    let most = model.timeline.kept.len().max(1);
    let width = usize::from(area.width).saturating_sub(18).min(most);
    if model.timeline.strip.len() != width {
        model.timeline.strip = strip(model, width);
    }
}

/// How many rows fall into each column of the strip, and the worst mark among them.
fn strip(model: &Model, width: usize) -> Vec<(u32, char)> {
    let Some(opened) = &model.opened else {
        return Vec::new();
    };
    let mut buckets = vec![(0_u32, ' '); width];
    let total = model.timeline.kept.len();
    for (n, at) in model.timeline.kept.iter().enumerate() {
        let Some(row) = opened.rows.get(*at as usize) else {
            continue;
        };
        let Some(bucket) = buckets.get_mut(n * width / total.max(1)) else {
            continue;
        };
        bucket.0 += u32::from(row.changed) + 1;
        if row.problem.is_some() {
            let letter = letter(rows::mark(&opened.account, row).word);
            if rank(letter) > rank(bucket.1) {
                bucket.1 = letter;
            }
        }
    }
    buckets
}

fn letter(word: &str) -> char {
    match word {
        "DENY" | "RETRY" => 'D',
        "OUT" | "BROKEN" => 'O',
        "LOST" | "GAP" | "NOEND" => 'L',
        "APPR" => 'A',
        _ => '!',
    }
}

fn rank(letter: char) -> usize {
    " !ALDO".find(letter).unwrap_or(0)
}

pub(super) fn text_of(model: &Model, line: usize) -> String {
    let Some(opened) = &model.opened else {
        return String::new();
    };
    let row = model
        .timeline
        .kept
        .get(line)
        .and_then(|at| opened.rows.get(*at as usize));
    row.map(|row| rows::what(&opened.account, row.item))
        .unwrap_or_default()
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(opened) = &model.opened else { return };
    let (look, parts) = (model.look, parts(model, area));
    let width = usize::from(area.width);
    let mut above = vec![filter_line(model, opened, width)];
    if parts.strip {
        above.push(strip_line(model, opened));
    }
    above.push(heading(model, opened));
    stack(&above, area, look, buf);
    let (list, right) = if parts.wide {
        let below = Rect::new(area.x, parts.list.y, area.width, parts.list.height);
        let (left, right) = columns(below, parts.list.width, look, buf);
        (left, Some(right))
    } else {
        (parts.list, None)
    };
    let refs = ref_width(model, opened);
    for (n, y) in model.timeline.list.window().zip(list.top()..list.bottom()) {
        let Some(row) = model
            .timeline
            .kept
            .get(n)
            .and_then(|at| opened.rows.get(*at as usize))
        else {
            continue;
        };
        let here = n == model.timeline.list.cursor();
        line(model, opened, row, here, refs)
            .cut(usize::from(list.width), look)
            .draw(buf, (list.x, y), list.width, look);
        if here {
            select(buf, list, y, look);
        }
    }
    let Some(row) = model.timeline_row().and_then(|at| opened.rows.get(at)) else {
        Line::of(Token::Dim, " no row is kept by the filter").draw(
            buf,
            (list.x, list.y),
            list.width,
            look,
        );
        return;
    };
    let told = right.unwrap_or(parts.preview);
    if told.height > 0 {
        let mark = rows::mark(&opened.account, row);
        let title = format!(
            "{} {} {}",
            short(row.shown_by.as_ref()),
            mark.word,
            rows::kind(&opened.account, row.item)
        );
        let hint = if right.is_some() {
            ""
        } else {
            preview_hint(model)
        };
        let mut lines = vec![rule(&title, hint, usize::from(told.width), look)];
        lines.extend(detail::row(model, opened, row, usize::from(told.width)));
        stack(&lines, told, look, buf);
    }
}

/// The keys of the preview, in the words of its rule.
fn preview_hint(model: &Model) -> &'static str {
    if model.timeline.zoomed {
        "Enter opens, Space replays, z less"
    } else {
        "Enter opens, Space replays, z more"
    }
}

fn filter_line(model: &Model, opened: &Opened, width: usize) -> Line {
    let (kept, total) = (model.timeline.kept.len(), opened.rows.len());
    let mut said = Vec::new();
    if model.timeline.only_problems {
        said.push("problems only".to_owned());
    }
    if !model.timeline.filter.is_empty() {
        said.push(model.timeline.filter.clone());
    }
    let name = if said.is_empty() {
        " filter> none".to_owned()
    } else {
        format!(" filter> {}", said.join(" "))
    };
    let tail = format!(
        "{kept} of {total} shown  {} hidden  {}% ",
        total - kept,
        model.timeline.list.percent()
    );
    Line::of(Token::Dim, name).right(Line::of(Token::Dim, tail), width, model.look)
}

fn strip_line(model: &Model, opened: &Opened) -> Line {
    let times = |n: Option<&u32>| {
        let at = n
            .and_then(|at| opened.rows.get(*at as usize))
            .and_then(|row| row.at);
        at.map_or_else(|| "--:--".to_owned(), |at| model.clock.minute(at))
    };
    let strip = &model.timeline.strip;
    let most = strip
        .iter()
        .map(|(count, _)| *count)
        .max()
        .unwrap_or(0)
        .max(1);
    let steps = model.look.density();
    let total = model.timeline.kept.len().max(1);
    let here = model.timeline.list.cursor() * strip.len() / total;
    let mut line = Line::of(
        Token::Dim,
        format!(" {} |", times(model.timeline.kept.first())),
    );
    for (n, (count, letter)) in strip.iter().enumerate() {
        let step = (*count as usize * (steps.len() - 1)).div_ceil(most as usize);
        let mut cell = [0; 4];
        if n == here {
            line.add(Token::Found, "#");
        } else if *letter == ' ' {
            line.add(
                Token::Dim,
                steps[step.min(steps.len() - 1)].encode_utf8(&mut cell),
            );
        } else {
            let token = if *letter == '!' {
                Token::Ask
            } else {
                Token::Error
            };
            line.add(token, letter.encode_utf8(&mut cell));
        }
    }
    line.put(
        Token::Dim,
        format!("| {}", times(model.timeline.kept.last())),
    )
}

/// Columns that the references of the visible rows need.
fn ref_width(model: &Model, opened: &Opened) -> usize {
    let window = model.timeline.list.window();
    let visible = model.timeline.kept.get(window).unwrap_or_default();
    let widths = visible
        .iter()
        .filter_map(|at| opened.rows.get(*at as usize))
        .map(|row| {
            rows::doubt(&opened.account, row.item).len() + short(row.shown_by.as_ref()).len()
        });
    widths.max().unwrap_or(0).max(4)
}

const TIME: usize = 14;
const KIND: usize = 7;
const MARK: usize = 7;

fn heading(model: &Model, opened: &Opened) -> Line {
    let refs = ref_width(model, opened);
    let time = if model.timeline.offsets {
        "OFFSET".to_owned()
    } else {
        format!("TIME ({})", model.clock.name())
    };
    Line::of(Token::Dim, "  REF")
        .column(refs + 2, 1)
        .put(Token::Dim, time)
        .column(refs + 2 + TIME, 1)
        .put(Token::Dim, "KIND")
        .column(refs + 2 + TIME + KIND, 1)
        .put(Token::Dim, "STATE")
        .column(refs + 2 + TIME + KIND + MARK, 1)
        .put(Token::Dim, "WHAT")
}

fn line(model: &Model, opened: &Opened, row: &Row, here: bool, refs: usize) -> Line {
    let account = &opened.account;
    let mark = rows::mark(account, row);
    let sign = if crate::app::is_marked(model, row) {
        "*"
    } else if row.problem.is_some() {
        "!"
    } else if row.changed {
        "+"
    } else {
        " "
    };
    // A sender may call its kinds what it likes; the columns stay where they are.
    let kind = Line::of(Token::Plain, rows::kind(account, row.item)).cut(KIND - 1, model.look);
    Line::of(Token::Plain, if here { ">" } else { sign })
        .put(Token::Ask, rows::doubt(account, row.item))
        .put(Token::Dim, short(row.shown_by.as_ref()))
        .column(refs + 2, 1)
        .put(Token::Dim, time(model, opened, row))
        .column(refs + 2 + TIME, 1)
        .join(kind)
        .column(refs + 2 + TIME + KIND, 1)
        .put(mark.token, mark.word)
        .column(refs + 2 + TIME + KIND + MARK, 1)
        .put(Token::Plain, "  ".repeat(usize::from(row.depth)))
        .put(Token::Plain, rows::what(account, row.item))
}

fn time(model: &Model, opened: &Opened, row: &Row) -> String {
    let Some(at) = row.at else {
        return "unknown".to_owned();
    };
    if !model.timeline.offsets {
        return model.clock.precise(at);
    }
    let start = opened.rows.iter().find_map(|row| row.at).unwrap_or(at);
    format!("+{}", duration(at.since_ns(start)))
}
