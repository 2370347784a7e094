//! What a report is computed from: counts and findings, gathered while something was checked.
#![forbid(unsafe_code)]

use std::cmp::Ordering;

use crate::checkpoint::Checkpoint;
use crate::leaf::TreeHead;
use crate::note::{Note, VerifierKey};
use crate::verify::epochs::Epochs;
use crate::verify::{Finding, KeyState, Recomputed, VerifiedLedger, VerifiedStream, Verifier};

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Some streams: those of one request, one session or one bundle.
    #[default]
    Part,
    /// Every leaf and every record of the ledger.
    Whole,
}

/// Whether the search index was compared with the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexCheck {
    /// It was made again from the sealed bytes and compared row by row.
    Rebuilt,
    /// What it answers about each of so many streams, all that there are, was compared with their leaves.
    Asked(u64),
    /// What it says about the streams that were read was compared with their leaves.
    Compared,
    /// It was not; this is why.
    NotChecked(String),
}

/// A key that signed records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySeen {
    /// The Ed25519 public key.
    pub key: [u8; 32],
    /// Records that its signatures cover.
    pub covered: u64,
    /// The enrolled producer whose key it is; `None` of a key that nobody vouches for.
    pub owner: Option<String>,
}

/// What the producers' own signatures, chains and numbers show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Producers {
    /// Records looked at.
    pub records: u64,
    /// Records whose producer numbered and chained them.
    pub numbered: u64,
    /// Records that carry a signature. A signature covers what is in front of it, so these are not counted as
    /// covered, and not as lacking it.
    pub signatures: u64,
    /// Records that a valid signature covers, by whichever key.
    pub signed: u64,
    /// Of them, those that a signature by an enrolled key covers.
    pub enrolled: u64,
    /// Keys whose signatures hold.
    pub keys: Vec<KeySeen>,
    /// Signatures over a record that was not looked at or lies too far in front.
    pub astray: u64,
    /// Numbers that are missing; `None` if they were not counted.
    pub missing: Option<u64>,
    /// Records that the producers themselves say were lost.
    pub declared: u64,
    /// Each gap, in words.
    pub gaps: Vec<String>,
    /// Chains or signatures that do not verify, in words.
    pub broken: Vec<String>,
}

/// A receipt of someone outside who holds a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorSeen {
    /// Its leaf in the ledger log.
    pub index: u64,
    /// Kind of the receipt's leaf: 1 file, 2 git, 3 object store, 4 witness, 5 RFC 3161.
    pub kind: u8,
    /// Who holds it; text from the ledger.
    pub holder: String,
    /// The checkpoint's tree.
    pub head: TreeHead,
    /// When the receipt was written into the ledger: Unix nanoseconds.
    pub unix_ns: u64,
    /// Whether that tree is one that this log was; `None` if it was not computed or the leaves for it are not here.
    pub recomputed: Option<bool>,
    /// What the holder returned, as far as it speaks for itself.
    pub answer: Answer,
    /// Whether what the holder has was compared with the ledger; `None` if nobody looked.
    pub verified: Option<bool>,
}

/// What a holder returned, as far as that can be checked without asking it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Answer {
    /// Nothing that speaks for itself, or nobody looked.
    #[default]
    Unread,
    /// A cosignature that holds, by the key that the receipt names: Unix seconds.
    Cosigned(u64),
    /// A time stamp that holds.
    Stamped {
        /// The time that it states: Unix seconds.
        time_s: u64,
        /// Whether its signer was traced to an authority that the reader trusts.
        traced: bool,
    },
    /// Something that does not hold; why.
    Void(String),
}

/// One end of the interval in which something was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// Unix nanoseconds.
    pub unix_ns: u64,
    /// Who says so.
    pub by: String,
}

/// Which part of the ledger log frames the records that were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Ledger index of the first leaf about them: nothing of them was sealed before it.
    pub opened: u64,
    /// So many leaves cover the newest signed head of each stream.
    pub covered: u64,
}

/// Which side of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Edge {
    /// Sealed no earlier.
    NotBefore,
    /// There no later.
    NotAfter,
}

/// What a time stamp or a cosignature in the ledger says about time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeSeen {
    /// Which side.
    pub edge: Edge,
    /// When, and by whom.
    pub bound: Bound,
    /// The side's place in the ledger log: the first so many leaves were there then, or the leaves from this one on
    /// were not written earlier.
    pub leaves: u64,
    /// Whether that is all that was checked; if not, only a part of it.
    pub of_all: bool,
    /// Why it is not proven; `None` if it is.
    pub unchecked: Option<String>,
}

impl TimeSeen {
    /// Which of two of one side says more, that one first: over everything that was checked, proven, tighter; of two
    /// over a part, the one over more.
    #[must_use]
    pub fn rank(&self, other: &Self) -> Ordering {
        let part = |it: &Self| (!it.of_all, it.unchecked.is_some());
        let tighter = match self.edge {
            Edge::NotBefore => other.bound.unix_ns.cmp(&self.bound.unix_ns),
            Edge::NotAfter if self.of_all => self.bound.unix_ns.cmp(&other.bound.unix_ns),
            Edge::NotAfter => other.leaves.cmp(&self.leaves),
        };
        part(self).cmp(&part(other)).then(tighter)
    }
}

/// Everything a report is computed from. Start with [`Evidence::of_whole`] or [`Evidence::of_ledger`], add what
/// else is known, then call [`super::Report::judge`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// How much was looked at.
    pub reach: Reach,
    /// The key that signs the ledger.
    pub key: Option<VerifierKey>,
    /// Whether that key was known before.
    pub key_state: KeyState,
    /// The signed checkpoint.
    pub checkpoint: Option<TreeHead>,
    /// The note it came in, for the signatures of others.
    pub note: Option<Vec<u8>>,
    /// Leaves of the ledger log.
    pub leaves: u64,
    /// Streams read.
    pub streams: u64,
    /// Streams whose newest signed head is a close that covers all their records.
    pub closed: u64,
    /// Sessions that neither ended nor were abandoned; `None` where only the closes of streams are known.
    pub unfinished: Option<u64>,
    /// Streams of which it is not known that no newer signed head exists.
    pub unsure: u64,
    /// Records read.
    pub records: u64,
    /// Records that no signed head covers.
    pub open: u64,
    /// Records whose payload is gone.
    pub erased: u64,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// Names of checkpoints that were kept elsewhere and that this ledger extends.
    pub extends: Vec<String>,
    /// What the producers' own marks show; `None` if nobody looked.
    pub producers: Option<Producers>,
    /// The chain of epoch keys; `None` if it was not read.
    pub epochs: Option<Epochs>,
    /// Receipts of anchors.
    pub anchors: Vec<AnchorSeen>,
    /// Where the records lie in the ledger log; `None` if no signed head covers one of their streams.
    pub frame: Option<Frame>,
    /// What the ledger holds about time.
    pub times: Vec<TimeSeen>,
    /// Whether the index was compared.
    pub index: IndexCheck,
    /// Numbers of producers that a gap leaf says never came.
    pub gap_leaves: u64,
    /// Whether every leaf of the ledger log was read, so that no stream and no binding can be hidden.
    pub all_leaves: bool,
    /// A checkpoint kept elsewhere that the leaves that are here do not reach; its name.
    pub unreached: Option<String>,
    /// What came along with the evidence and does not follow from it, in words.
    pub doubt: Option<String>,
    /// The newest checkpoint that enough witnesses cosigned, where that is an older one.
    pub witnessed: Option<Vec<u8>>,
    /// What else is not proven, by whoever gathered this.
    pub residual: Vec<String>,
}

impl Evidence {
    /// What opening a ledger shows: key, checkpoint, and findings so far.
    #[must_use]
    pub fn of_ledger(ledger: &VerifiedLedger) -> Self {
        Self {
            reach: Reach::Part,
            key: ledger.key.clone(),
            key_state: ledger.key_state,
            checkpoint: ledger.checkpoint,
            note: ledger.checkpoint_note.clone(),
            leaves: ledger.size,
            streams: 0,
            closed: 0,
            unfinished: None,
            unsure: 0,
            records: 0,
            open: 0,
            erased: 0,
            findings: ledger.findings.clone(),
            extends: Vec::new(),
            producers: None,
            epochs: None,
            anchors: Vec::new(),
            frame: None,
            times: Vec::new(),
            index: IndexCheck::NotChecked("nothing was looked up".to_owned()),
            gap_leaves: 0,
            all_leaves: false,
            unreached: None,
            doubt: None,
            witnessed: None,
            residual: Vec::new(),
        }
    }

    /// What [`crate::verify::verify_all`] found.
    #[must_use]
    pub fn of_whole(whole: &Recomputed) -> Self {
        Self {
            reach: Reach::Whole,
            streams: whole.streams,
            closed: whole.closed,
            records: whole.records,
            open: whole.open,
            erased: whole.erased,
            findings: whole.findings.clone(),
            epochs: whole.epochs.clone(),
            anchors: whole.anchors.clone(),
            frame: whole.frame,
            index: IndexCheck::Compared,
            gap_leaves: whole.gap_leaves,
            all_leaves: true,
            ..Self::of_ledger(&whole.ledger)
        }
    }

    /// Adds what every leaf of the ledger log says, read and proven by the verifier; before any stream is added.
    pub fn add_leaves(&mut self, verifier: &mut Verifier<'_>) {
        let (epochs, _) = verifier.control_facts();
        let (anchors, wrong) = verifier.receipts();
        self.epochs = epochs;
        self.anchors = anchors;
        self.all_leaves = true;
        self.findings.clone_from(&verifier.ledger().findings);
        self.findings.extend(wrong);
    }

    /// Whether the first so many leaves of the ledger log cover everything that was checked.
    #[must_use]
    pub fn covered_by(&self, leaves: u64) -> bool {
        match self.frame {
            Some(frame) => self.open == 0 && leaves >= frame.covered,
            // Where no record was looked at, the checkpoint is what was checked.
            None => self.records == 0 && self.checkpoint.is_some_and(|it| leaves >= it.size),
        }
    }

    /// Adds a checkpoint that was kept elsewhere and that the ledger was found to extend; its name is for the report.
    ///
    /// It pins the past as far as it reaches: if it covers the first epoch seal, the start of the chain is known.
    pub fn add_known(&mut self, note: &[u8], name: &str) {
        if self.extends.iter().all(|known| known != name) {
            self.extends.push(name.to_owned());
        }
        let known = Note::parse(note).and_then(|note| Checkpoint::parse(note.text));
        if let (Ok(known), Some(epochs)) = (known, &mut self.epochs) {
            let first = epochs.first.map(|first| first.index);
            epochs.pinned |= first.is_some_and(|first| first < known.head.size);
        }
    }

    /// Adds what somebody outside holds: the trees of the checkpoints that were found there, each signed by the ledger's
    /// key. Receipts that name this holder, or any where none is named, count as compared.
    pub fn add_copy(&mut self, kind: Option<u8>, holder: Option<&str>, heads: &[TreeHead]) {
        for anchor in &mut self.anchors {
            let is_its = kind.is_none_or(|kind| anchor.kind == kind)
                && holder.is_none_or(|holder| anchor.holder == holder);
            let same = heads.iter().find(|head| head.size == anchor.head.size);
            if let Some(same) = same.filter(|_| is_its) {
                anchor.verified = Some(same.root == anchor.head.root);
            }
        }
    }

    /// Adds the checkpoint that enough witnesses cosigned, if it is one of this history; what is wrong otherwise.
    pub fn add_witnessed(&mut self, verifier: &mut Verifier<'_>, note: Option<Vec<u8>>) {
        let Some(note) = note else { return };
        let findings = verifier.known_checkpoint(&note);
        if findings.is_empty() {
            self.witnessed = Some(note);
        }
        self.findings
            .extend(findings.into_iter().map(|mut finding| {
                finding.what = format!("`witnessed`: {}", finding.what);
                finding
            }));
    }

    /// Adds a stream that was read from its first record to its last.
    pub fn add_stream(&mut self, stream: &VerifiedStream) {
        let erased = |it: &&crate::verify::VerifiedRecord| it.envelope().is_none();
        self.streams += 1;
        self.closed += u64::from(stream.tail == 0 && stream.head.is_some_and(|head| head.closed));
        self.unsure += u64::from(!stream.newest);
        self.records += stream.records.len() as u64;
        self.open += stream.tail;
        self.erased += stream.records.iter().filter(erased).count() as u64;
        self.findings.extend(stream.findings.iter().cloned());
        if matches!(self.index, IndexCheck::NotChecked(_)) {
            self.index = IndexCheck::Compared;
        }
    }
}
