//! Reading every leaf of the ledger log once: all heads, links, bindings and erasures, none hidden.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, HashMap};

use super::epochs::Epochs;
use super::ledger::Verifier;
use super::reading::Reading;
use super::report::AnchorSeen;
use super::{Bindings, Finding, Place, Remarks, Sealed, VerifiedHead};
use crate::leaf::{self, StreamId, TreeHead};

/// Leaves read at a time.
const PAGE: u64 = 4096;

/// What every leaf of the ledger log says, by stream.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) streams: BTreeMap<StreamId, StreamFacts>,
    pub(super) by_request: HashMap<String, Vec<StreamId>>,
    /// What the leaves say beside streams.
    pub(super) remarks: Remarks,
    /// Leaves whose private part is gone, with the stream they speak of.
    pub(super) bare: Vec<(u64, Option<StreamId>, bool)>,
    /// How many leaves were read.
    pub(super) scanned: u64,
    pub(super) epochs: Option<Epochs>,
    /// Receipts of anchors, the newest last.
    pub(super) anchors: Vec<AnchorSeen>,
    /// Signed leaves with a value that could not be known earlier, the newest last.
    pub(super) beacons: Vec<u64>,
    pub(super) findings: Vec<Finding>,
}

/// What the ledger log says about one stream.
#[derive(Debug, Default)]
pub(super) struct StreamFacts {
    pub(super) opening: Option<Sealed<leaf::StreamOpening>>,
    pub(super) nonce: Option<[u8; 16]>,
    pub(super) open_index: Option<u64>,
    pub(super) links: Vec<Sealed<leaf::SessionLink>>,
    pub(super) bindings: Vec<Sealed<leaf::RequestBinding>>,
    pub(super) heads: Vec<VerifiedHead>,
    /// Heads that no checkpoint covers yet.
    pub(super) unsigned: Vec<VerifiedHead>,
    /// Erased records: first and count.
    pub(super) erased: Vec<(u64, u64)>,
    pub(super) pruned: Option<TreeHead>,
}

impl StreamFacts {
    /// Whether an erasure leaf covers a record.
    pub(super) fn erasure_covers(&self, index: u64) -> bool {
        self.erased
            .iter()
            .any(|(first, count)| index >= *first && index - first < *count)
    }
}

impl Verifier<'_> {
    /// Reads every leaf of the ledger log: afterwards no head and no binding can be hidden by an index.
    /// O(size of the ledger log); done once.
    pub fn scan(&mut self) {
        if self.scan.is_some() {
            return;
        }
        let scan = self.read_all_control(false);
        self.ledger.findings.extend(scan.findings.iter().cloned());
        self.scan = Some(scan);
    }

    /// The same, comparing the stored tiles as well.
    pub(super) fn scan_with_tiles(&mut self) {
        let scan = self.read_all_control(true);
        self.ledger.findings.extend(scan.findings.iter().cloned());
        self.scan = Some(scan);
    }

    /// The streams bound to a request, from every leaf of the ledger log.
    pub fn bindings(&mut self, request: &str) -> Bindings {
        self.scan();
        let findings = self.ledger.findings.clone();
        let Some(scan) = &self.scan else {
            return Bindings {
                streams: Vec::new(),
                scanned: 0,
                erased: 0,
                findings,
            };
        };
        Bindings {
            streams: scan.by_request.get(request).cloned().unwrap_or_default(),
            scanned: scan.scanned,
            erased: scan.bare.iter().filter(|(_, _, binding)| *binding).count() as u64,
            findings,
        }
    }

    /// How many gap leaves the ledger log holds.
    pub(super) fn gap_leaves(&self) -> u64 {
        let scan = self.scan.as_ref();
        scan.map_or(0, |scan| scan.remarks.gaps.len() as u64)
    }

    /// The chain of epoch keys and the receipts of anchors, from every leaf of the ledger log.
    pub fn control_facts(&mut self) -> (Option<Epochs>, Vec<AnchorSeen>) {
        self.scan();
        let scan = self.scan.as_ref();
        scan.map(|scan| (scan.epochs.clone(), scan.anchors.clone()))
            .unwrap_or_default()
    }

    /// Ledger indexes of the signed beacons, the newest last, from every leaf of the ledger log.
    pub fn beacons(&mut self) -> Vec<u64> {
        self.scan();
        let scan = self.scan.as_ref();
        scan.map(|scan| scan.beacons.clone()).unwrap_or_default()
    }

    fn read_all_control(&mut self, tiles: bool) -> Scan {
        let mut reading = Reading::new(self.ledger.checkpoint, self.ledger.key.clone());
        let size = self.state.size;
        if self.reader.is_excerpt() {
            return self.read_carried(reading);
        }
        let mut from = 0;
        while from < size {
            let to = (from + PAGE).min(size);
            match self.reader.control(from, to) {
                Ok(page) => reading.page(&page, from, to),
                Err(error) => {
                    reading
                        .findings
                        .unreadable(Place::Control { from, to }, &error);
                    break;
                }
            }
            from = to;
        }
        reading.compare_root();
        if tiles || reading.contradicts_the_root() {
            reading.compare_tiles(self);
        }
        reading.finish(self)
    }
}
