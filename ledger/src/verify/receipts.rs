//! Receipts of those outside: whether each is for a tree of this log, and whether a witness signed what it is said to.
#![forbid(unsafe_code)]

use super::ledger::Verifier;
use super::report::{AnchorSeen, Answer, Frame};
use super::{Finding, FindingKind, Place};
use crate::checkpoint::Checkpoint;
use crate::cosignature::WitnessKey;
#[cfg(feature = "stamp")]
use crate::leaf::ControlLeaf;
use crate::leaf::{Receipt, StreamId, TreeHead};
use crate::note::Note;

/// Kind of a receipt that holds a witness's cosignature.
const WITNESS: u8 = 4;

impl Verifier<'_> {
    /// The receipts in the ledger log, the newest last, each compared with the tree that it names; and what is wrong
    /// with them.
    pub fn receipts(&mut self) -> (Vec<AnchorSeen>, Vec<Finding>) {
        let (_, mut receipts) = self.control_facts();
        let mut findings = Vec::new();
        for seen in &mut receipts {
            if let Err(finding) = self.compare_receipt(seen) {
                findings.push(finding);
            }
        }
        (receipts, findings)
    }

    fn compare_receipt(&mut self, seen: &mut AnchorSeen) -> Result<(), Finding> {
        let place = Place::Control {
            from: seen.index,
            to: seen.index.saturating_add(1),
        };
        let wrong = |kind, what: String| Finding { kind, place, what };
        let root = match self.ledger.checkpoint {
            Some(now) if seen.head.size <= now.size => self.root_of(seen.head.size).ok(),
            _ => None,
        };
        seen.recomputed = root.map(|root| root == seen.head.root);
        if seen.recomputed == Some(false) {
            let what = "the receipt is for another tree than this one was";
            return Err(wrong(FindingKind::Fork, what.to_owned()));
        }
        if seen.kind != WITNESS {
            return Ok(());
        }
        // What the scan could not prove or open has its finding already.
        let Some(receipt) = self.receipt(seen.index) else {
            return Ok(());
        };
        let time = self.cosigned(seen.head, &receipt).map_err(|what| {
            let what = format!("the receipt of a witness: {what}");
            wrong(FindingKind::Checkpoint, what)
        })?;
        seen.answer = Answer::Cosigned(time);
        Ok(())
    }

    /// What lies beside a receipt's leaf, proven; `None` if it is not there or not good.
    pub(crate) fn receipt(&mut self, index: u64) -> Option<Receipt> {
        let opened = self.prove(index).ok()?.opened::<Receipt>().ok()??;
        Some(opened.value)
    }

    /// A leaf that the signed checkpoint covers, proven.
    #[cfg(feature = "stamp")]
    pub(crate) fn proven_leaf(&mut self, index: u64) -> Option<ControlLeaf> {
        let proven = self.prove(index).ok()?;
        proven.signed.then_some(proven.leaf)
    }

    /// Whether leaves may have been left out.
    #[cfg(feature = "stamp")]
    pub(crate) fn is_excerpt(&self) -> bool {
        self.reader.is_excerpt()
    }

    /// When the witness cosigned the checkpoint of `head`: Unix seconds.
    fn cosigned(&self, head: TreeHead, receipt: &Receipt) -> Result<u64, String> {
        let checkpoint = self.checkpoint_of(head).ok_or("there is no key")?;
        let mut note = checkpoint.text().into_bytes();
        note.push(b'\n');
        note.extend_from_slice(&receipt.receipt);
        let witness = WitnessKey::parse(&receipt.holder).map_err(|error| error.to_string())?;
        let note = Note::parse(&note).map_err(|error| error.to_string())?;
        let time = witness.cosigned(&note).map_err(|error| error.to_string())?;
        time.ok_or_else(|| format!("not signed by {}", witness.name()))
    }

    /// The checkpoint of this ledger at a size, as its signers read it.
    pub(crate) fn checkpoint_of(&self, head: TreeHead) -> Option<Checkpoint> {
        let origin = self.ledger.key.as_ref()?.name().to_owned();
        Some(Checkpoint { origin, head })
    }

    /// The part of the ledger log that frames the records of these streams, or of all where none are named; `None` if
    /// one of them was not found opened and headed.
    pub fn frame(&mut self, of: Option<&[StreamId]>) -> Option<Frame> {
        self.scan();
        let streams = &self.scan.as_ref()?.streams;
        let mut frame: Option<Frame> = None;
        let wanted = streams
            .iter()
            .filter(|(id, _)| of.is_none_or(|of| of.contains(id)));
        for (_, facts) in wanted {
            let newest = facts.heads.iter().map(|head| head.index).max()?;
            let (opened, covered) = (facts.open_index?, newest + 1);
            frame = Some(frame.map_or(Frame { opened, covered }, |frame| Frame {
                opened: frame.opened.min(opened),
                covered: frame.covered.max(covered),
            }));
        }
        let found = of.is_none_or(|of| of.iter().all(|id| streams.contains_key(id)));
        frame.filter(|_| found)
    }
}
