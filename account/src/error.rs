//! Why there is no account.

use crate::model::QueryKind;
use ledger::reader::ReadError;

/// What a query could mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// What kind of name it is then.
    pub kind: QueryKind,
    /// The whole name.
    pub name: String,
}

/// Why there is no account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The store cannot be read at all.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// No sealed binding names the request, and no session, trace or stream is called so.
    #[error("nothing matches `{query}` in {place}")]
    NotFound {
        /// The query as typed.
        query: String,
        /// Which store was looked at.
        place: String,
        /// Requests whose names are near.
        near: Vec<String>,
    },
    /// Nothing verified matches, and the ledger does not verify: what is damaged may be what was asked for.
    #[error("nothing that verifies matches `{query}` in {place}, which is not intact: {}", .what.join("; "))]
    Damaged {
        /// The query as typed.
        query: String,
        /// Which store was looked at.
        place: String,
        /// What is wrong with it.
        what: Vec<String>,
    },
    /// Several things are called so.
    #[error("`{query}` could be {}", list(.meanings))]
    Ambiguous {
        /// The query as typed.
        query: String,
        /// What it could mean.
        meanings: Vec<Meaning>,
    },
    /// The query names nothing.
    #[error(
        "a query is a request id, or at least {} characters of a session, trace or stream: `{query}`",
        crate::resolve::PREFIX
    )]
    TooShort {
        /// The query as typed.
        query: String,
    },
}

fn list(meanings: &[Meaning]) -> String {
    let words: Vec<String> = meanings
        .iter()
        .map(|meaning| format!("{} {}", meaning.kind, meaning.name))
        .collect();
    words.join(" or ")
}
