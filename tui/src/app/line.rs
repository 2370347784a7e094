//! One line of a screen: pieces of text with a meaning, escaped on the way in.

use ratatui::buffer::Buffer;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::look::{Look, Token};

/// A line made of pieces. Text enters only through [`Line::put`], which makes hostile characters
/// visible, so a screen cannot forget to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pieces: Vec<(Token, String)>,
    width: usize,
}

impl Line {
    /// An empty line.
    pub fn new() -> Line {
        Line::default()
    }

    /// A line of one piece.
    pub fn of(token: Token, text: impl AsRef<str>) -> Line {
        Line::new().put(token, text)
    }

    /// Adds text; control, bidirectional and invisible characters become visible.
    pub fn put(mut self, token: Token, text: impl AsRef<str>) -> Line {
        self.add(token, text.as_ref());
        self
    }

    /// Adds text to a line that is already held.
    pub fn add(&mut self, token: Token, text: &str) {
        let shown = shown(text);
        self.width += shown.width();
        match self.pieces.last_mut() {
            Some((last, end)) if *last == token => end.push_str(&shown),
            _ => self.pieces.push((token, shown)),
        }
    }

    /// Adds another line's pieces.
    pub fn join(mut self, other: Line) -> Line {
        self.width += other.width;
        self.pieces.extend(other.pieces);
        self
    }

    /// Adds spaces up to a column; at least `gap` of them when the line is already longer.
    pub fn column(mut self, column: usize, gap: usize) -> Line {
        let spaces = column.saturating_sub(self.width).max(gap);
        if spaces > 0 {
            self.add(Token::Plain, &" ".repeat(spaces));
        }
        self
    }

    /// Adds `tail` so that it ends at `width`; this line is cut where both do not fit.
    pub fn right(self, tail: Line, width: usize, look: Look) -> Line {
        if tail.width == 0 {
            return self.cut(width, look);
        }
        let room = width.saturating_sub(tail.width + 1);
        let mut line = self.cut(room, look);
        let spaces = width.saturating_sub(line.width + tail.width);
        line.add(Token::Plain, &" ".repeat(spaces));
        line.join(tail)
    }

    /// The line cut to a width, with a mark where text is missing.
    pub fn cut(self, width: usize, look: Look) -> Line {
        if self.width <= width {
            return self;
        }
        let mark = look.cut();
        let keep = width.saturating_sub(mark.width());
        let mut line = Line::new();
        for (token, text) in &self.pieces {
            let mut kept = String::new();
            for c in text.chars() {
                if line.width + kept.width() + c.width().unwrap_or(0) > keep {
                    break;
                }
                kept.push(c);
            }
            let whole = kept.len() == text.len();
            line.width += kept.width();
            line.pieces.push((*token, kept));
            if !whole {
                break;
            }
        }
        if width >= mark.width() {
            line.width += mark.width();
            line.pieces.push((Token::Dim, mark.to_owned()));
        }
        line
    }

    /// Columns that the line takes.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The line's text without its meanings.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Draws the line at a place, cut to `width`.
    pub fn draw(&self, buf: &mut Buffer, (x, y): (u16, u16), width: u16, look: Look) {
        let area = *buf.area();
        if y >= area.bottom() || x >= area.right() {
            return;
        }
        let end = x.saturating_add(width).min(area.right());
        let mut at = x;
        for (token, text) in &self.pieces {
            if at >= end {
                break;
            }
            (at, _) = buf.set_stringn(at, y, text, usize::from(end - at), look.style(*token));
        }
    }
}

/// A horizontal rule with a title on the left and a hint on the right.
pub fn rule(title: &str, hint: &str, width: usize, look: Look) -> Line {
    let mark = look.rule();
    let dashes = |n: usize| mark.to_string().repeat(n);
    let mut line = Line::new();
    if title.is_empty() {
        return line.put(Token::Dim, dashes(width));
    }
    let tail = if hint.is_empty() { 0 } else { hint.width() + 4 };
    line.add(Token::Dim, &dashes(2));
    line.add(Token::Plain, " ");
    // A title makes room for its hint, as long as enough of it is left to say what it is.
    let room = width.saturating_sub(tail + 6);
    let title = Line::of(Token::Title, title);
    line = line.join(if room >= 12 {
        title.cut(room, look)
    } else {
        title
    });
    line.add(Token::Plain, " ");
    if line.width + tail + 1 > width {
        let fill = width.saturating_sub(line.width);
        return line.put(Token::Dim, dashes(fill)).cut(width, look);
    }
    let fill = width - line.width - tail;
    line.add(Token::Dim, &dashes(fill));
    if !hint.is_empty() {
        line.add(Token::Dim, " ");
        line.add(Token::Dim, hint);
        line.add(Token::Dim, " ");
        line.add(Token::Dim, &dashes(2));
    }
    line
}

/// Breaks text at spaces into lines of at most `width` columns; a longer word is broken where it must be.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let mut word = shown(word);
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            while word.width() > width {
                let cut = break_at(&word, width);
                lines.push(word[..cut].to_owned());
                word = word[cut..].to_owned();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&word);
        }
        lines.push(line);
    }
    lines
}

fn break_at(word: &str, width: usize) -> usize {
    let mut used = 0;
    for (at, c) in word.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width && at > 0 {
            return at;
        }
    }
    word.len()
}

/// Untrusted text on one line, with everything that hides or moves made visible.
pub(crate) fn shown(text: &str) -> String {
    account::shown::line(text).into_string()
}
