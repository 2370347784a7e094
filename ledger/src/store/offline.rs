//! What is done to a ledger while no collector runs, under the same lock and after the same checks as appending.

use std::path::Path;

use rusqlite::Connection;

use super::error::StoreError;
use super::files::{Lock, Paths};
use super::tables::TableError;
use super::{database, recover, schema};

/// A ledger that this process has for itself, recovered and folded.
pub(crate) struct Offline {
    pub(crate) connection: Connection,
    pub(crate) paths: Paths,
    _lock: Lock,
}

impl Offline {
    pub(crate) fn open(dir: &Path) -> Result<Self, StoreError> {
        let paths = Paths::of(dir);
        paths.require()?;
        let lock = Lock::exclusive(&paths)?;
        let connection = database::open_writer(&paths.database)?;
        schema::check(&connection, &paths.database)?;
        let state = recover::read_state(&paths, &connection)?;
        recover::against_acked(&paths, &connection, &state)?;
        database::fold(&connection, &paths.database)?;
        Ok(Self {
            connection,
            paths,
            _lock: lock,
        })
    }

    /// Runs `work` in one transaction.
    pub(crate) fn transaction<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, TableError>,
    ) -> Result<T, StoreError> {
        let begun = self
            .connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(TableError::from);
        let outcome = begun
            .and_then(|()| work(&self.connection))
            .and_then(|done| {
                self.connection.execute_batch("COMMIT")?;
                Ok(done)
            });
        if outcome.is_err() && !self.connection.is_autocommit() {
            // The error that is reported is the first one.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        outcome.map_err(|error| recover::damaged(&self.paths.database, error))
    }

    /// Leaves a database without a log.
    pub(crate) fn close(self) -> Result<(), StoreError> {
        let sqlite = |error| StoreError::sqlite("close", &self.paths.database, error);
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(sqlite)?;
        self.connection
            .close()
            .map_err(|(_, error)| StoreError::sqlite("close", &self.paths.database, error))
    }
}
