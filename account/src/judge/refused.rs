//! What was sent and not kept: told by the ledger log, and by the records that were kept of the same export.

use ledger::leaf::RefusedPayload;
use ledger::verify::Sealed;
use std::collections::BTreeMap;
use vocabulary::Timestamp;
use vocabulary::id::{RecordRef, SessionRef};
use vocabulary::problem::ProblemKind;

use super::problems::Problems;
use crate::fold::Fold;
use crate::gather::Part;

/// Kept records and the statement that the rest was refused are written within this time. Nanoseconds.
const SAME_EXPORT_NS: u64 = 1_000_000_000;

/// A record whose export was refused in part: where it is, when it came.
type Kept = (RecordRef, u64);

/// One problem per session with a part refused, and one per door and reason for whole payloads.
pub(crate) fn collect(
    parts: &[Part],
    fold: &Fold,
    refused: &[Sealed<RefusedPayload>],
    problems: &mut Problems,
) {
    let mut kept: Vec<(SessionRef, Vec<Kept>)> = Vec::new();
    for (part, run) in parts.iter().zip(&fold.runs) {
        kept.push((run.row.name, kept_of(part, run)));
    }
    let mut whole: Vec<&Sealed<RefusedPayload>> = Vec::new();
    let mut reasons: BTreeMap<SessionRef, &str> = BTreeMap::new();
    for note in refused {
        let same = |(_, records): &&(SessionRef, Vec<Kept>)| {
            let near = |(_, at): &Kept| at.abs_diff(note.unix_ns) <= SAME_EXPORT_NS;
            records.iter().any(near)
        };
        match kept.iter().find(same) {
            Some((session, _)) => drop(reasons.entry(*session).or_insert(&note.value.why)),
            None => whole.push(note),
        }
    }
    for (session, records) in kept.iter().filter(|(_, records)| !records.is_empty()) {
        let told = reasons.get(session).map(|why| format!(": {why}"));
        let what = format!("part of an export was refused{}", told.unwrap_or_default());
        let why = "the collector kept the rest and said so to the sender".to_owned();
        let refs = records.iter().map(|(at, _)| *at).collect();
        problems.add(
            ProblemKind::InputRefused,
            Some(*session),
            None,
            (what, why),
            refs,
        );
    }
    payloads(&whole, fold, problems);
}

fn kept_of(part: &Part, run: &crate::fold::Run) -> Vec<Kept> {
    let mut kept = Vec::new();
    for ((_, stream), row) in part.streams.iter().zip(&run.row.streams) {
        let refused = |flags: u32| flags & ledger::leaf::flag::PARTLY_REFUSED != 0;
        let hit = stream
            .records
            .iter()
            .filter(|record| refused(record.leaf.flags));
        kept.extend(hit.map(|record| {
            let at = RecordRef {
                stream: row.name,
                index: record.leaf.index,
            };
            (at, record.leaf.received_unix_ns)
        }));
    }
    kept
}

/// Payloads of which nothing was kept. Nobody can say whose they were, so they name a session only where there is
/// one.
fn payloads(whole: &[&Sealed<RefusedPayload>], fold: &Fold, problems: &mut Problems) {
    let mut groups: BTreeMap<(u8, &str), Vec<&Sealed<RefusedPayload>>> = BTreeMap::new();
    for note in whole {
        let slot = (note.value.door, note.value.why.as_str());
        groups.entry(slot).or_default().push(note);
    }
    let session = match fold.runs.as_slice() {
        [one] => Some(one.row.name),
        _ => None,
    };
    for ((door, why), notes) in groups {
        let Some(first) = notes.first() else { continue };
        let bytes: u64 = notes.iter().map(|note| note.value.size).sum();
        let what = match notes.as_slice() {
            [one] => format!("{} payload of {bytes} bytes", door_name(door)) + &from(&one.value),
            many => format!("{} {} payloads, {bytes} bytes", many.len(), door_name(door)),
        };
        let at = Timestamp::from_unix_ns(first.unix_ns);
        let why = format!(
            "refused at {at}: {why}; whether it was of this request cannot be known (ledger leaf {})",
            first.index
        );
        problems.add(
            ProblemKind::InputRefused,
            session,
            None,
            (what, why),
            Vec::new(),
        );
    }
}

fn from(refused: &RefusedPayload) -> String {
    match refused.peer.as_str() {
        "" => String::new(),
        peer => format!(" from {peer}"),
    }
}

fn door_name(door: u8) -> &'static str {
    match door {
        1 => "OTLP/HTTP",
        2 => "OTLP/gRPC",
        _ => "spooled",
    }
}
