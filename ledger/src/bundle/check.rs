//! Checking a bundle: the verifier of ledgers over what it holds, and the verdict of `docs/ledger-format.md` §13.
#![forbid(unsafe_code)]

use super::Bundle;
use crate::checkpoint::Checkpoint;
use crate::leaf::{
    self, ControlBody, ControlLeaf, GapNote, Malformed, Private, Receipt, StreamId, TreeHead,
};
use crate::reader::{Find, ReadError, Reader, StoredControl};
use crate::tree::Hash;
use crate::verify::epochs::Epochs;
use crate::verify::report::{AnchorSeen, Evidence, Frame, IndexCheck};
use crate::verify::{
    Finding, FindingKind, Place, Sealed, Trusted, VerifiedLedger, VerifiedStream, Verifier,
};

/// What a bundle comes to, as an exit code says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Everything there is leads to the signature.
    Intact,
    /// What there is is good, and something is not covered or known to be missing.
    Incomplete,
    /// Something is wrong.
    Broken,
}

/// What a bundle shows.
#[derive(Debug, Clone)]
pub struct BundleReport {
    /// The ledger, as far as it is carried.
    pub ledger: VerifiedLedger,
    /// Leaves of the ledger log that are carried.
    pub carried: u64,
    /// Each stream.
    pub streams: Vec<VerifiedStream>,
    /// The chain of epoch keys.
    pub epochs: Option<Epochs>,
    /// Records that a gap leaf says are missing, and which producer's.
    pub gaps: Vec<Sealed<GapNote>>,
    /// Receipts of anchors and witnesses.
    pub anchors: Vec<AnchorSeen>,
    /// Where the records lie in the ledger log.
    pub frame: Option<Frame>,
    /// A known checkpoint: `Some(false)` if the leaves do not reach it.
    pub known: Option<bool>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl BundleReport {
    /// What a report is judged from.
    #[must_use]
    pub fn evidence(&self) -> Evidence {
        let mut evidence = Evidence::of_ledger(&self.ledger);
        for stream in &self.streams {
            evidence.add_stream(stream);
        }
        evidence.findings.clone_from(&self.findings);
        evidence.epochs.clone_from(&self.epochs);
        evidence.anchors.clone_from(&self.anchors);
        evidence.frame = self.frame;
        evidence.index = IndexCheck::NotChecked("a bundle has no index".to_owned());
        evidence.gap_leaves = self.gaps.len() as u64;
        evidence.all_leaves = self.carried == self.ledger.size;
        evidence
    }

    /// The verdict, without a policy.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let uncovered = |stream: &VerifiedStream| stream.head.is_none() || stream.tail > 0;
        if !self.findings.is_empty() {
            Verdict::Broken
        } else if self.streams.iter().any(uncovered)
            || !self.gaps.is_empty()
            || self.known == Some(false)
        {
            Verdict::Incomplete
        } else {
            Verdict::Intact
        }
    }
}

/// Checks everything that a bundle holds, except its account. `known` is a checkpoint kept elsewhere.
///
/// # Errors
/// None of a bundle that could be opened.
pub fn check(
    bundle: &Bundle,
    trusted: &Trusted,
    known: Option<&[u8]>,
) -> Result<BundleReport, ReadError> {
    let mut verifier = Verifier::open(bundle, trusted)?;
    let mut findings = digests(bundle);
    verifier.scan();
    let mut streams = Vec::new();
    for hint in bundle.find(&Find::All)? {
        let mut stream = verifier.read_stream(&hint);
        findings.append(&mut stream.findings.clone());
        if stream.opening.is_none() && hint.open_index.is_none() {
            let what = "no leaf opens this stream".to_owned();
            stream.findings.push(finding(
                FindingKind::Control,
                Place::Stream(hint.stream),
                what,
            ));
            findings.extend(stream.findings.last().cloned());
        }
        // A hole at the end is behind every record that is there, and so in front of none that would show it.
        let here = stream.records.len() as u64;
        if stream.findings.is_empty() && here < hint.records {
            let place = Place::Records {
                stream: hint.stream,
                from: here,
                to: hint.records,
            };
            let what = "the record is missing".to_owned();
            stream
                .findings
                .push(finding(FindingKind::Missing, place, what));
            findings.extend(stream.findings.last().cloned());
        }
        streams.push(stream);
    }
    let known = known.and_then(|note| compare(&mut verifier, note, &mut findings));
    let mut leaves = Leaves {
        verifier,
        gaps: Vec::new(),
        findings,
    };
    let carried = bundle.control(0, u64::MAX)?;
    for stored in &carried {
        leaves.one(stored, &streams);
    }
    let (epochs, _) = leaves.verifier.control_facts();
    let (anchors, wrong) = leaves.verifier.receipts();
    leaves.findings.extend(wrong);
    let ids: Vec<StreamId> = streams.iter().map(|it| it.stream).collect();
    let frame = leaves.verifier.frame(Some(&ids));
    let ledger = leaves.verifier.ledger().clone();
    let mut findings = ledger.findings.clone();
    findings.append(&mut leaves.findings);
    Ok(BundleReport {
        ledger,
        carried: carried.len() as u64,
        streams,
        epochs,
        gaps: leaves.gaps,
        anchors,
        frame,
        known,
        findings,
    })
}

fn finding(kind: FindingKind, place: Place, what: String) -> Finding {
    Finding { kind, place, what }
}

fn digests(bundle: &Bundle) -> Vec<Finding> {
    let wrong = bundle.wrong_digests().iter().map(|file| {
        let what = format!("{file} is not what SHA256SUMS says");
        finding(FindingKind::Damaged, Place::Ledger, what)
    });
    let mut findings: Vec<Finding> = wrong.collect();
    if !bundle.is_a_tree() {
        let what = "leaves and hashes do not make a tree of the checkpoint's size".to_owned();
        findings.push(finding(FindingKind::Control, Place::Ledger, what));
    }
    findings
}

/// Whether the tree extends a checkpoint that was kept elsewhere; `Some(false)` if that cannot be seen here.
fn compare(verifier: &mut Verifier<'_>, note: &[u8], findings: &mut Vec<Finding>) -> Option<bool> {
    let ledger = verifier.ledger();
    let mut wrong = |kind, what: String| {
        findings.push(finding(kind, Place::Ledger, what));
        None
    };
    let (Some(key), Some(now)) = (&ledger.key, ledger.checkpoint) else {
        let what = "nothing is signed here that a known checkpoint could be compared with";
        return wrong(FindingKind::Checkpoint, what.to_owned());
    };
    let known = match Checkpoint::open(note, key) {
        Ok(known) => known.head,
        Err(error) => {
            return wrong(
                FindingKind::Checkpoint,
                format!("the known checkpoint: {error}"),
            );
        }
    };
    match root_at(verifier, now, known.size) {
        None => Some(false),
        Some(root) if root == known.root => Some(true),
        Some(_) => {
            let what = format!(
                "the first {} leaves have another root than the known checkpoint",
                known.size
            );
            wrong(FindingKind::Fork, what)
        }
    }
}

/// The root over the first `size` leaves, if the hashes that are carried give it.
fn root_at(verifier: &mut Verifier<'_>, now: TreeHead, size: u64) -> Option<Hash> {
    if size > now.size {
        return None;
    }
    verifier.root_of(size).ok()
}

struct Leaves<'r> {
    verifier: Verifier<'r>,
    gaps: Vec<Sealed<GapNote>>,
    findings: Vec<Finding>,
}

impl Leaves<'_> {
    /// Looks at what no stream's check looks at: seals, gaps, and private parts of every kind.
    fn one(&mut self, stored: &StoredControl, streams: &[VerifiedStream]) {
        let place = Place::Control {
            from: stored.index,
            to: stored.index.saturating_add(1),
        };
        // A leaf that does not decode has its finding already.
        let Ok(leaf) = ControlLeaf::decode(&stored.leaf) else {
            return;
        };
        let private = stored.private.as_ref().map(|private| &*private.body);
        if let Some(Err(error)) = private.map(|body| readable(&leaf.body, body)) {
            let what = format!("the private part of {}: {error}", leaf.body.name());
            self.findings
                .push(finding(FindingKind::Private, place, what));
        }
        match &leaf.body {
            ControlBody::Gap { stream, .. } if streams.iter().any(|it| it.stream == *stream) => {
                let note = private.and_then(|body| GapNote::decode(body).ok());
                self.gaps.push(Sealed {
                    index: leaf.index,
                    unix_ns: leaf.unix_ns,
                    signed: true,
                    value: note.unwrap_or(GapNote {
                        producer: String::new(),
                        run: String::new(),
                        first: 0,
                        last: 0,
                        why: 0,
                    }),
                });
            }
            _ => {}
        }
    }
}

/// Whether a private part is one of its kind.
fn readable(body: &ControlBody, private: &[u8]) -> Result<(), Malformed> {
    match body {
        ControlBody::Incarnation { .. } => leaf::RestoreNote::decode(private).map(drop),
        ControlBody::StreamOpen { .. } => leaf::StreamOpening::decode(private).map(drop),
        ControlBody::SessionLink { .. } => leaf::SessionLink::decode(private).map(drop),
        ControlBody::RequestBinding { .. } => leaf::RequestBinding::decode(private).map(drop),
        ControlBody::RefusedPayload { .. } => leaf::RefusedPayload::decode(private).map(drop),
        ControlBody::Erasure { .. } => leaf::Cause::decode(private).map(drop),
        ControlBody::Prune { .. } => leaf::PruneNote::decode(private).map(drop),
        ControlBody::AnchorReceipt { .. } => Receipt::decode(private).map(drop),
        ControlBody::Gap { .. } => GapNote::decode(private).map(drop),
        ControlBody::ConfigChange { .. } => leaf::ConfigChange::decode(private).map(drop),
        ControlBody::Conflict { .. } => leaf::ConflictNote::decode(private).map(drop),
        // Kinds without a private part have their finding already.
        _ => Ok(()),
    }
}
