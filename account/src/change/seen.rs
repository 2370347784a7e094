//! Edits of one resource as one comparison: a table where the states have fields, lines where they are text.

use serde::Serialize;
use vocabulary::action::{Effect, Kind};
use vocabulary::record::ContentState;

use super::fields::{self, Field};
use super::lines::{Line, Traced};
use super::origin::Origin;
use crate::model::{Content, Diff};

/// One edit's two states.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// What it found.
    pub before: &'a Content,
    /// What it left.
    pub after: &'a Content,
}

impl<'a> From<&'a Diff> for Step<'a> {
    fn from(diff: &'a Diff) -> Self {
        Self {
            before: &diff.before,
            after: &diff.after,
        }
    }
}

/// How two states are compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Field by field.
    Fields(Vec<Field>),
    /// Line by line.
    Lines(Vec<Line>),
    /// Not at all: a side is not text, or not kept.
    Opaque,
}

/// Edits of one resource, from the state that the first found to the one that the last left.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// The state that the first edit found.
    pub before: &'a Content,
    /// The state that the last edit left.
    pub after: &'a Content,
    /// Their comparison.
    pub shape: Shape,
    /// Whether an edit found another state than the one before it left.
    pub unrecorded: bool,
}

impl<'a> Seen<'a> {
    /// Edits in their order; `None` where there are none. Origins count in `steps`.
    #[must_use]
    pub fn of(kind: &Kind, steps: &[Step<'a>]) -> Option<Self> {
        let (first, last) = (steps.first()?, steps.last()?);
        let table = match kind {
            Kind::File => None,
            _ => table(steps),
        };
        let lines = || Traced::of(steps).net(Origin::Edit(steps.len() - 1));
        let shape = match table {
            Some(table) => Shape::Fields(table),
            None => lines().map_or(Shape::Opaque, Shape::Lines),
        };
        let apart = |pair: &[Step<'_>]| differ(pair[0].after, pair[1].before);
        Some(Self {
            before: first.before,
            after: last.after,
            shape,
            unrecorded: steps.windows(2).any(apart),
        })
    }

    /// `A`, `M` or `D`: what became of the resource; `-` where it was there neither before nor after.
    #[must_use]
    pub fn sign(&self) -> &'static str {
        match (self.before.state, self.after.state) {
            (ContentState::Absent, ContentState::Absent) => "-",
            (ContentState::Absent, _) => "A",
            (_, ContentState::Absent) => "D",
            _ => "M",
        }
    }
}

/// Whether two states are known to be different.
fn differ(left: &Content, found: &Content) -> bool {
    match (&left.digest, &found.digest) {
        (Some(left), Some(found)) => left != found,
        _ => left.state == found.state && left.inline != found.inline,
    }
}

/// The states as a table, each field with the last edit that changed it.
fn table(steps: &[Step<'_>]) -> Option<Vec<Field>> {
    let mut sides = Vec::with_capacity(steps.len() * 2);
    for step in steps {
        sides.push((fields::of(step.before)?, Origin::Unrecorded));
        sides.push((fields::of(step.after)?, Origin::Edit(0)));
    }
    for (n, (_, by)) in sides.iter_mut().enumerate() {
        *by = match n {
            0 => Origin::Earlier,
            n if n % 2 == 0 => Origin::Unrecorded,
            n => Origin::Edit(n / 2),
        };
    }
    let (first, _) = sides.first()?;
    let (last, _) = sides.last()?;
    if first.is_empty() && last.is_empty() {
        return None;
    }
    let value = |side: &'_ [(String, String)], name: &str| {
        let found = side.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    };
    let by = |name: &str| {
        let mut by = Origin::Earlier;
        for pair in sides.windows(2) {
            if value(&pair[0].0, name) != value(&pair[1].0, name) {
                by = pair[1].1;
            }
        }
        by
    };
    Some(fields::beside(first, last, by))
}

/// Whether a change is in the world, as far as anyone knows.
#[must_use]
pub fn stands(diff: &Diff) -> bool {
    matches!(
        diff.effect,
        Effect::Committed | Effect::Pending | Effect::Unknown
    )
}
