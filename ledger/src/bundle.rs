//! Bundles: the evidence for some streams of one ledger in one file, checked offline (`docs/ledger-format.md` §13).
//!
//! A [`Bundle`] is a [`crate::reader::Reader`], so that what checks a ledger's folder checks a bundle too.
#![forbid(unsafe_code)]

mod archive;
mod check;
mod contents;
mod excerpt;
mod export;
mod open;

pub use archive::{pack, unpack};
pub use check::{BundleReport, Verdict, check};
pub use export::{ExportError, Gathered};
pub use open::Bundle;

/// The text of `README.txt`: the same in every bundle.
pub const README: &str = include_str!("bundle/readme.txt");
/// First line of `bundle.txt`.
pub const FORMAT: &str = "recount.bundle/1";
/// Longest query that is kept, in bytes.
pub const MAX_QUERY: usize = 1024;
/// Most streams in a bundle.
pub const MAX_STREAMS: usize = 65_536;

/// Why a file is not taken for a bundle, or is one no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// It is something else: no byte of it is evidence.
    #[error("not a bundle: {what}")]
    NotABundle {
        /// What is not as it has to be, and where.
        what: String,
    },
    /// It was one: the digest of a file is wrong, and the file cannot be read any more.
    #[error("damaged: the digest of {file} is wrong, and {what}")]
    Damaged {
        /// Which file.
        file: String,
        /// What cannot be read.
        what: String,
    },
}

pub(crate) fn not_a_bundle(what: impl Into<String>) -> BundleError {
    BundleError::NotABundle { what: what.into() }
}
