//! What one recorder shares with its two threads: the spool, who waits for what, what was lost.

mod losses;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

use vocabulary::Event;

use crate::Attributes;
use crate::clock::Clock;
use crate::error::RefusedWhy;
use crate::item::{self, Place};
use crate::spool::{How, NoRoom, Spool, lock};
use crate::wait::{self, Giver, Taker};

use losses::Losses;

/// How often what was written is flushed to the device.
pub(crate) const FLUSH_EVERY: Duration = Duration::from_millis(50);
/// How long what woke the flushing thread waits for what follows it. Half of [`FLUSH_EVERY`], so that a flush that
/// takes long is within it too. Each flush makes the pages behind it be faulted in once more by whoever writes next:
/// at 5 ms, a call every 2 ms paid for that on nearly every record.
const GATHER: Duration = Duration::from_millis(25);
/// How long the flushing thread sleeps when there is nothing to do. A new
/// record wakes it; the bound is for the rare wake-up that is missed.
const SLEEP: Duration = Duration::from_millis(500);

/// What the collector said about the last records that it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The `recount-receipt` header as it came: JSON. `None` from a peer that
    /// gives no receipts.
    pub text: Option<String>,
    /// One past the highest sequence of this run that is acknowledged.
    pub through: u64,
}

/// The result of waiting for an acknowledgement.
pub(crate) type Acknowledged = Result<Receipt, RefusedWhy>;

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) spool: Spool,
    pub(crate) endpoint: String,
    pub(crate) sync: bool,
    clock: Arc<Clock>,
    waiting: Mutex<Vec<Waiter>>,
    progress: Mutex<Progress>,
    losses: Mutex<Losses>,
    has_losses: AtomicBool,
    acked: AtomicU64,
    resting: AtomicBool,
    hurry: AtomicBool,
    closing: AtomicBool,
    closed: AtomicBool,
    ticker: OnceLock<Thread>,
    shipper: OnceLock<Thread>,
}

struct Waiter {
    seq: u64,
    since: Instant,
    deadline: Instant,
    until: Until,
    giver: Giver<Acknowledged>,
}

/// What ends a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// The record that an action waits for is acknowledged.
    Strict,
    /// Everything up to a record is acknowledged.
    Drained,
    /// What other processes left behind is acknowledged, or cannot be now.
    LeftSent,
}

impl std::fmt::Debug for Waiter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Waiter({})", self.seq)
    }
}

#[derive(Debug, Default)]
struct Progress {
    receipt: Option<Receipt>,
    last_error: Option<String>,
}

impl Engine {
    pub(crate) fn new(spool: Spool, endpoint: String, sync: bool, clock: Arc<Clock>) -> Self {
        Self {
            spool,
            endpoint,
            sync,
            clock,
            waiting: Mutex::default(),
            progress: Mutex::default(),
            losses: Mutex::default(),
            has_losses: AtomicBool::new(false),
            acked: AtomicU64::new(0),
            resting: AtomicBool::new(false),
            hurry: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            ticker: OnceLock::new(),
            shipper: OnceLock::new(),
        }
    }

    /// Starts the thread that flushes and the one that sends.
    pub(crate) fn start(
        self: &Arc<Self>,
        ship: impl FnOnce(&Self) + Send + 'static,
    ) -> std::io::Result<()> {
        let engine = Arc::clone(self);
        let ticker = std::thread::Builder::new()
            .name("recount-flush".to_owned())
            .spawn(move || engine.tick())?;
        let _ = self.ticker.set(ticker.thread().clone());
        let engine = Arc::clone(self);
        let shipper = std::thread::Builder::new()
            .name("recount-ship".to_owned())
            .spawn(move || ship(&engine))?;
        let _ = self.shipper.set(shipper.thread().clone());
        Ok(())
    }

    /// Writes one record to the spool. What cannot be kept is counted.
    pub(crate) fn append(
        &self,
        event: Event,
        place: &Place<'_>,
        attributes: &Attributes,
    ) -> Result<u64, NoRoom> {
        let how = match event {
            Event::ToolInvoke => How::Ran,
            _ => How::Spool,
        };
        let kept = self.write(event.name(), place, attributes, how);
        match kept {
            Ok(_) if self.has_losses.load(Ordering::Relaxed) => self.tell_losses(),
            Ok(_) => {}
            Err(why) => self.lose(place, 1, why.cause(), why.cause()),
        }
        self.wake_ticker();
        kept
    }

    /// Writes one record where there is room for it; gives its number. One that
    /// is not written is no loss: it says nothing that is not said elsewhere.
    pub(crate) fn append_if_room(
        &self,
        event: Event,
        place: &Place<'_>,
        attributes: &Attributes,
    ) -> Option<u64> {
        let kept = self.write(event.name(), place, attributes, How::Spool);
        kept.ok()
    }

    /// Writes one record and waits for its acknowledgement, at most so long.
    /// When it cannot be written the record is not counted as lost: the
    /// caller is told.
    pub(crate) fn append_strict(
        &self,
        event: &str,
        place: &Place<'_>,
        attributes: &Attributes,
        at_most: Duration,
    ) -> Result<Taker<Acknowledged>, NoRoom> {
        if self.has_losses.load(Ordering::Relaxed) {
            self.tell_losses();
        }
        // The lock is held over both steps, so that the shipper cannot read
        // the record and miss that somebody waits for it.
        let mut waiting = lock(&self.waiting);
        let seq = self.write(event, place, attributes, How::Strict)?;
        let taker = enter(&mut waiting, seq, at_most, Until::Strict);
        drop(waiting);
        self.hurry();
        Ok(taker)
    }

    fn write(
        &self,
        event: &str,
        place: &Place<'_>,
        attributes: &Attributes,
        how: How,
    ) -> Result<u64, NoRoom> {
        if self.closed.load(Ordering::Acquire) {
            return Err(NoRoom::Closed);
        }
        let now = self.clock.quick();
        let mut ends = Attributes::new();
        item::write_head(ends.buffer(), event, place, now);
        attributes.write_removed(ends.buffer());
        let body = attributes.encoded();
        let seq = self.spool.append(how, ends.buffer(), body, now.mono_ns)?;
        place.count();
        if self.sync {
            let _ = self.spool.flush();
        }
        Ok(seq)
    }

    /// Waits until everything appended so far is acknowledged.
    pub(crate) fn drained(&self, at_most: Duration) -> Taker<Acknowledged> {
        self.tell_losses();
        let mut waiting = lock(&self.waiting);
        let appended = self.spool.appended();
        let taker = enter(
            &mut waiting,
            appended.saturating_sub(1),
            at_most,
            Until::Drained,
        );
        let done = self.acked.load(Ordering::Acquire) >= appended;
        drop(waiting);
        if done {
            self.answer_waiting();
        }
        self.hurry();
        taker
    }

    /// Waits until the shipper has nothing to do that it can do.
    pub(crate) fn left_sent(&self, at_most: Duration) -> Taker<Acknowledged> {
        let taker = enter(&mut lock(&self.waiting), u64::MAX, at_most, Until::LeftSent);
        self.hurry();
        taker
    }

    /// Records not yet acknowledged.
    pub(crate) fn unsent(&self) -> u64 {
        self.spool
            .appended()
            .saturating_sub(self.acked.load(Ordering::Acquire))
    }

    pub(crate) fn last_receipt(&self) -> Option<Receipt> {
        lock(&self.progress).receipt.clone()
    }

    pub(crate) fn last_error(&self) -> Option<String> {
        lock(&self.progress).last_error.clone()
    }

    /// No records after this; the files go if nothing is unsent.
    pub(crate) fn close(&self) {
        self.tell_losses_as(How::BeyondLimit);
        self.closed.store(true, Ordering::Release);
        self.closing.store(true, Ordering::Release);
        if self.unsent() == 0 {
            self.spool.remove();
        }
        self.hurry();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    // --- for the shipper

    /// Everything in front of `through` is acknowledged.
    pub(crate) fn acknowledged(&self, through: u64, receipt: Option<String>) {
        self.acked.store(through, Ordering::Release);
        {
            let mut progress = lock(&self.progress);
            progress.receipt = Some(Receipt {
                text: receipt,
                through,
            });
            progress.last_error = None;
        }
        self.answer_waiting();
    }

    /// One record will never be taken.
    pub(crate) fn refused(&self, seq: u64, why: &str) {
        let mut waiting = lock(&self.waiting);
        for waiter in waiting.extract_if(.., |waiter| {
            waiter.until == Until::Strict && waiter.seq == seq
        }) {
            waiter
                .giver
                .give(Err(RefusedWhy::ByCollector(why.to_owned())));
        }
    }

    /// An attempt to send failed and will be repeated.
    pub(crate) fn failed(&self, why: String) {
        lock(&self.progress).last_error = Some(why);
    }

    /// The records in this range that somebody still waits for.
    pub(crate) fn awaited(&self, from: u64, to: u64) -> Vec<u64> {
        lock(&self.waiting)
            .iter()
            .filter(|waiter| waiter.until == Until::Strict && (from..to).contains(&waiter.seq))
            .map(|waiter| waiter.seq)
            .collect()
    }

    /// Whether somebody waits at all.
    pub(crate) fn has_waiting(&self) -> bool {
        !lock(&self.waiting).is_empty()
    }

    /// What other processes left behind is sent, or cannot be sent now.
    pub(crate) fn left_done(&self) {
        let through = self.acked.load(Ordering::Acquire);
        for waiter in lock(&self.waiting).extract_if(.., |waiter| waiter.until == Until::LeftSent) {
            waiter.giver.give(Ok(Receipt {
                text: None,
                through,
            }));
        }
    }

    /// True once after each time that somebody began to wait.
    pub(crate) fn take_hurry(&self) -> bool {
        self.hurry.swap(false, Ordering::AcqRel)
    }

    // --- threads

    /// Wakes both threads: somebody waits.
    fn hurry(&self) {
        self.hurry.store(true, Ordering::Release);
        self.wake_shipper();
        self.wake_ticker();
    }

    fn wake_shipper(&self) {
        if let Some(shipper) = self.shipper.get() {
            shipper.unpark();
        }
    }

    fn wake_ticker(&self) {
        if self.spool.take_hunger()
            && let Some(ticker) = self.ticker.get()
        {
            ticker.unpark();
        }
        if self.resting.load(Ordering::Relaxed)
            && self.resting.swap(false, Ordering::AcqRel)
            && let Some(ticker) = self.ticker.get()
        {
            ticker.unpark();
        }
    }

    fn answer_waiting(&self) {
        let acked = self.acked.load(Ordering::Acquire);
        let receipt = self.last_receipt().unwrap_or(Receipt {
            text: None,
            through: acked,
        });
        let nothing_yet = acked == 0 && self.spool.appended() == 0;
        let is_done = |waiter: &mut Waiter| {
            waiter.seq < acked || (nothing_yet && waiter.until == Until::Drained)
        };
        for waiter in lock(&self.waiting).extract_if(.., is_done) {
            waiter.giver.give(Ok(receipt.clone()));
        }
    }

    /// The flushing thread: flushes, prepares the next file, ends waits.
    fn tick(&self) {
        loop {
            self.clock.look_up();
            self.spool.prepare();
            let flushed = self.spool.flush().is_ok() && self.spool.is_flushed();
            if self.has_losses.load(Ordering::Relaxed) {
                self.tell_losses();
            }
            if self.unsent() > 0 {
                self.wake_shipper();
            }
            let next = self.expire(Instant::now());
            if self.is_closing() && next.is_none() {
                let _ = self.spool.flush();
                return;
            }
            if flushed && next.is_none() {
                self.resting.store(true, Ordering::Release);
                std::thread::park_timeout(SLEEP);
                self.resting.store(false, Ordering::Release);
                if !self.is_closing() {
                    // The need for another file ends it.
                    std::thread::park_timeout(GATHER);
                }
            } else {
                self.resting.store(next.is_none(), Ordering::Release);
                std::thread::park_timeout(next.unwrap_or(FLUSH_EVERY).min(FLUSH_EVERY));
            }
        }
    }

    /// Ends the waits that are over; says how long until the next one is.
    fn expire(&self, now: Instant) -> Option<Duration> {
        let last = self
            .last_error()
            .unwrap_or_else(|| "no answer yet".to_owned());
        let mut waiting = lock(&self.waiting);
        for waiter in waiting.extract_if(.., |waiter| waiter.deadline <= now) {
            waiter.giver.give(Err(RefusedWhy::NoReceipt {
                endpoint: self.endpoint.clone(),
                waited: now.duration_since(waiter.since),
                last: last.clone(),
            }));
        }
        waiting
            .iter()
            .map(|waiter| waiter.deadline.saturating_duration_since(now))
            .min()
    }
}

fn enter(
    waiting: &mut Vec<Waiter>,
    seq: u64,
    at_most: Duration,
    until: Until,
) -> Taker<Acknowledged> {
    let (giver, taker) = wait::pair();
    let since = Instant::now();
    waiting.push(Waiter {
        seq,
        since,
        deadline: since + at_most,
        until,
        giver,
    });
    taker
}
