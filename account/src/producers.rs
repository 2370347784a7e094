//! What the producers' own numbers, chains and signatures show, for a verification report.

mod chains;
mod marks;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};

use ledger::envelope::Envelope;
use ledger::leaf::StreamId;
use ledger::producer::Signed;
use ledger::verify::VerifiedStream;
use ledger::verify::report::{KeySeen, Producers};

use self::chains::{Broken, Chains};
use self::marks::{Carried, Marks, RunAt};
use crate::model::Account;

/// How many numbered records of its stream in front of a signature may be the one that it signs.
const WINDOW: usize = 65_536;

/// Broken links and signatures that are told one by one.
const TOLD: usize = 100;

/// Reads verified records, stream by stream, and finds out what their producers' marks show.
///
/// Memory is for one stream's last 65,536 links and one stretch per row of neighbouring numbers.
#[derive(Debug, Default)]
pub struct Watch {
    marks: Marks,
    chains: Chains,
    /// The stream being read and its last links: run and number, and what they are.
    stream: Option<StreamId>,
    links: HashMap<(RunAt, u64), [u8; 32]>,
    order: VecDeque<(RunAt, u64)>,
    records: u64,
    numbered: u64,
    carriers: u64,
    erased: u64,
    /// Signatures of a record that is not in front of them.
    astray: u64,
    /// Keys whose signatures hold, and the producer that was enrolled with each.
    keys: BTreeMap<[u8; 32], Option<String>>,
    broken: Vec<String>,
    more: u64,
}

impl Watch {
    /// Takes the next record of a stream; no envelope where it was erased. The records of one stream come in a row.
    pub fn record(&mut self, stream: &StreamId, index: u64, envelope: Option<&Envelope<'_>>) {
        if self.stream != Some(*stream) {
            self.stream = Some(*stream);
            self.links.clear();
            self.order.clear();
        }
        self.records += 1;
        let Some(envelope) = envelope else {
            self.erased += 1;
            return;
        };
        let Some((run, mark)) = self.marks.of(envelope) else {
            return;
        };
        self.numbered += 1;
        self.carriers += u64::from(mark.carrier);
        if mark.carrier && mark.item.is_some() {
            self.signature(stream, index, run, mark.signature.as_ref());
        }
        let mut broken = Vec::new();
        let new = self.chains.add(run, &mark, (*stream, index), &mut broken);
        for Broken { at, number } in broken {
            let what = format!(
                "number {number} does not follow from the number before it in its producer's chain"
            );
            self.tell(&at.0, at.1, &what);
        }
        if new {
            if self.order.len() == WINDOW
                && let Some(oldest) = self.order.pop_front()
            {
                self.links.remove(&oldest);
            }
            self.order.push_back((run, mark.number));
            self.links.insert((run, mark.number), mark.link);
        }
    }

    /// Takes whole streams, in the order of their ids: of two records of one number the first counts.
    pub fn streams(&mut self, streams: &[VerifiedStream]) {
        let mut sorted: Vec<&VerifiedStream> = streams.iter().collect();
        sorted.sort_by_key(|stream| stream.stream);
        for stream in sorted {
            for record in &stream.records {
                self.record(
                    &stream.stream,
                    record.leaf.index,
                    record.envelope().as_ref(),
                );
            }
        }
    }

    fn tell(&mut self, stream: &StreamId, index: u64, what: &str) {
        if self.broken.len() == TOLD {
            self.more += 1;
            return;
        }
        let stream = stream.to_string();
        let short = stream.get(..16).unwrap_or(&stream);
        self.broken
            .push(format!("record {index} of stream {short}: {what}"));
    }

    fn signature(
        &mut self,
        stream: &StreamId,
        index: u64,
        run: RunAt,
        carried: Option<&Carried<'_>>,
    ) {
        let Some(carried) = carried else {
            return self.tell(stream, index, "its signature is none");
        };
        let Some((of, enrolled)) = self.marks.last() else {
            return;
        };
        let Some(link) = self.links.get(&(run, carried.number)) else {
            self.astray += 1;
            return;
        };
        let signed = Signed {
            producer: of.producer,
            run: of.run,
            number: carried.number,
            link: *link,
            session: carried.session,
        };
        if signed.is_signed(&carried.key, &carried.signature) {
            let enrolled = enrolled == Some(&carried.key);
            let owner = self.keys.entry(carried.key).or_default();
            if enrolled && owner.is_none() {
                *owner = Some(of.known_as.clone());
            }
            self.chains
                .sign(run, carried.number, (carried.key, enrolled));
        } else {
            let key = short(&carried.key);
            let what = format!(
                "the signature by key {key} does not hold for number {}",
                carried.number
            );
            self.tell(stream, index, &what);
        }
    }

    /// What was found.
    #[must_use]
    pub fn finish(self) -> Producers {
        let mut broken = self.broken;
        if self.more > 0 {
            broken.push(format!("and {} more", self.more));
        }
        let keys = self.keys.iter().map(|(key, owner)| KeySeen {
            key: *key,
            covered: self.chains.covered(|(by, _)| by == key),
            owner: owner.clone(),
        });
        Producers {
            records: self.records,
            numbered: self.numbered,
            signatures: self.carriers,
            signed: self.chains.covered(|_| true),
            enrolled: self.chains.covered(|(_, enrolled)| *enrolled),
            keys: keys.collect(),
            astray: self.astray,
            missing: None,
            declared: 0,
            gaps: Vec::new(),
            broken,
        }
    }

    /// As [`Watch::finish`], after every record of a ledger was read: then a number that did not come is missing.
    #[must_use]
    pub fn finish_whole(self) -> Producers {
        let (holes, erased) = (self.chains.holes(self.marks.runs()), self.erased);
        let missing: u64 = holes
            .iter()
            .map(|(_, _, first, last)| last - first + 1)
            .sum();
        let mut found = self.finish();
        // The number of an erased record is gone with it.
        if missing == 0 || missing > erased {
            found.missing = Some(missing.saturating_sub(erased));
            found.gaps = holes
                .iter()
                .take(TOLD)
                .map(|(producer, run, first, last)| {
                    let (producer, run) = (hex(producer), hex(run));
                    format!("numbers {first} to {last} of run {run} of producer {producer}")
                })
                .collect();
        }
        found
    }
}

/// What the records of these streams carry, and the gaps and losses that their account found.
#[must_use]
pub fn producers(account: &Account, streams: &[VerifiedStream]) -> Producers {
    let mut watch = Watch::default();
    watch.streams(streams);
    let mut found = watch.finish();
    let mut missing = 0u64;
    for gap in &account.integrity.gaps {
        let to = gap.to.unwrap_or(gap.from);
        missing += to.saturating_sub(gap.from).saturating_add(1);
        found
            .gaps
            .push(format!("number {} to {to}: {}", gap.from, gap.why));
    }
    found.missing = Some(missing);
    for loss in &account.integrity.losses {
        found.declared += loss.records.unwrap_or(1);
        found.gaps.push(format!("declared lost: {}", loss.why));
    }
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn short(key: &[u8; 32]) -> String {
    let mut text = hex(key);
    text.truncate(16);
    text
}
