//! From pieces to what must hold.

use super::keys::{TIMES, nearest};
use super::lex::{Op, Piece, Placed, lex};
use super::value::{self, Wanted};
use super::{Expr, Flag, Malformed, Number, ReadTime, Span, Text, keys};

/// Parentheses within parentheses, at most: text from outside must not exhaust the stack.
const DEEPEST: usize = 64;

/// Reads a filter; `None` for one that keeps everything.
pub(super) fn parse(text: &str, time: ReadTime<'_>) -> Result<Option<Expr>, Malformed> {
    let mut parser = Parser {
        pieces: lex(text)?,
        at: 0,
        end: text.len(),
        time,
        depth: 0,
    };
    if parser.pieces.is_empty() {
        return Ok(None);
    }
    let expr = parser.any()?;
    match parser.peek() {
        None => Ok(Some(expr)),
        Some(_) => Err(parser.wrong("there is no ( for this )", "remove it")),
    }
}

struct Parser<'a> {
    pieces: Vec<Placed>,
    at: usize,
    end: usize,
    time: ReadTime<'a>,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Piece> {
        self.pieces.get(self.at).map(|placed| &placed.piece)
    }

    /// What is wrong with the piece that comes now, or with the end.
    fn wrong(&self, what: &str, hint: &str) -> Malformed {
        let (at, len) = match self.pieces.get(self.at) {
            Some(placed) => (placed.at, placed.len),
            None => (self.end, 1),
        };
        Malformed {
            at,
            len,
            what: what.to_owned(),
            hint: hint.to_owned(),
        }
    }

    fn any(&mut self) -> Result<Expr, Malformed> {
        let mut any = vec![self.all()?];
        while self.peek() == Some(&Piece::Or) {
            self.at += 1;
            any.push(self.all()?);
        }
        Ok(one_or(any, Expr::Any))
    }

    fn all(&mut self) -> Result<Expr, Malformed> {
        let mut all = Vec::new();
        loop {
            match self.peek() {
                Some(Piece::And) if !all.is_empty() => {
                    self.at += 1;
                    all.push(self.term()?);
                }
                None | Some(Piece::Or | Piece::Close) if !all.is_empty() => break,
                _ => all.push(self.term()?),
            }
        }
        Ok(one_or(all, Expr::All))
    }

    fn term(&mut self) -> Result<Expr, Malformed> {
        let mut turned = false;
        while self.peek() == Some(&Piece::Not) {
            turned = !turned;
            self.at += 1;
        }
        let atom = self.atom()?;
        Ok(if turned {
            Expr::Not(Box::new(atom))
        } else {
            atom
        })
    }

    fn atom(&mut self) -> Result<Expr, Malformed> {
        let wanted = "write a word, key:value or ( … )";
        match self.peek() {
            Some(Piece::Word(word)) => {
                let word = Expr::Word(word.to_lowercase());
                self.at += 1;
                Ok(word)
            }
            Some(Piece::Pair { .. }) => {
                let pair = self.pair()?;
                self.at += 1;
                Ok(pair)
            }
            Some(Piece::Open) => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(self.wrong("too many parentheses within each other", "write fewer"));
                }
                self.at += 1;
                let inside = self.any()?;
                if self.peek() != Some(&Piece::Close) {
                    return Err(self.wrong("a ( has no )", "add )"));
                }
                self.at += 1;
                self.depth -= 1;
                Ok(inside)
            }
            Some(Piece::Close) => Err(self.wrong("something is missing before )", wanted)),
            Some(Piece::And | Piece::Or) => {
                Err(self.wrong("something is missing before this", wanted))
            }
            Some(Piece::Not) | None => Err(self.wrong("something is missing at the end", wanted)),
        }
    }

    fn pair(&self) -> Result<Expr, Malformed> {
        let Some(placed) = self.pieces.get(self.at) else {
            return Err(self.wrong("something is missing", ""));
        };
        let Piece::Pair {
            key,
            op,
            value,
            value_at,
        } = &placed.piece
        else {
            return Err(self.wrong("something else is missing", ""));
        };
        let wrong_value = |what: String, hint: String| Malformed {
            at: *value_at,
            len: (placed.at + placed.len).saturating_sub(*value_at).max(1),
            what,
            hint,
        };
        if value.is_empty() {
            let hint = "write a value, or \"\" around words with spaces";
            return Err(wrong_value(
                format!("{key}{} has no value", op.text()),
                hint.to_owned(),
            ));
        }
        let no_op = || {
            self.wrong(
                &format!("{key} cannot be compared with {}", op.text()),
                &format!("write {key}:{value}"),
            )
        };
        if key == "is" || key == "has" {
            if *op != Op::Has {
                return Err(no_op());
            }
            return flag(value)
                .map_err(|hint| wrong_value(format!("{key}:{value} is not a filter"), hint));
        }
        if let Some(key) = Text::read(key) {
            return text(key, *op, value, no_op, &wrong_value);
        }
        if let Some(key) = Number::read(key) {
            let span = value::numbers(*op, value).ok_or_else(|| {
                let hint = format!("write {0}:7, {0}:3..9 or {0}>100", key.word());
                wrong_value(format!("{value} is not a number"), hint)
            })?;
            return Ok(negated(*op, Expr::Number(key, span)));
        }
        if TIMES.contains(&key.as_str()) {
            let span = times(key, *op, value, self.time).ok_or_else(|| {
                let hint = "write 2026-03-14T09:00Z, 2026-03-14, or 30m, 2h, 7d for how long ago";
                wrong_value(format!("{value} is not a time"), hint.to_owned())
            })?;
            return Ok(Expr::Time(span));
        }
        let near = nearest(key, keys()).map_or_else(
            || {
                format!(
                    "put \"{key}{}{value}\" in quotes to look for the words",
                    op.text()
                )
            },
            |near| format!("did you mean {near}{}?", op.text()),
        );
        Err(Malformed {
            at: placed.at,
            len: key.len(),
            what: format!("{key} is not a key"),
            hint: near,
        })
    }
}

fn one_or(mut several: Vec<Expr>, all: fn(Vec<Expr>) -> Expr) -> Expr {
    match (several.len(), several.pop()) {
        (1, Some(one)) => one,
        (_, Some(last)) => {
            several.push(last);
            all(several)
        }
        (_, None) => Expr::All(Vec::new()),
    }
}

fn negated(op: Op, expr: Expr) -> Expr {
    if op == Op::IsNot {
        Expr::Not(Box::new(expr))
    } else {
        expr
    }
}

fn flag(value: &str) -> Result<Expr, String> {
    let known = || Flag::ALL.iter().map(|flag| flag.word());
    Flag::read(value).map(Expr::Is).ok_or_else(|| {
        nearest(value, known()).map_or_else(
            || format!("it is one of {}", known().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean is:{near}?"),
        )
    })
}

fn text(
    key: Text,
    op: Op,
    value: &str,
    no_op: impl Fn() -> Malformed,
    wrong_value: &dyn Fn(String, String) -> Malformed,
) -> Result<Expr, Malformed> {
    match op {
        Op::Has => Ok(Expr::Text(key, Wanted::part(value))),
        Op::Is | Op::IsNot => Ok(negated(op, Expr::Text(key, Wanted::whole(value)))),
        Op::Matches => regex_lite::RegexBuilder::new(value)
            .case_insensitive(true)
            .size_limit(1 << 20)
            .build()
            .map(|regex| Expr::Matches(key, regex))
            .map_err(|error| {
                let hint = format!("write {}:{value} to look for it as it stands", key.word());
                wrong_value(format!("not a regular expression: {error}"), hint)
            }),
        _ => Err(no_op()),
    }
}

fn times(
    key: &str,
    op: Op,
    value: &str,
    time: ReadTime<'_>,
) -> Option<Span<vocabulary::Timestamp>> {
    match key {
        "since" => Some(Span {
            from: Some(time(value)?),
            to: None,
        }),
        "until" => Some(Span {
            from: None,
            to: Some(time(value)?),
        }),
        _ => value::times(op, value, time),
    }
}
