//! What one answer proved, kept for the next question to the same place.
//!
//! Listing sessions asks for many accounts, and most of what a verifier reads for one of them (checkpoint, genesis,
//! tiles, the newest leaves of the ledger log) is what it reads for all of them.
#![forbid(unsafe_code)]

use super::VerifiedLedger;
use super::later::Later;
use super::ledger::Verifier;
use super::nodes::{Hashes, Nodes};
use super::remarks::Heard;
use super::trust::Trusted;
use crate::reader::{ReadError, Reader, State};

/// What a [`Verifier`] proved. Good only for the reader that it came from.
#[derive(Debug)]
pub struct Kept {
    trusted: Trusted,
    state: State,
    ledger: VerifiedLedger,
    hashes: Hashes,
    later: Option<Later>,
    heard: Option<Heard>,
    signed_ns: Option<u64>,
}

impl<'r> Verifier<'r> {
    /// What was proved so far. `None` after a [`Verifier::scan`], which finds more wrong than another answer, made by
    /// itself, would.
    #[must_use]
    pub fn keep(self, trusted: &Trusted) -> Option<Kept> {
        if self.scan.is_some() {
            return None;
        }
        Some(Kept {
            trusted: trusted.clone(),
            state: self.state,
            ledger: self.ledger,
            hashes: self.nodes.hashes,
            later: self.later,
            heard: self.heard,
            signed_ns: self.signed_ns,
        })
    }

    /// Goes on from what was proved, if nothing was signed or appended since and the same key is believed; else opens
    /// anew.
    ///
    /// # Errors
    /// As [`Verifier::open`].
    pub fn resume(
        reader: &'r dyn Reader,
        trusted: &Trusted,
        kept: Option<Kept>,
    ) -> Result<Self, ReadError> {
        let Some(kept) = kept.filter(|kept| kept.trusted == *trusted) else {
            return Self::open(reader, trusted);
        };
        let same =
            reader.state()? == kept.state && reader.checkpoint()? == kept.ledger.checkpoint_note;
        if !same {
            return Self::open(reader, trusted);
        }
        let mut nodes = Nodes::new(reader, kept.state.size);
        nodes.hashes = kept.hashes;
        Ok(Self {
            reader,
            nodes,
            state: kept.state,
            ledger: kept.ledger,
            scan: None,
            later: kept.later,
            heard: kept.heard,
            signed_ns: kept.signed_ns,
        })
    }
}
