//! The chain of epoch seals: consecutive, each signed by the key that the one before named, over the tree before it.
//!
//! The chain starts at the identity key, which stays in use. Whoever holds it could begin another chain, so the
//! chain shows more than the checkpoint does only to someone who knows how it began: from the words that `init`
//! printed ([`crate::fingerprint`]), or from a checkpoint that was kept elsewhere.
#![forbid(unsafe_code)]

use super::finding::Findings;
use super::report::PropertyState;
use super::{Finding, FindingKind, Place};
use crate::leaf::{ControlBody, ControlLeaf, LedgerId, TreeHead, epoch_message};
use crate::note::{Note, NoteError, VerifierKey};

/// Name of the key that signs a ledger's checkpoints in each epoch.
#[must_use]
pub fn epoch_key_name(origin: &str) -> String {
    format!("{origin}/epoch")
}

/// The last seal of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealing {
    /// Number of the epoch that it ended, from 0.
    pub epoch: u64,
    /// Ledger index of its leaf.
    pub index: u64,
    /// When it was written: Unix nanoseconds.
    pub unix_ns: u64,
    /// The key that signs from then on.
    pub next_key: [u8; 32],
}

/// Whether the checkpoint carries the signature of the epoch that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpochLine {
    /// It does.
    Signed,
    /// No seal lies under the checkpoint, so none is due.
    NotDue,
    /// It does not, or falsely.
    Wrong,
    /// There is no checkpoint.
    NoCheckpoint,
}

/// A chain of epoch keys that was followed from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epochs {
    /// How many seals there are.
    pub seals: u64,
    /// The first seal.
    pub first: Option<Sealing>,
    /// The newest seal.
    pub last: Option<Sealing>,
    /// Longest time between two neighbouring seals, in nanoseconds: longer than an epoch means that nothing ran.
    pub longest_ns: u64,
    /// Seals whose tree was recomputed.
    pub recomputed: u64,
    /// The epoch's line on the checkpoint.
    pub line: EpochLine,
    /// Whether the start of the chain is known from elsewhere.
    pub pinned: bool,
}

impl Epochs {
    /// State and words for a report; a finding overrules both.
    #[must_use]
    pub(super) fn describe(&self) -> (PropertyState, String) {
        let Some(last) = self.last else {
            let what =
                "the ledger has no epoch seals: whoever holds its key could write all of it anew";
            return (PropertyState::NotShown, what.to_owned());
        };
        let longest = self.longest_ns / 1_000_000_000;
        let mut what = format!(
            "{} of {} seals follow from the first, each by its own key and over its own tree; sealed up to leaf {}; longest time between two {longest} s",
            self.recomputed, self.seals, last.index
        );
        if !self.pinned {
            what.push_str(
                "; its beginning is not pinned: name the words that init printed with --key",
            );
            return (PropertyState::NotShown, what);
        }
        (PropertyState::Shown, what)
    }
}

/// Follows a chain, seal by seal in the order of the ledger log.
#[derive(Debug)]
pub struct Chain {
    ledger: LedgerId,
    /// The key that must sign the next seal; `None` after a seal that cannot be followed.
    key: Option<VerifierKey>,
    origin: String,
    /// Every seal that is part of the chain.
    seals: Vec<Sealing>,
    longest_ns: u64,
    recomputed: u64,
    findings: Findings,
}

impl Chain {
    /// A chain that begins with the identity key of a ledger.
    #[must_use]
    pub fn new(ledger: LedgerId, identity: &VerifierKey) -> Self {
        Self {
            ledger,
            key: Some(identity.clone()),
            origin: identity.name().to_owned(),
            seals: Vec::new(),
            longest_ns: 0,
            recomputed: 0,
            findings: Findings::default(),
        }
    }

    /// Follows one leaf, if it is a seal; `before` is the ledger log before it, recomputed, or `None` where it is
    /// not known.
    pub fn leaf(&mut self, leaf: &ControlLeaf, before: impl FnOnce() -> Option<TreeHead>) {
        let ControlBody::EpochSeal {
            epoch,
            head,
            next_key,
            view_root: _,
            signature,
        } = &leaf.body
        else {
            return;
        };
        let place = Place::Control {
            from: leaf.index,
            to: leaf.index + 1,
        };
        let mut wrong = |what: String| self.findings.add(FindingKind::Epoch, place, what);
        let due = self.seals.len() as u64;
        if *epoch != due {
            wrong(format!(
                "the seal ends epoch {epoch}, the one that ends epoch {due} is missing or out of order"
            ));
        }
        match before() {
            Some(before) if before == *head => self.recomputed += 1,
            Some(_) => wrong(format!(
                "the seal of epoch {epoch} is over another tree than the leaves before it give"
            )),
            None if head.size == leaf.index => {}
            None => wrong(format!(
                "the seal of epoch {epoch} is over {} leaves and lies at {}",
                head.size, leaf.index
            )),
        }
        let message = epoch_message(&self.ledger, leaf).ok().flatten();
        let signed = self
            .key
            .as_ref()
            .zip(message)
            .is_some_and(|(key, message)| key.verifies(&message, signature));
        if !signed {
            wrong(format!(
                "the seal of epoch {epoch} is not signed by that epoch's key"
            ));
        }
        if let Some(last) = self.seals.last() {
            if leaf.unix_ns < last.unix_ns {
                wrong(format!(
                    "the seal of epoch {epoch} is older than the one before it"
                ));
            }
            let since = leaf.unix_ns.saturating_sub(last.unix_ns);
            self.longest_ns = self.longest_ns.max(since);
        }
        self.key = VerifierKey::new(&epoch_key_name(&self.origin), next_key).ok();
        if self.key.is_none() {
            let what = format!("the seal of epoch {epoch} names a key that is none");
            self.findings.add(FindingKind::Epoch, place, what);
        }
        self.seals.push(Sealing {
            epoch: *epoch,
            index: leaf.index,
            unix_ns: leaf.unix_ns,
            next_key: *next_key,
        });
    }

    /// Compares the chain with the checkpoint, a note over `signed` leaves; gives what it shows and what is wrong.
    #[must_use]
    pub fn finish(
        mut self,
        note: Option<&[u8]>,
        signed: Option<TreeHead>,
        pinned: bool,
    ) -> (Epochs, Vec<Finding>) {
        let line = self.line(note, signed);
        let epochs = Epochs {
            seals: self.seals.len() as u64,
            first: self.seals.first().copied(),
            last: self.seals.last().copied(),
            longest_ns: self.longest_ns,
            recomputed: self.recomputed,
            line,
            pinned,
        };
        (epochs, self.findings.into_vec())
    }

    /// The checkpoint must be signed by the key that the newest seal under it names.
    fn line(&mut self, note: Option<&[u8]>, signed: Option<TreeHead>) -> EpochLine {
        let (Some(note), Some(signed)) = (note, signed) else {
            return EpochLine::NoCheckpoint;
        };
        let under = self.seals.iter().rev().find(|it| it.index < signed.size);
        let Some(under) = under else {
            return EpochLine::NotDue;
        };
        let epoch = under.epoch.saturating_add(1);
        let key = VerifierKey::new(&epoch_key_name(&self.origin), &under.next_key);
        let verified = key.and_then(|key| Note::parse(note)?.verify(&key));
        let what = match verified {
            Ok(()) => return EpochLine::Signed,
            Err(NoteError::Unsigned { .. }) => {
                format!("the checkpoint lacks the signature of epoch {epoch}, to which it belongs")
            }
            Err(error) => format!("the checkpoint's signature of epoch {epoch}: {error}"),
        };
        self.findings.add(FindingKind::Epoch, Place::Ledger, what);
        EpochLine::Wrong
    }
}
