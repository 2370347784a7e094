//! The verification report: one line per property, each with its own state, and what stays unproven.
//!
//! A [`Report`] is computed from [`Evidence`] alone: no clock, no store, no terminal. A live ledger, one request
//! and an exported bundle are judged by the same code. There is no overall word; [`Report::verdict`] gives the
//! exit code that a script acts on.
#![forbid(unsafe_code)]

use std::fmt;

mod evidence;
mod judge;
mod render;

pub use evidence::{
    AnchorSeen, Answer, Bound, Edge, Evidence, Frame, IndexCheck, KeySeen, Producers, Reach,
    TimeSeen,
};

/// One thing that can be shown about a record of what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Property {
    /// What is there is what was sealed, under the expected key.
    Integrity,
    /// Every stream is there from its first record to its newest signed head, and whether it was closed.
    Completeness,
    /// Which records their producers signed.
    ProducerSignatures,
    /// Whether producers numbered their records and a number is missing.
    ProducerGaps,
    /// Whether each erased payload has a leaf that says who erased it and why.
    Redactions,
    /// The chain of forward-secure epoch keys.
    Epochs,
    /// Cosignatures of independent witnesses.
    Witnesses,
    /// Who outside holds a checkpoint, and the time interval that follows.
    Anchors,
    /// Whether the search index says what the sealed bytes say.
    Index,
}

impl Property {
    /// All, in the order of a report.
    pub const ALL: [Self; 9] = [
        Self::Integrity,
        Self::Completeness,
        Self::ProducerSignatures,
        Self::ProducerGaps,
        Self::Redactions,
        Self::Epochs,
        Self::Witnesses,
        Self::Anchors,
        Self::Index,
    ];

    /// What a policy without `require` lines demands; witnesses join them unless its quorum is `none`.
    pub const DEMANDED: [Self; 4] = [
        Self::Integrity,
        Self::Completeness,
        Self::Redactions,
        Self::Epochs,
    ];

    /// Its name in reports and policies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Integrity => "integrity",
            Self::Completeness => "completeness",
            Self::ProducerSignatures => "producer_signatures",
            Self::ProducerGaps => "producer_gaps",
            Self::Redactions => "redactions",
            Self::Epochs => "epochs",
            Self::Witnesses => "witnesses",
            Self::Anchors => "anchors",
            Self::Index => "index",
        }
    }

    /// The property of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a property stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PropertyState {
    /// It was checked and holds.
    Shown,
    /// It was checked; what is there does not show it, and nothing contradicts it either.
    NotShown,
    /// It was checked and does not hold.
    Failed,
    /// It was not checked; the line says why.
    NotChecked,
}

impl PropertyState {
    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::NotShown => "not_shown",
            Self::Failed => "failed",
            Self::NotChecked => "not_checked",
        }
    }
}

impl fmt::Display for PropertyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One property of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which.
    pub property: Property,
    /// How it stands.
    pub state: PropertyState,
    /// What shows that, in one line.
    pub what: String,
    /// Each finding or reason by itself; text from the ledger, to be escaped before it is shown.
    pub details: Vec<String>,
}

/// What a policy makes of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyOutcome {
    /// What the policy demands and the report does not show; empty when it is met.
    pub unmet: Vec<String>,
}

/// What a caller acts on. As a number, the exit code of the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Verdict {
    /// Everything that was asked for holds.
    Holds = 0,
    /// A property failed.
    Failed = 3,
    /// Nothing failed; integrity or completeness is not shown, or records are known to be missing.
    Incomplete = 6,
    /// Nothing failed; the policy demands more than is shown.
    PolicyUnmet = 7,
}

/// One line per property, and what none of them proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Every property once, in the order of [`Property::ALL`].
    pub lines: Vec<Line>,
    /// Nothing that was checked was sealed before this, as far as it is shown.
    pub not_before: Option<Bound>,
    /// Everything that was checked is at least this old, as far as it is shown.
    pub not_after: Option<Bound>,
    /// What the ledger holds about time, proven or not.
    pub times: Vec<TimeSeen>,
    /// What is not proven, whatever the lines say.
    pub residual: Vec<String>,
    /// What the policy makes of it, where one was given.
    pub policy: Option<PolicyOutcome>,
}

impl Report {
    /// The line of a property.
    #[must_use]
    pub fn line(&self, property: Property) -> Option<&Line> {
        self.lines.iter().find(|line| line.property == property)
    }

    /// The state of a property; what has no line was not checked.
    #[must_use]
    pub fn state(&self, property: Property) -> PropertyState {
        self.line(property)
            .map_or(PropertyState::NotChecked, |line| line.state)
    }

    /// What a caller acts on: the worst of what was found.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        use PropertyState::{Failed, NotShown, Shown};
        let state = |property| self.state(property);
        if self.lines.iter().any(|line| line.state == Failed) {
            Verdict::Failed
        } else if self.policy.as_ref().is_some_and(|it| !it.unmet.is_empty()) {
            Verdict::PolicyUnmet
        } else if state(Property::Integrity) != Shown
            || state(Property::Completeness) == NotShown
            || state(Property::ProducerGaps) == NotShown
        {
            Verdict::Incomplete
        } else {
            Verdict::Holds
        }
    }
}
