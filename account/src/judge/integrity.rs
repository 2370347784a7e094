//! How far the record can be relied on: what the verifier found, and what it cannot show.

use ledger::leaf::GapNote;
use ledger::note::Note;
use ledger::verify::{
    Finding, FindingKind, KeyState, Place, Sealed, VerifiedLedger, VerifiedStream,
};
use std::collections::BTreeMap;
use vocabulary::Timestamp;
use vocabulary::id::{RecordRef, SessionRef, StreamRef};
use vocabulary::principal::PrincipalProof;
use vocabulary::problem::ProblemKind;
use vocabulary::record::{IntegrityStatus, KeyTrust, RecordingMode};

use super::problems::Problems;
use super::{declared, missing};
use crate::fold::Fold;
use crate::gaps::Hole;
use crate::model::{Broken, Checked, Checkpoint, Conflict, Integrity, LedgerRow, Standing};

/// What was checked, and what it showed.
pub(crate) struct Evidence<'a> {
    pub(crate) ledger: &'a VerifiedLedger,
    /// Every stream read, by its name in the account.
    pub(crate) streams: Vec<(Standing, StreamRef, &'a VerifiedStream)>,
    /// What the index got wrong.
    pub(crate) index: &'a [Finding],
    /// Whether every sealed binding was looked at.
    pub(crate) bindings_checked: bool,
    /// Records that came out of a spool.
    pub(crate) spooled: u64,
    /// Holes in the numbering of producers' runs, and whether all streams they could be in were read.
    pub(crate) holes: (Vec<Hole>, bool),
    /// Numbers that the ledger log says never came, and that are in no record read here.
    pub(crate) noted: &'a [(StreamRef, Sealed<GapNote>)],
    /// Records whose bytes are sealed and cannot be read, and why.
    pub(crate) lost: &'a [(RecordRef, String)],
    /// Conflicts that the collector noted.
    pub(crate) conflicts: Vec<Conflict>,
    /// Leaves in which something refused could stand and that were not read.
    pub(crate) unread: u64,
    /// When the newest leaf under the checkpoint was written.
    pub(crate) signed_ns: Option<u64>,
}

impl Evidence<'_> {
    fn findings(&self) -> impl Iterator<Item = (Option<StreamRef>, &Finding)> {
        let ledger = self
            .ledger
            .findings
            .iter()
            .chain(self.index)
            .map(|finding| (None, finding));
        ledger.chain(self.streams.iter().flat_map(|(_, name, stream)| {
            stream.findings.iter().map(|finding| (Some(*name), finding))
        }))
    }

    /// The streams that are not another producer's claims.
    pub(super) fn own(&self) -> impl Iterator<Item = (StreamRef, &VerifiedStream)> {
        let own = |(standing, _, _): &&(Standing, StreamRef, &VerifiedStream)| {
            *standing != Standing::Claims
        };
        self.streams
            .iter()
            .filter(own)
            .map(|(_, name, stream)| (*name, *stream))
    }

    /// Records of a session that are sealed and cannot be told: erased, damaged, not what they should be.
    pub(super) fn unreadable(&self, session: SessionRef) -> u64 {
        let here = |name: &StreamRef| name.session == session;
        let failed = |stream: &VerifiedStream| {
            let last = stream
                .records
                .last()
                .map_or(0, |record| record.leaf.index + 1);
            let size = stream.head.map_or(0, |head| head.head.size).max(last);
            size.saturating_sub(stream.records.len() as u64)
        };
        let own = self.own().filter(|(name, _)| here(name));
        let failed: u64 = own.map(|(_, stream)| failed(stream)).sum();
        failed + self.lost.iter().filter(|(at, _)| here(&at.stream)).count() as u64
    }

    /// Whether something may be missing from a session.
    pub(crate) fn is_incomplete(&self, session: SessionRef, fold: &Fold) -> bool {
        let here = |name: &StreamRef| name.session == session;
        let found = self
            .findings()
            .any(|(name, _)| name.is_none_or(|name| here(&name)));
        let erased = self.streams.iter().any(|(_, name, stream)| {
            here(name)
                && stream
                    .records
                    .iter()
                    .any(|record| record.envelope().is_none())
        });
        let lost = fold
            .losses
            .iter()
            .any(|loss| loss.session.is_none_or(|lost| lost == session));
        let hole = self.holes.0.iter().any(|hole| hole.session == session);
        let noted = self.noted.iter().any(|(name, _)| here(name));
        found || erased || lost || hole || noted
    }
}

/// The verdict, and a problem for each thing that is wrong.
pub(crate) fn collect(evidence: &Evidence<'_>, fold: &Fold, problems: &mut Problems) -> Integrity {
    let mut gaps = Vec::new();
    let mut parts = Vec::new();
    let mut broken_streams = BTreeMap::new();
    let (mut broken, mut unread) = (false, false);
    for (name, finding) in evidence.findings() {
        let missing = finding.kind == FindingKind::Missing;
        unread |= finding.kind == FindingKind::Unreadable;
        broken |= !missing && finding.kind != FindingKind::Unreadable;
        if let Some(name) = name {
            broken_streams.insert(name, ());
        }
        if missing {
            gaps.push(missing::gap(name, finding));
        }
        // Facts come from sealed bytes, never from the index: nothing depends on that.
        if finding.kind != FindingKind::Index {
            parts.push(part(name, finding));
        }
        let kind = if missing {
            ProblemKind::RecordMissing
        } else {
            ProblemKind::RecordBroken
        };
        let text = (place(name, finding), finding.what.clone());
        problems.add(kind, name.map(|name| name.session), None, text, Vec::new());
    }
    gaps.extend(missing::collect(evidence, fold, problems));
    let declared = declared::collect(evidence, fold, &mut gaps, problems);
    let whole = evidence
        .streams
        .iter()
        .all(|(_, _, stream)| stream.tail == 0 && stream.head.is_some());
    let over = fold
        .runs
        .iter()
        .all(|run| run.ended.is_some() || run.abandoned);
    let status = match () {
        () if broken => IntegrityStatus::Broken,
        () if unread => IntegrityStatus::Unchecked,
        () if !gaps.is_empty() || !fold.losses.is_empty() => IntegrityStatus::Incomplete,
        () if !over || !whole => IntegrityStatus::Open,
        () => IntegrityStatus::Intact,
    };
    let sound = |session: SessionRef| !broken_streams.keys().any(|name| name.session == session);
    Integrity {
        status,
        checked: Checked {
            sessions: fold.runs.iter().filter(|run| sound(run.row.name)).count() as u64,
            of: fold.runs.len() as u64,
            records: evidence
                .streams
                .iter()
                .map(|(_, _, stream)| stream.records.len() as u64)
                .sum(),
        },
        ledgers: vec![ledger(evidence.ledger, evidence.signed_ns)],
        declared,
        conflicts: evidence.conflicts.clone(),
        losses: fold.losses.clone(),
        gaps,
        broken: parts,
        not_proven: not_proven(evidence, fold),
    }
}

/// What a finding says does not hold.
fn part(name: Option<StreamRef>, finding: &Finding) -> Broken {
    let stream = name.map_or_else(|| "a stream".to_owned(), |name| name.to_string());
    let range = |from: u64, to: u64| match to.saturating_sub(from) {
        0 | 1 => from.to_string(),
        _ => format!("{from}-{}", to - 1),
    };
    let (from, to, said) = match finding.place {
        Place::Records { from, to, .. } => {
            let said = format!("{stream}#{}", range(from, to));
            (Some(from), to.checked_sub(1), said)
        }
        Place::Control { from, to } => {
            let said = format!("ledger leaf {}", range(from, to));
            (Some(from), to.checked_sub(1), said)
        }
        Place::Tile { n, .. } if name.is_none() => (Some(n), Some(n), place(name, finding)),
        Place::Stream(_) | Place::Tile { .. } => (None, None, stream),
        Place::Ledger => (None, None, "the ledger".to_owned()),
    };
    Broken {
        name: said,
        session: name.map(|name| name.session),
        stream: name,
        from,
        to,
        missing: finding.kind == FindingKind::Missing,
        what: finding.what.clone(),
    }
}

/// Where something is wrong, in words.
fn place(name: Option<StreamRef>, finding: &Finding) -> String {
    let stream = |id: &dyn std::fmt::Display| match name {
        Some(name) => name.to_string(),
        None => format!("stream {id}"),
    };
    match &finding.place {
        Place::Ledger => "the ledger".to_owned(),
        Place::Control { from, to } if *to == from + 1 => format!("ledger leaf {from}"),
        Place::Control { from, to } => format!("ledger leaves {from} to {}", to - 1),
        Place::Records {
            stream: id,
            from,
            to,
        } if *to == from + 1 => {
            format!("record {}#{from}", stream(id))
        }
        Place::Records {
            stream: id,
            from,
            to,
        } => {
            format!("records {}#{from} to #{}", stream(id), to - 1)
        }
        Place::Stream(id) => stream(id),
        Place::Tile { level, n, .. } => format!("tile {n} of level {level}"),
    }
}

fn ledger(ledger: &VerifiedLedger, signed_ns: Option<u64>) -> LedgerRow {
    let note = ledger
        .checkpoint_note
        .as_deref()
        .and_then(|note| Note::parse(note).ok());
    let signed_by = note.iter().flat_map(|note| &note.signatures).map(|line| {
        let [a, b, c, d] = line.id;
        format!("{}+{a:02x}{b:02x}{c:02x}{d:02x}", line.name)
    });
    let signed_by = signed_by.collect();
    LedgerRow {
        id: origin(ledger),
        size: Some(ledger.size),
        root: ledger
            .checkpoint
            .filter(|head| head.size == ledger.size)
            .map(|head| hex(&head.root)),
        checkpoint: ledger.checkpoint.map(|head| Checkpoint {
            size: head.size,
            root: hex(&head.root),
            signed_by,
            at: signed_ns.map(Timestamp::from_unix_ns),
        }),
        key: match ledger.key_state {
            KeyState::Pinned => KeyTrust::Pinned,
            KeyState::FirstSeen => KeyTrust::FirstSeen,
        },
    }
}

/// The ledger's name: its origin line, else its id.
pub(crate) fn origin(ledger: &VerifiedLedger) -> String {
    match (&ledger.key, &ledger.ledger) {
        (Some(key), _) => key.name().to_owned(),
        (None, Some(id)) => id.to_string(),
        (None, None) => "unknown".to_owned(),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What an intact record still does not show.
fn not_proven(evidence: &Evidence<'_>, fold: &Fold) -> Vec<String> {
    let mut list = vec!["that the agent told all".to_owned()];
    let mut add = |when: bool, text: String| {
        if when {
            list.push(text);
        }
    };
    add(
        !fold.decisions.is_empty(),
        "that the reasons given are the real ones".to_owned(),
    );
    let unproven = fold
        .runs
        .iter()
        .any(|run| run.principal.proof != PrincipalProof::VerifiedByCollector);
    add(
        unproven,
        "who asked, beyond what the sender says".to_owned(),
    );
    let alone = fold.runs.iter().any(|run| {
        run.row.recording_mode == RecordingMode::SelfRecorded
            || run.row.recording_mode == RecordingMode::Unknown
    });
    add(
        alone,
        "that the recorder was out of the agent's reach: the agent recorded itself".to_owned(),
    );
    let imported = fold
        .runs
        .iter()
        .any(|run| run.row.recording_mode == RecordingMode::Imported);
    add(
        imported,
        "that imported lines are what was written at the time that they state: they were sealed when they were imported"
            .to_owned(),
    );
    list.extend(crate::fold::signed::not_proven(&fold.signatures));
    let mut add = |when: bool, text: String| {
        if when {
            list.push(text);
        }
    };
    let first_seen = evidence.ledger.key_state == KeyState::FirstSeen;
    add(
        first_seen,
        "that this is the ledger's key: it is seen for the first time".to_owned(),
    );
    add(
        !evidence.bindings_checked,
        "that no other session names this request".to_owned(),
    );
    let newest = evidence.streams.iter().all(|(_, _, stream)| stream.newest);
    add(
        !newest,
        "that the index hides no newer head of these streams".to_owned(),
    );
    let unread = evidence.unread;
    add(
        unread > 0,
        format!("that nothing was refused meanwhile: {unread} ledger leaves were not read for it"),
    );
    let tail: u64 = evidence
        .streams
        .iter()
        .map(|(_, _, stream)| stream.tail)
        .sum();
    add(
        tail > 0,
        format!("{tail} records that no signed head covers yet"),
    );
    let spooled = evidence.spooled;
    add(
        spooled > 0,
        format!("when {spooled} records were written: they came out of a spool"),
    );
    let gaps = evidence.missing(fold);
    let open = evidence.holes.0.iter().filter(|hole| !gaps.contains(hole));
    let holes: u64 = open.map(|hole| hole.to - hole.from + 1).sum();
    add(
        holes > 0,
        format!(
            "where {holes} records of the same producers are: their numbers are in no session read here"
        ),
    );
    list
}
