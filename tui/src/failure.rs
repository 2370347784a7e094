//! What can go wrong, and for each: what is said, what to do next, and the exit code.

use std::fmt;
use std::io;

/// The exit codes; they are an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Answered and intact.
    Answered = 0,
    /// Nothing matched.
    NoMatch = 1,
    /// Usage or malformed input.
    Usage = 2,
    /// The record is not intact.
    NotIntact = 3,
    /// Not allowed.
    NotAllowed = 4,
    /// Store or collector unavailable.
    Unavailable = 5,
    /// Integrity incomplete or unchecked.
    Incomplete = 6,
    /// Verification policy not met.
    PolicyNotMet = 7,
    /// Interrupted.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        std::process::ExitCode::from(exit as u8)
    }
}

/// A failure: the value that failed, never just that something did.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The command line parser's own message, already worded.
    #[error("{0}")]
    CommandLine(clap::Error),
    /// Arguments that do not fit together or do not parse.
    #[error("{what}")]
    Usage {
        /// What is wrong, with the value.
        what: String,
        /// The next step.
        hint: String,
    },
    /// No record names what was asked for.
    #[error("no request, session or trace matches {query:?} in {place}")]
    NoMatch {
        /// What was asked for.
        query: String,
        /// The store or door that was searched.
        place: String,
        /// Ids that look alike.
        near: Vec<String>,
    },
    /// Several things match; a guess could answer about the wrong one.
    #[error("{query:?} matches {} things: {}", matches.len(), matches.join(", "))]
    Ambiguous {
        /// What was asked for.
        query: String,
        /// What matched.
        matches: Vec<String>,
    },
    /// The account exists but has no such record.
    #[error("{query} has no record {wanted}")]
    NoRecord {
        /// What was asked for.
        query: String,
        /// The record that is not there.
        wanted: String,
    },
    /// The store is damaged, foreign, or was signed by another key.
    #[error("{place}: {what}")]
    NotIntact {
        /// The store or door.
        place: String,
        /// What does not hold.
        what: String,
        /// The next step.
        hint: String,
    },
    /// The system does not let this user read.
    #[error("{place}: {what}")]
    NotAllowed {
        /// The store or door.
        place: String,
        /// What was refused.
        what: String,
        /// The next step.
        hint: String,
    },
    /// The store is missing, locked or newer, or the collector does not answer.
    #[error("{place}: {what}")]
    Unavailable {
        /// The store or door.
        place: String,
        /// What is missing.
        what: String,
        /// The next step.
        hint: String,
    },
    /// Output could not be written.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// The terminal refused.
    #[error("the terminal cannot be used: {0}")]
    Terminal(io::Error),
}

impl Failure {
    /// The next step, where there is one.
    pub fn hint(&self) -> Option<String> {
        match self {
            Failure::CommandLine(_) | Failure::Output(_) => None,
            Failure::Usage { hint, .. }
            | Failure::NotIntact { hint, .. }
            | Failure::NotAllowed { hint, .. }
            | Failure::Unavailable { hint, .. } => {
                Some(hint.clone()).filter(|hint| !hint.is_empty())
            }
            Failure::NoMatch { near, .. } if near.is_empty() => {
                Some("recount log lists every session".to_owned())
            }
            Failure::NoMatch { near, .. } => Some(format!("did you mean {}?", near.join(", "))),
            Failure::Ambiguous { matches, .. } => matches
                .first()
                .map(|first| format!("name one of them in full, such as: recount show {first}")),
            Failure::NoRecord { query, .. } => {
                Some(format!("recount log {query} lists its records"))
            }
            Failure::Terminal(_) => Some("use --plain, or -o json".to_owned()),
        }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::CommandLine(error) if !error.use_stderr() => Exit::Answered,
            Failure::CommandLine(_)
            | Failure::Usage { .. }
            | Failure::Ambiguous { .. }
            | Failure::Terminal(_) => Exit::Usage,
            Failure::NoMatch { .. } | Failure::NoRecord { .. } => Exit::NoMatch,
            Failure::NotIntact { .. } => Exit::NotIntact,
            Failure::NotAllowed { .. } => Exit::NotAllowed,
            Failure::Unavailable { .. } | Failure::Output(_) => Exit::Unavailable,
        }
    }

    /// Whether this is a reader of our output that went away (`| head`), which is no error.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// An error as the user reads it: what, then the next step.
#[derive(Debug)]
pub struct Told<'a>(pub &'a Failure);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Failure::CommandLine(error) = self.0 {
            return write!(f, "{}", error.to_string().trim_end());
        }
        write!(f, "error: {}", crate::app::line::shown(&self.0.to_string()))?;
        if let Some(hint) = self.0.hint() {
            write!(f, "\nhint: {}", crate::app::line::shown(&hint))?;
        }
        Ok(())
    }
}
