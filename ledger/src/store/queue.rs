//! The bounded queue in front of the one writer: full means "later", never loss.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::batch::{Batch, Receipt};
use super::book::Book;
use super::control::WriteError;
use super::error::{AppendError, Fatal};

/// What is called once the outcome of a batch is known. It runs on the writer's thread: it hands over and returns.
pub(crate) type Done = Box<dyn FnOnce(Result<Receipt, AppendError>) + Send>;

/// What the writer does in a transaction of its own, between batches: leaves that no export brings.
pub(crate) type Act = Box<dyn FnOnce(&mut Book, &Connection) -> Result<(), WriteError> + Send>;

/// What is called once the outcome of a task is known, on the writer's thread.
pub(crate) type TaskDone = Box<dyn FnOnce(Result<(), AppendError>) + Send>;

/// How much may wait, and how much one commit takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) waiting_records: usize,
    pub(crate) waiting_bytes: usize,
    pub(crate) commit_records: usize,
    pub(crate) commit_bytes: usize,
}

pub(crate) struct Queued {
    pub(crate) batch: Batch,
    pub(crate) done: Done,
}

pub(crate) struct Task {
    pub(crate) act: Act,
    pub(crate) done: TaskDone,
}

/// What the writer finds when it looks.
pub(crate) enum Work {
    /// One task, before batches that wait.
    Task(Task),
    /// Batches for one commit, oldest first.
    Batches(Vec<Queued>),
    /// Nothing came for a while: time for heads that are due.
    Tick,
    /// The ledger is closing and the queue is empty.
    Close,
}

pub(crate) struct Queue {
    limits: Limits,
    inner: Mutex<Inner>,
    filled: Condvar,
}

#[derive(Default)]
struct Inner {
    batches: VecDeque<Queued>,
    tasks: VecDeque<Task>,
    records: usize,
    bytes: usize,
    closing: bool,
    fatal: Option<Fatal>,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue")
            .field("waiting_records", &self.waiting())
            .finish_non_exhaustive()
    }
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            inner: Mutex::default(),
            filled: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.lock().records
    }

    /// Puts a batch in, or answers at once why not. A batch larger than the queue goes in when the queue is empty.
    pub(crate) fn push(&self, batch: Batch, done: Done) {
        let mut inner = self.lock();
        let refusal = if let Some(fatal) = &inner.fatal {
            Some(AppendError::Fatal(fatal.clone()))
        } else if inner.closing {
            Some(AppendError::Closing)
        } else {
            let records = inner.records + batch.records();
            let bytes = inner.bytes + batch.bytes();
            let full = records > self.limits.waiting_records || bytes > self.limits.waiting_bytes;
            (full && !inner.batches.is_empty()).then_some(AppendError::Busy {
                waiting: inner.records,
            })
        };
        if let Some(refusal) = refusal {
            drop(inner);
            return done(Err(refusal));
        }
        inner.records += batch.records();
        inner.bytes += batch.bytes();
        inner.batches.push_back(Queued { batch, done });
        drop(inner);
        self.filled.notify_one();
    }

    /// Puts a task in, or answers at once why not. Tasks are few and small; they are not counted against the limits.
    pub(crate) fn push_task(&self, task: Task) {
        let mut inner = self.lock();
        let refusal = if let Some(fatal) = &inner.fatal {
            Some(AppendError::Fatal(fatal.clone()))
        } else {
            inner.closing.then_some(AppendError::Closing)
        };
        if let Some(refusal) = refusal {
            drop(inner);
            return (task.done)(Err(refusal));
        }
        inner.tasks.push_back(task);
        drop(inner);
        self.filled.notify_one();
    }

    /// Waits for work, at most `patience`.
    pub(crate) fn take(&self, patience: Duration) -> Work {
        let mut inner = self.lock();
        let idle = |inner: &mut Inner| {
            inner.batches.is_empty() && inner.tasks.is_empty() && !inner.closing
        };
        if idle(&mut inner) {
            let waited = self.filled.wait_timeout_while(inner, patience, idle);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if let Some(task) = inner.tasks.pop_front() {
            return Work::Task(task);
        }
        if inner.batches.is_empty() {
            return if inner.closing {
                Work::Close
            } else {
                Work::Tick
            };
        }
        let mut taken = Vec::new();
        let (mut records, mut bytes) = (0, 0);
        while let Some(next) = inner.batches.front() {
            let fits = records + next.batch.records() <= self.limits.commit_records
                && bytes + next.batch.bytes() <= self.limits.commit_bytes;
            if !fits && !taken.is_empty() {
                break;
            }
            let Some(next) = inner.batches.pop_front() else {
                break;
            };
            records += next.batch.records();
            bytes += next.batch.bytes();
            inner.records -= next.batch.records();
            inner.bytes -= next.batch.bytes();
            taken.push(next);
        }
        Work::Batches(taken)
    }

    /// No more batches; those inside are still written.
    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.filled.notify_all();
    }

    /// No more anything: answers every waiting and later batch with `fatal`. The first reason stays; true if this is
    /// it.
    pub(crate) fn poison(&self, fatal: &Fatal) -> bool {
        let mut inner = self.lock();
        let first = inner.fatal.is_none();
        let fatal = inner.fatal.get_or_insert_with(|| fatal.clone()).clone();
        inner.closing = true;
        inner.records = 0;
        inner.bytes = 0;
        let waiting = std::mem::take(&mut inner.batches);
        let tasks = std::mem::take(&mut inner.tasks);
        drop(inner);
        self.filled.notify_all();
        for task in tasks {
            (task.done)(Err(AppendError::Fatal(fatal.clone())));
        }
        for queued in waiting {
            (queued.done)(Err(AppendError::Fatal(fatal.clone())));
        }
        first
    }

    /// Why the writer stopped, if it did.
    pub(crate) fn fatal(&self) -> Option<Fatal> {
        self.lock().fatal.clone()
    }
}
