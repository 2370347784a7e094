//! What can go wrong, and for each: what is said, what to do next, and the exit code.

use std::fmt;
use std::io;
use std::path::Path;

use account::AccountError;
use ledger::bundle::BundleError;
use ledger::reader::ReadError;
use ledger::store::StoreError;

use crate::app::Candidate;

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
    /// A filter that cannot be read.
    #[error("{wrong}")]
    Filter {
        /// The filter, as it was given.
        text: String,
        /// What is wrong where.
        wrong: account::filter::Malformed,
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
    #[error("{query:?} matches {} things: {}", matches.len(), some(matches))]
    Ambiguous {
        /// What was asked for.
        query: String,
        /// What matched.
        matches: Vec<String>,
    },
    /// A name leads to several requests; a guess could answer about the wrong one.
    #[error("{query:?} matches {} things", candidates.len())]
    Which {
        /// What was asked for.
        query: String,
        /// What it could mean.
        candidates: Vec<Candidate>,
    },
    /// Too few characters to look for.
    #[error("{what}")]
    TooShort {
        /// What was asked for.
        query: String,
        /// What is asked of a query.
        what: String,
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
    #[error("{}", placed(place, what))]
    NotIntact {
        /// The store or door.
        place: String,
        /// What does not hold.
        what: String,
        /// The next step.
        hint: String,
    },
    /// What was asked for is there, and no signature covers it.
    #[error("{what}")]
    NotCovered {
        /// What lacks a signature.
        what: String,
    },
    /// The system does not let this user read.
    #[error("{}", placed(place, what))]
    NotAllowed {
        /// The store or door.
        place: String,
        /// What was refused.
        what: String,
        /// The next step.
        hint: String,
    },
    /// The store is missing, locked or newer, or the collector does not answer.
    #[error("{}", placed(place, what))]
    Unavailable {
        /// The store or door.
        place: String,
        /// What is missing.
        what: String,
        /// The next step.
        hint: String,
    },
    /// Nothing of that name changed.
    #[error("no change of {query} touches {wanted:?}")]
    NoChange {
        /// What was asked for.
        query: String,
        /// The path or record that no change is about.
        wanted: String,
        /// What did change and looks like it.
        near: Vec<String>,
    },
    /// Output could not be written.
    #[error("cannot write the output: {0}")]
    Output(io::Error),
    /// The terminal refused.
    #[error("the terminal cannot be used: {0}")]
    Terminal(io::Error),
}

/// What is asked for where every request is looked through.
pub(crate) const ANY: &str = "any request";

/// So many names are listed; the rest is counted.
const LISTED: usize = 8;

/// The first of many names.
fn some(names: &[String]) -> String {
    match names.len().checked_sub(LISTED) {
        Some(more @ 1..) => format!("{} and {more} more", names[..LISTED].join(", ")),
        _ => names.join(", "),
    }
}

/// A message with the place it is about, unless it names it already.
fn placed(place: &str, what: &str) -> String {
    if what.contains(place) {
        what.to_owned()
    } else {
        format!("{place}: {what}")
    }
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
            Failure::Filter { wrong, .. } => Some(wrong.hint.clone()),
            Failure::NoMatch { near, .. } if near.is_empty() => {
                Some("recount log lists every session".to_owned())
            }
            Failure::NoMatch { near, .. } => Some(format!("did you mean {}?", near.join(", "))),
            Failure::Ambiguous { matches, .. } => matches
                .first()
                .map(|first| format!("name one of them in full, such as: recount show {first}")),
            Failure::Which { candidates, .. } => candidates
                .first()
                .map(|first| format!("name one of them: recount show {}", first.query)),
            Failure::TooShort { query, .. } => Some(format!(
                "recount log lists every session; {query:?} names none"
            )),
            Failure::NoRecord { query, .. } => {
                Some(format!("recount log {query} lists its records"))
            }
            Failure::NoChange { query, near, .. } if query == ANY => Some(match near.is_empty() {
                true => "recount diff REQUEST --stat lists what a request changed".to_owned(),
                false => format!("did you mean {}?", near.join(", ")),
            }),
            Failure::NoChange { query, near, .. } if near.is_empty() => {
                Some(format!("recount diff {query} --stat lists what changed"))
            }
            Failure::NoChange { query, near, .. } => Some(format!(
                "did you mean {}? recount diff {query} --stat lists what changed",
                near.join(", ")
            )),
            Failure::NotCovered { .. } => Some(
                "a collector signs every few seconds: ask again, or recount-collector checkpoint"
                    .to_owned(),
            ),
            Failure::Terminal(_) => Some("use --plain, or -o json".to_owned()),
        }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Failure::CommandLine(error) if !error.use_stderr() => Exit::Answered,
            Failure::CommandLine(_)
            | Failure::Usage { .. }
            | Failure::Filter { .. }
            | Failure::Ambiguous { .. }
            | Failure::Which { .. }
            | Failure::TooShort { .. }
            | Failure::Terminal(_) => Exit::Usage,
            Failure::NoMatch { .. } | Failure::NoRecord { .. } | Failure::NoChange { .. } => {
                Exit::NoMatch
            }
            Failure::NotIntact { .. } => Exit::NotIntact,
            Failure::NotCovered { .. } => Exit::Incomplete,
            Failure::NotAllowed { .. } => Exit::NotAllowed,
            Failure::Unavailable { .. } | Failure::Output(_) => Exit::Unavailable,
        }
    }
}

/// A store that could not be opened.
pub(crate) fn of_store(folder: &Path, error: &StoreError) -> Failure {
    let place = folder.display().to_string();
    let what = error.to_string();
    match error {
        StoreError::Missing { .. } => Failure::Unavailable {
            place,
            what,
            hint: "recount-collector serve --init starts one; --store or --collector names another"
                .to_owned(),
        },
        StoreError::Denied { path } => Failure::NotAllowed {
            place,
            what,
            hint: not_allowed(path),
        },
        StoreError::Locked { .. } => Failure::Unavailable {
            place,
            what,
            hint: "a collector writes there: look through its door with --collector SOCKET"
                .to_owned(),
        },
        StoreError::Newer { .. } => Failure::Unavailable {
            place,
            what,
            hint: "use a recount as new as the collector".to_owned(),
        },
        StoreError::Foreign { .. } => Failure::NotIntact {
            place,
            what,
            hint: "name the ledger's own folder with --store DIR".to_owned(),
        },
        StoreError::Damaged { .. } | StoreError::Behind { .. } => Failure::NotIntact {
            place,
            what,
            hint: "nothing was changed: keep the folder as it is, and compare it with a backup"
                .to_owned(),
        },
        _ => Failure::Unavailable {
            place,
            what,
            hint: "recount doctor says more".to_owned(),
        },
    }
}

/// A file that could not be read.
pub(crate) fn of_file(file: &Path, error: &io::Error) -> Failure {
    let place = file.display().to_string();
    let what = error.to_string();
    match error.kind() {
        io::ErrorKind::PermissionDenied => Failure::NotAllowed {
            place,
            what,
            hint: not_allowed(file),
        },
        _ => Failure::Unavailable {
            place,
            what,
            hint: "name a file that is there".to_owned(),
        },
    }
}

/// A file that is no bundle, or is one no more.
pub(crate) fn of_bundle(place: &str, error: &BundleError) -> Failure {
    let place = place.to_owned();
    let what = format!("{place}: {error}");
    match error {
        BundleError::NotABundle { .. } => Failure::Usage {
            what,
            hint: "recount export QUERY -f bundle makes one; a bundle has one encoding, and a byte that differs makes it none".to_owned(),
        },
        BundleError::Damaged { .. } => Failure::NotIntact {
            place,
            what,
            hint: "ask for the file again, or compare its SHA-256 with the sender's".to_owned(),
        },
    }
}

/// Who may read a file, as far as the file itself says.
fn not_allowed(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    let owner = std::fs::metadata(path)
        .ok()
        .map(|meta| (meta.uid(), meta.gid()));
    let owner = owner
        .map(|(user, group)| format!("it belongs to user {user}, group {group}; "))
        .unwrap_or_default();
    format!("{owner}join the group that owns the store (recount), or use --collector SOCKET")
}

/// A store or door that could not be read.
pub(crate) fn of_read(error: &ReadError) -> Failure {
    let what = error.to_string();
    match error {
        ReadError::Missing { place } => Failure::Unavailable {
            place: place.clone(),
            what,
            hint: "recount-collector serve --init starts one; --store or --collector names another".to_owned(),
        },
        ReadError::NotAllowed { place, .. } => Failure::NotAllowed {
            place: place.clone(),
            what,
            hint: "join the group that owns it (recount); a door on TCP takes its token from RECOUNT_TOKEN".to_owned(),
        },
        ReadError::Unavailable { place, .. } => Failure::Unavailable {
            place: place.clone(),
            what,
            hint: "start the collector, or name the ledger's folder with --store DIR".to_owned(),
        },
        ReadError::Newer { place, .. } => Failure::Unavailable {
            place: place.clone(),
            what,
            hint: "use a recount as new as the collector".to_owned(),
        },
        ReadError::Foreign { place, .. } => Failure::NotIntact {
            place: place.clone(),
            what,
            hint: "name the ledger's own folder with --store DIR".to_owned(),
        },
        ReadError::Damaged { place, .. } => Failure::NotIntact {
            place: place.clone(),
            what,
            hint: "nothing was changed: keep it as it is, and compare it with a backup".to_owned(),
        },
    }
}

/// A query that has no account.
pub(crate) fn of_account(place: &str, query: &str, error: AccountError) -> Failure {
    match error {
        AccountError::Read(error) => of_read(&error),
        AccountError::NotFound { query, near, .. } => Failure::NoMatch {
            query,
            place: place.to_owned(),
            near,
        },
        AccountError::Ambiguous { query, meanings } => Failure::Which {
            query,
            candidates: meanings
                .into_iter()
                .map(|meaning| Candidate::of(meaning.kind.as_str(), &meaning.name))
                .collect(),
        },
        damaged @ AccountError::Damaged { .. } => Failure::NotIntact {
            place: place.to_owned(),
            what: damaged.to_string(),
            hint: "recount verify --all says which records are concerned".to_owned(),
        },
        short @ AccountError::TooShort { .. } => Failure::TooShort {
            query: query.to_owned(),
            what: short.to_string(),
        },
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
        if let Failure::Filter { text, wrong } = self.0 {
            let shown = crate::app::line::shown(text);
            write!(f, "\n  {shown}\n  {}", wrong.caret(text))?;
        }
        if let Failure::Which { candidates, .. } = self.0 {
            for it in candidates {
                write!(f, "\n  {}", crate::app::line::shown(&it.told()))?;
            }
        }
        if let Some(hint) = self.0.hint() {
            write!(f, "\nhint: {}", crate::app::line::shown(&hint))?;
        }
        Ok(())
    }
}
