//! The one thread that writes: takes what waits, commits it in one transaction, and only then answers.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, ffi};

use super::Clock;
use super::batch::Receipt;
use super::book::Book;
use super::control::WriteError;
use super::disk::{Disk, DiskStage};
use super::epochs::Epochs;
use super::error::{AppendError, Fatal, StoreError};
use super::files::{Identity, Lock, Paths};
use super::queue::{Queue, Queued, Task, Work};
use super::signer::{Committed, Signer};
use super::tables::TableError;
use super::watch::Watch;
use crate::acked::{self, Acked};
use crate::leaf::{ConfigChange, ControlBody};
use crate::tree::Hash;

/// How often the writer looks whether a head is due when nothing comes in.
const TICK: Duration = Duration::from_millis(250);

/// Heads written in one commit when many streams fall silent at once.
const HEADS_AT_ONCE: usize = 1024;

/// Pages in the write-ahead log (4 MiB) from which it is folded into the database as soon as nobody waits. A short log
/// keeps each fold short, and the file is written over from its start instead of growing, which a sync need not tell
/// the file system's journal.
const FOLD_WHEN_IDLE: i64 = 512;

/// Pages in the write-ahead log (32 MiB) from which it is folded even while batches wait.
const FOLD_ALWAYS: i64 = 4096;

/// `reason` of a shutdown leaf: a signal, or the program's own end.
const BY_SIGNAL: u8 = 1;

/// `reason` of a shutdown leaf: a failure, here that the disk is full.
const NO_ROOM: u8 = 3;

/// Called once when the ledger stops for good.
pub(crate) type OnFatal = Box<dyn Fn(&Fatal) + Send + Sync>;

pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) paths: Paths,
    pub(crate) book: Book,
    pub(crate) acked: File,
    /// Files that must keep their names while this process writes: the database, `acked`, the lock.
    pub(crate) named: Vec<(PathBuf, Identity)>,
    pub(crate) wal: Option<Identity>,
    pub(crate) signer: Signer,
    pub(crate) disk: Disk,
    pub(crate) watch: Watch,
    /// Said again when a ledger that had stopped for want of room goes on.
    pub(crate) startup: ControlBody,
    pub(crate) on_disk: Box<dyn Fn(DiskStage) + Send + Sync>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) clock: Clock,
    pub(crate) head_after_ns: u64,
    pub(crate) instance: [u8; 16],
    pub(crate) on_fatal: Arc<OnFatal>,
    /// Held until the last file is closed.
    pub(crate) lock: Lock,
    pub(crate) epochs: Epochs,
}

/// How a commit failed.
#[derive(Debug)]
enum Failure {
    /// Rolled back; the same may work later.
    NoSpace,
    /// Nobody knows what the disk holds.
    Fatal(String),
}

impl Writer {
    /// Runs until the queue is closed or the ledger stops.
    pub(crate) fn run(mut self) -> Result<(), Fatal> {
        loop {
            let work = self.queue.take(TICK);
            self.look_at_disk()?;
            let outcome = match work {
                Work::Batches(batches) => self.batches(batches),
                Work::Task(task) => self.task(task),
                Work::Tick => self.batches(Vec::new()),
                Work::Close => return self.close(),
            };
            outcome?;
            if let Err(error) = self.rotate_if_due() {
                return Err(self.stop(error.to_string()));
            }
        }
    }

    /// Ends the epoch if it has lasted long enough: also while nothing comes in, so that a seal that is missing shows.
    pub(crate) fn rotate_if_due(&mut self) -> Result<(), StoreError> {
        if !self.epochs.due((self.clock)()) {
            return Ok(());
        }
        let next_key = match self.epochs.prepare() {
            Err(StoreError::NoSpace { .. }) => {
                self.epochs.postpone();
                return Ok(());
            }
            other => other?,
        };
        let ending = self.epochs.current();
        let mut sealed_ns = 0;
        let outcome = self.commit_unsigned(|book, connection| {
            let ledger = book.ledger;
            sealed_ns = book.control.newest_ns();
            book.control
                .append_seal(connection, &ledger, &ending, next_key)?;
            Ok(Vec::new())
        });
        drop(ending);
        match outcome {
            Ok(_) => {}
            Err(Failure::NoSpace) => {
                self.epochs.postpone();
                return Ok(());
            }
            Err(Failure::Fatal(why)) => return Err(self.fatal(&why).into()),
        }
        self.epochs.advance(sealed_ns)?;
        let epoch = self.epochs.signing();
        self.signer.offer(self.committed(), epoch, true);
        Ok(())
    }

    fn fatal(&self, why: &str) -> Fatal {
        Fatal {
            dir: self.paths.dir.clone(),
            why: why.into(),
        }
    }

    /// Commits batches and heads that are due together and answers each. `Err` only after the ledger was stopped.
    fn batches(&mut self, batches: Vec<Queued>) -> Result<(), Fatal> {
        let batches = self.admit(batches)?;
        let now_ns = (self.clock)();
        let (leaves, commit) = (self.book.control.size(), self.book.commit);
        let stage = self.disk.stage();
        if stage == DiskStage::Full {
            return Ok(());
        }
        // Whoever asks what is due has to write it: nothing else is told again.
        let due = self
            .book
            .due(now_ns.saturating_sub(self.head_after_ns), HEADS_AT_ONCE);
        let said = self
            .watch
            .due(now_ns, leaves, commit, self.book.records(), stage);
        if batches.is_empty() && due.is_empty() && said.is_empty() && !self.book.gaps_due(now_ns) {
            return Ok(());
        }
        let (batches, callbacks): (Vec<_>, Vec<_>) = batches
            .into_iter()
            .map(|queued| (queued.batch, queued.done))
            .unzip();
        let outcome = self.commit(|book, connection| {
            let mut receipts = Vec::with_capacity(batches.len());
            for batch in batches {
                receipts.push(book.write(connection, batch)?);
            }
            for n in due {
                book.write_head(connection, n)?;
            }
            book.write_gaps(connection, now_ns)?;
            for body in said {
                book.state(connection, body)?;
            }
            Ok(receipts)
        });
        match outcome {
            Ok(receipts) => {
                for (receipt, done) in receipts.into_iter().zip(callbacks) {
                    done(Ok(receipt));
                }
                self.fold_if_due().map_err(|why| self.stop(why))
            }
            Err(Failure::NoSpace) => {
                for done in callbacks {
                    done(Err(AppendError::NoSpace));
                }
                self.stop_for_want_of_room()
            }
            Err(Failure::Fatal(why)) => {
                // Stopped first: whoever gets an answer finds a ledger that has stopped.
                let fatal = self.stop(why);
                for done in callbacks {
                    done(Err(AppendError::Fatal(fatal.clone())));
                }
                Err(fatal)
            }
        }
    }

    /// Commits a task alone and answers it. `Err` only after the ledger was stopped.
    fn task(&mut self, task: Task) -> Result<(), Fatal> {
        if self.disk.stage() == DiskStage::Full {
            (task.done)(Err(AppendError::NoSpace));
            return Ok(());
        }
        let act = task.act;
        let outcome = self.commit(|book, connection| {
            act(book, connection)?;
            Ok(Vec::new())
        });
        match outcome {
            Ok(_) => (task.done)(Ok(())),
            Err(Failure::NoSpace) => (task.done)(Err(AppendError::NoSpace)),
            Err(Failure::Fatal(why)) => {
                let fatal = self.stop(why);
                (task.done)(Err(AppendError::Fatal(fatal.clone())));
                return Err(fatal);
            }
        }
        Ok(())
    }

    /// Looks how much room there is and tells who wants to know. A ledger that had stopped for want of it goes on.
    fn look_at_disk(&mut self) -> Result<(), Fatal> {
        let before = self.disk.stage();
        if before == DiskStage::Full {
            if self.disk.enough_again() {
                let startup = self.startup.clone();
                match self.commit_alone(startup) {
                    Ok(()) => {}
                    Err(Failure::NoSpace) => drop(self.disk.give_up()),
                    Err(Failure::Fatal(why)) => return Err(self.stop(why)),
                }
            }
        } else {
            self.disk.look();
        }
        let stage = self.disk.stage();
        if stage != before {
            (self.on_disk)(stage);
        }
        Ok(())
    }

    /// Answers at once what the disk has no room for, and gives back the rest.
    fn admit(&mut self, batches: Vec<Queued>) -> Result<Vec<Queued>, Fatal> {
        let stage = self.disk.stage();
        if stage < DiskStage::Hard {
            return Ok(batches);
        }
        let mut admitted = Vec::with_capacity(batches.len());
        for queued in batches {
            if stage == DiskStage::Full {
                (queued.done)(Err(AppendError::NoSpace));
                continue;
            }
            match self.book.opens(&self.connection, &queued.batch) {
                Ok(false) => admitted.push(queued),
                Ok(true) => (queued.done)(Err(AppendError::DiskLow)),
                Err(error) => return Err(self.stop(in_words(&error))),
            }
        }
        Ok(admitted)
    }

    /// The disk is full. The reserve is given up for what an orderly stop writes: a head for every stream, the
    /// shutdown leaf, a signature, a folded log. From then on everything is asked to come again later.
    fn stop_for_want_of_room(&mut self) -> Result<(), Fatal> {
        let before = self.disk.stage();
        if before == DiskStage::Full || !self.disk.give_up() {
            // There was no reserve to give up: what comes next may still fit.
            self.disk.look_anew();
            return Ok(());
        }
        (self.on_disk)(DiskStage::Full);
        let written = self.write_ending(NO_ROOM);
        match written {
            Ok(()) | Err(Failure::NoSpace) => {}
            Err(Failure::Fatal(why)) => return Err(self.stop(why)),
        }
        self.fold_if_longer_than(0).map_err(|why| self.stop(why))
    }

    /// Heads for every stream that lacks one, a seal if it is time, what is still missing, and the shutdown leaf.
    fn write_ending(&mut self, reason: u8) -> Result<(), Failure> {
        loop {
            let due = self.book.due(u64::MAX, HEADS_AT_ONCE);
            if due.is_empty() {
                break;
            }
            self.commit(|book, connection| {
                due.iter()
                    .try_for_each(|n| book.write_head(connection, *n))?;
                Ok(Vec::new())
            })?;
        }
        self.rotate_if_due()
            .map_err(|error| Failure::Fatal(error.to_string()))?;
        let (instance, commit) = (self.instance, self.book.commit);
        let outcome = self.commit(|book, connection| {
            book.write_gaps(connection, u64::MAX)?;
            let shutdown = ControlBody::Shutdown {
                instance,
                commit,
                reason,
            };
            book.state(connection, shutdown)?;
            book.shut();
            Ok(Vec::new())
        });
        outcome.map(drop)
    }

    /// Nothing more is written, signed or folded: what the disk holds is for the next start to find out.
    fn stop(&self, why: String) -> Fatal {
        self.signer.abandon();
        let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        let _ = self.connection.set_db_config(keep, true);
        stop(&self.paths, &self.queue, &self.on_fatal, why)
    }

    /// One transaction: BEGIN, what `write` does, heads and state, COMMIT, the check that it went into a file that
    /// still has its name, `acked`, the signer. INVARIANT: nothing is answered before this returns.
    fn commit(
        &mut self,
        write: impl FnOnce(&mut Book, &Connection) -> Result<Vec<Receipt>, WriteError>,
    ) -> Result<Vec<Receipt>, Failure> {
        let (receipts, headed) = self.commit_unsigned(write)?;
        let epoch = self.epochs.signing();
        self.signer.offer(self.committed(), epoch, headed);
        Ok(receipts)
    }

    /// The same without the signer: after a seal another key signs.
    fn commit_unsigned(
        &mut self,
        write: impl FnOnce(&mut Book, &Connection) -> Result<Vec<Receipt>, WriteError>,
    ) -> Result<(Vec<Receipt>, bool), Failure> {
        let now_ns = (self.clock)();
        let (book, connection) = (&mut self.book, &self.connection);
        let written = book.begin(connection, now_ns).and_then(|()| {
            let receipts = write(book, connection)?;
            book.finish(connection)?;
            connection.prepare_cached("COMMIT")?.execute([])?;
            Ok(receipts)
        });
        let mut receipts = match written {
            Ok(receipts) => receipts,
            Err(error) => return Err(self.roll_back(&error, now_ns)),
        };
        let headed = self.book.committed(now_ns);
        self.still_there().map_err(Failure::Fatal)?;
        self.acknowledge().map_err(Failure::Fatal)?;
        let committed = self.committed();
        for receipt in receipts
            .iter_mut()
            .filter(|receipt| receipt.commit == self.book.commit)
        {
            receipt.ledger_size = committed.size;
            receipt.ledger_root = committed.root;
        }
        Ok((receipts, headed))
    }

    fn committed(&self) -> Committed {
        Committed {
            size: self.book.control.size(),
            root: self.book.control.root(),
        }
    }

    fn roll_back(&mut self, error: &WriteError, now_ns: u64) -> Failure {
        if !is_no_space(error) {
            return Failure::Fatal(in_words(error));
        }
        // SQLite may have rolled back by itself.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            return Failure::Fatal(format!("cannot roll back: {error}"));
        }
        match self.book.reload(&self.connection, now_ns) {
            Ok(()) => Failure::NoSpace,
            Err(error) => Failure::Fatal(format!("cannot read the last commit again: {error}")),
        }
    }

    /// Measured: SQLite commits happily into files that have been unlinked.
    fn still_there(&mut self) -> Result<(), String> {
        for (path, identity) in &self.named {
            if !identity.still_at(path) {
                return Err(format!("{} was removed or replaced", path.display()));
            }
        }
        match self.wal {
            Some(wal) if !wal.still_at(&self.paths.wal) => Err(format!(
                "{} was removed or replaced",
                self.paths.wal.display()
            )),
            Some(_) => Ok(()),
            None => {
                let wal = Identity::of(&self.paths.wal).map_err(|error| error.to_string())?;
                self.wal = Some(wal);
                Ok(())
            }
        }
    }

    fn acknowledge(&self) -> Result<(), String> {
        let commit = self.book.commit;
        let slot = Acked {
            commit,
            size: self.book.control.size(),
            root: self.book.control.root(),
        }
        .encode();
        self.acked
            .write_all_at(&slot, (acked::SLOT * acked::slot_of(commit)) as u64)
            .map_err(|error| format!("cannot write {}: {error}", self.paths.acked.display()))
    }

    /// Folds the log into the database, by preference while nobody waits. A full disk is no reason to stop: the log
    /// stays. Only this thread ever folds: two connections that do are how SQLite once lost commits.
    fn fold_if_due(&mut self) -> Result<(), String> {
        self.fold_if_longer_than(FOLD_WHEN_IDLE)
    }

    fn fold_if_longer_than(&mut self, idle: i64) -> Result<(), String> {
        let pages = self
            .connection
            .prepare_cached("PRAGMA wal_checkpoint(NOOP)")
            .and_then(|mut length| length.query_row([], |row| row.get::<_, i64>(1)))
            .map_err(|error| format!("cannot measure the write-ahead log: {error}"))?;
        if pages < idle || (pages < FOLD_ALWAYS && self.queue.waiting() > 0) {
            return Ok(());
        }
        match self
            .connection
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))
        {
            Ok(()) => Ok(()),
            Err(error) if is_full(&error) => Ok(()),
            Err(error) => Err(format!("cannot fold the write-ahead log: {}", told(&error))),
        }
    }

    /// Heads for every stream that lacks one, the shutdown leaf, a last signature, an empty log.
    fn close(mut self) -> Result<(), Fatal> {
        // One that stopped for want of room has said so already.
        let written = match self.disk.stage() {
            DiskStage::Full => Ok(()),
            _ => self.write_ending(BY_SIGNAL),
        };
        match written {
            Ok(()) | Err(Failure::NoSpace) => {}
            Err(Failure::Fatal(why)) => return Err(self.stop(why)),
        }
        let Self {
            connection,
            paths,
            signer,
            queue,
            on_fatal,
            lock,
            ..
        } = self;
        signer.finish();
        let closed = fold_and_close(connection, &paths);
        drop(lock);
        closed.map_err(|why| stop(&paths, &queue, &on_fatal, why))?;
        // The signer may have stopped the ledger while it signed for the last time.
        queue.fatal().map_or(Ok(()), Err)
    }

    fn commit_alone(&mut self, body: ControlBody) -> Result<(), Failure> {
        let outcome = self.commit(|book, connection| {
            book.state(connection, body)?;
            Ok(Vec::new())
        });
        outcome.map(drop)
    }

    /// The first commit of a run: that it started, and what is set otherwise than in the run before.
    pub(crate) fn commit_startup(
        &mut self,
        config: Hash,
        changes: Vec<ConfigChange>,
    ) -> Result<(), StoreError> {
        let startup = self.startup.clone();
        let outcome = self.commit(|book, connection| {
            book.state(connection, startup)?;
            for change in changes {
                book.control
                    .append_private(connection, &change, |commitment| {
                        ControlBody::ConfigChange { config, commitment }
                    })?;
            }
            Ok(Vec::new())
        });
        match outcome {
            Ok(_) => Ok(()),
            Err(Failure::NoSpace) => Err(StoreError::NoSpace {
                path: self.paths.database.clone(),
            }),
            Err(Failure::Fatal(why)) => Err(self.fatal(&why).into()),
        }
    }
}

/// Tells everyone that the ledger stops; the first reason counts.
pub(crate) fn stop(paths: &Paths, queue: &Queue, on_fatal: &OnFatal, why: String) -> Fatal {
    let fatal = Fatal {
        dir: paths.dir.clone(),
        why: why.as_str().into(),
    };
    if queue.poison(&fatal) {
        on_fatal(&fatal);
    }
    fatal
}

/// An empty log, and no connection that could write another.
fn fold_and_close(connection: Connection, paths: &Paths) -> Result<(), String> {
    match connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        Ok(()) => {}
        Err(error) if is_full(&error) => {}
        Err(error) => return Err(format!("cannot fold the write-ahead log: {}", told(&error))),
    }
    connection
        .close()
        .map_err(|(_, error)| format!("cannot close the database: {error}"))?;
    super::files::sync_folder(&paths.dir).map_err(|error| error.to_string())
}

fn is_no_space(error: &WriteError) -> bool {
    match error {
        WriteError::Sqlite(error) | WriteError::Table(TableError::Sqlite(error)) => is_full(error),
        _ => false,
    }
}

fn in_words(error: &WriteError) -> String {
    match error {
        WriteError::Sqlite(error) | WriteError::Table(TableError::Sqlite(error)) => told(error),
        other => other.to_string(),
    }
}

/// A failed sync by its name, so that it is told apart from every other failure of a disk.
fn told(error: &rusqlite::Error) -> String {
    let extended = error.sqlite_error().map(|error| error.extended_code);
    match extended {
        Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC) => {
            format!("sync failed: the database ({error})")
        }
        _ => error.to_string(),
    }
}

/// A full disk shows as SQLITE_FULL, or as a shared-memory file that cannot grow.
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || error
            .sqlite_error()
            .is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE)
}
