//! Which key is believed: the pinned one, the one that words lead to, or the one that the genesis leaf names.
#![forbid(unsafe_code)]

use super::finding::Findings;
use super::{FindingKind, KeyState, Place};
use crate::fingerprint::Fingerprint;
use crate::leaf::{ControlBody, ControlLeaf};
use crate::note::VerifierKey;
use crate::reader::{ReadError, Reader};

/// Which key is believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// This one: known from before, or named by the person who asks.
    Pinned(VerifierKey),
    /// The one that leads to this fingerprint, together with the start of the epoch chain.
    Words(Fingerprint),
    /// Whichever the ledger names in its genesis leaf.
    FirstSeen,
}

pub(super) fn genesis(
    reader: &dyn Reader,
    findings: &mut Findings,
) -> Result<Option<VerifierKey>, ReadError> {
    let stored = reader.control(0, 1)?;
    let Some(stored) = stored.first() else {
        return Ok(None);
    };
    let Ok(ControlLeaf {
        body: ControlBody::Genesis {
            identity, origin, ..
        },
        ..
    }) = ControlLeaf::decode(&stored.leaf)
    else {
        return Ok(None);
    };
    match VerifierKey::new(&origin, &identity) {
        Ok(key) => Ok(Some(key)),
        Err(error) => {
            findings.add(
                FindingKind::Control,
                Place::Control { from: 0, to: 1 },
                format!("genesis: {error}"),
            );
            Ok(None)
        }
    }
}

pub(super) fn choose_key(
    trusted: &Trusted,
    genesis: Option<&VerifierKey>,
    findings: &mut Findings,
) -> (Option<VerifierKey>, KeyState) {
    match (trusted, genesis) {
        (Trusted::Pinned(pinned), Some(shown)) if pinned != shown => {
            let what = format!("the ledger's key is {shown}, the pinned key is {pinned}");
            findings.add(FindingKind::KeyChanged, Place::Ledger, what);
            (Some(pinned.clone()), KeyState::Pinned)
        }
        (Trusted::Pinned(pinned), _) => (Some(pinned.clone()), KeyState::Pinned),
        // Compared with the fingerprint once genesis and the first seal are proven.
        (Trusted::FirstSeen | Trusted::Words(_), Some(shown)) => {
            (Some(shown.clone()), KeyState::FirstSeen)
        }
        (Trusted::FirstSeen | Trusted::Words(_), None) => {
            findings.add(
                FindingKind::KeyChanged,
                Place::Ledger,
                "the ledger names no key",
            );
            (None, KeyState::FirstSeen)
        }
    }
}
