//! Numbers that a producer gave and that never came: looked for when its session has ended, said once.

use std::collections::{HashMap, VecDeque};

use rusqlite::Connection;

use super::batch::{Lost, Run};
use super::control::{ControlLog, WriteError};
use super::duplicates::{Ranges, Runs, Whose};
use crate::leaf::{ControlBody, GapNote, StreamId};

/// `why` of a gap: not received when the stream was closed.
const NOT_RECEIVED: u8 = 1;

/// `why` of a gap: the producer says that it lost records.
const DECLARED: u8 = 2;

/// Gaps said of one closed stream; a run with more holes than that has its first ones said.
const SAID_AT_ONCE: usize = 256;

/// Runs whose gaps are remembered, so that each is said once.
const KEPT_RUNS: usize = 4096;

/// A stream that was closed, and the numbers that should be there a while later.
#[derive(Debug, Clone)]
struct Awaited {
    due_ns: u64,
    stream: StreamId,
    whose: Whose,
    producer: String,
    run: String,
    upto: u64,
}

/// What is still awaited and what was said. What a transaction changes counts once it is committed.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    awaited: VecDeque<Awaited>,
    said: HashMap<(String, String), Ranges>,
    /// Of the transaction under way: streams it closed, how many of `awaited` it settled, what it said.
    closed: Vec<Awaited>,
    settled: usize,
    saying: Vec<((String, String), (u64, u64))>,
}

impl Gaps {
    /// Forgets what an unfinished transaction did.
    pub(crate) fn begin(&mut self) {
        self.closed.clear();
        self.settled = 0;
        self.saying.clear();
    }

    /// A stream was closed: its run's numbers up to the last one are looked at later, since a sender's connections may
    /// overtake each other.
    pub(crate) fn close(&mut self, stream: StreamId, whose: Whose, run: &Run, due_ns: u64) {
        if let Some(upto) = run.sequence.iter().copied().max() {
            self.closed.push(Awaited {
                due_ns,
                stream,
                whose,
                producer: run.producer.clone(),
                run: run.run.clone(),
                upto,
            });
        }
    }

    /// True if something was awaited until this time.
    pub(crate) fn is_due(&self, until_ns: u64) -> bool {
        self.awaited
            .front()
            .is_some_and(|awaited| awaited.due_ns <= until_ns)
    }

    /// Says which numbers of the streams that are due have not come.
    pub(crate) fn settle(
        &mut self,
        connection: &Connection,
        control: &mut ControlLog,
        runs: &mut Runs,
        until_ns: u64,
    ) -> Result<(), WriteError> {
        while let Some(awaited) = self.awaited.get(self.settled) {
            if awaited.due_ns > until_ns {
                break;
            }
            let column = awaited.whose.column(&awaited.producer);
            let key = (column, awaited.run.clone());
            let mut known = runs.of(connection, &key.0, &key.1)?.clone();
            if awaited.whose != Whose::Anybody {
                // A run that began before numbers stood under names has its first ones under its claim alone.
                let claimed = Whose::Anybody.column(&awaited.producer);
                let claimed = runs.of(connection, &claimed, &key.1)?;
                for (first, last) in known.before_it(claimed) {
                    known.insert_range(first, last);
                }
            }
            let said = self.said.get(&key).into_iter().flat_map(Ranges::iter);
            let saying = self.saying.iter().filter(|(of, _)| *of == key);
            for (first, last) in said.chain(saying.map(|(_, range)| *range)) {
                known.insert_range(first, last);
            }
            for (first, last) in known.holes(awaited.upto).into_iter().take(SAID_AT_ONCE) {
                append(
                    connection,
                    control,
                    awaited.stream,
                    &(awaited.producer.clone(), awaited.run.clone()),
                    (first, last),
                    NOT_RECEIVED,
                )?;
                self.saying.push((key.clone(), (first, last)));
            }
            self.settled += 1;
        }
        Ok(())
    }

    /// Says what a producer declared as lost.
    pub(crate) fn declare(
        connection: &Connection,
        control: &mut ControlLog,
        stream: StreamId,
        run: &Run,
        lost: Lost,
    ) -> Result<(), WriteError> {
        let last = lost.from.saturating_add(lost.count.saturating_sub(1));
        let key = (run.producer.clone(), run.run.clone());
        append(
            connection,
            control,
            stream,
            &key,
            (lost.from, last),
            DECLARED,
        )
    }

    /// Takes note that the transaction was committed.
    pub(crate) fn committed(&mut self) {
        self.awaited.drain(..self.settled.min(self.awaited.len()));
        self.awaited.extend(self.closed.drain(..));
        if self.said.len() > KEPT_RUNS {
            self.said.clear();
        }
        for (key, (first, last)) in self.saying.drain(..) {
            self.said.entry(key).or_default().insert_range(first, last);
        }
        self.settled = 0;
    }
}

fn append(
    connection: &Connection,
    control: &mut ControlLog,
    stream: StreamId,
    (producer, run): &(String, String),
    (first, last): (u64, u64),
    why: u8,
) -> Result<(), WriteError> {
    let note = GapNote {
        producer: producer.clone(),
        run: run.clone(),
        first,
        last,
        why,
    };
    control
        .append_private(connection, &note, |commitment| ControlBody::Gap {
            stream,
            commitment,
        })
        .map(drop)
}
