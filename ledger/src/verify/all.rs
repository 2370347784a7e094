//! Recomputing everything: every leaf, every record, every tile, every head.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use super::check::Check;
use super::finding::Findings;
use super::ledger::Verifier;
use super::stream::compare_hint;
use super::trust::Trusted;
use super::{FindingKind, Place, Progress, Recomputed, locate};
use crate::envelope::Envelope;
use crate::leaf::StreamId;
use crate::reader::{Find, LentBody, Log, ReadError, Reader, StreamHint};
use crate::tile::{BYTES, tile_root};

/// Recomputes everything that a reader gives.
///
/// # Errors
/// Only what keeps the store from being read at all; everything else is a finding.
pub fn verify_all(
    reader: &dyn Reader,
    trusted: &Trusted,
    progress: &mut dyn FnMut(Progress),
) -> Result<Recomputed, ReadError> {
    verify_all_telling(reader, trusted, progress, &mut |_, _, _| {})
}

/// Recomputes everything that a reader gives, and tells of each good record: its stream, its index there and its
/// envelope, or none where that was erased. The records of one stream come in a row.
///
/// # Errors
/// As [`verify_all`].
pub fn verify_all_telling(
    reader: &dyn Reader,
    trusted: &Trusted,
    progress: &mut dyn FnMut(Progress),
    tell: &mut dyn FnMut(&StreamId, u64, Option<&Envelope<'_>>),
) -> Result<Recomputed, ReadError> {
    let mut verifier = Verifier::open(reader, trusted)?;
    verifier.scan_with_tiles();
    let mut findings = Findings::default();
    findings.extend(verifier.ledger.findings.clone());
    let hints = match reader.find(&Find::All) {
        Ok(hints) => hints,
        Err(error) => {
            findings.unreadable(Place::Ledger, &error);
            Vec::new()
        }
    };
    let streams = all_streams(&verifier, &hints, &mut findings);
    let (epochs, _) = verifier.control_facts();
    let (anchors, wrong) = verifier.receipts();
    findings.extend(wrong);
    let frame = verifier.frame(None);
    let mut report = Recomputed {
        ledger: verifier.ledger.clone(),
        streams: 0,
        closed: 0,
        records: 0,
        erased: 0,
        open: 0,
        bytes: 0,
        heads: 0,
        epochs,
        gap_leaves: verifier.gap_leaves(),
        anchors,
        frame,
        findings: Vec::new(),
    };
    for (stream, hint) in &streams {
        verifier.check_whole(stream, hint.as_ref(), tell, &mut report, &mut findings);
        report.streams += 1;
        let of = streams.len() as u64;
        progress(Progress {
            streams: report.streams,
            of,
            records: report.records,
        });
    }
    match reader.self_check() {
        Ok(found) => findings.extend(found),
        Err(error) => findings.unreadable(Place::Ledger, &error),
    }
    report.findings = findings.into_vec();
    Ok(report)
}

/// Every stream that a leaf or the index names.
fn all_streams(
    verifier: &Verifier<'_>,
    hints: &[StreamHint],
    findings: &mut Findings,
) -> Vec<(StreamId, Option<StreamHint>)> {
    let mut hinted: HashMap<StreamId, &StreamHint> = HashMap::new();
    for hint in hints {
        if hinted.insert(hint.stream, hint).is_some() {
            findings.add(
                FindingKind::Index,
                Place::Stream(hint.stream),
                "the index names the stream twice",
            );
        }
    }
    let mut streams = Vec::new();
    for stream in verifier.scan.iter().flat_map(|scan| scan.streams.keys()) {
        let hint = hinted.remove(stream);
        if hint.is_none() {
            findings.add(
                FindingKind::Index,
                Place::Stream(*stream),
                "the index does not name the stream",
            );
        }
        streams.push((*stream, hint.cloned()));
    }
    let mut unknown: Vec<&StreamHint> = hinted.into_values().collect();
    unknown.sort_by_key(|hint| hint.stream);
    let scanned = verifier.scan.as_ref().map_or(0, |scan| scan.scanned);
    for hint in unknown {
        if hint.open_index.is_some_and(|index| index >= scanned) {
            continue;
        }
        findings.add(
            FindingKind::Index,
            Place::Stream(hint.stream),
            "no leaf speaks of this stream",
        );
        streams.push((hint.stream, None));
    }
    streams
}

impl Verifier<'_> {
    fn check_whole(
        &mut self,
        stream: &StreamId,
        hint: Option<&StreamHint>,
        tell: &mut dyn FnMut(&StreamId, u64, Option<&Envelope<'_>>),
        report: &mut Recomputed,
        findings: &mut Findings,
    ) {
        let facts = self.scan.as_ref().and_then(|scan| scan.streams.get(stream));
        if facts.is_some_and(|facts| facts.pruned.is_some()) {
            return;
        }
        let heads = facts.map(|facts| facts.heads.iter().chain(&facts.unsigned).copied().collect());
        let signed = facts.and_then(|facts| facts.heads.iter().map(|head| head.head.size).max());
        let newest = facts.and_then(|facts| facts.heads.iter().max_by_key(|head| head.index));
        let closed_at = newest.filter(|head| head.closed).map(|head| head.head.size);
        let mut check = Check::new(*stream, heads.unwrap_or_default());
        check.hashes = Some(Vec::new());
        let mut count = 0u64;
        let read = self.reader.scan(stream, 0, u64::MAX, &mut |record| {
            count += 1;
            if check.record(&record).is_none() {
                return;
            }
            match &record.body {
                LentBody::Whole { envelope, .. } => tell(stream, record.index, Some(envelope)),
                _ => tell(stream, record.index, None),
            }
        });
        if let Err(error) = read {
            check.findings.unreadable(Place::Stream(*stream), &error);
        }
        check.finish();
        report.open += count.saturating_sub(signed.unwrap_or(0));
        report.closed += u64::from(closed_at == Some(count));
        self.compare_stream_tiles(stream, &mut check);
        self.explain_erased(stream, &mut check);
        report.records += count;
        report.erased += check.erased.len() as u64;
        report.bytes += check.bytes;
        report.heads += check.heads;
        if let Some(hint) = hint {
            self.compare_index(hint, count, check.first_ns, findings);
        }
        findings.extend(check.findings.into_vec());
    }

    fn compare_index(
        &self,
        hint: &StreamHint,
        count: u64,
        first_ns: Option<u64>,
        findings: &mut Findings,
    ) {
        let Some(scan) = &self.scan else { return };
        let Some(facts) = scan.streams.get(&hint.stream) else {
            return;
        };
        let pointed = hint
            .open_index
            .iter()
            .chain(&hint.link_indexes)
            .chain(&hint.head_index);
        if pointed.copied().any(|index| index >= scan.scanned) {
            // The collector went on meanwhile: its index knows leaves that this scan does not.
            return;
        }
        let opening = facts.opening.as_ref().map(|opening| &opening.value);
        compare_hint(
            hint,
            opening,
            &facts.links,
            &facts.bindings,
            first_ns,
            findings,
        );
        let mut disagree =
            |what: String| findings.add(FindingKind::Index, Place::Stream(hint.stream), what);
        if hint.records > count {
            disagree(format!(
                "the index counts {} records, there are {count}",
                hint.records
            ));
        }
        if hint.open_index != facts.open_index {
            disagree(format!(
                "the index says that the stream was opened at {:?}",
                hint.open_index
            ));
        }
        for binding in &facts.bindings {
            if !hint.requests.contains(&binding.value.request) {
                disagree(format!(
                    "the index does not bind request {:?}, a leaf does",
                    binding.value.request
                ));
            }
        }
        for link in &facts.links {
            if !hint.sessions.contains(&link.value.session) && hint.label != link.value.session {
                disagree(format!(
                    "the index does not link session {:?}, a leaf does",
                    link.value.session
                ));
            }
        }
        let newest = facts
            .heads
            .iter()
            .chain(&facts.unsigned)
            .max_by_key(|head| head.index);
        if hint.head_index != newest.map(|head| head.index) {
            disagree(format!(
                "the index says that the newest head is {:?}",
                hint.head_index
            ));
        }
        if hint.closed != newest.is_some_and(|head| head.closed) {
            let (not, leaf) = if hint.closed {
                ("", "head")
            } else {
                ("not ", "close")
            };
            disagree(format!(
                "the index says that the stream is {not}closed, its newest leaf is a {leaf}"
            ));
        }
    }

    /// Compares the stored tiles of a stream with its leaves: a record that no head pins down is named by its
    /// tile, and a tile whose records are good is named itself.
    fn compare_stream_tiles(&self, stream: &StreamId, check: &mut Check) {
        let Some(hashes) = check.hashes.take() else {
            return;
        };
        let disagrees = check
            .findings
            .as_slice()
            .iter()
            .any(|finding| finding.kind == FindingKind::Head);
        let mut row = hashes;
        for level in 0u8.. {
            let mut above = Vec::new();
            for (n, computed) in (0u64..).zip(row.chunks(BYTES)) {
                let log = Log::Stream(*stream);
                let place = Place::Tile { log, level, n };
                match self.reader.tile(log, level, n) {
                    Ok(Some(stored)) if !computed.starts_with(&stored) => {
                        if disagrees && level == 0 {
                            for at in locate::differing(&stored, computed) {
                                let what = "the leaf is not what its tile holds";
                                check.findings.record(
                                    FindingKind::Leaf,
                                    *stream,
                                    256 * n + at,
                                    what,
                                );
                            }
                        } else {
                            let what = "the tile is not what its leaves give";
                            check.findings.add(FindingKind::Tile, place, what);
                        }
                    }
                    Ok(_) => {}
                    Err(error) => check.findings.unreadable(place, &error),
                }
                above.extend(tile_root(computed));
            }
            row = above.concat();
            if row.is_empty() {
                break;
            }
        }
    }
}
