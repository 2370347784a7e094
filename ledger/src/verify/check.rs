//! Recomputing one stream's tree while its records pass by.
#![forbid(unsafe_code)]

use super::finding::Findings;
use super::{FindingKind, Place, VerifiedHead, locate};
use crate::leaf::{RECORD_LEAF, RecordLeaf, StreamId};
use crate::reader::{LentBody, LentRecord};
use crate::tree::{Frontier, hash_leaf};

/// Recomputes a stream while its records pass by.
pub(super) struct Check {
    stream: StreamId,
    frontier: Frontier,
    next: u64,
    /// Heads still to be reached, smallest first.
    due: std::vec::IntoIter<VerifiedHead>,
    waiting: Option<VerifiedHead>,
    /// The newest head that was reached and agrees.
    pub(super) reached: Option<VerifiedHead>,
    pub(super) heads: u64,
    /// The tree at the last point that agreed, and the leaves since then.
    agreed: Frontier,
    since: Vec<[u8; RECORD_LEAF]>,
    failed: bool,
    /// Every leaf hash, where tiles are to be compared.
    pub(super) hashes: Option<Vec<u8>>,
    pub(super) erased: Vec<u64>,
    pub(super) bytes: u64,
    pub(super) first_ns: Option<u64>,
    pub(super) findings: Findings,
}

impl Check {
    pub(super) fn new(stream: StreamId, mut heads: Vec<VerifiedHead>) -> Self {
        heads.sort_by_key(|head| (head.head.size, head.index));
        let mut due = heads.into_iter();
        let waiting = due.next();
        let mut this = Self {
            stream,
            frontier: Frontier::new(),
            next: 0,
            due,
            waiting,
            reached: None,
            heads: 0,
            agreed: Frontier::new(),
            since: Vec::new(),
            failed: false,
            hashes: None,
            erased: Vec::new(),
            bytes: 0,
            first_ns: None,
            findings: Findings::default(),
        };
        this.compare_heads();
        this
    }

    /// Checks one record; gives its leaf if leaf and bytes are good.
    pub(super) fn record(&mut self, record: &LentRecord<'_>) -> Option<RecordLeaf> {
        if record.index < self.next {
            self.finding(
                FindingKind::Leaf,
                record.index,
                "the record is stored twice",
            );
            return None;
        }
        while self.next < record.index {
            // One finding per hole: neighbours are joined.
            self.finding(FindingKind::Missing, self.next, "the record is missing");
            self.next += 1;
            self.failed = true;
            self.hashes = None;
        }
        let index = self.next;
        self.next += 1;
        let good = self.check(record, index);
        let hash = hash_leaf(record.leaf);
        if let Some(hashes) = &mut self.hashes {
            hashes.extend_from_slice(&hash);
        }
        if !self.failed {
            self.frontier.append(hash);
            self.since.push(*record.leaf);
            self.compare_heads();
        }
        good
    }

    fn check(&mut self, record: &LentRecord<'_>, index: u64) -> Option<RecordLeaf> {
        let leaf = match RecordLeaf::decode(record.leaf) {
            Ok(leaf) if leaf.index == index => leaf,
            Ok(_) => {
                self.finding(
                    FindingKind::Leaf,
                    index,
                    "the leaf says that it is another record's",
                );
                return None;
            }
            Err(error) => {
                self.finding(FindingKind::Leaf, index, &error.to_string());
                return None;
            }
        };
        self.first_ns.get_or_insert(leaf.received_unix_ns);
        match &record.body {
            LentBody::Erased => self.erased.push(index),
            LentBody::Damaged(why) => {
                self.finding(FindingKind::Payload, index, why);
                return None;
            }
            LentBody::Whole { salt, envelope } => {
                self.bytes += envelope.encoded_len() as u64;
                if envelope.commitment(salt) != leaf.commitment {
                    let what = "the bytes do not open the leaf's commitment";
                    self.finding(FindingKind::Payload, index, what);
                    return None;
                }
            }
        }
        Some(leaf)
    }

    fn finding(&mut self, kind: FindingKind, index: u64, what: &str) {
        self.findings.record(kind, self.stream, index, what);
    }

    fn compare_heads(&mut self) {
        while let Some(head) = self.waiting {
            if head.head.size > self.frontier.size() {
                break;
            }
            if self.frontier.root() == head.head.root {
                self.heads += 1;
                self.reached = Some(head);
                self.agreed.clone_from(&self.frontier);
                self.since.clear();
            } else {
                self.disagree(&head);
            }
            self.waiting = self.due.next();
        }
    }

    fn disagree(&mut self, head: &VerifiedHead) {
        if let Some(good) = self.reached.filter(|good| good.head.size == head.head.size) {
            let what = format!(
                "the heads at {} and {} are of one size and have different roots",
                good.index, head.index
            );
            self.findings
                .add(FindingKind::Fork, Place::Stream(self.stream), what);
            return;
        }
        let what = format!("the records do not lead to the head at {}", head.index);
        let mut place = Place::Records {
            stream: self.stream,
            from: self.agreed.size(),
            to: head.head.size,
        };
        if let Some(index) = locate::flipped(&self.agreed, &self.since, &head.head.root) {
            place = Place::Records {
                stream: self.stream,
                from: index,
                to: index + 1,
            };
        }
        self.findings.add(FindingKind::Head, place, what);
        // What follows cannot be told apart any more: the tree stays wrong.
        self.failed = true;
    }

    /// Says which records are missing at the end. Gives how many are past every head.
    pub(super) fn finish(&mut self) -> u64 {
        let newest = self
            .waiting
            .iter()
            .chain(self.due.as_slice())
            .map(|head| head.head.size)
            .max();
        if let Some(newest) = newest.filter(|newest| self.next < *newest) {
            let place = Place::Records {
                stream: self.stream,
                from: self.next,
                to: newest,
            };
            self.findings
                .add(FindingKind::Missing, place, "the record is missing");
            self.next = newest;
        }
        let reached = self.reached.map_or(0, |head| head.head.size);
        self.next.saturating_sub(reached.max(newest.unwrap_or(0)))
    }
}
