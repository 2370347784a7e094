//! What the ledger log says beside streams and their heads: refused payloads, numbers that never came, contradictions.
//!
//! A range of leaves is read and proven as a whole: the frontier before it with its hashes must lead to a root
//! that the signed one extends, so that a leaf can be neither changed nor left out.
#![forbid(unsafe_code)]

use super::ledger::Verifier;
use super::opened::{check_leaf, check_private, open_private};
use super::{Finding, FindingKind, Place, Sealed};
use crate::leaf::{ConflictNote, ControlBody, ControlLeaf, GapNote, RefusedPayload, StreamId};
use crate::reader::{ReadError, StoredControl};
use crate::tree::{self, hash_leaf};

/// So many leaves are read for one answer at most, unless all of them were read anyway.
pub const REMARKS: u64 = 2048;

/// Statements of the collector that belong to no record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remarks {
    /// What was sent and not kept.
    pub refused: Vec<Sealed<RefusedPayload>>,
    /// Numbers of a producer that never arrived, and the stream they belong to.
    pub gaps: Vec<(StreamId, Sealed<GapNote>)>,
    /// Two things that cannot both be true.
    pub conflicts: Vec<Contradiction>,
}

/// What the leaves of one range say, kept for the next question.
#[derive(Debug)]
pub(super) struct Heard {
    from: u64,
    to: u64,
    remarks: Remarks,
}

/// A conflict that the collector noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// 1 one sequence number with two contents, 2 two heads of one size with two roots, 3 a foreign producer named a
    /// session, 4 other.
    pub kind: u8,
    /// The stream concerned, if it is about one.
    pub stream: Option<StreamId>,
    /// What contradicts what.
    pub note: Sealed<ConflictNote>,
}

impl Remarks {
    /// Takes up what one leaf says, if it is of these kinds. The private part was checked.
    pub(super) fn note(
        &mut self,
        leaf: &ControlLeaf,
        stored: &StoredControl,
        signed: bool,
    ) -> Result<(), Finding> {
        let private = stored.private.as_ref();
        match &leaf.body {
            ControlBody::RefusedPayload { .. } => {
                self.refused.extend(open_private(leaf, private, signed)?);
            }
            ControlBody::Gap { stream, .. } => {
                let note = open_private(leaf, private, signed)?;
                self.gaps.extend(note.map(|note| (*stream, note)));
            }
            ControlBody::Conflict { kind, .. } => {
                let note = open_private(leaf, private, signed)?;
                self.conflicts.extend(note.map(|note| Contradiction {
                    kind: *kind,
                    stream: leaf.body.stream().copied(),
                    note,
                }));
            }
            _ => {}
        }
        Ok(())
    }

    fn within(&self, from: u64, to: u64) -> Self {
        let inside = |index: u64| index >= from && index < to;
        let gap = |(_, note): &&(StreamId, Sealed<GapNote>)| inside(note.index);
        Self {
            refused: self
                .refused
                .iter()
                .filter(|note| inside(note.index))
                .cloned()
                .collect(),
            gaps: self.gaps.iter().filter(gap).cloned().collect(),
            conflicts: self
                .conflicts
                .iter()
                .filter(|it| inside(it.note.index))
                .cloned()
                .collect(),
        }
    }
}

impl Verifier<'_> {
    /// What the leaves `from..to` of the ledger log say; `None` if they are more than [`REMARKS`] and
    /// [`Verifier::scan`] has not read them.
    ///
    /// # Errors
    /// The leaves cannot be read, or do not lead to the signed root.
    pub fn remarks(&mut self, from: u64, to: u64) -> Result<Option<Remarks>, Finding> {
        let to = to.min(self.state.size);
        if self.reader.is_excerpt() {
            self.scan();
        }
        if let Some(scan) = self.scan.as_ref().filter(|scan| scan.scanned >= to) {
            return Ok(Some(scan.remarks.within(from, to)));
        }
        if from >= to {
            return Ok(Some(Remarks::default()));
        }
        if to - from > REMARKS {
            return Ok(None);
        }
        let covers = |heard: &&Heard| heard.from <= from && to <= heard.to;
        if let Some(heard) = self.heard.as_ref().filter(covers) {
            return Ok(Some(heard.remarks.within(from, to)));
        }
        // Who asks a second time goes back through the ledger: what lies before is read along with it.
        if self.heard.is_some() {
            let further = to.saturating_sub(REMARKS);
            // What is wrong there is none of this question's business.
            if let Ok(remarks) = self.read_remarks(further, to) {
                let within = remarks.within(from, to);
                self.heard = Some(Heard {
                    from: further,
                    to,
                    remarks,
                });
                return Ok(Some(within));
            }
        }
        let remarks = self.read_remarks(from, to)?;
        self.heard = Some(Heard {
            from,
            to,
            remarks: remarks.clone(),
        });
        Ok(Some(remarks))
    }

    /// Every conflict in the ledger log, as far as [`Verifier::scan`] has read it.
    #[must_use]
    pub fn conflicts(&self) -> &[Contradiction] {
        self.scan
            .as_ref()
            .map_or(&[], |scan| &scan.remarks.conflicts)
    }

    /// How many of the leaves `from..to` are left out of an excerpt, so that nothing is known of them.
    #[must_use]
    pub fn left_out(&self, from: u64, to: u64) -> u64 {
        if !self.reader.is_excerpt() {
            return 0;
        }
        let there = self
            .reader
            .control(from, to)
            .map_or(0, |it| it.len() as u64);
        to.saturating_sub(from).saturating_sub(there)
    }

    /// When the newest leaf that the signed checkpoint covers was written, by the collector's clock: Unix
    /// nanoseconds. `None` if nothing is signed or that leaf cannot be proven.
    pub fn checkpoint_ns(&mut self) -> Option<u64> {
        if self.signed_ns.is_none() {
            let size = self.ledger.checkpoint?.size;
            let proven = self.prove(size.checked_sub(1)?).ok()?;
            self.signed_ns = proven.signed.then_some(proven.leaf.unix_ns);
        }
        self.signed_ns
    }

    fn read_remarks(&mut self, from: u64, to: u64) -> Result<Remarks, Finding> {
        let place = Place::Control { from, to };
        let wrong = |kind, what: String| Finding { kind, place, what };
        let unreadable = |error: ReadError| wrong(FindingKind::Unreadable, error.to_string());
        let signed = self.ledger.checkpoint.map_or(0, |head| head.size);
        let covered = to.min(signed);
        let mut remarks = Remarks::default();
        let mut tree = tree::frontier_at(&mut self.nodes, from).map_err(unreadable)?;
        let page = self.reader.control(from, to).map_err(unreadable)?;
        let mut next = from;
        for stored in &page {
            if stored.index != next {
                break;
            }
            if next < covered {
                tree.append(hash_leaf(&stored.leaf));
            }
            // Most leaves are of other kinds; they are hashed and not decoded.
            if matches!(stored.leaf.get(1), Some(8 | 16 | 20)) {
                let place = Place::Control {
                    from: next,
                    to: next + 1,
                };
                let wrong = |kind, what: String| Finding { kind, place, what };
                let leaf =
                    check_leaf(stored, next).map_err(|what| wrong(FindingKind::Control, what))?;
                check_private(&leaf, stored.private.as_ref())
                    .map_err(|what| wrong(FindingKind::Private, what))?;
                remarks.note(&leaf, stored, next < signed)?;
            }
            next += 1;
        }
        if next < to {
            return Err(wrong(
                FindingKind::Control,
                format!("leaf {next} is missing"),
            ));
        }
        match self.ledger.checkpoint {
            Some(head) if from < covered => {
                let proof =
                    tree::consistency(&mut self.nodes, covered, head.size).map_err(unreadable)?;
                tree::verify_consistency(covered, &tree.root(), head.size, &head.root, &proof)
                    .map_err(|_| {
                        let what = "the leaves do not lead to the signed root";
                        wrong(FindingKind::Control, what.to_owned())
                    })?;
            }
            _ => {}
        }
        Ok(remarks)
    }
}
