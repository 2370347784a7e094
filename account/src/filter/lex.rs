//! A filter's text as pieces with their places.

use super::Malformed;

/// A piece of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Open,
    Close,
    And,
    Or,
    Not,
    /// Words to look for.
    Word(String),
    /// `key op value`.
    Pair {
        key: String,
        op: Op,
        value: String,
        /// Where the value begins, in bytes.
        value_at: usize,
    },
}

/// How a key is compared with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Has,
    Is,
    IsNot,
    Matches,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Op {
    /// Longest first, so that `<=` is not read as `<`.
    const ALL: [(&str, Self); 8] = [
        ("!=", Self::IsNot),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        (":", Self::Has),
        ("=", Self::Is),
        ("~", Self::Matches),
        ("<", Self::Less),
        (">", Self::More),
    ];

    pub(super) fn text(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, op)| *op == self);
        found.map_or("", |(text, _)| text)
    }
}

/// A piece and where it is, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) piece: Piece,
    pub(super) at: usize,
    pub(super) len: usize,
}

/// Splits a filter's text.
pub(super) fn lex(text: &str) -> Result<Vec<Placed>, Malformed> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let (piece, len) = match c {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '(' => (Piece::Open, 1),
            ')' => (Piece::Close, 1),
            '-' if text[at + 1..]
                .starts_with(|next: char| !next.is_whitespace() && next != ')') =>
            {
                (Piece::Not, 1)
            }
            _ => word(text, at)?,
        };
        pieces.push(Placed { piece, at, len });
        at += len;
    }
    Ok(pieces)
}

/// A word, a quoted text or a pair, and how many bytes it takes.
fn word(text: &str, at: usize) -> Result<(Piece, usize), Malformed> {
    if text[at..].starts_with('"') {
        let (quoted, len) = quoted(text, at)?;
        return Ok((Piece::Word(quoted), len));
    }
    let rest = &text[at..];
    let key = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
        .unwrap_or(rest.len());
    let op = Op::ALL.iter().find(|(op, _)| rest[key..].starts_with(op));
    let Some((op_text, op)) = op.filter(|_| key > 0) else {
        let (word, len) = bare(rest);
        let piece = match word {
            "and" | "AND" => Piece::And,
            "or" | "OR" => Piece::Or,
            "not" | "NOT" => Piece::Not,
            other => Piece::Word(other.to_owned()),
        };
        return Ok((piece, len));
    };
    let value_at = at + key + op_text.len();
    let (value, len) = if text[value_at..].starts_with('"') {
        quoted(text, value_at)?
    } else {
        let (value, len) = bare(&text[value_at..]);
        (value.to_owned(), len)
    };
    let pair = Piece::Pair {
        key: rest[..key].to_ascii_lowercase(),
        op: *op,
        value,
        value_at,
    };
    Ok((pair, key + op_text.len() + len))
}

/// Everything up to white space or a parenthesis that was not opened inside.
fn bare(text: &str) -> (&str, usize) {
    let mut open = 0_usize;
    let end = text.find(|c: char| match c {
        '(' => {
            open += 1;
            false
        }
        ')' if open > 0 => {
            open -= 1;
            false
        }
        ')' => true,
        c => c.is_whitespace(),
    });
    let end = end.unwrap_or(text.len());
    (&text[..end], end)
}

/// A text in quotes, in which `\"` and `\\` stand for themselves, and how many bytes it takes with them.
fn quoted(text: &str, at: usize) -> Result<(String, usize), Malformed> {
    let mut inside = String::new();
    let mut chars = text[at + 1..].char_indices();
    while let Some((n, c)) = chars.next() {
        match c {
            '"' => return Ok((inside, n + 2)),
            '\\' => match chars.next() {
                Some((_, next @ ('"' | '\\'))) => inside.push(next),
                Some((_, next)) => inside.extend(['\\', next]),
                None => break,
            },
            other => inside.push(other),
        }
    }
    Err(Malformed {
        at,
        len: text.len() - at,
        what: "the quote is not closed".to_owned(),
        hint: "add \" at its end".to_owned(),
    })
}
