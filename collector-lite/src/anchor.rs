//! Anchors: places outside this machine that hold checkpoints, so that nobody here can rewrite what lies below.
//!
//! Each kind is one file with one [`Anchor`]: [`file`], [`git`], [`object`] (S3 with Object Lock), [`timestamp`]
//! (RFC 3161) and [`witness`]. [`lane`] asks them at their pace, off the path of recording; [`board`] remembers how each
//! stands; what they answer becomes leaves.

pub(crate) mod board;
mod file;
mod git;
pub(crate) mod lane;
mod object;
mod sigv4;
pub(crate) mod spec;
mod timestamp;
pub(crate) mod told;
mod web;
mod witness;

use std::path::Path;

use ledger::checkpoint::Checkpoint;
use ledger::leaf::TreeHead;
use ledger::note::VerifierKey;
use ledger::reader::Reader;
use ledger::tree::verify_consistency;
use ledger::verify::consistency_proof;
use sha2::{Digest, Sha256};

use spec::{Place, Spec};

/// A checkpoint on its way to an anchor.
pub(crate) struct Submission<'a> {
    /// The signed note, exact.
    pub(crate) note: &'a [u8],
    /// What it says.
    pub(crate) checkpoint: &'a Checkpoint,
    /// The key that signed it.
    pub(crate) key: &'a VerifierKey,
    /// The ledger, for proofs.
    pub(crate) reader: &'a dyn Reader,
    /// What this anchor took last.
    pub(crate) before: Option<&'a Taken>,
    /// The wall clock: Unix nanoseconds.
    pub(crate) now_ns: u64,
}

/// What an anchor took, and what it gave for it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Taken {
    /// Size of the checkpoint.
    pub(crate) size: u64,
    /// When: Unix nanoseconds by this machine's clock.
    pub(crate) at_ns: u64,
    /// A short name of the receipt, such as a commit or an offset.
    pub(crate) handle: String,
}

/// What an anchor gives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// The receipt that goes into the ledger.
    pub(crate) receipt: Vec<u8>,
    /// Its short name.
    pub(crate) handle: String,
    /// A value that could not be known earlier.
    pub(crate) beacon: Option<Vec<u8>>,
    /// The signature lines of a witness.
    pub(crate) cosignature: Option<String>,
    /// What a person should know although it worked: something was taken away and put back.
    pub(crate) remark: Option<String>,
}

/// Why an anchor did not take a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failed {
    /// It does not answer now.
    #[error("{0}")]
    Later(String),
    /// It answers, and not as it should: a person has to look. Asked again at its pace.
    #[error("{0}")]
    Wrong(String),
    /// It holds another history of this ledger.
    #[error("{what}")]
    Conflict {
        /// In words, with the other checkpoint where there is one.
        what: String,
        /// SHA-256 of what it holds.
        theirs: [u8; 32],
    },
}

impl Failed {
    pub(crate) fn later(what: impl std::fmt::Display) -> Self {
        Self::Later(what.to_string())
    }

    pub(crate) fn wrong(what: impl std::fmt::Display) -> Self {
        Self::Wrong(what.to_string())
    }
}

/// Somebody or something that holds checkpoints. Blocking; each is asked by one thread at a time.
pub(crate) trait Anchor: Send {
    /// Hands over a checkpoint.
    ///
    /// # Errors
    /// Those of [`Failed`].
    fn submit(&mut self, submission: &Submission<'_>) -> Result<Given, Failed>;
}

/// The anchor that a specification describes. `store` is the ledger's folder, where an anchor may keep what it needs.
pub(crate) fn build(spec: &Spec, store: &Path) -> Box<dyn Anchor> {
    let timeout = std::time::Duration::from_secs(spec.timeout_s);
    match &spec.place {
        Place::File { path } => Box::new(file::File::new(path)),
        Place::Git { remote, branch } => {
            let holder = spec.holder();
            Box::new(git::Git::new(store, &holder, remote, branch, timeout))
        }
        Place::S3(bucket) => Box::new(object::Object::new(bucket.clone(), timeout)),
        Place::Rfc3161 { url, ca } => {
            Box::new(timestamp::Timestamp::new(url, ca.as_deref(), timeout))
        }
        Place::Witness { url, vkey, ca } => {
            Box::new(witness::Client::new(url, vkey, ca.as_deref(), timeout))
        }
    }
}

/// Compares a note that an anchor holds with the ledger. `Ok`: it is an earlier checkpoint of this very history.
///
/// # Errors
/// [`Failed::Conflict`] if this ledger's own key signed something else, which nobody but its holder can do;
/// [`Failed::Wrong`] if it is not a checkpoint by that key at all, which anybody can put there.
pub(crate) fn compare(submission: &Submission<'_>, theirs: &[u8]) -> Result<TreeHead, Failed> {
    let now = submission.checkpoint.head;
    let held = Checkpoint::open(theirs, submission.key)
        .map_err(|error| {
            Failed::Wrong(format!(
                "what is there is no checkpoint of this ledger: {error}"
            ))
        })?
        .head;
    let why = if held.size > now.size {
        format!(
            "it holds a checkpoint of {} leaves, and this ledger has {}",
            held.size, now.size
        )
    } else {
        let proof =
            consistency_proof(submission.reader, held.size, now.size).map_err(Failed::later)?;
        match verify_consistency(held.size, &held.root, now.size, &now.root, &proof) {
            Ok(()) => return Ok(held),
            Err(error) => format!(
                "it holds a checkpoint of {} leaves that this ledger does not extend: {error}",
                held.size
            ),
        }
    };
    Err(Failed::Conflict {
        what: format!("{why}\n{}", String::from_utf8_lossy(theirs)),
        theirs: Sha256::digest(theirs).into(),
    })
}
