//! The closed sets of words that only an account uses; the others are the vocabulary's.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What kind of name a query turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryKind {
    /// A request id, exactly.
    Request,
    /// A session id, or a prefix that only one session has.
    Session,
    /// A trace id.
    Trace,
    /// A stream of a ledger.
    Stream,
}

/// What standing a stream has in its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The session's own recorder wrote it.
    Own,
    /// It was joined by a link that the collector sealed.
    Linked,
    /// Another producer names the session; what it says is a claim.
    Claims,
}

impl QueryKind {
    /// The word as it is written in JSON and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Session => "session",
            Self::Trace => "trace",
            Self::Stream => "stream",
        }
    }
}

impl Standing {
    /// The word as it is written in JSON and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Linked => "linked",
            Self::Claims => "claims",
        }
    }
}

impl fmt::Display for QueryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
