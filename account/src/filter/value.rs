//! The values of a filter's pairs: texts with `*` in them, numbers, times, and ranges of both.

use vocabulary::Timestamp;

use super::lex::Op;
use super::{ReadTime, Span};

/// A text that is wanted, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// It is somewhere inside.
    Part(String),
    /// It is the whole.
    Whole(String),
    /// The whole begins with the first, ends with the last and has the others in between, in order.
    Parts(Vec<String>),
}

impl Wanted {
    /// What `:` asks for.
    pub(super) fn part(value: &str) -> Self {
        let value = value.to_lowercase();
        if value.contains('*') {
            Self::Parts(value.split('*').map(str::to_owned).collect())
        } else {
            Self::Part(value)
        }
    }

    /// What `=` asks for.
    pub(super) fn whole(value: &str) -> Self {
        Self::Whole(value.to_lowercase())
    }

    pub(super) fn is(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        match self {
            Self::Part(part) => text.contains(part),
            Self::Whole(whole) => text == *whole,
            Self::Parts(parts) => in_order(&text, parts),
        }
    }
}

/// Whether a text is these parts with anything in between.
fn in_order(text: &str, parts: &[String]) -> bool {
    let [first, middle @ .., last] = parts else {
        return false;
    };
    let Some(mut rest) = text.strip_prefix(first.as_str()) else {
        return false;
    };
    for part in middle {
        match rest.find(part.as_str()) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last.as_str())
}

/// The numbers that an operator and a value mean; for `!=` those that are not wanted.
pub(super) fn numbers(op: Op, value: &str) -> Option<Span<u64>> {
    let bare = value.strip_prefix('#').unwrap_or(value);
    if let (Op::Has, Some((from, to))) = (op, bare.split_once("..")) {
        let bound = |text: &str| {
            if text.is_empty() {
                Some(None)
            } else {
                text.parse().ok().map(Some)
            }
        };
        let (from, to): (Option<u64>, Option<u64>) = (bound(from)?, bound(to)?);
        // A range of numbers names its last one.
        let to = to.and_then(|to| to.checked_add(1));
        return Some(Span { from, to });
    }
    let number: u64 = bare.parse().ok()?;
    let next = number.checked_add(1);
    let span = |from, to| Span { from, to };
    Some(match op {
        Op::Has | Op::Is | Op::IsNot => span(Some(number), next),
        Op::Less => span(None, Some(number)),
        Op::AtMost => span(None, next),
        Op::More => span(Some(next?), None),
        Op::AtLeast => span(Some(number), None),
        Op::Matches => return None,
    })
}

/// The times that an operator and a value mean.
pub(super) fn times(op: Op, value: &str, time: ReadTime<'_>) -> Option<Span<Timestamp>> {
    let span = |from, to| Some(Span { from, to });
    let next = |at: Timestamp| Timestamp::from_unix_ns(at.unix_ns().saturating_add(1));
    match op {
        Op::Has => {
            let (from, to) = value.split_once("..")?;
            let bound = |text: &str| {
                if text.is_empty() {
                    Some(None)
                } else {
                    time(text).map(Some)
                }
            };
            span(bound(from)?, bound(to)?)
        }
        Op::Less => span(None, Some(time(value)?)),
        Op::AtMost => span(None, Some(next(time(value)?))),
        Op::More => span(Some(next(time(value)?)), None),
        Op::AtLeast => span(Some(time(value)?), None),
        Op::Is | Op::IsNot | Op::Matches => None,
    }
}
