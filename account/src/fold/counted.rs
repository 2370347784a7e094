//! How many records a session has, by the numbers that its producers give them: what an end declares is compared with it.

use std::collections::{BTreeSet, HashMap};

use vocabulary::attribute as key;
use vocabulary::event::Event;
use vocabulary::id::{RecordRef, SessionRef, StreamRef};
use vocabulary::record::SenderKind;

use crate::told::Told;

/// What the sessions' own producers sent.
#[derive(Debug, Default)]
pub(crate) struct Counted {
    sessions: HashMap<SessionRef, Tally>,
    /// Ends of sessions, in the order in which they were read.
    ends: Vec<Ended>,
}

/// The records of one session that could be read.
#[derive(Debug, Default)]
struct Tally {
    read: u64,
    numbered: u64,
    /// Records that an end counts.
    counting: u64,
    /// Their numbers, by the run that gave them.
    numbers: HashMap<String, BTreeSet<u64>>,
}

/// The end of a session, and what it says of the records before it.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) at: RecordRef,
    /// The run that sent it, and its number there.
    pub(crate) number: Option<(String, u64)>,
    /// How many records the session wrote, the end included, as it says.
    pub(crate) declared: Option<u64>,
}

impl Counted {
    /// Takes note of one record of a session's own producers; `forged` if it carries a signature that does not hold.
    pub(super) fn note(&mut self, told: &Told<'_>, forged: bool) {
        let tally = self.sessions.entry(told.at.stream.session).or_default();
        let number = told.resource.str(key::RUN).zip(told.count(key::SEQ));
        tally.read += 1;
        tally.numbered += u64::from(number.is_some());
        // A recorder writes these two by itself; no session counts them. What only looks like a signature was recorded
        // as anything else is.
        let signs = told.item.attributes.get(key::SIGNATURE).is_some() && !forged;
        if signs || told.event == Some(Event::Loss) {
            return;
        }
        tally.counting += 1;
        if let Some((run, number)) = number {
            match tally.numbers.get_mut(run) {
                Some(numbers) => numbers.insert(number),
                None => tally
                    .numbers
                    .entry(run.to_owned())
                    .or_default()
                    .insert(number),
            };
        }
        if told.event == Some(Event::SessionEnd) {
            self.ends.push(Ended {
                at: told.at,
                number: number.map(|(run, number)| (run.to_owned(), number)),
                declared: told.count(key::SESSION_RECORDS),
            });
        }
    }

    /// The ends that were read.
    pub(crate) fn ends(&self) -> &[Ended] {
        &self.ends
    }

    /// The last end in a stream.
    pub(crate) fn end_of(&self, stream: StreamRef) -> Option<&Ended> {
        self.ends.iter().rev().find(|end| end.at.stream == stream)
    }

    /// How many of the records that an end counts are here: those of its run up to it, or all where records have no
    /// numbers.
    pub(crate) fn here(&self, session: SessionRef, end: Option<&Ended>) -> u64 {
        let Some(tally) = self.sessions.get(&session) else {
            return 0;
        };
        match end.and_then(|end| end.number.as_ref()) {
            Some((run, last)) => tally
                .numbers
                .get(run)
                .map_or(0, |numbers| numbers.range(..=last).count() as u64),
            None => tally.counting,
        }
    }

    /// Records of a session that carry a number of their run.
    pub(crate) fn numbered(&self, session: SessionRef) -> u64 {
        self.sessions
            .get(&session)
            .map_or(0, |tally| tally.numbered)
    }

    /// What the records show of their sender, `signed` of them being covered by an agent's signature.
    pub(crate) fn sender(&self, session: SessionRef, signed: u64) -> SenderKind {
        match self.sessions.get(&session) {
            None => SenderKind::Unknown,
            Some(tally) if tally.numbered == 0 => SenderKind::PlainOtlp,
            Some(tally) if tally.numbered < tally.read => SenderKind::Mixed,
            Some(_) if signed == 0 => SenderKind::Unsigned,
            Some(_) => SenderKind::Signed,
        }
    }
}
