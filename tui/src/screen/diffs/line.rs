//! One line of a change: unified, beside its partner, or as a row of a table; what differs is marked, not only coloured.

use account::change::{MARKS, marked};

use crate::app::changes::{Line as Change, Text};
use crate::app::line::Line;
use crate::app::look::{Look, Token};

/// The room that lines have.
#[derive(Clone, Copy)]
pub(crate) struct Columns {
    /// Columns of a line.
    pub(crate) width: usize,
    /// Columns of the longest field name.
    pub(crate) names: usize,
}

impl Columns {
    /// Where the values before and after begin, and how wide each may be.
    fn values(self) -> (usize, usize) {
        let names = self.names.clamp(5, (self.width / 3).max(5)) + 5;
        (names, self.width.saturating_sub(names + 1) / 2)
    }
}

/// A line of which only one side is shown at a time.
pub(crate) fn unified(change: &Change, place: Columns, look: Look) -> Line {
    let row = |old: usize, new: usize, token: Token, sign: &str, text: &Text| {
        let line = Line::of(Token::Dim, format!(" {} {} ", number(old), number(new)))
            .put(token, format!("{sign} "));
        words(line, token, text)
    };
    match change {
        Change::Change(_) | Change::Net(..) => Line::new(),
        Change::Hunk(old, new) => Line::of(Token::Dim, format!(" ...  -{old} +{new}")),
        Change::Same(old, new, text) => row(*old, *new, Token::Plain, " ", text),
        Change::Removed(old, text) => row(*old, 0, Token::Removed, "-", text),
        Change::Added(new, text) => row(0, *new, Token::Added, "+", text),
        Change::Pair(old, _, new, text) => row(*old, *new, Token::Added, "~", text),
        Change::Head => {
            let (at, wide) = place.values();
            Line::of(Token::Dim, "   field")
                .column(at, 1)
                .put(Token::Dim, "before")
                .column(at + wide + 1, 1)
                .put(Token::Dim, "after")
        }
        Change::Field(field, _) => {
            let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            let (before, after) = (side(&field.before), side(&field.after));
            let sign = match (&field.before, &field.after) {
                _ if !field.changed() => " ",
                (None, _) => "+",
                (_, None) => "-",
                _ => "~",
            };
            let changed = field.changed();
            let token = |token| if changed { token } else { Token::Dim };
            let (at, wide) = place.values();
            let name = Line::of(token(Token::Plain), format!(" {sign} {}", field.field));
            let before = Line::of(token(Token::Removed), before);
            name.cut(at.saturating_sub(1), look)
                .column(at, 0)
                .join(before.cut(wide, look))
                .column(at + wide + 1, 0)
                .put(token(Token::Added), after)
        }
        Change::Folded(count) => {
            let what = crate::app::words::count(*count as u64, "field is", "fields are");
            Line::of(Token::Dim, format!("   {what} the same; }} shows them"))
        }
        Change::Note(text) => Line::of(Token::Dim, format!(" {}", tabs(text))),
    }
}

/// A line with what was before on the left and what is after on the right.
pub(super) fn side_by_side(change: &Change, place: Columns, look: Look) -> Line {
    let half = place.width.saturating_sub(1) / 2;
    let cell = |line: usize, token: Token, sign: &str, text: &Text| {
        let line =
            Line::of(Token::Dim, format!("{} ", number(line))).put(token, format!("{sign} "));
        words(line, token, text).cut(half.saturating_sub(1), look)
    };
    let pair =
        |left: Line, right: Line| left.column(half, 0).put(Token::Dim, look.bar()).join(right);
    match change {
        Change::Same(old, new, text) => pair(
            cell(*old, Token::Plain, " ", text),
            cell(*new, Token::Plain, " ", text),
        ),
        Change::Removed(old, text) => pair(cell(*old, Token::Removed, "-", text), Line::new()),
        Change::Added(new, text) => pair(Line::new(), cell(*new, Token::Added, "+", text)),
        Change::Pair(old, before, new, after) => pair(
            cell(*old, Token::Removed, "-", before),
            cell(*new, Token::Added, "+", after),
        ),
        other => unified(other, place, look),
    }
}

/// A line's text; the words that its partner lacks stand between marks.
fn words(mut line: Line, token: Token, text: &Text) -> Line {
    let (word, marks) = match token {
        Token::Removed => (Token::RemovedWord, MARKS[0]),
        _ => (Token::AddedWord, MARKS[1]),
    };
    let mut from = 0;
    for range in &text.words {
        let (Some(before), Some(_)) = (
            text.text.get(from..range.start),
            text.text.get(range.clone()),
        ) else {
            break;
        };
        line.add(token, &tabs(before));
        let alone = 0..range.len();
        let said = marked(
            &text.text[range.clone()],
            std::slice::from_ref(&alone),
            marks,
        );
        line.add(word, &tabs(&said));
        from = range.end;
    }
    line.add(token, &tabs(text.text.get(from..).unwrap_or_default()));
    line
}

fn number(line: usize) -> String {
    if line == 0 {
        "    ".to_owned()
    } else {
        format!("{line:>4}")
    }
}

/// Tabs as spaces, so that code keeps its shape.
fn tabs(text: &str) -> String {
    text.replace('\t', "    ")
}
