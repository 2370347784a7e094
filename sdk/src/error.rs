//! What can go wrong for the program that records: little, on purpose.

use std::time::Duration;

use vocabulary::id::ActionId;

/// The begin of an action could not be made safe, so the action must not run.
///
/// The only error that recording adds to a program. The record may still reach
/// the collector later; an end `not_executed` follows it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("action {action} refused: {why}")]
pub struct Refused {
    /// The action that did not run.
    pub action: ActionId,
    /// Why.
    pub why: RefusedWhy,
}

/// Why an action was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedWhy {
    /// No receipt within `strict_wait`.
    #[error("no receipt from {endpoint} within {waited:?} ({last})")]
    NoReceipt {
        /// Where the receipt should have come from.
        endpoint: String,
        /// How long it was waited for.
        waited: Duration,
        /// What the last attempt to deliver ended with.
        last: String,
    },
    /// The collector will never take this record.
    #[error("the collector refused the record: {0}")]
    ByCollector(String),
    /// The spool has no room and the collector takes nothing.
    #[error("the spool {0} is full")]
    SpoolFull(String),
    /// The recorder was closed.
    #[error("the recorder is closed")]
    Closed,
}

/// A recorder could not be set up. Its message says what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// A setting has a value that cannot be used.
    #[error("{name}={value:?}: {why}")]
    Setting {
        /// The environment variable or builder method.
        name: &'static str,
        /// What it was set to.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// The spool's folder or its first file cannot be made.
    #[error(
        "cannot write the spool in {folder}: {source}; set RECOUNT_SPOOL to a folder that can be written"
    )]
    Spool {
        /// The folder.
        folder: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The redaction policy cannot be used.
    #[error("the redaction policy: {0}")]
    Redaction(#[from] crate::redaction::PolicyError),
    /// A thread of the recorder cannot be started.
    #[error("cannot start the recorder's thread: {0}")]
    Thread(std::io::Error),
}
