//! What was sealed before: sequence numbers per run of an SDK, and the last exports of senders that have none.

use std::collections::HashMap;

use rusqlite::Connection;
use sha2::{Digest, Sha256};

use super::tables::{hash, to_sql, unsigned};
use crate::envelope::ProducerProof;
use crate::tree::Hash;

/// Exports without sequence numbers that are remembered.
const WINDOW: u64 = 16_384;

/// Runs kept in memory.
const KEPT_RUNS: usize = 4096;

/// What was answered to an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) commit: u64,
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

/// The last exports, by the digest of their body.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    answers: HashMap<Hash, Answer>,
    slots: HashMap<u64, Hash>,
    next: u64,
}

impl Recent {
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut recent = Self::default();
        let mut newest = None;
        let mut statement = connection.prepare_cached(
            "SELECT slot, digest, commit_no, size, root FROM recent ORDER BY slot",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (slot, digest) = (unsigned(row, 0)?, hash(row, 1)?);
            let answer = Answer {
                commit: unsigned(row, 2)?,
                size: unsigned(row, 3)?,
                root: hash(row, 4)?,
            };
            // Slots are filled in the order of commits, so the oldest follows the newest.
            if newest.is_none_or(|newest| answer.commit >= newest) {
                newest = Some(answer.commit);
                recent.next = (slot + 1) % WINDOW;
            }
            recent.answers.insert(digest, answer);
            recent.slots.insert(slot, digest);
        }
        Ok(recent)
    }

    pub(crate) fn get(&self, digest: &Hash) -> Option<Answer> {
        self.answers.get(digest).copied()
    }

    /// Remembers an answer in place of the oldest one.
    pub(crate) fn put(
        &mut self,
        connection: &Connection,
        digest: Hash,
        answer: Answer,
    ) -> rusqlite::Result<()> {
        let slot = self.next;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO recent (slot, digest, commit_no, size, root) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute((to_sql(slot), digest, to_sql(answer.commit), to_sql(answer.size), answer.root))?;
        if let Some(oldest) = self.slots.insert(slot, digest) {
            self.answers.remove(&oldest);
        }
        self.answers.insert(digest, answer);
        self.next = (slot + 1) % WINDOW;
        Ok(())
    }
}

/// Sealed sequence numbers of one run: ranges with both ends included, in order, none touching the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    pub(crate) fn contains(&self, number: u64) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= number);
        after
            .checked_sub(1)
            .and_then(|at| self.0.get(at))
            .is_some_and(|(_, last)| number <= *last)
    }

    /// Adds a number; true if it was not there.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        if self.contains(number) {
            return false;
        }
        let at = self.0.partition_point(|(first, _)| *first <= number);
        let joins_left = at
            .checked_sub(1)
            .and_then(|left| self.0.get(left))
            .is_some_and(|(_, last)| last.checked_add(1) == Some(number));
        let joins_right = self
            .0
            .get(at)
            .is_some_and(|(first, _)| number.checked_add(1) == Some(*first));
        match (joins_left, joins_right) {
            (true, true) => {
                let (_, last) = self.0.remove(at);
                if let Some(left) = self.0.get_mut(at - 1) {
                    left.1 = last;
                }
            }
            (true, false) => {
                if let Some(left) = self.0.get_mut(at - 1) {
                    left.1 = number;
                }
            }
            (false, true) => {
                if let Some(right) = self.0.get_mut(at) {
                    right.0 = number;
                }
            }
            (false, false) => self.0.insert(at, (number, number)),
        }
        true
    }

    /// Adds all numbers from `first` to `last`.
    pub(crate) fn insert_range(&mut self, first: u64, last: u64) {
        if last < first {
            return;
        }
        let (mut from, mut to) = (first, last);
        self.0.retain(|(a, b)| {
            let apart = b.checked_add(1).is_some_and(|next| next < first)
                || last.checked_add(1).is_some_and(|next| next < *a);
            if !apart {
                (from, to) = (from.min(*a), to.max(*b));
            }
            apart
        });
        let at = self.0.partition_point(|(a, _)| *a < from);
        self.0.insert(at, (from, to));
    }

    /// Numbers from 0 to `upto` that are not there, as ranges.
    pub(crate) fn holes(&self, upto: u64) -> Vec<(u64, u64)> {
        let mut holes = Vec::new();
        let mut next = 0;
        for (first, last) in &self.0 {
            if *first > upto {
                break;
            }
            if *first > next {
                holes.push((next, first - 1));
            }
            next = last.saturating_add(1);
        }
        if next <= upto && !self.contains(upto) {
            holes.push((next, upto));
        }
        holes
    }

    /// Whether every number of this is there.
    pub(crate) fn includes(&self, (first, last): (u64, u64)) -> bool {
        self.0
            .iter()
            .any(|(from, to)| *from <= first && last <= *to)
    }

    /// The numbers below its first one that another has, too.
    pub(crate) fn before_it(&self, other: &Self) -> Vec<(u64, u64)> {
        let Some((begin, _)) = self.0.first() else {
            return Vec::new();
        };
        let below = other.iter().filter(|(first, _)| first < begin);
        below
            .map(|(first, last)| (first, last.min(begin.saturating_sub(1))))
            .collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().copied()
    }
}

/// Under whose name numbers of a producer stand in the table `run`.
///
/// What a sender calls itself (`recount.producer`) is told to everybody who reads its records, so that numbers under it
/// alone could be taken by anybody beforehand. Numbers of a sender whom the collector knows stand under its name a second
/// time, and only those keep one of its records from being sealed. INVARIANT: no claim reads like a name's key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Whose {
    /// Of everybody who calls itself so.
    Anybody,
    /// Of one sender that showed a credential; SHA-256 of its name, because names may be erased.
    Proven([u8; 16]),
}

impl Whose {
    /// Whose a stream's numbers are. A proof below a credential proves no name.
    pub(crate) fn of(producer: &str, proof: u8) -> Self {
        if proof < ProducerProof::PeerCredentials as u8 {
            return Self::Anybody;
        }
        let digest: Hash = Sha256::digest(producer).into();
        let mut name = [0; 16];
        name.copy_from_slice(&digest[..16]);
        Self::Proven(name)
    }

    /// What stands in the column `producer`.
    pub(crate) fn column(&self, claim: &str) -> String {
        match self {
            Self::Proven(name) => {
                let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("={name}={claim}")
            }
            // Hexadecimal digits never begin with the second one.
            Self::Anybody if claim.starts_with('=') => format!("={claim}"),
            Self::Anybody => claim.to_owned(),
        }
    }

    /// Whether a column is of numbers that stand under a name.
    pub(crate) fn is_proven(column: &str) -> bool {
        column
            .strip_prefix('=')
            .is_some_and(|rest| !rest.starts_with('='))
    }
}

/// Sealed sequence numbers by (producer, run).
#[derive(Debug, Default)]
pub(crate) struct Runs {
    known: HashMap<(String, String), Ranges>,
}

impl Runs {
    /// The ranges of a run, read if they are not at hand.
    pub(crate) fn of(
        &mut self,
        connection: &Connection,
        producer: &str,
        run: &str,
    ) -> rusqlite::Result<&mut Ranges> {
        let key = (producer.to_owned(), run.to_owned());
        match self.known.entry(key) {
            std::collections::hash_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
            std::collections::hash_map::Entry::Vacant(entry) => {
                Ok(entry.insert(read(connection, producer, run)?))
            }
        }
    }

    /// Writes the rows in which `after` differs from what is stored as `before`.
    pub(crate) fn store(
        connection: &Connection,
        producer: &str,
        run: &str,
        before: &Ranges,
        after: &Ranges,
    ) -> rusqlite::Result<()> {
        for (first, last) in before.iter().filter(|range| !after.0.contains(range)) {
            if after.0.iter().any(|(kept, _)| *kept == first) {
                continue;
            }
            let _ = last;
            connection
                .prepare_cached("DELETE FROM run WHERE producer = ?1 AND run = ?2 AND first = ?3")?
                .execute((producer, run, to_sql(first)))?;
        }
        for (first, last) in after.iter().filter(|range| !before.0.contains(range)) {
            connection
                .prepare_cached("INSERT OR REPLACE INTO run (producer, run, first, last) VALUES (?1, ?2, ?3, ?4)")?
                .execute((producer, run, to_sql(first), to_sql(last)))?;
        }
        Ok(())
    }

    /// Keeps memory bounded. Between transactions only.
    pub(crate) fn trim(&mut self) {
        if self.known.len() > KEPT_RUNS {
            self.known.clear();
        }
    }
}

fn read(connection: &Connection, producer: &str, run: &str) -> rusqlite::Result<Ranges> {
    let mut statement = connection.prepare_cached(
        "SELECT first, last FROM run WHERE producer = ?1 AND run = ?2 ORDER BY first",
    )?;
    let rows = statement.query_map((producer, run), |row| {
        Ok((unsigned(row, 0)?, unsigned(row, 1)?))
    })?;
    rows.collect::<rusqlite::Result<Vec<_>>>().map(Ranges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_join_their_neighbours_and_know_what_they_hold() {
        let mut ranges = Ranges::default();
        for number in [5, 7, 6, 0, 1, 9, 6, 8] {
            ranges.insert(number);
        }
        assert_eq!(ranges.0, [(0, 1), (5, 9)]);
        assert!(
            !ranges.insert(7) && !ranges.contains(2) && ranges.contains(9) && !ranges.contains(10)
        );
        assert!(ranges.insert(u64::MAX) && ranges.insert(2));
    }

    #[test]
    fn no_claim_reads_like_the_key_of_a_name() {
        let billing = Whose::of("billing", ProducerProof::Token as u8);
        let key = billing.column("p");
        assert!(Whose::is_proven(&key), "{key}");
        assert_ne!(
            key,
            Whose::of("shop", ProducerProof::Certificate as u8).column("p")
        );
        for claim in ["p", "", "=", "==", key.as_str(), &format!("={key}")] {
            let claimed = Whose::of("billing", ProducerProof::Asserted as u8).column(claim);
            assert!(!Whose::is_proven(&claimed) && claimed != key, "{claimed}");
        }
        assert_eq!(Whose::Anybody.column("p"), "p");
    }

    #[test]
    fn holes_are_what_lies_between_and_before_ranges() {
        let ranges = Ranges(vec![(2, 3), (5, 9), (12, 12)]);
        assert_eq!(ranges.holes(12), [(0, 1), (4, 4), (10, 11)]);
        assert_eq!(ranges.holes(9), [(0, 1), (4, 4)]);
        assert_eq!(ranges.holes(14), [(0, 1), (4, 4), (10, 11), (13, 14)]);
        assert_eq!(Ranges(vec![(0, u64::MAX)]).holes(u64::MAX), []);
        assert_eq!(Ranges::default().holes(0), [(0, 0)]);
    }

    #[test]
    fn a_range_swallows_what_it_touches_and_nothing_else() {
        let mut ranges = Ranges(vec![(0, 1), (5, 9), (12, 12), (20, 30)]);
        ranges.insert_range(10, 11);
        assert_eq!(ranges.0, [(0, 1), (5, 12), (20, 30)]);
        ranges.insert_range(3, 3);
        assert_eq!(ranges.0, [(0, 1), (3, 3), (5, 12), (20, 30)]);
        ranges.insert_range(0, u64::MAX);
        assert_eq!(ranges.0, [(0, u64::MAX)]);
        ranges.insert_range(7, 6);
        assert_eq!(ranges.0, [(0, u64::MAX)]);
    }
}
