//! Looking for heads newer than the one the index points at, without reading the whole ledger log.
//!
//! An index that points at an old head, or at none, would make changed or missing records look like records that
//! nothing signed covers yet. The leaves after that head are read and proven as a range: the frontier before them
//! with their hashes must lead to the signed root.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use super::ledger::Verifier;
use super::{Finding, FindingKind, Place, VerifiedHead};
use crate::leaf::{ControlLeaf, StreamId};
use crate::tree::{self, hash_leaf};

/// So many leaves are always looked at; more only if records lie beyond the head that the index points at.
pub(super) const NEAR: u64 = 2048;
/// Leaves read at a time.
const PAGE: u64 = 4096;

/// The heads in the leaves from `from` up to the checkpoint.
#[derive(Debug)]
pub(super) struct Later {
    from: u64,
    heads: HashMap<StreamId, Vec<VerifiedHead>>,
}

impl Verifier<'_> {
    /// How many signed leaves there are from `from` on.
    pub(super) fn leaves_after(&self, from: u64) -> u64 {
        self.ledger
            .checkpoint
            .map_or(0, |head| head.size.saturating_sub(from))
    }

    /// Whether no leaf from `from` up to the checkpoint is left out on purpose.
    pub(super) fn all_leaves_from(&self, from: u64) -> bool {
        let Some(signed) = self.ledger.checkpoint.filter(|_| self.reader.is_excerpt()) else {
            return true;
        };
        let there = self.reader.control(from, signed.size);
        there.is_ok_and(|leaves| leaves.len() as u64 == signed.size.saturating_sub(from))
    }

    /// The heads of a stream in every signed leaf from `from` on.
    pub(super) fn heads_after(
        &mut self,
        stream: &StreamId,
        from: u64,
    ) -> Result<Vec<VerifiedHead>, Finding> {
        let proven = self.later.as_ref().map(|later| later.from);
        if proven.is_none_or(|proven| proven > from) {
            let further = self.further_back(proven, from);
            // What is wrong before `from` is none of this question's business.
            let later = self.prove_later(further).or_else(|finding| {
                if further < from {
                    self.prove_later(from)
                } else {
                    Err(finding)
                }
            });
            self.later = Some(later?);
        }
        let heads = self
            .later
            .as_ref()
            .and_then(|later| later.heads.get(stream));
        Ok(heads
            .into_iter()
            .flatten()
            .filter(|head| head.index >= from)
            .copied()
            .collect())
    }

    /// Where to begin when `proven` is not far enough back for `from`: twice as far from the end as before, so that
    /// going back through a ledger step by step reads no leaf more than a few times.
    fn further_back(&self, proven: Option<u64>, from: u64) -> u64 {
        let end = self.ledger.checkpoint.map_or(0, |head| head.size);
        let twice = proven.map(|proven| end.saturating_sub(2 * end.saturating_sub(proven)));
        twice.map_or(from, |twice| twice.min(from))
    }

    fn prove_later(&mut self, from: u64) -> Result<Later, Finding> {
        let mut later = Later {
            from,
            heads: HashMap::new(),
        };
        let Some(signed) = self.ledger.checkpoint.filter(|head| head.size > from) else {
            return Ok(later);
        };
        let place = Place::Control {
            from,
            to: signed.size,
        };
        let wrong = |kind, what: String| Finding { kind, place, what };
        let unreadable =
            |error: crate::reader::ReadError| wrong(FindingKind::Unreadable, error.to_string());
        let mut tree = tree::frontier_at(&mut self.nodes, from).map_err(unreadable)?;
        while tree.size() < signed.size {
            let at = tree.size();
            let page = self
                .reader
                .control(at, (at + PAGE).min(signed.size))
                .map_err(unreadable)?;
            if page.is_empty() {
                return Err(wrong(FindingKind::Control, format!("leaf {at} is missing")));
            }
            for stored in page {
                if stored.index != tree.size() {
                    return Err(wrong(
                        FindingKind::Control,
                        format!("leaf {} is missing", tree.size()),
                    ));
                }
                tree.append(hash_leaf(&stored.leaf));
                later.note(&stored.leaf);
            }
        }
        if tree.root() == signed.root {
            Ok(later)
        } else {
            Err(wrong(
                FindingKind::Control,
                "the leaves do not lead to the signed root".to_owned(),
            ))
        }
    }
}

impl Later {
    fn note(&mut self, leaf: &[u8]) {
        // Only heads and closes are decoded: most leaves are something else.
        if !matches!(leaf.get(1), Some(4 | 5)) {
            return;
        }
        let Ok(leaf) = ControlLeaf::decode(leaf) else {
            return;
        };
        if let Some((stream, head)) = VerifiedHead::of(&leaf) {
            self.heads.entry(stream).or_default().push(head);
        }
    }
}
