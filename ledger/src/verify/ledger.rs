//! Opening a ledger for checking: key, checkpoint, genesis, and leaves proven one by one.
#![forbid(unsafe_code)]

use std::fmt;

use super::finding::Findings;
use super::later::Later;
use super::nodes::Nodes;
use super::opened::{check_leaf, check_private, open_private};
use super::remarks::Heard;
use super::scan::Scan;
use super::trust::{Trusted, choose_key, genesis};
use super::{Finding, FindingKind, KeyState, Place, Sealed, VerifiedLedger};
use crate::checkpoint::Checkpoint;
use crate::fingerprint::Fingerprint;
use crate::leaf::{ControlBody, ControlLeaf, Private};
use crate::note::NoteError;
use crate::proof::LeafProof;
use crate::reader::{ReadError, Reader, State, StoredPrivate};
use crate::tree::{self, Hash, hash_leaf};

/// Reads and checks a ledger; keeps what it proved once.
pub struct Verifier<'r> {
    pub(super) reader: &'r dyn Reader,
    pub(super) nodes: Nodes<'r>,
    pub(super) state: State,
    pub(super) ledger: VerifiedLedger,
    pub(super) scan: Option<Scan>,
    pub(super) later: Option<Later>,
    pub(super) heard: Option<Heard>,
    /// When the newest signed leaf was written, once that is proven.
    pub(super) signed_ns: Option<u64>,
}

impl fmt::Debug for Verifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

/// A control leaf that is what and where it says.
pub(super) struct Proven {
    pub(super) leaf: ControlLeaf,
    pub(super) private: Option<StoredPrivate>,
    pub(super) signed: bool,
}

impl<'r> Verifier<'r> {
    /// Checks checkpoint, key, genesis and what was acknowledged.
    ///
    /// # Errors
    /// Only what keeps the store from being read at all; everything else is a finding.
    pub fn open(reader: &'r dyn Reader, trusted: &Trusted) -> Result<Self, ReadError> {
        let note = reader.checkpoint()?;
        let state = reader.state()?;
        let mut findings = Findings::default();
        let genesis = genesis(reader, &mut findings)?;
        let (key, key_state) = choose_key(trusted, genesis.as_ref(), &mut findings);
        let ledger = VerifiedLedger {
            ledger: None,
            key,
            key_state,
            checkpoint: None,
            checkpoint_note: note,
            size: state.size,
            epochs_pinned: false,
            findings: Vec::new(),
        };
        let nodes = Nodes::new(reader, state.size);
        let mut this = Self {
            reader,
            nodes,
            state,
            ledger,
            scan: None,
            later: None,
            heard: None,
            signed_ns: None,
        };
        this.check_checkpoint(&mut findings);
        this.check_genesis(&mut findings);
        this.check_acked(&mut findings);
        if let Trusted::Words(words) = trusted {
            this.check_fingerprint(words, &mut findings);
        }
        this.ledger.findings = findings.into_vec();
        Ok(this)
    }

    /// What was found out about the ledger so far.
    #[must_use]
    pub fn ledger(&self) -> &VerifiedLedger {
        &self.ledger
    }

    /// Checks that this ledger still extends a checkpoint that was kept elsewhere. Returns what is wrong.
    pub fn known_checkpoint(&mut self, note: &[u8]) -> Vec<Finding> {
        let mut findings = Findings::default();
        self.compare_known(note, &mut findings);
        findings.into_vec()
    }

    /// The proof that leaf `index` of the ledger log is included under the signed checkpoint, for others to
    /// check; `None` if the checkpoint does not cover it.
    ///
    /// # Errors
    /// As the store fails.
    pub fn leaf_proof(&mut self, index: u64) -> Result<Option<LeafProof>, ReadError> {
        let (Some(head), Some(note)) = (self.ledger.checkpoint, &self.ledger.checkpoint_note)
        else {
            return Ok(None);
        };
        if index >= head.size {
            return Ok(None);
        }
        let checkpoint = note.clone();
        let hashes = tree::inclusion(&mut self.nodes, index, head.size)?;
        Ok(Some(LeafProof {
            extra: None,
            index,
            hashes,
            checkpoint,
        }))
    }

    /// The root over the first `size` leaves of the ledger log, as the stored hashes give it: a proof is checked
    /// against a signed one.
    ///
    /// # Errors
    /// As the store fails; hashes that an excerpt does not have.
    pub fn root_of(&mut self, size: u64) -> Result<Hash, ReadError> {
        tree::root_of(&mut self.nodes, size)
    }

    fn compare_known(&mut self, note: &[u8], findings: &mut Findings) {
        let Some(key) = self.ledger.key.clone() else {
            findings.add(
                FindingKind::Checkpoint,
                Place::Ledger,
                "no key to check the known checkpoint with",
            );
            return;
        };
        let known = match Checkpoint::open(note, &key) {
            Ok(known) => known.head,
            Err(error) => {
                let what = format!("the known checkpoint: {error}");
                return findings.add(FindingKind::Checkpoint, Place::Ledger, what);
            }
        };
        let Some(now) = self.ledger.checkpoint else {
            let what = "there is no signed checkpoint to compare with the known one";
            return findings.add(FindingKind::Checkpoint, Place::Ledger, what);
        };
        if known.size > now.size {
            let what = format!(
                "the known checkpoint has {} leaves, the ledger's {}",
                known.size, now.size
            );
            return findings.add(FindingKind::Truncated, Place::Ledger, what);
        }
        let proof = match tree::consistency(&mut self.nodes, known.size, now.size) {
            Ok(proof) => proof,
            Err(error) => return findings.unreadable(Place::Ledger, &error),
        };
        if let Err(error) =
            tree::verify_consistency(known.size, &known.root, now.size, &now.root, &proof)
        {
            let what = format!("the ledger does not extend the known checkpoint: {error}");
            findings.add(
                FindingKind::Fork,
                Place::Control {
                    from: 0,
                    to: known.size,
                },
                what,
            );
        }
    }

    fn check_checkpoint(&mut self, findings: &mut Findings) {
        let Some(note) = &self.ledger.checkpoint_note else {
            let what = "there is no signed checkpoint (`last_signed`)";
            return findings.add(FindingKind::Checkpoint, Place::Ledger, what);
        };
        let Some(key) = &self.ledger.key else { return };
        match Checkpoint::open(note, key) {
            Ok(checkpoint) => {
                let size = checkpoint.head.size;
                self.ledger.checkpoint = Some(checkpoint.head);
                if size > self.state.size {
                    let place = Place::Control {
                        from: self.state.size,
                        to: size,
                    };
                    let what = format!("{size} leaves were signed, {} are there", self.state.size);
                    findings.add(FindingKind::Truncated, place, what);
                }
            }
            Err(error @ NoteError::Unsigned { .. }) => {
                findings.add(
                    FindingKind::KeyChanged,
                    Place::Ledger,
                    format!("the checkpoint: {error}"),
                );
            }
            Err(error) => {
                findings.add(
                    FindingKind::Checkpoint,
                    Place::Ledger,
                    format!("the checkpoint: {error}"),
                );
            }
        }
    }

    fn check_genesis(&mut self, findings: &mut Findings) {
        match self.prove(0) {
            Ok(Proven {
                leaf:
                    ControlLeaf {
                        body: ControlBody::Genesis { ledger, .. },
                        ..
                    },
                signed,
                ..
            }) => {
                self.ledger.ledger = signed.then_some(ledger);
            }
            Ok(_) => {
                let what = "the first leaf is not a genesis leaf";
                findings.add(
                    FindingKind::Control,
                    Place::Control { from: 0, to: 1 },
                    what,
                );
            }
            Err(finding) => findings.extend(vec![finding]),
        }
    }

    /// Compares genesis and the first epoch seal with words that were printed when the ledger was created.
    fn check_fingerprint(&mut self, words: &Fingerprint, findings: &mut Findings) {
        let found = match self.fingerprint() {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(finding) => return findings.extend(vec![finding]),
        };
        if found == *words {
            self.ledger.key_state = KeyState::Pinned;
            self.ledger.epochs_pinned = true;
            return;
        }
        let what = "the words are another ledger's, or its epochs began otherwise";
        findings.add(FindingKind::KeyChanged, Place::Ledger, what);
    }

    /// What the ledger is recognised by, from proven leaves; `None` if it names no key or id.
    ///
    /// # Errors
    /// What is wrong with the leaves that it is computed from.
    pub fn fingerprint(&mut self) -> Result<Option<Fingerprint>, Finding> {
        let first = self.first_seal()?.unwrap_or_default();
        let key = self.ledger.key.as_ref().zip(self.ledger.ledger);
        Ok(key.map(|(key, ledger)| Fingerprint::of(&ledger, key.bytes(), &first)))
    }

    /// The key that the seal of epoch 0 names. It lies right behind genesis, but for ledgers that are older than
    /// epochs.
    fn first_seal(&mut self) -> Result<Option<[u8; 32]>, Finding> {
        for index in 1..3.min(self.state.size) {
            let proven = self.prove(index)?;
            if let ControlBody::EpochSeal {
                epoch: 0, next_key, ..
            } = proven.leaf.body
                && proven.signed
            {
                return Ok(Some(next_key));
            }
        }
        let (known, scanned) = (self.ledger.findings.len(), self.scan.is_some());
        let (epochs, _) = self.control_facts();
        if !scanned {
            // Whoever asks for a scan later gets it with everything that is known by then.
            self.scan = None;
            self.ledger.findings.truncate(known);
        }
        Ok(epochs.and_then(|it| it.first).map(|first| first.next_key))
    }

    fn check_acked(&mut self, findings: &mut Findings) {
        let Some(acked) = self.state.acked else {
            return;
        };
        if acked.commit > self.state.commit || acked.size > self.state.size {
            let what = format!(
                "commit {} with {} leaves was acknowledged, the store is at commit {} with {}",
                acked.commit, acked.size, self.state.commit, self.state.size
            );
            let to = acked.size.max(self.state.size);
            return findings.add(
                FindingKind::Truncated,
                Place::Control {
                    from: self.state.size,
                    to,
                },
                what,
            );
        }
        match tree::root_of(&mut self.nodes, acked.size) {
            Ok(root) if root == acked.root => {}
            Ok(_) => {
                let what = format!(
                    "the first {} leaves have another root than was acknowledged",
                    acked.size
                );
                findings.add(
                    FindingKind::Fork,
                    Place::Control {
                        from: 0,
                        to: acked.size,
                    },
                    what,
                );
            }
            Err(error) => findings.unreadable(Place::Ledger, &error),
        }
    }

    /// One leaf of the ledger log, proven against the signed root where that covers it.
    pub(super) fn prove(&mut self, index: u64) -> Result<Proven, Finding> {
        let place = Place::Control {
            from: index,
            to: index.saturating_add(1),
        };
        let wrong = |kind, what: String| Finding { kind, place, what };
        let unreadable = |error: ReadError| wrong(FindingKind::Unreadable, error.to_string());
        let stored = self
            .reader
            .control(index, index.saturating_add(1))
            .map_err(unreadable)?;
        let Some(stored) = stored.into_iter().next() else {
            return Err(wrong(
                FindingKind::Control,
                "the leaf is missing".to_owned(),
            ));
        };
        let leaf = check_leaf(&stored, index).map_err(|what| wrong(FindingKind::Control, what))?;
        let signed = match self.ledger.checkpoint {
            Some(head) if index < head.size => {
                let proof =
                    tree::inclusion(&mut self.nodes, index, head.size).map_err(unreadable)?;
                tree::verify_inclusion(
                    &hash_leaf(&stored.leaf),
                    index,
                    head.size,
                    &proof,
                    &head.root,
                )
                .map_err(|error| wrong(FindingKind::Control, error.to_string()))?;
                true
            }
            _ => false,
        };
        check_private(&leaf, stored.private.as_ref())
            .map_err(|what| wrong(FindingKind::Private, what))?;
        Ok(Proven {
            leaf,
            private: stored.private,
            signed,
        })
    }
}

impl Proven {
    /// The private part, read.
    pub(super) fn opened<T: Private>(&self) -> Result<Option<Sealed<T>>, Finding> {
        open_private(&self.leaf, self.private.as_ref(), self.signed)
    }
}
