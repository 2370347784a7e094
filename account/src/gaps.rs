//! Holes in a producer's numbering: records that were written and are not in the ledger.
//!
//! A run of a producer numbers its records from 0 over all its sessions, so a number that is missing here may lie
//! in another session. Before a hole counts as a gap, the streams that received records at about the same time are
//! read for it.

use ledger::reader::StreamHint;
use ledger::verify::VerifiedStream;
use std::collections::{BTreeSet, HashMap};
use vocabulary::attribute::{RUN, SEQ};
use vocabulary::id::{RecordRef, SessionRef, StreamRef};

use crate::chain::Link;
use crate::model::Standing;
use crate::told::{Telling, Told};

/// At most this many other streams are read to fill holes; beyond it nothing is concluded.
pub(crate) const STREAMS: usize = 64;

/// How long before and after a session's records others are looked for, in nanoseconds.
pub(crate) const AROUND_NS: u64 = 60_000_000_000;

/// Numbers missing from one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hole {
    pub(crate) session: SessionRef,
    pub(crate) stream: StreamRef,
    pub(crate) run: String,
    /// First missing number.
    pub(crate) from: u64,
    /// Last missing number.
    pub(crate) to: u64,
}

/// Numbers seen, by run.
#[derive(Debug, Default)]
pub(crate) struct Numbers(HashMap<String, Seen>);

#[derive(Debug)]
struct Seen {
    /// The stream in which the run was seen first.
    stream: StreamRef,
    numbers: Vec<u64>,
    /// Where each number's record is, and its link, as far as it is read here.
    links: Vec<(u64, RecordRef, Link)>,
}

/// A record that does not go on its run's chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) run: String,
    pub(crate) at: RecordRef,
    /// The record it claims to come after.
    pub(crate) after: RecordRef,
}

impl Numbers {
    /// Notes the number of one record.
    pub(crate) fn note(&mut self, told: &Told<'_>) {
        let (Some(run), Some(seq)) = (told.resource.str(RUN), told.count(SEQ)) else {
            return;
        };
        if told.standing == Standing::Claims {
            return;
        }
        if !self.0.contains_key(run) {
            let seen = Seen {
                stream: told.at.stream,
                numbers: Vec::new(),
                links: Vec::new(),
            };
            self.0.insert(run.to_owned(), seen);
        }
        if let Some(seen) = self.0.get_mut(run) {
            seen.numbers.push(seq);
            seen.links
                .extend(told.link.map(|link| (seq, told.at, link)));
        }
    }

    /// The runs that were seen, each with its first stream.
    pub(crate) fn runs(&self) -> Vec<(&str, StreamRef)> {
        self.0
            .iter()
            .map(|(run, seen)| (run.as_str(), seen.stream))
            .collect()
    }

    /// Records whose link does not follow from the record before them.
    pub(crate) fn foreign(&mut self) -> Vec<Foreign> {
        let mut foreign = Vec::new();
        for (run, seen) in &mut self.0 {
            seen.links.sort_by_key(|(number, at, _)| (*number, *at));
            for pair in seen.links.windows(2) {
                let [(before, after, earlier), (number, at, later)] = pair else {
                    continue;
                };
                if *number == before + 1 && !later.follows(earlier, *number) {
                    foreign.push(Foreign {
                        run: run.clone(),
                        at: *at,
                        after: *after,
                    });
                }
            }
        }
        foreign.sort_by_key(|one| one.at);
        foreign
    }

    /// Takes the numbers of these runs out of another stream.
    pub(crate) fn fill(&mut self, stream: &VerifiedStream) {
        let mut telling = Telling::default();
        let nowhere = StreamRef {
            session: SessionRef(0),
            stream: 0,
        };
        for record in &stream.records {
            let at = RecordRef {
                stream: nowhere,
                index: record.leaf.index,
            };
            let Some(envelope) = record.envelope() else {
                continue;
            };
            let standing = Standing::Own;
            let Ok(told) = telling.read(at, standing, record.leaf, envelope) else {
                continue;
            };
            let Some(run) = told.resource.str(RUN) else {
                continue;
            };
            if let (Some(seen), Some(seq)) = (self.0.get_mut(run), told.count(SEQ)) {
                seen.numbers.push(seq);
            }
        }
    }

    /// Whether every number of a range was seen in a run.
    pub(crate) fn has_all(&self, run: &str, from: u64, to: u64) -> bool {
        let Some(seen) = self.0.get(run) else {
            return false;
        };
        let within = |number: &&u64| **number >= from && **number <= to;
        let there: BTreeSet<&u64> = seen.numbers.iter().filter(within).collect();
        to.checked_sub(from)
            .is_some_and(|more| there.len() as u64 > more)
    }

    /// What is missing between the first and the last number of each run.
    pub(crate) fn holes(&mut self) -> Vec<Hole> {
        let mut holes = Vec::new();
        for (run, seen) in &mut self.0 {
            seen.numbers.sort_unstable();
            seen.numbers.dedup();
            for pair in seen.numbers.windows(2) {
                if pair[1] > pair[0] + 1 {
                    holes.push(Hole {
                        session: seen.stream.session,
                        stream: seen.stream,
                        run: run.clone(),
                        from: pair[0] + 1,
                        to: pair[1] - 1,
                    });
                }
            }
        }
        holes.sort_by_key(|hole| (hole.stream, hole.from));
        holes
    }
}

/// The streams to read for holes: those that were active at the time and are not read yet; `None` when there are
/// too many to conclude anything.
pub(crate) fn candidates(
    hints: Vec<StreamHint>,
    read: &BTreeSet<ledger::leaf::StreamId>,
) -> Option<Vec<StreamHint>> {
    let others: Vec<StreamHint> = hints
        .into_iter()
        .filter(|hint| !read.contains(&hint.stream))
        .collect();
    (others.len() <= STREAMS).then_some(others)
}
