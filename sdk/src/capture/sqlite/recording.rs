//! What is known of a connection whose statements are recorded, whichever way they reach it.

use std::{
    cell::{Cell, RefCell},
    path::Path,
};

use rusqlite::Connection;
use vocabulary::{action::TransactionOutcome, id::TransactionId};

use super::watch::Watcher;
use crate::{
    Handle,
    capture::transactions::{Control, Levels, Settled},
};

/// The session that a connection works for, and the state of its transactions.
#[derive(Debug)]
pub(super) struct Recording {
    pub(super) session: Handle,
    /// The database's name in resources.
    pub(super) name: String,
    /// The error says why rows cannot be watched on this connection.
    pub(super) watcher: Result<Watcher, String>,
    levels: RefCell<Levels<TransactionId>>,
    /// Whether a statement of the open transaction has written, so that the database is locked.
    locked: Cell<bool>,
}

impl Recording {
    pub(super) fn of(session: &Handle, conn: &Connection) -> Self {
        let name = conn
            .path()
            .and_then(|path| Path::new(path).file_stem())
            .map(|stem| stem.to_string_lossy().into_owned())
            .filter(|name| !name.is_empty());
        let watcher =
            Watcher::new(conn).map_err(|error| format!("rows cannot be watched: {error}"));
        session.can_see(if watcher.is_ok() {
            "db:diffs"
        } else {
            "db:content"
        });
        let mut levels = Levels::default();
        levels.notice(conn.is_autocommit(), false);
        Self {
            session: session.clone(),
            name: name.unwrap_or_else(|| "memory".to_owned()),
            watcher,
            levels: RefCell::new(levels),
            locked: Cell::new(false),
        }
    }

    /// The transaction that a change made now is pending in.
    pub(super) fn group(&self) -> TransactionId {
        let mut levels = self.levels.borrow_mut();
        levels.group(|| self.session.new_transaction())
    }

    /// Whether others wait for the end of the open transaction.
    #[cfg(feature = "sqlx-sqlite")]
    pub(super) fn is_locked(&self) -> bool {
        self.levels.borrow().is_open() && self.locked.get()
    }

    /// A statement has written.
    pub(super) fn wrote(&self, conn: &Connection) {
        self.locked.set(!conn.is_autocommit());
    }

    /// Somebody else has the connection.
    pub(super) fn handed_out(&self) {
        self.levels.borrow_mut().handed_out();
    }

    /// Follows a control statement that succeeded.
    pub(super) fn follow(&self, control: &Control, autocommit: bool) {
        let settled = self.levels.borrow_mut().follow(control, autocommit);
        self.settle(settled);
    }

    /// Compares what is known of the open transaction with the connection, and settles what ended.
    pub(super) fn notice(&self, conn: &Connection, ours: bool) {
        let settled = self.levels.borrow_mut().notice(conn.is_autocommit(), ours);
        self.settle(settled);
    }

    /// How the open transaction ends will not be seen.
    pub(super) fn unsure(&self) {
        let settled = self.levels.borrow_mut().close();
        self.settle(settled);
    }

    /// Leaves the connection as it was found.
    pub(super) fn retire(&self, conn: &Connection) {
        if let Ok(watcher) = &self.watcher {
            watcher.retire(conn);
        }
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

impl Drop for Recording {
    fn drop(&mut self) {
        self.unsure();
    }
}
