//! The chains of all runs, put together from records in any order, and how far signatures reach along them.
//!
//! What is kept is one stretch per row of neighbouring numbers, so a run whose records lie in a few streams costs a
//! few hundred bytes however many records it has.

use std::collections::BTreeMap;

use ledger::leaf::StreamId;
use ledger::producer;

use super::marks::{Mark, Run, RunAt};

/// Where a record lies, for messages.
pub(super) type At = (StreamId, u64);

/// Records of one run with consecutive numbers whose links follow from one another.
#[derive(Debug)]
struct Stretch {
    at: At,
    /// Link and digest of the first record; no digest where nothing may be joined in front of it.
    link: [u8; 32],
    item: Option<[u8; 32]>,
    /// Whether the first record's own link was computed: only number 0 needs nothing in front of it.
    rooted: bool,
    last: u64,
    last_link: [u8; 32],
    /// Numbers of records that carry a signature.
    carriers: Vec<u64>,
    /// How far each key signed.
    signed: Vec<(Signer, u64)>,
}

/// Who signed: the key, and whether the producer was enrolled with it.
pub(super) type Signer = ([u8; 32], bool);

impl Stretch {
    /// Records of the stretch, signatures aside, that a signature of number `to` covers.
    fn covered(&self, first: u64, to: u64) -> u64 {
        let first = first + u64::from(!self.rooted);
        let range = first..to.saturating_add(1);
        let carriers = self.carriers.iter().filter(|it| range.contains(it)).count() as u64;
        (range.end.saturating_sub(range.start)).saturating_sub(carriers)
    }

    fn reach(&self, counts: impl Fn(&Signer) -> bool) -> Option<u64> {
        let counting = self.signed.iter().filter(|(key, _)| counts(key));
        counting.map(|(_, to)| *to).max()
    }
}

/// Every run that was seen, by its stretches.
#[derive(Debug, Default)]
pub(super) struct Chains(Vec<BTreeMap<u64, Stretch>>);

/// A link that does not follow from the one in front of it.
#[derive(Debug)]
pub(super) struct Broken {
    pub(super) at: At,
    pub(super) number: u64,
}

impl Chains {
    /// Adds a record. Gives whether its number is new in its run; a second record of one number counts for nothing.
    pub(super) fn add(
        &mut self,
        run: RunAt,
        mark: &Mark<'_>,
        at: At,
        broken: &mut Vec<Broken>,
    ) -> bool {
        if self.0.len() <= run.0 {
            self.0.resize_with(run.0 + 1, BTreeMap::new);
        }
        let Some(stretches) = self.0.get_mut(run.0) else {
            return false;
        };
        let number = mark.number;
        let before = stretches.range_mut(..=number).next_back();
        let before = before.map(|(_, stretch)| stretch);
        if before.as_ref().is_some_and(|it| it.last >= number) {
            return false;
        }
        let follows = |link: &[u8; 32], item: &[u8; 32], value: &[u8; 32], number| {
            producer::link(link, number, item) == *value
        };
        let mut rooted = false;
        let mut joined = false;
        let mut item = mark.item;
        let left = before.filter(|it| it.last.checked_add(1) == Some(number));
        match (left, &mark.item) {
            (Some(left), Some(digest)) if follows(&left.last_link, digest, &mark.link, number) => {
                (left.last, left.last_link) = (number, mark.link);
                left.carriers.extend(mark.carrier.then_some(number));
                joined = true;
            }
            (Some(_), Some(_)) => {
                broken.push(Broken { at, number });
                item = None;
            }
            (None, Some(digest)) if number == 0 => {
                rooted = follows(&[0; 32], digest, &mark.link, 0);
                if !rooted {
                    broken.push(Broken { at, number });
                }
            }
            _ => {}
        }
        if !joined {
            let stretch = Stretch {
                at,
                link: mark.link,
                item,
                rooted,
                last: number,
                last_link: mark.link,
                carriers: mark.carrier.then_some(number).into_iter().collect(),
                signed: Vec::new(),
            };
            stretches.insert(number, stretch);
        }
        join_right(stretches, number, broken);
        true
    }

    /// Takes note that a key signed the link of a number.
    pub(super) fn sign(&mut self, run: RunAt, number: u64, signer: Signer) {
        let stretches = self.0.get_mut(run.0);
        let found = stretches.and_then(|it| it.range_mut(..=number).next_back());
        if let Some((_, stretch)) = found.filter(|(_, stretch)| stretch.last >= number) {
            reach(&mut stretch.signed, signer, number);
        }
    }

    /// Records that signatures of the keys that count cover.
    pub(super) fn covered(&self, counts: impl Fn(&Signer) -> bool) -> u64 {
        let stretches = self.0.iter().flatten();
        stretches
            .filter_map(|(first, it)| Some(it.covered(*first, it.reach(&counts)?)))
            .sum()
    }

    /// Numbers that are missing in each run, whatever door it came through: producer, run, first, last.
    pub(super) fn holes<'r>(
        &self,
        runs: impl Iterator<Item = (&'r Run, RunAt)>,
    ) -> Vec<([u8; 16], [u8; 16], u64, u64)> {
        let mut all: BTreeMap<_, Vec<(u64, u64)>> = BTreeMap::new();
        for (run, at) in runs {
            let stretches = self.0.get(at.0).into_iter().flatten();
            let ranges = all.entry((run.producer, run.run)).or_default();
            ranges.extend(stretches.map(|(first, it)| (*first, it.last)));
        }
        let mut holes = Vec::new();
        for ((producer, run), mut ranges) in all {
            ranges.sort_unstable();
            let mut due = 0;
            for (first, last) in ranges {
                if first > due {
                    holes.push((producer, run, due, first - 1));
                }
                due = due.max(last.saturating_add(1));
            }
        }
        holes
    }
}

/// Joins the stretch that ends with `number` to the one behind it.
fn join_right(stretches: &mut BTreeMap<u64, Stretch>, number: u64, broken: &mut Vec<Broken>) {
    let Some(next) = number.checked_add(1) else {
        return;
    };
    let Some(right) = stretches.get_mut(&next) else {
        return;
    };
    let Some(digest) = right.item else { return };
    let (value, at) = (right.link, right.at);
    let Some((_, left)) = stretches.range_mut(..=number).next_back() else {
        return;
    };
    if producer::link(&left.last_link, next, &digest) == value {
        let Some(right) = stretches.remove(&next) else {
            return;
        };
        let Some((_, left)) = stretches.range_mut(..=number).next_back() else {
            return;
        };
        (left.last, left.last_link) = (right.last, right.last_link);
        left.carriers.extend(right.carriers);
        for (key, to) in right.signed {
            reach(&mut left.signed, key, to);
        }
    } else {
        broken.push(Broken { at, number: next });
        if let Some(right) = stretches.get_mut(&next) {
            right.item = None;
        }
    }
}

fn reach(signed: &mut Vec<(Signer, u64)>, key: Signer, number: u64) {
    match signed.iter_mut().find(|(known, _)| *known == key) {
        Some((_, to)) => *to = number.max(*to),
        None => signed.push((key, number)),
    }
}
