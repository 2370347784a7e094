//! What the ledger log says while the sessions were recorded: payloads refused, numbers that never came.
//!
//! These statements belong to no record, so they are looked for where they can be: between the leaf that opens
//! the first stream and the newest head of the last one, and a little after it.

use ledger::leaf::{GapNote, RefusedPayload};
use ledger::verify::{Finding, Remarks, Sealed, VerifiedStream, Verifier};
use vocabulary::id::StreamRef;

use crate::gather::Part;
use crate::model::Standing;
use crate::reading::Reading;

/// So many leaves after a head are looked at: the collector says a gap a while after the stream was closed, since a
/// sender's connections may overtake each other.
const AFTER: u64 = 512;

/// What is refused within this time after the last record may still have been sent with it. Nanoseconds.
const AFTER_NS: u64 = 1_000_000_000;

/// Statements of the collector that may concern the sessions read.
#[derive(Debug, Default)]
pub(crate) struct Meanwhile {
    /// What was refused at a door that one of the sessions uses.
    pub(crate) refused: Vec<Sealed<RefusedPayload>>,
    /// Numbers that never came, of streams read here.
    pub(crate) gaps: Vec<(StreamRef, Sealed<GapNote>)>,
    /// Leaves in which something refused could stand and that were not read.
    pub(crate) unread: u64,
}

impl Reading {
    /// Looks for them; what does not verify is added to the findings.
    pub(crate) fn look_meanwhile(
        &mut self,
        verifier: &mut Verifier<'_>,
        parts: &[Part],
        findings: &mut Vec<Finding>,
    ) {
        let runs = &self.fold.runs;
        let named: Vec<(StreamRef, &VerifiedStream)> = parts
            .iter()
            .zip(runs)
            .flat_map(|(part, run)| part.streams.iter().zip(&run.row.streams))
            .filter(|((standing, _), _)| *standing != Standing::Claims)
            .map(|((_, stream), row)| (row.name, stream))
            .collect();
        let over = runs.iter().all(|run| run.ended.is_some() || run.abandoned);
        let opened = named
            .iter()
            .filter_map(|(_, stream)| Some(stream.opening.as_ref()?.index));
        let heads = named
            .iter()
            .filter_map(|(_, stream)| Some(stream.head?.index));
        let size = verifier.ledger().size;
        let Some(from) = opened.min() else { return };
        let to = match heads.max() {
            Some(head) if over => (head + 1 + AFTER).min(size),
            _ => size,
        };
        let mut meanwhile = Meanwhile::default();
        let mut take = |remarks: Remarks| meanwhile.take(remarks, &named);
        match verifier.remarks(from, to) {
            Ok(Some(remarks)) => take(remarks),
            Ok(None) => {
                // Too many to read for one answer; a gap stands beside the head of its stream.
                for head in named.iter().filter_map(|(_, stream)| stream.head) {
                    let around = (head.index.saturating_sub(AFTER), head.index + AFTER);
                    match verifier.remarks(around.0, around.1) {
                        Ok(remarks) => take(remarks.unwrap_or_default()),
                        Err(finding) => findings.push(finding),
                    }
                }
                meanwhile.unread = to - from;
            }
            Err(finding) => findings.push(finding),
        }
        meanwhile.unread = meanwhile.unread.max(verifier.left_out(from, to));
        let last = named
            .iter()
            .filter_map(|(_, stream)| Some(stream.records.last()?.leaf.received_unix_ns));
        let until = last.max().filter(|_| over).map(|last| last + AFTER_NS);
        meanwhile
            .refused
            .retain(|note| until.is_none_or(|until| note.unix_ns <= until));
        meanwhile.once();
        self.meanwhile = meanwhile;
    }
}

impl Meanwhile {
    fn take(&mut self, remarks: Remarks, named: &[(StreamRef, &VerifiedStream)]) {
        let at_door = |door: u8| {
            named
                .iter()
                .any(|(_, stream)| door_of(stream).is_none_or(|its| its == door))
        };
        let refused = remarks.refused.into_iter();
        self.refused
            .extend(refused.filter(|note| at_door(note.value.door)));
        for (id, note) in remarks.gaps {
            let name = named.iter().find(|(_, stream)| stream.stream == id);
            self.gaps.extend(name.map(|(name, _)| (*name, note)));
        }
    }

    /// Ranges may overlap.
    fn once(&mut self) {
        self.refused.sort_by_key(|note| note.index);
        self.refused.dedup_by_key(|note| note.index);
        self.gaps.sort_by_key(|(_, note)| note.index);
        self.gaps.dedup_by_key(|(_, note)| note.index);
    }
}

/// The door of a sender without a credential, as `refused_payload` numbers doors; `None` where it is not known.
fn door_of(stream: &VerifiedStream) -> Option<u8> {
    let producer = &stream.opening.as_ref()?.value.producer;
    match producer.strip_prefix("unauthenticated:")? {
        "otlp-http" => Some(1),
        "otlp-grpc" => Some(2),
        "adopt" => Some(3),
        _ => None,
    }
}
