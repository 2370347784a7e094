//! What a wrapped client and its transactions know together: the session, and the state of the connection.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use vocabulary::{action::TransactionOutcome, id::TransactionId};

#[cfg(feature = "postgres")]
use super::memory::Memory;
use super::{
    failure::{Failed, Failure},
    statement::Name,
    table::Table,
};
use crate::{
    Handle,
    capture::transactions::{Control, Levels, Settled},
};

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) session: Handle,
    /// The database's name in resources.
    pub(super) database: String,
    /// Whether a write outside transactions gets one of its own where its rows need several statements.
    pub(super) wraps: bool,
    /// Whether statements carry the session in a comment.
    pub(super) comments: bool,
    /// The application's name before the session was put into it.
    pub(super) announced: Option<String>,
    #[cfg(feature = "postgres")]
    pub(super) memory: Memory,
    state: Mutex<State>,
    tables: Mutex<HashMap<Name, (Instant, Table)>>,
}

/// How long a table is remembered: triggers and foreign keys that others make meanwhile are not in its stamp.
const REMEMBERED: Duration = Duration::from_secs(10);

/// How many tables are remembered.
const TABLES: usize = 64;

#[derive(Debug, Default)]
struct State {
    levels: Levels<TransactionId>,
    /// Whether a statement of the open transaction has locked rows.
    locked: bool,
    /// Whether a statement of the open transaction failed: whatever is said now, it will be rolled back.
    aborted: bool,
}

impl Shared {
    pub(super) fn new(
        session: &Handle,
        database: String,
        in_transaction: bool,
        aborted: bool,
    ) -> Self {
        let mut levels = Levels::default();
        levels.notice(!in_transaction, false);
        Self {
            session: session.clone(),
            database,
            wraps: false,
            comments: false,
            announced: None,
            #[cfg(feature = "postgres")]
            memory: Memory::default(),
            // What came before was not seen: rows may be locked.
            tables: Mutex::default(),
            state: Mutex::new(State {
                levels,
                locked: in_transaction,
                aborted,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a table, if its stamp is still the same.
    pub(super) fn remembered(&self, name: &Name) -> Option<Table> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.retain(|_, (since, _)| since.elapsed() < REMEMBERED);
        tables.get(name).map(|(_, table)| table.clone())
    }

    /// Whether what is known of a table is still this.
    #[cfg(feature = "postgres")]
    pub(super) fn remembers(&self, name: &Name, stamp: &str) -> bool {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables
            .get(name)
            .is_some_and(|(since, table)| since.elapsed() < REMEMBERED && table.stamp == stamp)
    }

    /// Remembers a table all of which may be read; what may be read of any other depends on more than its stamp.
    pub(super) fn remember(&self, name: &Name, table: &Table) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if table.whole && tables.len() < TABLES {
            tables.insert(name.clone(), (Instant::now(), table.clone()));
        }
    }

    pub(super) fn in_transaction(&self) -> bool {
        self.state().levels.is_open()
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.state().aborted
    }

    pub(super) fn is_locked(&self) -> bool {
        self.state().locked
    }

    /// A statement that may lock rows is about to run.
    pub(super) fn locks(&self) {
        let mut state = self.state();
        state.locked = state.levels.is_open();
    }

    /// The server refused a statement: the transaction that it ran in is lost.
    pub(super) fn failed(&self) {
        let mut state = self.state();
        state.aborted = state.levels.is_open();
    }

    /// The connection is gone, and with it whatever was not committed.
    pub(super) fn lost(&self) {
        let settled = self.state().levels.notice(true, true);
        self.settle(settled);
    }

    /// Somebody else has the connection.
    pub(super) fn handed_out(&self) {
        let mut state = self.state();
        state.levels.handed_out();
        state.locked |= state.levels.is_open();
    }

    /// The transaction that a change made now is pending in.
    pub(super) fn group(&self) -> Option<TransactionId> {
        let mut state = self.state();
        let open = state.levels.is_open();
        open.then(|| state.levels.group(|| self.session.new_transaction()))
    }

    /// Follows a control statement that succeeded. A `COMMIT` of a transaction in which a statement failed is a
    /// rollback, which the server says only in its tag.
    pub(super) fn follow(&self, control: &Control) {
        let mut state = self.state();
        let settled = match control {
            Control::Commit if state.aborted => state.levels.follow(&Control::Rollback, true),
            Control::Commit | Control::Rollback => state.levels.follow(control, true),
            Control::RollbackTo(_) => {
                state.aborted = false;
                state.levels.follow(control, false)
            }
            // A second BEGIN is only a warning.
            Control::Begin if state.levels.is_open() => Vec::new(),
            _ => state.levels.follow(control, false),
        };
        if !state.levels.is_open() {
            (state.locked, state.aborted) = (false, false);
        }
        drop(state);
        self.settle(settled);
    }

    /// Settles what a control statement settled, by how it ended.
    pub(super) fn ended<T, E: Failed>(
        &self,
        control: &Control,
        result: Result<T, E>,
    ) -> Result<T, E> {
        match (&result, control) {
            (Ok(_), _) => self.follow(control),
            (Err(error), Control::Commit) => match error.failure() {
                Failure::Refused => self.follow(&Control::Rollback),
                Failure::Lost | Failure::NotSent => self.unsure(),
            },
            (Err(error), _) => match error.failure() {
                Failure::Refused => self.failed(),
                Failure::Lost => self.lost(),
                Failure::NotSent => {}
            },
        }
        result
    }

    /// The answer to a `COMMIT` did not come.
    pub(super) fn unsure(&self) {
        let settled = self.state().levels.close();
        self.settle(settled);
    }

    fn settle(&self, settled: Vec<(TransactionId, Settled)>) {
        for (id, settled) in settled {
            let outcome = match settled {
                Settled::Committed => TransactionOutcome::Committed,
                Settled::RolledBack => TransactionOutcome::RolledBack,
                Settled::Unknown => TransactionOutcome::Unknown,
            };
            self.session.transaction(id, outcome);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.unsure(); // how an open transaction ends will not be seen
    }
}
