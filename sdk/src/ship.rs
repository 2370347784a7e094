//! The shipping thread: takes records from the spool and gives them to a collector, in order.

use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use vocabulary::record::Delivery;

use crate::deliver::{Answer, Exporter};
use crate::engine::Engine;
use crate::item::Place;
use crate::seen::Seen;
use crate::sign::Pen;
use crate::spool::{Batch, Line, left_behind};

/// Records and bytes of one export.
const BATCH_RECORDS: usize = 1000;
const BATCH_BYTES: usize = 1024 * 1024;
/// First and longest pause after an attempt that failed.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often the folder is searched for what other processes left.
const SEARCH_EVERY: Duration = Duration::from_secs(30);

/// Everything the thread has to itself.
#[derive(Debug)]
pub(crate) struct Shipper {
    pub(crate) exporter: Exporter,
    /// Under which session losses are recorded that belong to none.
    pub(crate) prefix: Vec<u8>,
    pub(crate) trace_id: [u8; 16],
    /// Signs what is sent, where the agent has a key.
    pen: Option<Pen>,
    /// What was seen of the collector's ledger.
    seen: Seen,
    /// Whether it was told that the collector cannot be believed.
    told: bool,
    left: Vec<Line>,
    searched: Option<Instant>,
    pause: Duration,
}

/// Whose records a line holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Own,
    Left,
}

/// How sending one batch went.
enum Sent {
    All,
    Later(Option<Duration>),
}

impl Shipper {
    pub(crate) fn new(
        exporter: Exporter,
        prefix: Vec<u8>,
        trace_id: [u8; 16],
        pen: Option<Pen>,
        seen: Seen,
    ) -> Self {
        Self {
            pen,
            seen,
            told: false,
            exporter,
            prefix,
            trace_id,
            left: Vec::new(),
            searched: None,
            pause: FIRST_PAUSE,
        }
    }

    /// Runs until the recorder closes; then the files that are left may be
    /// taken over by others.
    pub(crate) fn run(mut self, engine: &Engine, mut own: Line) {
        self.ship(engine, &mut own);
        engine.spool.release();
    }

    fn ship(&mut self, engine: &Engine, own: &mut Line) {
        loop {
            // Taken before the spool is read: who begins to wait during an
            // attempt that fails gets another one at once.
            engine.take_hurry();
            let sent = match self.own_batch(engine, own) {
                Some(batch) => self.send(engine, own, &batch, Whose::Own),
                None if engine.is_closing() => return,
                None => match self.send_left(engine) {
                    Some(sent) => {
                        if matches!(sent, Sent::Later(_)) {
                            engine.left_done();
                        }
                        sent
                    }
                    None => {
                        engine.left_done();
                        if engine.unsent() == 0 {
                            std::thread::park_timeout(SEARCH_EVERY);
                        }
                        continue;
                    }
                },
            };
            match sent {
                Sent::All => self.pause = FIRST_PAUSE,
                Sent::Later(_) if engine.is_closing() && !engine.has_waiting() => return,
                Sent::Later(after) => self.wait(engine, after),
            }
        }
    }

    /// The next records of our own, with the signatures over them.
    fn own_batch(&mut self, engine: &Engine, own: &Line) -> Option<Batch> {
        let batch = own.batch(BATCH_RECORDS, BATCH_BYTES, 0)?;
        let signed = self.pen.as_mut().and_then(|pen| pen.sign(engine, &batch));
        match signed {
            // Numbers that others took meanwhile lie between the two and come along.
            Some(through) => own.batch(BATCH_RECORDS, BATCH_BYTES, through),
            None => Some(batch),
        }
    }

    /// Sends a batch of our own line, or of one that was left, in order.
    fn send(&mut self, engine: &Engine, line: &mut Line, batch: &Batch, whose: Whose) -> Sent {
        let all = 0..batch.len();
        let mut ranges = vec![all];
        while let Some(mut range) = ranges.pop() {
            let first = batch.first() + range.start as u64;
            let awaited = match whose {
                Whose::Own => engine.awaited(first, batch.first() + range.end as u64),
                Whose::Left => Vec::new(),
            };
            let middle = range.start + batch.together(&range, &awaited);
            if middle < range.end {
                ranges.push(middle..range.end);
                range.end = middle;
            }
            let end = batch.first() + range.end as u64;
            let strict = awaited.iter().any(|seq| *seq < end);
            let delivery = if strict {
                Delivery::Strict
            } else {
                Delivery::Spooled
            };
            let asked = self.seen.asks();
            let export = batch.export(range.clone());
            let answer = self.exporter.send(&export, delivery, asked);
            if let Answer::Kept { receipt } | Answer::KeptExcept { receipt, .. } = &answer
                && let Err(why) = self.seen.take(asked, receipt.as_deref())
            {
                self.disbelieve(engine, why);
                return Sent::Later(None);
            }
            let receipt = match answer {
                Answer::Kept { receipt } => receipt,
                Answer::KeptExcept { rejected, why, .. } => {
                    let why = format!("of records {first} to {end}: {why}");
                    engine.lose(&self.place(), rejected, "refused", &why);
                    None
                }
                Answer::Later { after, why } => {
                    self.seen.interrupted();
                    engine.failed(why);
                    return Sent::Later(after);
                }
                Answer::Never { why } => {
                    if let Some((one, two)) = halves(&range) {
                        ranges.extend([two, one]);
                        continue;
                    }
                    if whose == Whose::Own {
                        engine.refused(first, &why);
                    }
                    let kept = self.set_aside(engine, batch, range.start);
                    let why = format!("record {first}: {why}; {kept}");
                    engine.lose(&self.place(), 1, "refused", &why);
                    None
                }
            };
            line.acknowledge(batch, range.end);
            if whose == Whose::Own {
                engine.acknowledged(end, receipt);
            }
        }
        Sent::All
    }

    /// Sends a batch of what another process left; `None` when there is nothing.
    fn send_left(&mut self, engine: &Engine) -> Option<Sent> {
        if self.left.is_empty() && self.searched.is_none_or(|at| at.elapsed() >= SEARCH_EVERY) {
            self.searched = Some(Instant::now());
            let (left, unreadable) = left_behind(engine.spool.folder());
            self.left = left;
            for problem in unreadable {
                engine.failed(problem);
            }
        }
        let mut line = self.left.pop()?;
        if line.damaged_bytes > 0 {
            let damage = std::mem::take(&mut line.damaged_bytes);
            let why = format!("{damage} bytes of a spool were lost when its host went down");
            engine.lose(&self.place(), 1, "crash", &why);
        }
        let Some(batch) = line.batch(BATCH_RECORDS, BATCH_BYTES, 0) else {
            line.delete();
            return Some(Sent::All);
        };
        let sent = self.send(engine, &mut line, &batch, Whose::Left);
        self.left.push(line);
        Some(sent)
    }

    /// The collector acknowledged records and cannot show that it kept what it
    /// acknowledged before: nothing it says counts, and the spool keeps all.
    /// That acknowledged records may be gone is told once, as a loss of unknown
    /// size, to whichever collector is believed again.
    fn disbelieve(&mut self, engine: &Engine, why: String) {
        self.seen.interrupted();
        if !std::mem::replace(&mut self.told, true) {
            engine.lose(&self.place(), 0, "receipt_not_honoured", &why);
        }
        engine.failed(why);
    }

    /// Keeps an export of one record that nobody takes; says where.
    fn set_aside(&self, engine: &Engine, batch: &Batch, index: usize) -> String {
        let folder: PathBuf = engine.spool.folder().join("refused");
        let name = format!("{}-{}.pb", batch.run(), batch.first() + index as u64);
        let kept = std::fs::create_dir_all(&folder)
            .and_then(|()| std::fs::write(folder.join(&name), batch.export(index..index + 1)));
        match kept {
            Ok(()) => format!("kept as refused/{name} in the spool"),
            Err(error) => format!("not kept: {error}"),
        }
    }

    /// Waits before the next attempt. Somebody who begins to wait ends a pause
    /// of our own choice, not one that the collector asked for.
    fn wait(&mut self, engine: &Engine, after: Option<Duration>) {
        let waited_for = engine.has_waiting();
        let pause = after.unwrap_or(if waited_for { FIRST_PAUSE } else { self.pause });
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        let until = Instant::now() + pause;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let hurried = after.is_none() && engine.take_hurry();
            if left.is_zero() || hurried || (engine.is_closing() && !engine.has_waiting()) {
                return;
            }
            std::thread::park_timeout(left);
        }
    }

    fn place(&self) -> Place<'_> {
        Place {
            prefix: &self.prefix,
            trace_id: self.trace_id,
            span_id: None,
            counted: None,
        }
    }
}

/// Two halves of a range of at least two.
fn halves(range: &Range<usize>) -> Option<(Range<usize>, Range<usize>)> {
    if range.len() < 2 {
        return None;
    }
    let middle = range.start + range.len() / 2;
    Some((range.start..middle, middle..range.end))
}
