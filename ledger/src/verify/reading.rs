//! Filing what the leaves of the ledger log say, one after the other, and checking them as a whole.
#![forbid(unsafe_code)]

use super::epochs::Chain;
use super::finding::Findings;
use super::ledger::Verifier;
use super::opened::{check_leaf, check_private, open_private};
use super::report::{AnchorSeen, Answer};
use super::scan::Scan;
use super::{Finding, FindingKind, Place, Sealed, VerifiedHead, locate};
use crate::leaf::{self, ControlBody, ControlLeaf, LedgerId, NO_INCARNATION, StreamId, TreeHead};
use crate::note::VerifierKey;
use crate::reader::{Log, StoredControl};
use crate::tile::{BYTES, Tile, Tiler};
use crate::tree::{Frontier, hash_leaf};

/// What was read of the ledger log so far.
pub(super) struct Reading {
    pub(super) scan: Scan,
    pub(super) findings: Findings,
    frontier: Frontier,
    tiler: Tiler,
    /// Every leaf hash: 32 bytes per leaf of the ledger log.
    hashes: Vec<Tile>,
    signed: Option<TreeHead>,
    root_agrees: Option<bool>,
    /// Begins with the genesis leaf.
    chain: Option<Chain>,
    key: Option<VerifierKey>,
    newest_ns: u64,
    /// The older ledger that the genesis leaf names.
    previous: Option<(LedgerId, TreeHead)>,
}

impl Reading {
    /// Nothing yet, of a ledger whose log was signed as `signed` by `key`.
    pub(super) fn new(signed: Option<TreeHead>, key: Option<VerifierKey>) -> Self {
        Self {
            scan: Scan::default(),
            findings: Findings::default(),
            frontier: Frontier::new(),
            tiler: Tiler::new(),
            hashes: Vec::new(),
            signed,
            root_agrees: None,
            chain: None,
            key,
            newest_ns: 0,
            previous: None,
        }
    }

    /// The stored leaves `from..to`, the next ones.
    pub(super) fn page(&mut self, page: &[StoredControl], from: u64, to: u64) {
        let mut next = from;
        for stored in page {
            if stored.index != next {
                if stored.index < next {
                    let place = Place::Control {
                        from: stored.index,
                        to: stored.index + 1,
                    };
                    self.findings
                        .add(FindingKind::Control, place, "the leaf is stored twice");
                    continue;
                }
                self.missing(next, stored.index);
                next = stored.index;
            }
            self.one(stored, next);
            next += 1;
        }
        if next < to {
            self.missing(next, to);
        }
    }

    fn missing(&mut self, from: u64, to: u64) {
        self.findings.add(
            FindingKind::Control,
            Place::Control { from, to },
            "leaves are missing",
        );
    }

    fn one(&mut self, stored: &StoredControl, index: u64) {
        if Some(self.frontier.size()) == self.signed.map(|head| head.size) {
            self.compare_root();
        }
        let checked = check_leaf(stored, index);
        if let Ok(leaf) = &checked {
            self.follow_epochs(leaf);
        }
        let hash = hash_leaf(&stored.leaf);
        self.frontier.append(hash);
        let tiles = &mut self.hashes;
        self.tiler.append(hash, |tile| {
            if tile.hashes.len() == BYTES {
                tiles.push(tile);
            }
        });
        self.scan.scanned += 1;
        let place = Place::Control {
            from: index,
            to: index + 1,
        };
        match checked {
            Ok(leaf) => {
                self.follow_time(&leaf, place);
                self.follow_previous(&leaf, place);
                if let Err(what) = check_private(&leaf, stored.private.as_ref()) {
                    self.findings.add(FindingKind::Private, place, what);
                } else if let Err(finding) = self.file(&leaf, stored) {
                    self.findings.extend(vec![finding]);
                }
            }
            Err(what) => self.findings.add(FindingKind::Control, place, what),
        }
    }

    /// Epoch seals, over the tree as it is before this leaf.
    fn follow_epochs(&mut self, leaf: &ControlLeaf) {
        // Only a seal's tree is asked for.
        let before = matches!(leaf.body, ControlBody::EpochSeal { .. }).then(|| TreeHead {
            size: self.frontier.size(),
            root: self.frontier.root(),
        });
        self.follow_epochs_over(leaf, before);
    }

    pub(super) fn follow_epochs_over(&mut self, leaf: &ControlLeaf, before: Option<TreeHead>) {
        if let ControlBody::Genesis { ledger, .. } = &leaf.body
            && leaf.index == 0
        {
            self.chain = self.key.as_ref().map(|key| Chain::new(*ledger, key));
        }
        let Some(chain) = &mut self.chain else { return };
        chain.leaf(leaf, || before);
    }

    pub(super) fn follow_time(&mut self, leaf: &ControlLeaf, place: Place) {
        if leaf.unix_ns < self.newest_ns {
            let what = "the leaf is older than the one before it";
            self.findings.add(FindingKind::Control, place, what);
        }
        self.newest_ns = self.newest_ns.max(leaf.unix_ns);
    }

    /// A ledger that continues another one says so twice: in its genesis, and with what was found in the leaf behind it.
    pub(super) fn follow_previous(&mut self, leaf: &ControlLeaf, place: Place) {
        match &leaf.body {
            ControlBody::Genesis { previous, .. } if leaf.index == 0 => {
                self.previous = Some(*previous).filter(|previous| *previous != NO_INCARNATION);
            }
            ControlBody::Incarnation {
                previous, claimed, ..
            } if leaf.index != 1 || self.previous != Some((*previous, *claimed)) => {
                let what = "it names an older ledger that the genesis leaf does not name";
                self.findings.add(FindingKind::Control, place, what);
            }
            ControlBody::Incarnation { .. } => {}
            _ if leaf.index == 1 && self.previous.is_some() => {
                let what = "the genesis leaf names an older ledger, and this leaf does not say what was found of it";
                self.findings.add(FindingKind::Control, place, what);
            }
            _ => {}
        }
    }

    /// Whether the leaves that were read do not lead to the signed root.
    pub(super) fn contradicts_the_root(&self) -> bool {
        self.root_agrees == Some(false)
    }

    /// Compares the tree with the signed root, once there are as many leaves.
    pub(super) fn compare_root(&mut self) {
        let Some(head) = self.signed else { return };
        if self.root_agrees.is_some() || self.frontier.size() < head.size {
            return;
        }
        self.root_agrees =
            Some(self.frontier.size() == head.size && self.frontier.root() == head.root);
    }

    /// Files what a leaf says under its stream.
    pub(super) fn file(
        &mut self,
        leaf: &ControlLeaf,
        stored: &StoredControl,
    ) -> Result<(), Finding> {
        let signed = self.signed.is_some_and(|head| leaf.index < head.size);
        let private = stored.private.as_ref();
        if leaf.body.commitment().is_some() && private.is_none() {
            let binding = matches!(leaf.body, ControlBody::RequestBinding { .. });
            self.scan
                .bare
                .push((leaf.index, leaf.body.stream().copied(), binding));
        }
        if matches!(leaf.body, ControlBody::Beacon { .. }) && signed {
            self.scan.beacons.push(leaf.index);
        }
        if matches!(leaf.body, ControlBody::AnchorReceipt { .. }) {
            let receipt: Option<Sealed<leaf::Receipt>> = open_private(leaf, private, signed)?;
            let holder = receipt.map_or_else(|| "(erased)".to_owned(), |it| it.value.holder);
            self.receipt(leaf, holder);
        }
        self.scan.remarks.note(leaf, stored, signed)?;
        let Some(stream) = leaf.body.stream() else {
            return Ok(());
        };
        let facts = self.scan.streams.entry(*stream).or_default();
        match &leaf.body {
            ControlBody::StreamOpen { nonce, .. } => {
                if facts.open_index.is_some() {
                    let what = format!("stream {stream} is opened a second time");
                    let place = Place::Control {
                        from: leaf.index,
                        to: leaf.index + 1,
                    };
                    return Err(Finding {
                        kind: FindingKind::Fork,
                        place,
                        what,
                    });
                }
                facts.open_index = Some(leaf.index);
                facts.nonce = Some(*nonce);
                facts.opening = open_private(leaf, private, signed)?;
            }
            ControlBody::StreamHead { .. } | ControlBody::StreamClose { .. } => {
                let heads = if signed {
                    &mut facts.heads
                } else {
                    &mut facts.unsigned
                };
                heads.extend(VerifiedHead::of(leaf).map(|(_, head)| head));
            }
            ControlBody::SessionLink { .. } => {
                facts.links.extend(open_private(leaf, private, signed)?)
            }
            ControlBody::RequestBinding { .. } => {
                let binding: Option<Sealed<leaf::RequestBinding>> =
                    open_private(leaf, private, signed)?;
                if let Some(binding) = binding {
                    let streams = self
                        .scan
                        .by_request
                        .entry(binding.value.request.clone())
                        .or_default();
                    if !streams.contains(stream) {
                        streams.push(*stream);
                    }
                    facts.bindings.push(binding);
                }
            }
            ControlBody::Erasure { first, count, .. } => facts.erased.push((*first, *count)),
            ControlBody::Prune { head, .. } => facts.pruned = Some(*head),
            _ => {}
        }
        Ok(())
    }

    /// Files an anchor's receipt.
    pub(super) fn receipt(&mut self, leaf: &ControlLeaf, holder: String) {
        if let ControlBody::AnchorReceipt { head, kind, .. } = &leaf.body {
            self.scan.anchors.push(AnchorSeen {
                index: leaf.index,
                kind: *kind,
                holder,
                head: *head,
                unix_ns: leaf.unix_ns,
                recomputed: None,
                answer: Answer::Unread,
                verified: None,
            });
        }
    }

    /// Compares every stored full tile with the hashes of the leaves. If the leaves lead to the signed root,
    /// the tile is at fault; if they do not, the leaf is.
    pub(super) fn compare_tiles(&mut self, verifier: &Verifier<'_>) {
        for tile in &self.hashes {
            let stored = match verifier.reader.tile(Log::Ledger, tile.level, tile.n) {
                Ok(stored) => stored,
                Err(error) => {
                    let place = Place::Tile {
                        log: Log::Ledger,
                        level: tile.level,
                        n: tile.n,
                    };
                    self.findings.unreadable(place, &error);
                    continue;
                }
            };
            let place = Place::Tile {
                log: Log::Ledger,
                level: tile.level,
                n: tile.n,
            };
            match stored {
                Some(stored) if stored == tile.hashes => {}
                Some(stored) if self.root_agrees == Some(false) && tile.level == 0 => {
                    let leaves = locate::differing(&stored, &tile.hashes);
                    for index in leaves.map(|at| 256 * tile.n + at) {
                        let place = Place::Control {
                            from: index,
                            to: index + 1,
                        };
                        self.findings.add(
                            FindingKind::Control,
                            place,
                            "the leaf is not what its tile holds",
                        );
                    }
                }
                Some(_) => self.findings.add(
                    FindingKind::Tile,
                    place,
                    "the tile is not what its leaves give",
                ),
                None => self
                    .findings
                    .add(FindingKind::Tile, place, "the tile is missing"),
            }
        }
    }

    pub(super) fn finish(mut self, verifier: &Verifier<'_>) -> Scan {
        if self.root_agrees == Some(false)
            && let Some(head) = self.signed
        {
            let what = "the leaves do not lead to the signed root";
            self.findings.add(
                FindingKind::Control,
                Place::Control {
                    from: 0,
                    to: head.size,
                },
                what,
            );
        }
        let id = verifier.ledger.ledger;
        for (stream, facts) in &self.scan.streams {
            let derived = id
                .zip(facts.nonce)
                .map(|(ledger, nonce)| StreamId::derive(&ledger, &nonce));
            let what = match (facts.open_index, derived) {
                (None, _) => "the stream was never opened",
                (Some(_), Some(derived)) if derived != *stream => {
                    "the stream's name is not derived from its nonce"
                }
                _ => continue,
            };
            self.findings
                .add(FindingKind::Control, Place::Stream(*stream), what);
        }
        for (index, stream, _) in &self.scan.bare {
            let facts = stream.and_then(|stream| self.scan.streams.get(&stream));
            if !facts.is_some_and(|facts| !facts.erased.is_empty() || facts.pruned.is_some()) {
                let place = Place::Control {
                    from: *index,
                    to: *index + 1,
                };
                self.findings.add(
                    FindingKind::Private,
                    place,
                    "its private part is gone and nothing says why",
                );
            }
        }
        if let Some(chain) = self.chain.take() {
            let note = verifier.ledger.checkpoint_note.as_deref();
            let pinned = verifier.ledger.epochs_pinned;
            let (epochs, findings) = chain.finish(note, self.signed, pinned);
            self.scan.epochs = Some(epochs);
            self.findings.extend(findings);
        }
        self.scan.findings = self.findings.into_vec();
        self.scan
    }
}
