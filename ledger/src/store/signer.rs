//! The thread that signs checkpoints: only what is committed, and only after `last_signed` holds it.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::error::StoreError;
use super::files::{self, Paths};
use crate::note::SignerKey;
use crate::tree::Hash;

/// Signs `(size, root)` into the exact bytes of a signed note, with the key of the epoch that is in force.
pub(crate) type Sign =
    Box<dyn Fn(u64, &Hash, Option<&SignerKey>) -> Result<Vec<u8>, String> + Send>;

/// Called when nothing may be signed any more; the writer has to stop.
pub(crate) type Alarm = Box<dyn Fn(String) + Send>;

/// What the ledger log was after some commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

/// How often checkpoints are signed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// After a head or a close: at most this long after the last signature.
    pub(crate) soon: Duration,
    /// After anything else.
    pub(crate) late: Duration,
}

#[derive(Debug)]
struct Target {
    newest: Committed,
    /// The epoch key that was in force after `newest`.
    epoch: Option<Arc<SignerKey>>,
    signed: Committed,
    soon: bool,
    /// Somebody waits for `newest` to be signed, whatever the pace.
    now: bool,
    stop: bool,
    /// Nothing is signed until a person has looked.
    held: bool,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<Target>,
    changed: Condvar,
    /// Held while a checkpoint is signed.
    pen: Mutex<()>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Target> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the signer when to sign and when not to, from any thread.
#[derive(Debug, Clone)]
pub(crate) struct Handle(Arc<Shared>);

impl Handle {
    /// Has what is committed now signed, whatever the pace, and waits for it; `false` if it was not signed in time.
    pub(crate) fn sign_now(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut target = self.0.lock();
        let wanted = target.newest.size;
        while target.signed.size < wanted {
            let rest = until.saturating_duration_since(Instant::now());
            if target.held || target.stop || rest.is_zero() {
                return false;
            }
            target.now = true;
            self.0.changed.notify_all();
            target = self
                .0
                .changed
                .wait_timeout(target, rest)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        true
    }

    /// From now on nothing is signed. What is being signed at this moment is signed before this returns.
    pub(crate) fn hold(&self) {
        self.0.lock().held = true;
        self.0.changed.notify_all();
        // The pen is in use while a checkpoint is signed; whoever holds returns after it was laid down.
        drop(self.0.pen.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// The handle by which the writer says what is committed.
#[derive(Debug)]
pub(crate) struct Signer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Signer {
    /// Starts the thread; `signed` is what `last_signed` holds now, as the exact bytes `note`.
    pub(crate) fn start(
        paths: Paths,
        signed: Committed,
        note: Vec<u8>,
        pace: Pace,
        sign: Sign,
        alarm: Alarm,
        held: bool,
    ) -> Result<Self, StoreError> {
        let target = Target {
            newest: signed,
            epoch: None,
            signed,
            soon: false,
            now: false,
            stop: false,
            held,
        };
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            changed: Condvar::new(),
            pen: Mutex::new(()),
        });
        let pen = Pen { paths, note, sign };
        let dir = pen.paths.dir.clone();
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("ledger-signer".into())
            .spawn(move || run(&theirs, pen, pace, &alarm))
            .map_err(|error| StoreError::io("start the signer of", &dir, error))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// What steers it.
    pub(crate) fn handle(&self) -> Handle {
        Handle(Arc::clone(&self.shared))
    }

    /// Says what is committed now and which epoch is in force since; `soon` if a head or a close is among it.
    pub(crate) fn offer(&self, newest: Committed, epoch: Option<Arc<SignerKey>>, soon: bool) {
        let mut target = self.shared.lock();
        let wake = newest != target.newest || (soon && !target.soon);
        target.newest = newest;
        target.epoch = epoch;
        target.soon |= soon;
        drop(target);
        if wake {
            self.shared.changed.notify_all();
        }
    }

    /// Signs what is left and ends the thread.
    pub(crate) fn finish(mut self) {
        self.stop();
    }

    /// Signs nothing more: after a failed sync nobody knows whether what is committed will still be there.
    pub(crate) fn abandon(&self) {
        let mut target = self.shared.lock();
        target.newest = target.signed;
        target.stop = true;
        drop(target);
        self.shared.changed.notify_all();
    }

    fn stop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(shared: &Shared, mut pen: Pen, pace: Pace, alarm: &Alarm) {
    let mut last = Instant::now()
        .checked_sub(pace.late)
        .unwrap_or_else(Instant::now);
    loop {
        let Some((newest, epoch, stop)) = wait(shared, pace, last) else {
            return;
        };
        let busy = shared.pen.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.lock().held {
            drop(busy);
            continue;
        }
        let written = pen.write(newest, epoch.as_deref());
        drop(busy);
        // A key that no longer rules is wiped with its last user.
        drop(epoch);
        match written {
            Ok(()) => {
                let mut target = shared.lock();
                target.signed = newest;
                target.soon &= target.newest != newest;
                target.now &= target.newest != newest;
                shared.changed.notify_all();
            }
            // Signing waits for space at its pace, whoever waits for it; what is committed stays committed.
            Err(StoreError::NoSpace { .. }) if !stop => shared.lock().now = false,
            Err(error) => return alarm(error.to_string()),
        }
        if stop {
            return;
        }
        last = Instant::now();
    }
}

/// Waits until something is to be signed and its time has come; `None` when the thread may end.
fn wait(
    shared: &Shared,
    pace: Pace,
    last: Instant,
) -> Option<(Committed, Option<Arc<SignerKey>>, bool)> {
    let mut target = shared.lock();
    loop {
        if target.stop {
            let left = !target.held && target.newest != target.signed;
            return left.then(|| (target.newest, target.epoch.clone(), true));
        }
        let due = match (target.now, target.soon) {
            (true, _) => Duration::ZERO,
            (false, true) => pace.soon,
            (false, false) => pace.late,
        };
        let waited = last.elapsed();
        if target.held || target.newest == target.signed {
            target = shared
                .changed
                .wait(target)
                .unwrap_or_else(PoisonError::into_inner);
        } else if waited >= due {
            return Some((target.newest, target.epoch.clone(), false));
        } else {
            let rest = due.saturating_sub(waited);
            target = shared
                .changed
                .wait_timeout(target, rest)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

struct Pen {
    paths: Paths,
    /// What `last_signed` must hold for us to replace it.
    note: Vec<u8>,
    sign: Sign,
}

impl Pen {
    /// Compares, signs and swaps. Another content than ours means that another writer signs this ledger.
    fn write(&mut self, newest: Committed, epoch: Option<&SignerKey>) -> Result<(), StoreError> {
        let found = files::read_small(&self.paths.last_signed, 64 * 1024)?;
        if found != self.note {
            return Err(StoreError::Damaged {
                place: self.paths.last_signed.display().to_string(),
                why: "it is not what this process signed last; someone else writes to it".into(),
            });
        }
        let place = || self.paths.last_signed.display().to_string();
        let note =
            (self.sign)(newest.size, &newest.root, epoch).map_err(|why| StoreError::Damaged {
                place: place(),
                why,
            })?;
        files::replace_file(&self.paths.last_signed, &note)?;
        self.note = note;
        Ok(())
    }
}
