//! Reading one stream: what the ledger log says about it, and its records from the first to the last.
#![forbid(unsafe_code)]

use super::check::Check;
use super::finding::Findings;
use super::later::NEAR;
use super::ledger::Verifier;
use super::{Finding, FindingKind, Place, Sealed, VerifiedHead, VerifiedRecord, VerifiedStream};
use crate::leaf::{self, ControlBody, NO_HEAD, StreamId};
use crate::reader::{Find, LentBody, StreamHint};

/// What the ledger log says about a stream, from a full scan or from where the index pointed.
#[derive(Default)]
struct Known {
    opening: Option<Sealed<leaf::StreamOpening>>,
    links: Vec<Sealed<leaf::SessionLink>>,
    bindings: Vec<Sealed<leaf::RequestBinding>>,
    heads: Vec<VerifiedHead>,
    /// Whether some private part is gone.
    bare: bool,
}

impl Known {
    /// The first leaf after everything that is known of the stream's heads.
    fn after(&self, hint: &StreamHint) -> u64 {
        let newest = self.heads.iter().map(|head| head.index).max();
        newest
            .or(hint.open_index)
            .map_or(0, |index| index.saturating_add(1))
    }
}

impl Verifier<'_> {
    /// Reads every record of a stream and checks it up to the newest signed head that is known.
    ///
    /// Without [`Verifier::scan`] the index says where the stream's control leaves are, and each is proven. That
    /// no newer head exists is proven as well if the one the index points at is recent, or if records lie beyond
    /// it; otherwise `newest` is false.
    pub fn read_stream(&mut self, hint: &StreamHint) -> VerifiedStream {
        let mut findings = Findings::default();
        let mut known = self.known(hint, &mut findings);
        if known.bare && self.scan.is_none() {
            self.scan();
            findings = Findings::default();
            known = self.known(hint, &mut findings);
        }
        let after = known.after(hint);
        let all_there = self.all_leaves_from(after);
        let mut newest = self.scan.is_some() && all_there;
        if !newest && all_there && self.leaves_after(after) <= NEAR {
            newest = self.later_heads(hint, after, &mut known, &mut findings);
        }
        let (mut check, mut records) = self.read_records(hint, known.heads.clone());
        let mut tail = check.finish();
        if tail > 0 && !newest && all_there {
            let heads = known.heads.len();
            newest = self.later_heads(hint, after, &mut known, &mut findings);
            if known.heads.len() > heads {
                (check, records) = self.read_records(hint, known.heads.clone());
                tail = check.finish();
            }
        }
        self.explain_erased(&hint.stream, &mut check);
        let opening = known.opening.as_ref().map(|opening| &opening.value);
        compare_hint(
            hint,
            opening,
            &known.links,
            &known.bindings,
            check.first_ns,
            &mut findings,
        );
        findings.extend(check.findings.into_vec());
        VerifiedStream {
            stream: hint.stream,
            opening: known.opening,
            links: known.links,
            bindings: known.bindings,
            records,
            head: check.reached,
            tail,
            newest,
            findings: findings.into_vec(),
        }
    }

    /// Adds the heads that the index did not point at. Gives whether all of them are known now.
    fn later_heads(
        &mut self,
        hint: &StreamHint,
        after: u64,
        known: &mut Known,
        findings: &mut Findings,
    ) -> bool {
        match self.heads_after(&hint.stream, after) {
            Ok(hidden) => {
                if let Some(head) = hidden.last()
                    && !self.index_knows(&hint.stream, head.index)
                {
                    let what = format!("the index does not know the head at {}", head.index);
                    findings.add(FindingKind::Index, Place::Stream(hint.stream), what);
                }
                known.heads.extend(hidden);
                true
            }
            Err(finding) => {
                findings.extend(vec![finding]);
                false
            }
        }
    }

    /// Whether the hint was merely older than the checkpoint: a collector may have gone on in between.
    fn index_knows(&self, stream: &StreamId, head: u64) -> bool {
        let now = self.reader.find(&Find::Stream(*stream)).unwrap_or_default();
        now.iter()
            .any(|hint| hint.head_index.is_some_and(|index| index >= head))
    }

    fn read_records(
        &self,
        hint: &StreamHint,
        heads: Vec<VerifiedHead>,
    ) -> (Check, Vec<VerifiedRecord>) {
        let mut check = Check::new(hint.stream, heads);
        let mut records = Vec::new();
        let read = self.reader.scan(&hint.stream, 0, u64::MAX, &mut |record| {
            if let Some(leaf) = check.record(&record) {
                let bytes = match record.body {
                    LentBody::Whole { envelope, .. } => Some(envelope.encode()),
                    LentBody::Erased | LentBody::Damaged(_) => None,
                };
                records.push(VerifiedRecord { leaf, bytes });
            }
        });
        if let Err(error) = read {
            check
                .findings
                .unreadable(Place::Stream(hint.stream), &error);
        }
        (check, records)
    }

    /// From the scan, if there was one, and from the leaves that were appended since.
    fn known(&mut self, hint: &StreamHint, findings: &mut Findings) -> Known {
        let Some(scan) = &self.scan else {
            return self.follow(hint, 0, findings);
        };
        let scanned = scan.scanned;
        let facts = scan.streams.get(&hint.stream);
        let mut known = facts.map_or_else(Known::default, |facts| Known {
            opening: facts.opening.clone(),
            links: facts.links.clone(),
            bindings: facts.bindings.clone(),
            heads: facts.heads.clone(),
            bare: false,
        });
        let opened = facts.is_some_and(|facts| facts.open_index.is_some());
        let later = self.follow(hint, scanned, findings);
        known.opening = known.opening.or(later.opening);
        known.links.extend(later.links);
        known.bindings.extend(later.bindings);
        if !opened && known.opening.is_none() && known.heads.is_empty() {
            findings.add(
                FindingKind::Index,
                Place::Stream(hint.stream),
                "no leaf opens this stream",
            );
        }
        known
    }

    /// Proves the leaves that the index points at, those from `scanned` on.
    fn follow(&mut self, hint: &StreamHint, scanned: u64, findings: &mut Findings) -> Known {
        let mut known = Known::default();
        let pointed = hint.open_index.iter().chain(&hint.link_indexes).copied();
        for index in pointed
            .filter(|index| *index >= scanned)
            .collect::<Vec<_>>()
        {
            if let Err(finding) = self.follow_one(hint, index, &mut known) {
                findings.extend(vec![finding]);
            }
        }
        // A scan knows every head that is signed; a later one is not.
        if scanned == 0
            && let Err(finding) = self.follow_heads(hint, &mut known)
        {
            findings.extend(vec![finding]);
        }
        known
    }

    fn follow_one(
        &mut self,
        hint: &StreamHint,
        index: u64,
        known: &mut Known,
    ) -> Result<(), Finding> {
        let proven = self.prove(index)?;
        if proven.leaf.body.stream() != Some(&hint.stream) {
            return Err(misled(hint, index));
        }
        known.bare |= proven.private.is_none();
        match &proven.leaf.body {
            ControlBody::StreamOpen { nonce, .. } => {
                let derived = self
                    .ledger
                    .ledger
                    .map(|ledger| StreamId::derive(&ledger, nonce));
                if derived.is_some_and(|derived| derived != hint.stream) {
                    let what = "the stream's name is not derived from its nonce".to_owned();
                    return Err(Finding {
                        kind: FindingKind::Control,
                        place: Place::Stream(hint.stream),
                        what,
                    });
                }
                known.opening = proven.opened()?;
            }
            ControlBody::SessionLink { .. } => known.links.extend(proven.opened()?),
            ControlBody::RequestBinding { .. } => known.bindings.extend(proven.opened()?),
            _ => return Err(misled(hint, index)),
        }
        Ok(())
    }

    /// Walks back from the head that the index points at to the newest one that is signed.
    fn follow_heads(&mut self, hint: &StreamHint, known: &mut Known) -> Result<(), Finding> {
        let mut at = hint.head_index;
        while let Some(index) = at {
            let proven = self.prove(index)?;
            let (ControlBody::StreamHead {
                prev_head_index: prev,
                ..
            }
            | ControlBody::StreamClose {
                prev_head_index: prev,
                ..
            }) = &proven.leaf.body
            else {
                return Err(misled(hint, index));
            };
            let found = VerifiedHead::of(&proven.leaf).filter(|(of, _)| *of == hint.stream);
            let Some((_, head)) = found.filter(|_| *prev == NO_HEAD || *prev < index) else {
                return Err(misled(hint, index));
            };
            if proven.signed {
                known.heads.push(head);
                break;
            }
            at = Some(*prev).filter(|prev| *prev != NO_HEAD);
        }
        Ok(())
    }

    /// Erased payloads need an erasure leaf that covers them.
    pub(super) fn explain_erased(&mut self, stream: &StreamId, check: &mut Check) {
        if check.erased.is_empty() {
            return;
        }
        self.scan();
        let facts = self.scan.as_ref().and_then(|scan| scan.streams.get(stream));
        for index in &check.erased {
            if !facts.is_some_and(|facts| facts.erasure_covers(*index)) {
                let what = "the payload is gone and nothing says why";
                check
                    .findings
                    .record(FindingKind::ErasedUnexplained, *stream, *index, what);
            }
        }
    }
}

fn misled(hint: &StreamHint, index: u64) -> Finding {
    let what = format!("the index points at leaf {index}, which is not the stream's");
    Finding {
        kind: FindingKind::Index,
        place: Place::Stream(hint.stream),
        what,
    }
}

/// What the index says must be what the leaves say; the index may lag behind, never contradict.
pub(super) fn compare_hint(
    hint: &StreamHint,
    opening: Option<&leaf::StreamOpening>,
    links: &[Sealed<leaf::SessionLink>],
    bindings: &[Sealed<leaf::RequestBinding>],
    first_ns: Option<u64>,
    findings: &mut Findings,
) {
    let mut disagree =
        |what: String| findings.add(FindingKind::Index, Place::Stream(hint.stream), what);
    if let Some(opening) = opening {
        if opening.label != hint.label {
            disagree(format!(
                "the index calls the session {:?}, the leaf {:?}",
                hint.label, opening.label
            ));
        }
        if opening.producer != hint.producer {
            disagree(format!(
                "the index names producer {:?}, the leaf {:?}",
                hint.producer, opening.producer
            ));
        }
    }
    for session in &hint.sessions {
        let linked = links.iter().any(|link| &link.value.session == session);
        if !linked && opening.is_none_or(|opening| &opening.label != session) {
            disagree(format!("the index links session {session:?}, no leaf does"));
        }
    }
    for request in &hint.requests {
        if !bindings
            .iter()
            .any(|binding| &binding.value.request == request)
        {
            disagree(format!("the index binds request {request:?}, no leaf does"));
        }
    }
    if first_ns.is_some_and(|first| first != hint.first_ns) {
        disagree(format!(
            "the index says that the first record came at {}",
            hint.first_ns
        ));
    }
}
