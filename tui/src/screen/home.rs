//! S0 Home: which requests there are, which are bad, and a prompt to open one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use vocabulary::session::OutcomeStatus;

use super::{select, stack};
use crate::app::clock::took;
use crate::app::line::{Line, rule};
use crate::app::look::Token;
use crate::app::{Model, SessionRow, marks};

/// The list, and the preview below it.
fn parts(area: Rect) -> (Rect, Rect) {
    let preview = if area.height >= 16 { 5 } else { 0 };
    let above = 3;
    let list = Rect::new(
        area.x,
        area.y + above,
        area.width,
        area.height.saturating_sub(above + preview),
    );
    (list, Rect::new(area.x, list.bottom(), area.width, preview))
}

pub(super) fn fit(model: &mut Model, area: Rect) {
    let (list, _) = parts(area);
    model.home.list.set_height(usize::from(list.height));
}

pub(super) fn text_of(model: &Model, line: usize) -> String {
    model
        .home
        .kept
        .get(line)
        .and_then(|n| model.home.sessions.get(*n))
        .map(SessionRow::text)
        .unwrap_or_default()
}

pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let (look, width) = (model.look, usize::from(area.width));
    let home = &model.home;
    let (list, preview) = parts(area);
    let title = if home.filter.is_empty() {
        let so_far = match (home.listing, home.older) {
            (Some(_), _) if home.read => " so far, reading more",
            (None, true) => ", older ones by id or recount log",
            _ => "",
        };
        format!("sessions: {}{so_far}", home.sessions.len())
    } else {
        format!(
            "sessions: {} of {} match {}",
            home.kept.len(),
            home.sessions.len(),
            home.filter
        )
    };
    let above = [
        Line::of(Token::Dim, " open> ").put(Token::Dim, "o types a request, session or trace id"),
        rule(&title, "newest first", width, look),
        heading(width),
    ];
    stack(&above, area, look, buf);
    for (n, y) in home.list.window().zip(list.top()..list.bottom()) {
        let Some(row) = home.kept.get(n).and_then(|n| home.sessions.get(*n)) else {
            continue;
        };
        let here = n == home.list.cursor();
        line(model, row, here, width)
            .cut(width, look)
            .draw(buf, (list.x, y), list.width, look);
        if here {
            select(buf, list, y, look);
        }
    }
    let selected = home
        .kept
        .get(home.list.cursor())
        .and_then(|n| home.sessions.get(*n));
    match selected {
        Some(row) if preview.height > 0 => stack(&told(model, row, width), preview, look, buf),
        Some(_) => {}
        None => {
            let said = match (home.read, home.filter.is_empty()) {
                (false, _) => " reading the sessions",
                (true, true) => {
                    " no session is recorded here yet: recount log-line --request N records a first line"
                }
                (true, false) => " no session matches the filter; Esc lifts it",
            };
            Line::of(Token::Dim, said).cut(width, look).draw(
                buf,
                (list.x, list.y),
                list.width,
                look,
            );
        }
    }
}

/// Where the columns begin: request, start, took, agent, for, outcome, flags, record.
fn stops(width: usize) -> [usize; 8] {
    if width >= 120 {
        [2, 14, 35, 44, 68, 92, 104, width - 12]
    } else {
        [1, 10, 16, 24, 38, 50, 60, width.saturating_sub(10).max(61)]
    }
}

fn heading(width: usize) -> Line {
    let names = [
        "REQUEST", "START", "TOOK", "AGENT", "FOR", "OUTCOME", "FLAGS", "RECORD",
    ];
    let mut line = Line::new();
    for (name, stop) in names.iter().zip(stops(width)) {
        line = line.column(stop, 0).put(Token::Dim, name);
    }
    line
}

fn outcome(row: &SessionRow) -> (Token, String) {
    let token = match row.status {
        OutcomeStatus::Completed => Token::Good,
        OutcomeStatus::Failed | OutcomeStatus::Denied => Token::Error,
        _ => Token::Ask,
    };
    let word = match row.status {
        OutcomeStatus::Completed => "OK".to_owned(),
        OutcomeStatus::Running => "LIVE".to_owned(),
        other => other.as_str().to_uppercase(),
    };
    (token, word)
}

fn line(model: &Model, row: &SessionRow, here: bool, width: usize) -> Line {
    let stops = stops(width);
    let start = row.started.map(|at| {
        if width >= 120 {
            model.clock.full(at)
        } else {
            model.clock.minute(at)
        }
    });
    let spent = match (row.status, took(row.started, row.ended)) {
        (_, Some(spent)) => spent,
        (OutcomeStatus::Running, None) => "running".to_owned(),
        _ => "-".to_owned(),
    };
    let (token, word) = outcome(row);
    let mark = marks::of_integrity(row.integrity);
    let record = if mark.token == Token::Good {
        mark.word.to_lowercase()
    } else {
        mark.word.to_owned()
    };
    let flags = if row.flags.is_empty() {
        "-"
    } else {
        &row.flags
    };
    let cells = [
        (Token::Plain, row.request.as_str()),
        (Token::Dim, start.as_deref().unwrap_or("-")),
        (Token::Dim, &spent),
        (Token::Plain, &row.agent),
        (Token::Plain, &row.asked_by),
        (token, &word),
        (Token::Ask, flags),
        (mark.token, &record),
    ];
    let mut line = Line::of(Token::Plain, if here { ">" } else { " " });
    for (n, (token, text)) in cells.into_iter().enumerate() {
        let end = stops.get(n + 1).copied().unwrap_or(width);
        let room = end.saturating_sub(stops[n] + usize::from(n + 1 < stops.len()));
        line = line
            .column(stops[n], 0)
            .join(Line::of(token, text).cut(room, model.look));
    }
    line
}

fn told(model: &Model, row: &SessionRow, width: usize) -> Vec<Line> {
    let (token, word) = outcome(row);
    let changed = if row.changed.is_empty() {
        "nothing"
    } else {
        &row.changed
    };
    vec![
        rule(&row.request, "Enter opens", width, model.look),
        Line::of(Token::Title, " Intent   ").put(
            Token::Plain,
            format!("\"{}\" ({})", row.intent, row.asked_by),
        ),
        Line::of(Token::Title, " Outcome  ")
            .put(token, word)
            .put(Token::Plain, format!("  {}", row.summary)),
        Line::of(Token::Title, " Changed  ").put(Token::Plain, changed),
        Line::of(Token::Title, " Session  ").put(Token::Dim, &row.session),
    ]
}
