//! What a user keeps of a list: words and `key:value` pairs, one grammar for prompts, the command line and saved views.
//!
//! ```text
//! filter = any ;                any  = all { "or" all } ;        all = { ["and"] term } ;
//! term   = ["not" | "-"] atom ; atom = word | "quoted words" | key op value | "(" any ")" ;
//! op     = ":" | "=" | "!=" | "~" | "<" | "<=" | ">" | ">=" ;
//! ```
//!
//! `:` asks for a part (`*` stands for anything, and then for the whole), `=` for the whole, `~` for a regular
//! expression, all without regard to case; numbers and times also take the comparisons and, after `:`, `FROM..TO`.
//! `is:` and `has:` take the names of [`Flag`]. What a list does not know of its rows never matches.

mod keys;
mod lex;
mod parse;
mod rows;
mod value;

use std::borrow::Cow;

use regex_lite::Regex;
use unicode_width::UnicodeWidthStr as _;
use vocabulary::Timestamp;

pub use keys::{Flag, Number, Text, keys};
pub use rows::{ActionRow, Actions};
use value::Wanted;

/// Reads a time as users write it; `None` for what is none.
pub type ReadTime<'a> = &'a dyn Fn(&str) -> Option<Timestamp>;

/// A filter that was read; an empty one keeps everything.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    expr: Option<Expr>,
}

/// What must hold.
#[derive(Clone, Debug)]
enum Expr {
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Not(Box<Expr>),
    /// The row's own words contain this, in lower case.
    Word(String),
    Is(Flag),
    Text(Text, Wanted),
    Matches(Text, Regex),
    Number(Number, Span<u64>),
    Time(Span<Timestamp>),
}

/// A range; a bound that is missing holds for everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span<T> {
    /// The first one inside.
    from: Option<T>,
    /// The first one behind.
    to: Option<T>,
}

impl<T: Copy + PartialOrd> Span<T> {
    fn holds(&self, at: T) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }
}

/// Text that is no filter: where it goes wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Malformed {
    /// Where the part that is wrong begins, in bytes.
    pub at: usize,
    /// How many bytes of it are wrong.
    pub len: usize,
    /// What is wrong with it.
    pub what: String,
    /// What to write instead.
    pub hint: String,
}

impl Malformed {
    /// A line of `^` to stand under the part of `text` that is wrong.
    #[must_use]
    pub fn caret(&self, text: &str) -> String {
        let width = |text: &str| crate::shown::line(text).as_str().width();
        let upto = |end: usize| text.get(..end.min(text.len())).unwrap_or(text);
        let before = width(upto(self.at));
        let through = width(upto(self.at + self.len));
        format!(
            "{}{}",
            " ".repeat(before),
            "^".repeat((through - before).max(1))
        )
    }
}

/// What a filter looks at in one row of a list.
pub trait Facts {
    /// The row's own words.
    fn words(&self) -> Cow<'_, str>;
    /// Every value that the row has of a key; none for one that it does not know.
    fn texts(&self, key: Text) -> Vec<Cow<'_, str>>;
    /// The row's number of a key.
    fn number(&self, key: Number) -> Option<u64>;
    /// When it was.
    fn time(&self) -> Option<Timestamp>;
    /// Whether something is so.
    fn is(&self, flag: Flag) -> bool;
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    ///
    /// Text that is none: an unknown key or flag (with the nearest one), an operator that the key does not take, a
    /// number, time or regular expression that cannot be read, a parenthesis or quote without its other half.
    pub fn parse(text: &str, time: ReadTime<'_>) -> Result<Self, Malformed> {
        parse::parse(text, time).map(|expr| Self { expr })
    }

    /// Whether everything is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.expr.is_none()
    }

    /// Whether a row is kept.
    pub fn keeps(&self, row: &impl Facts) -> bool {
        self.expr.as_ref().is_none_or(|expr| expr.holds(row))
    }
}

impl Expr {
    fn holds(&self, row: &impl Facts) -> bool {
        match self {
            Self::All(all) => all.iter().all(|expr| expr.holds(row)),
            Self::Any(any) => any.iter().any(|expr| expr.holds(row)),
            Self::Not(expr) => !expr.holds(row),
            Self::Word(word) => row.words().to_lowercase().contains(word),
            Self::Is(flag) => row.is(*flag),
            Self::Text(key, wanted) => row.texts(*key).iter().any(|text| wanted.is(text)),
            Self::Matches(key, regex) => row.texts(*key).iter().any(|text| regex.is_match(text)),
            Self::Number(key, span) => row.number(*key).is_some_and(|number| span.holds(number)),
            Self::Time(span) => row.time().is_some_and(|at| span.holds(at)),
        }
    }
}

#[cfg(test)]
mod tests;
