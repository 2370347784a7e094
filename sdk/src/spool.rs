//! The spool: where every record goes first, and stays until a collector has it.

mod line;
mod map;
mod segment;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(crate) use line::{Batch, Line, left_behind};
#[cfg(any(test, fuzzing))]
pub(crate) use segment::frames_are_within;
pub(crate) use segment::{Identity, Segment};
use segment::{Pen, RAN, STRICT};

use crate::item;

/// How many files are made in advance.
const PREPARED: usize = 2;

/// How large and where a spool is.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) folder: PathBuf,
    /// Bytes of one file.
    pub(crate) file_bytes: usize,
    /// Bytes of all files of one run together.
    pub(crate) limit: u64,
}

/// Why the spool could not keep a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// All files that it may have are full of records not yet sent.
    Full,
    /// The operating system gives no file.
    Unwritable,
    /// The recorder was closed.
    Closed,
}

impl NoRoom {
    /// The word for `recount.loss.cause`.
    pub(crate) const fn cause(self) -> &'static str {
        match self {
            Self::Full => "spool_full",
            Self::Unwritable => "spool_unwritable",
            Self::Closed => "closed",
        }
    }
}

/// How a record is appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// Nobody waits for it.
    Spool,
    /// The begin of an action that runs at once.
    Ran,
    /// Its sender waits for the collector.
    Strict,
    /// The last word of a recorder, about what it lost: kept even where the
    /// limit is reached.
    BeyondLimit,
}

/// The files of one run; many threads append, one ships.
#[derive(Debug)]
pub(crate) struct Spool {
    plan: Plan,
    identity: Identity,
    writer: Mutex<Writer>,
    segments: Arc<Mutex<VecDeque<Arc<Segment>>>>,
    /// How many records were appended so far: the next sequence.
    appended: AtomicU64,
    /// A prepared file was taken: another one should be made.
    hungry: AtomicBool,
    next_number: AtomicU64,
}

#[derive(Debug)]
struct Writer {
    current: Arc<Segment>,
    pen: Pen,
    /// Files made before they are needed, the next one last.
    prepared: Vec<(Arc<Segment>, Pen)>,
    /// Nothing is appended any more: a file prepared now would stay behind.
    over: bool,
    next_seq: u64,
}

impl Writer {
    fn put(&mut self, flags: u8, item: [&[u8]; 3]) -> bool {
        self.current.append(&mut self.pen, flags, item)
    }
}

impl Spool {
    /// Creates the folder (mode 0700) and the first file.
    pub(crate) fn create(plan: Plan, identity: Identity) -> io::Result<Self> {
        create_private(&plan.folder)?;
        let (first, pen) = Segment::create(&plan.folder, identity.clone(), plan.file_bytes)?;
        let first = Arc::new(first);
        let writer = Writer {
            current: Arc::clone(&first),
            pen,
            prepared: Vec::new(),
            over: false,
            next_seq: 0,
        };
        Ok(Self {
            plan,
            identity,
            writer: Mutex::new(writer),
            segments: Arc::new(Mutex::new(VecDeque::from([first]))),
            appended: AtomicU64::new(0),
            hungry: AtomicBool::new(false),
            next_number: AtomicU64::new(1),
        })
    }

    /// Appends one record of a head and a body, to which nonce, time, sequence
    /// and the place of the chain are added; gives its sequence. The buffer of
    /// the head takes the tail too.
    pub(crate) fn append(
        &self,
        how: How,
        ends: &mut Vec<u8>,
        body: &[u8],
        mono_ns: u64,
    ) -> Result<u64, NoRoom> {
        let flags = match how {
            How::Strict => STRICT,
            How::Ran => RAN,
            How::Spool | How::BeyondLimit => 0,
        };
        let nonce = crate::random::bytes();
        let head = ends.len();
        let mut writer = lock(&self.writer);
        let seq = writer.next_seq;
        item::write_tail(ends, &nonce, mono_ns, seq);
        let item = [&ends[..head], body, &ends[head..]];
        if !writer.put(flags, item) {
            let needed = ends.len() + body.len() + segment::FRAME;
            self.next_file(&mut writer, needed, how == How::BeyondLimit)?;
            if !writer.put(flags, item) {
                return Err(NoRoom::Full);
            }
        }
        writer.next_seq = seq + 1;
        self.appended.store(seq + 1, Ordering::Release);
        Ok(seq)
    }

    /// Goes on in the file that was prepared, or in a new one.
    fn next_file(
        &self,
        writer: &mut Writer,
        needed: usize,
        beyond_limit: bool,
    ) -> Result<(), NoRoom> {
        let fits = |segment: &Segment| segment.len() - segment.data() >= needed;
        let (next, pen) = match writer.prepared.pop() {
            Some((next, pen)) if fits(&next) => (next, pen),
            unfit => {
                // Numbers must rise in the order of use: what was prepared
                // comes before the file that is made now, so it goes.
                let unfit = unfit.into_iter().chain(writer.prepared.drain(..));
                unfit.for_each(|(file, _)| drop(file.delete()));
                let least = writer.current.data() + needed;
                if beyond_limit {
                    self.make_file(least)?
                } else {
                    self.new_file(self.plan.file_bytes.max(least), 0)?
                }
            }
        };
        self.hungry.store(true, Ordering::Relaxed);
        next.set_first_seq(writer.next_seq);
        writer.pen = pen;
        let before = std::mem::replace(&mut writer.current, Arc::clone(&next));
        lock(&self.segments).push_back(next);
        before.set_full();
        Ok(())
    }

    /// A new file, if the unsent records leave room for it.
    fn new_file(&self, len: usize, prepared: u64) -> Result<(Arc<Segment>, Pen), NoRoom> {
        let unsent = |segment: &&Arc<Segment>| segment.acked() < segment.end();
        let used: u64 = lock(&self.segments)
            .iter()
            .filter(unsent)
            .map(|one| one.len() as u64)
            .sum();
        if used + prepared + len as u64 > self.plan.limit {
            return Err(NoRoom::Full);
        }
        self.make_file(len)
    }

    fn make_file(&self, len: usize) -> Result<(Arc<Segment>, Pen), NoRoom> {
        // Never the same number twice: two threads may make files at once.
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let identity = Identity {
            number,
            first_seq: 0,
            ..self.identity.clone()
        };
        let made = Segment::create(&self.plan.folder, identity, len);
        made.map(|(file, pen)| (Arc::new(file), pen))
            .map_err(|_| NoRoom::Unwritable)
    }

    /// Makes the next files before they are needed, so that no caller waits
    /// for one.
    pub(crate) fn prepare(&self) {
        for _ in 0..PREPARED {
            let prepared = {
                let writer = lock(&self.writer);
                let idle = writer.current.end() < writer.current.len() / 4;
                if writer.over || writer.prepared.len() >= PREPARED || idle {
                    return;
                }
                writer.prepared.len() as u64
            };
            let reserved = prepared * self.plan.file_bytes as u64;
            let Ok(next) = self.new_file(self.plan.file_bytes, reserved) else {
                return;
            };
            next.0.warm();
            let mut writer = lock(&self.writer);
            if writer.over || next.0.identity.number < writer.current.identity.number {
                let _ = next.0.delete(); // the writer went on, or ended, without it
                return;
            }
            writer.prepared.insert(0, next);
        }
    }

    /// True once after a prepared file was taken.
    pub(crate) fn take_hunger(&self) -> bool {
        self.hungry.load(Ordering::Relaxed) && self.hungry.swap(false, Ordering::Relaxed)
    }

    /// Writes to the device what is not there yet.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let segments: Vec<_> = lock(&self.segments).iter().cloned().collect();
        segments.iter().try_for_each(|segment| segment.flush())
    }

    /// Whether everything is on the device.
    pub(crate) fn is_flushed(&self) -> bool {
        lock(&self.segments)
            .iter()
            .all(|segment| segment.is_flushed())
    }

    /// How many records were appended so far.
    pub(crate) fn appended(&self) -> u64 {
        self.appended.load(Ordering::Acquire)
    }

    /// The same files, as the shipper sees them. To be called once.
    pub(crate) fn line(&self) -> Line {
        Line::of(Arc::clone(&self.segments), item::Chain::new())
    }

    /// Deletes the files of a run all of whose records were acknowledged;
    /// nothing may be appended afterwards.
    pub(crate) fn remove(&self) {
        let mut writer = lock(&self.writer);
        writer.over = true;
        for (prepared, _) in writer.prepared.drain(..) {
            let _ = prepared.delete();
        }
        for segment in lock(&self.segments).drain(..) {
            let _ = segment.delete();
        }
    }

    /// Lets other processes take over what is left; nothing may be appended
    /// afterwards.
    pub(crate) fn release(&self) {
        let mut writer = lock(&self.writer);
        writer.over = true;
        for (prepared, _) in writer.prepared.drain(..) {
            let _ = prepared.delete();
        }
        drop(writer);
        lock(&self.segments)
            .iter()
            .for_each(|segment| segment.unlock());
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.plan.folder
    }
}

/// A poisoned lock is taken over: what it guards is only changed by statements
/// that cannot panic half-way.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
