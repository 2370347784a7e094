//! The screens: each a pure function of the model, with the rows that never change place around them.

mod answer;
mod card;
mod decisions;
mod detail;
mod diffs;
mod footer;
mod help;
mod home;
mod integrity;
mod notes;
mod palette;
mod picker;
mod replay;
mod timeline;
mod which;

pub(crate) use notes::note_at;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use vocabulary::record::IntegrityStatus;

use crate::app::keys::Screen;
use crate::app::line::{Line, wrap};
use crate::app::look::{Look, Token};
use crate::app::{Model, Prompt, PromptKind, marks};

/// From this many columns on, screens have a second column.
const WIDE: u16 = 120;

/// The smallest terminal that shows anything.
const SMALLEST: (u16, u16) = (40, 10);

/// The fewest columns that say which ledger is looked at.
const PLACE: usize = 14;

/// Draws the whole screen.
pub fn view(model: &Model, buf: &mut Buffer) {
    let area = *buf.area();
    buf.set_style(area, Style::reset());
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(model, area, buf);
        return;
    }
    let body = body(area);
    breadcrumb(model, usize::from(area.width)).draw(buf, (0, 0), area.width, model.look);
    tabs(model, usize::from(area.width)).draw(buf, (0, 1), area.width, model.look);
    match model.screen {
        Screen::Home => home::draw(model, body, buf),
        Screen::Answer => answer::draw(model, body, buf),
        Screen::Timeline => timeline::draw(model, body, buf),
        Screen::Decisions => decisions::draw(model, body, buf),
        Screen::Diffs => diffs::draw(model, body, buf),
        Screen::Replay => replay::draw(model, body, buf),
        Screen::Integrity => integrity::draw(model, body, buf),
        Screen::Notes => notes::draw(model, body, buf),
    }
    if model.help.is_some() {
        help::draw(model, body, buf);
    }
    card::draw(model, body, buf);
    palette::draw(model, body, buf);
    picker::draw(model, body, buf);
    bottom(model, area, buf);
    which::draw(model, area, buf);
}

/// Says what is wrong, in the longest form that the terminal has room for.
fn too_small(model: &Model, area: Rect, buf: &mut Buffer) {
    let query = match &model.opened {
        Some(_) => model.query(),
        None => "47892",
    };
    let (width, height) = (area.width, area.height);
    let (columns, rows) = SMALLEST;
    let forms = [
        format!(
            "terminal is {width}x{height}; recount needs {columns}x{rows}, or use: recount show {query} --plain"
        ),
        format!("terminal is {width}x{height}; recount needs {columns}x{rows}"),
        format!("{width}x{height}, needs {columns}x{rows}"),
        "too small".to_owned(),
    ];
    let wrapped = forms.map(|form| wrap(&form, usize::from(width)));
    let fits = |lines: &&Vec<String>| lines.len() <= usize::from(height);
    let Some(lines) = wrapped.iter().find(fits).or(wrapped.last()) else {
        return;
    };
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        Line::of(Token::Plain, line).draw(buf, (area.x, y), width, model.look);
    }
}

/// Fits every list to the size of the terminal. Part of every update, so that a frame depends on the model only.
pub(crate) fn fit(model: &mut Model) {
    let area = body(Rect::new(0, 0, model.size.0, model.size.1));
    home::fit(model, area);
    answer::fit(model, area);
    timeline::fit(model, area);
    decisions::fit(model, area);
    diffs::fit(model, area);
    replay::fit(model, area);
    integrity::fit(model, area);
    notes::fit(model, area);
    help::fit(model, area);
    card::fit(model, area);
    palette::fit(model, area);
    picker::fit(model, area);
}

/// The text of a line of the active list, for search and copy.
pub(crate) fn text_of(model: &Model, line: usize) -> String {
    match model.screen {
        Screen::Home => home::text_of(model, line),
        Screen::Answer => answer::text_of(model, line),
        Screen::Timeline => timeline::text_of(model, line),
        Screen::Decisions => decisions::text_of(model, line),
        Screen::Diffs => diffs::text_of(model, line),
        Screen::Replay => replay::text_of(model, line),
        Screen::Integrity => integrity::text_of(model, line),
        Screen::Notes => notes::text_of(model, line),
    }
}

/// Small terminals have no footer: every row is needed.
fn is_small(area: Rect) -> bool {
    area.width < 80 || area.height < 24
}

fn body(area: Rect) -> Rect {
    let footer = u16::from(!is_small(area));
    Rect::new(0, 2, area.width, area.height.saturating_sub(2 + footer))
}

fn breadcrumb(model: &Model, width: usize) -> Line {
    let mut line = Line::of(Token::Plain, " ")
        .put(Token::Title, "recount")
        .put(Token::Dim, " > ");
    let Some(opened) = model
        .opened
        .as_ref()
        .filter(|_| model.screen != Screen::Home)
    else {
        line.add(Token::Plain, "sessions");
        let state = match &model.waiting {
            Some((_, what)) => Line::of(Token::Dim, format!("reading {what}")),
            None => following(model),
        };
        return line.right(state, width, model.look);
    };
    let account = &opened.account;
    line.add(Token::Plain, &format!("request {}", account.request.id));
    if let Some(session) = account.sessions.first() {
        line.add(Token::Dim, " > ");
        line.add(Token::Plain, &short_id(&session.id, width));
        line.add(
            Token::Plain,
            &format!(" (1 of {})", account.sessions.total()),
        );
    }
    if let Some(at) = opened.at {
        line.add(Token::Ask, &format!(" as of {at}"));
    }
    line.right(badge(model, width), width, model.look)
}

/// How things stand with what is recorded meanwhile, in one word before the state of the record.
fn following(model: &Model) -> Line {
    let follow = &model.follow;
    let opened = model
        .opened
        .as_ref()
        .filter(|_| model.screen != Screen::Home);
    let runs = opened
        .is_some_and(|it| it.at.is_none() && it.account.integrity.status == IntegrityStatus::Open);
    match (&follow.lost, follow.paused, follow.waiting) {
        (Some(_), ..) => Line::of(Token::Lost, "OFFLINE"),
        (None, true, 0) => Line::of(Token::Ask, "PAUSED"),
        (None, true, waiting) => Line::of(Token::Ask, format!("PAUSED +{waiting}")),
        (None, false, 0) if runs => Line::of(Token::Good, "LIVE"),
        (None, false, 0) => Line::new(),
        (None, false, waiting) => Line::of(Token::Ask, format!("CHECKING +{waiting}")),
    }
}

/// A long random id, shortened to a beginning that still finds it.
fn short_id(id: &str, width: usize) -> String {
    let bare = id.strip_prefix("s-").unwrap_or(id);
    let hex = bare.len() >= 32 && bare.bytes().all(|c| c.is_ascii_hexdigit() || c == b'-');
    let keep = id.len() - bare.len() + if width < 100 { 8 } else { 13 };
    if hex {
        id.chars().take(keep).collect()
    } else {
        id.to_owned()
    }
}

/// The state of the record, as it was computed when the account was read.
fn badge(model: &Model, width: usize) -> Line {
    if let Some((_, what)) = &model.waiting {
        return Line::of(Token::Ask, format!("checking {what}"));
    }
    let Some(opened) = &model.opened else {
        return Line::new();
    };
    let integrity = &opened.account.integrity;
    let mark = marks::of_integrity(integrity.status);
    let missing: u64 = integrity
        .gaps
        .iter()
        .map(|gap| gap.to.map_or(1, |to| to.saturating_sub(gap.from) + 1))
        .sum();
    let lost: u64 = integrity
        .losses
        .iter()
        .filter_map(|loss| loss.records)
        .sum();
    let checked = integrity.checked.records;
    let mut line = following(model);
    let follows = line.width() > 0;
    if follows {
        line.add(Token::Plain, " ");
    }
    let mut line = line
        .put(mark.token, mark.word)
        .put(Token::Plain, format!(" {checked}/{}", checked + missing));
    if lost > 0 {
        line.add(Token::Lost, &format!(" -{lost} declared lost"));
    }
    if follows && width < 100 {
        // The word before takes the room; the Integrity screen says it in any case.
        return line;
    }
    let first_seen = integrity
        .ledgers
        .iter()
        .any(|ledger| ledger.key == vocabulary::record::KeyTrust::FirstSeen);
    line.put(
        Token::Plain,
        if first_seen {
            ", key first seen"
        } else {
            ", key pinned"
        },
    )
}

/// Whether there is room for the ledger's place beside the tabs.
fn tabs_name_place(model: &Model, width: usize) -> bool {
    width.saturating_sub(tab_names(model).width() + 2) >= PLACE
}

fn tabs(model: &Model, width: usize) -> Line {
    let line = tab_names(model);
    if !tabs_name_place(model, width) {
        return line;
    }
    let room = width.saturating_sub(line.width() + 2);
    line.right(
        Line::of(Token::Dim, tail(&model.place, room, model.look)),
        width,
        model.look,
    )
}

fn tab_names(model: &Model) -> Line {
    let mut line = Line::of(Token::Plain, " ");
    if model.screen == Screen::Home {
        line.add(Token::Dim, "which requests, which are bad");
    } else if usize::from(model.size.0) < 80 {
        let at = Screen::TABS
            .iter()
            .position(|screen| *screen == model.screen)
            .unwrap_or(0);
        line.add(
            Token::Title,
            &format!(
                "[{}/{}] {}",
                at + 1,
                Screen::TABS.len(),
                model.screen.name()
            ),
        );
    } else {
        for (n, screen) in Screen::TABS.iter().enumerate() {
            let here = *screen == model.screen;
            let name = format!("{} {}", n + 1, screen.name());
            line.add(Token::Plain, if n > 0 { " " } else { "" });
            line.add(
                if here { Token::Title } else { Token::Plain },
                &if here { format!("[{name}]") } else { name },
            );
        }
    }
    line
}

/// The end of a text that does not fit: of a path, the end says most.
fn tail(text: &str, room: usize, look: Look) -> String {
    use unicode_width::UnicodeWidthChar;
    let text = crate::app::line::shown(text);
    let mut used = 0;
    let mut from = text.len();
    for (at, c) in text.char_indices().rev() {
        used += c.width().unwrap_or(0);
        if used > room {
            let mark = look.cut();
            let skip: usize = text[from..]
                .chars()
                .take(mark.chars().count())
                .map(char::len_utf8)
                .sum();
            return format!("{mark}{}", &text[from + skip..]);
        }
        from = at;
    }
    text
}

/// The last row: what the user types, what happened, or the keys that matter here.
fn bottom(model: &Model, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let y = area.bottom() - 1;
    let draw = |line: Line, buf: &mut Buffer| {
        clear(buf, Rect::new(0, y, area.width, 1));
        line.draw(buf, (0, y), area.width, model.look);
    };
    if let Some(prompt) = &model.prompt {
        prompt_line(model, prompt, width, buf, y);
    } else if let Some(message) = &model.message {
        let line = Line::of(Token::Ask, format!(" {}", message.what));
        let line = if message.hint.is_empty() {
            line
        } else {
            line.put(Token::Dim, format!("  {}", message.hint))
        };
        draw(line.cut(width, model.look), buf);
    } else if !is_small(area) {
        // Where the tabs leave no room for it, the ledger that is looked at is named here.
        let place = match tabs_name_place(model, width) {
            true => String::new(),
            false => format!("{} ", tail(&model.place, PLACE, model.look)),
        };
        let zone = Line::of(Token::Dim, format!("{place}{} ", model.clock.name()));
        draw(
            footer::line(model, width.saturating_sub(zone.width() + 1))
                .right(zone, width, model.look),
            buf,
        );
    }
}

/// What the user types; a filter that cannot be read takes the row above for it, and says below what is wrong where.
fn prompt_line(model: &Model, prompt: &Prompt, width: usize, buf: &mut Buffer, y: u16) {
    let name = match prompt.kind {
        PromptKind::Open => " open> ",
        PromptKind::Search => " /",
        PromptKind::Filter => " filter> ",
        PromptKind::GoTo => " :",
        PromptKind::Tag => " tag> ",
        PromptKind::Comment => " comment> ",
        PromptKind::Save => " save filter as> ",
        PromptKind::Export(_) => " write to> ",
    };
    let (kept, total) = match model.screen {
        Screen::Home => (model.home.kept.len(), model.home.sessions.len()),
        _ => {
            let total = model.opened.as_ref().map_or(0, |opened| opened.rows.len());
            (model.timeline.kept.len(), total)
        }
    };
    let tail = match prompt.kind {
        PromptKind::Filter => format!("{kept} of {total} kept  Enter  Esc "),
        _ => "Enter  Esc cancels ".to_owned(),
    };
    let columns = u16::try_from(width).unwrap_or(u16::MAX);
    let mut draw = |line: Line, y: u16| {
        clear(buf, Rect::new(0, y, columns, 1));
        line.draw(buf, (0, y), columns, model.look);
    };
    let line = Line::of(Token::Title, name).put(Token::Plain, format!("{}_", prompt.text));
    let line = line.right(Line::of(Token::Dim, tail), width, model.look);
    let Some(wrong) = &prompt.wrong else {
        return draw(line, y);
    };
    draw(line, y.saturating_sub(1));
    let caret = format!("{}{}", " ".repeat(name.len()), wrong.caret(&prompt.text));
    let below = Line::of(Token::Error, caret)
        .put(Token::Ask, format!(" {}", wrong.what))
        .put(Token::Dim, format!("; {}", wrong.hint));
    draw(below.cut(width, model.look), y);
}

/// Empties a part of the screen.
fn clear(buf: &mut Buffer, area: Rect) {
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
            }
        }
    }
}

/// Draws lines one below the other.
fn stack(lines: &[Line], area: Rect, look: Look, buf: &mut Buffer) {
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        line.clone()
            .cut(usize::from(area.width), look)
            .draw(buf, (area.x, y), area.width, look);
    }
}

/// Marks a drawn row as selected.
fn select(buf: &mut Buffer, area: Rect, y: u16, look: Look) {
    if y < area.bottom() {
        buf.set_style(
            Rect::new(area.x, y, area.width, 1),
            Style::new().add_modifier(look.selected()),
        );
    }
}

/// Splits an area into two columns with a bar between them.
fn columns(area: Rect, left: u16, look: Look, buf: &mut Buffer) -> (Rect, Rect) {
    let left = left.min(area.width.saturating_sub(3));
    for y in area.top()..area.bottom() {
        Line::of(Token::Dim, look.bar()).draw(buf, (area.x + left, y), 1, look);
    }
    let right = Rect::new(
        area.x + left + 2,
        area.y,
        area.width - left - 2,
        area.height,
    );
    (
        Rect::new(area.x, area.y, left.saturating_sub(1), area.height),
        right,
    )
}
