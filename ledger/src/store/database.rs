//! Opening `ledger.db` with the settings that durability depends on, and checking that SQLite took them.

use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::error::StoreError;

/// Older versions can lose commits when two connections reset the write-ahead log (SQLite's WAL-reset bug).
const OLDEST_SQLITE: i32 = 3_051_003;

/// Pages of 8 KiB: a segment of one export usually fits one, and the tree above them stays flat.
const PAGE_BYTES: u32 = 8192;

/// Settings of every connection that writes; each is read back.
const SETTINGS: &[(&str, &str)] = &[
    ("synchronous", "2"), // FULL: a commit is on the disk before it is acknowledged
    ("fullfsync", "1"),   // macOS: F_FULLFSYNC, where fsync alone leaves data in the drive
    ("checkpoint_fullfsync", "1"), // the same for checkpoints
    ("wal_autocheckpoint", "0"), // the writer checkpoints itself, when nobody waits for it
    ("mmap_size", "0"),   // a bad page is an error, not a signal
    ("cell_size_check", "1"), // notice a damaged page when it is read
    ("trusted_schema", "0"), // no function of ours runs from a schema that someone else wrote
    ("secure_delete", "1"), // what compaction and erasure free is overwritten
    ("temp_store", "2"),  // nothing of a record in a temporary file
    ("foreign_keys", "0"), // none are declared
];

/// Refuses a SQLite with a known way to lose commits.
pub(crate) fn check_version() -> Result<(), StoreError> {
    refuse_older(rusqlite::version_number(), rusqlite::version())
}

fn refuse_older(number: i32, found: &str) -> Result<(), StoreError> {
    if number < OLDEST_SQLITE {
        return Err(StoreError::SqliteTooOld {
            found: found.to_owned(),
        });
    }
    Ok(())
}

/// Creates the database file; it must not exist.
pub(crate) fn create(path: &Path) -> Result<Connection, StoreError> {
    check_version()?;
    let sqlite = |error| StoreError::sqlite("create", path, error);
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .map_err(sqlite)?;
    connection
        .pragma_update(None, "page_size", PAGE_BYTES)
        .map_err(sqlite)?;
    // Set before WAL mode, which fixes it: only a whole-database rewrite could change either.
    connection
        .pragma_update(None, "auto_vacuum", 0)
        .map_err(sqlite)?;
    journal_mode(&connection, path)?;
    settle(&connection, path)?;
    Ok(connection)
}

/// Opens the database for its one writer.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    check_version()?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|error| StoreError::sqlite("open", path, error))?;
    // Until recovery has looked at it, a leftover log is evidence: closing must not fold it into the database.
    set(
        &connection,
        path,
        DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
        true,
    )?;
    settle(&connection, path)?;
    Ok(connection)
}

/// Opens the database beside its writer, in the writer's own process, for reading only.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|error| StoreError::sqlite("open", path, error))?;
    guard(&connection, path)?;
    Ok(connection)
}

/// Opens a database that nobody writes, without locking it or writing beside it.
///
/// Beside a leftover log this would silently show less; the caller has made sure that there is none.
pub(crate) fn open_immutable(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let uri = format!("file:{}?immutable=1", escaped(path));
    let connection = Connection::open_with_flags(uri, flags)
        .map_err(|error| StoreError::sqlite("open", path, error))?;
    guard(&connection, path)?;
    Ok(connection)
}

/// Folds a leftover log into the database and syncs it; from now on closing the last connection does that, too.
///
/// A log whose sync failed in an earlier process may be only in the system's memory: this sync settles it before
/// anything is signed.
pub(crate) fn fold(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let sqlite = |error| StoreError::sqlite("fold the write-ahead log into", path, error);
    let busy: i64 = connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
        .map_err(sqlite)?;
    if busy != 0 {
        return Err(StoreError::Locked {
            dir: path.parent().unwrap_or(path).to_path_buf(),
            pid: None,
        });
    }
    set(
        connection,
        path,
        DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
        false,
    )
}

/// What a URI would read as something else, in `%XX`.
fn escaped(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut out = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                out.push(char::from(*byte))
            }
            _ => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}

fn journal_mode(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
        .map_err(|error| StoreError::sqlite("set journal_mode of", path, error))?;
    if mode != "wal" {
        return Err(StoreError::Setting {
            name: "journal_mode",
            found: mode,
            wanted: "wal",
        });
    }
    Ok(())
}

/// Applies every setting of a writing connection and reads each back.
fn settle(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    guard(connection, path)?;
    for (name, wanted) in SETTINGS {
        connection
            .pragma_update(None, name, wanted)
            .or_else(|error| match error {
                // Some pragmas answer with a row.
                rusqlite::Error::ExecuteReturnedResults => Ok(()),
                other => Err(other),
            })
            .map_err(|error| StoreError::sqlite("configure", path, error))?;
        require(connection, path, name, wanted)?;
    }
    // 32 MiB of pages: the upper levels of every tree, at any size of the ledger.
    connection
        .pragma_update(None, "cache_size", -32_768)
        .map_err(|error| StoreError::sqlite("configure", path, error))?;
    connection.set_prepared_statement_cache_capacity(64);
    // The first look at the file; until here SQLite has not read a byte of it.
    journal_mode_is_wal(connection, path)
}

/// Refuses a connection on which a setting is not what durability depends on.
fn require(
    connection: &Connection,
    path: &Path,
    name: &'static str,
    wanted: &'static str,
) -> Result<(), StoreError> {
    let found: i64 = connection
        .pragma_query_value(None, name, |row| row.get(0))
        .map_err(|error| StoreError::sqlite("configure", path, error))?;
    if found.to_string() == wanted {
        return Ok(());
    }
    Err(StoreError::Setting {
        name,
        found: found.to_string(),
        wanted,
    })
}

fn journal_mode_is_wal(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(|error| StoreError::sqlite("open", path, error))?;
    if mode != "wal" {
        return Err(StoreError::Foreign {
            path: path.to_path_buf(),
            why: format!("its journal mode is {mode}, not wal"),
        });
    }
    Ok(())
}

/// What every connection gets, because the file may have been written by anyone.
fn guard(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    set(connection, path, DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    set(
        connection,
        path,
        DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA,
        false,
    )?;
    connection.set_prepared_statement_cache_capacity(32);
    connection
        .pragma_update(None, "cell_size_check", 1)
        .map_err(|error| StoreError::sqlite("configure", path, error))
}

fn set(connection: &Connection, path: &Path, what: DbConfig, on: bool) -> Result<(), StoreError> {
    let taken = connection
        .set_db_config(what, on)
        .map_err(|error| StoreError::sqlite("configure", path, error))?;
    if taken == on {
        return Ok(());
    }
    Err(StoreError::Setting {
        name: "db_config",
        found: format!("{what:?} {taken}"),
        wanted: if on { "on" } else { "off" },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> (tempfile::TempDir, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.db");
        create(&path).unwrap().close().unwrap();
        let connection = open_writer(&path).unwrap();
        (dir, connection)
    }

    /// The value that the writer's connection has, and that another one is refused by the pragma's name.
    fn holds(name: &'static str, wanted: &'static str, other: i64) {
        let (dir, connection) = writer();
        let path = dir.path();
        require(&connection, path, name, wanted).unwrap();
        assert!(
            SETTINGS.contains(&(name, wanted)),
            "{name} is set at every open"
        );
        let changed = connection.pragma_update(None, name, other);
        assert!(
            matches!(
                changed,
                Ok(()) | Err(rusqlite::Error::ExecuteReturnedResults)
            ),
            "{changed:?}"
        );
        let refused = require(&connection, path, name, wanted);
        assert!(
            matches!(refused, Err(StoreError::Setting { name: named, .. }) if named == name),
            "{refused:?}"
        );
    }

    /// Teleport's audit queue said "durable" with NORMAL, which loses the last commits when power fails.
    #[test]
    fn teleport_normal_but_durable() {
        holds("synchronous", "2", 1);
    }

    #[test]
    fn a_sync_reaches_the_drive_where_the_system_needs_to_be_asked() {
        holds("fullfsync", "1", 0);
        holds("checkpoint_fullfsync", "1", 0);
    }

    /// The incident of SQLite before 3.51.3: two connections that commit and fold the log at once lose commits. Only
    /// the writer's own call folds, and an older SQLite is refused.
    #[test]
    fn sqlite_wal_reset_race() {
        holds("wal_autocheckpoint", "0", 1000);
        refuse_older(3_051_003, "3.51.3").unwrap();
        let refused = refuse_older(3_051_002, "3.51.2");
        assert!(
            matches!(&refused, Err(StoreError::SqliteTooOld { found }) if found == "3.51.2"),
            "{refused:?}"
        );
        check_version().unwrap();
    }

    #[test]
    fn no_page_is_read_through_a_mapping() {
        holds("mmap_size", "0", 65_536);
    }

    #[test]
    fn a_damaged_cell_is_noticed_when_its_page_is_read() {
        holds("cell_size_check", "1", 0);
    }

    /// redteam: S19
    #[test]
    fn a_schema_of_someone_else_runs_no_function_of_ours() {
        holds("trusted_schema", "0", 1);
    }

    #[test]
    fn what_is_freed_is_overwritten() {
        holds("secure_delete", "1", 0);
    }

    #[test]
    fn nothing_goes_to_a_temporary_file() {
        holds("temp_store", "2", 1);
    }

    #[test]
    fn no_foreign_key_acts_behind_our_back() {
        holds("foreign_keys", "0", 1);
    }

    #[test]
    fn the_journal_is_a_write_ahead_log() {
        let (dir, connection) = writer();
        journal_mode_is_wal(&connection, dir.path()).unwrap();
        // Defensive mode keeps the journal as it is; another database shows the refusal.
        let other = Connection::open_in_memory().unwrap();
        let refused = journal_mode_is_wal(&other, dir.path());
        assert!(
            matches!(refused, Err(StoreError::Foreign { .. })),
            "{refused:?}"
        );
    }

    /// redteam: S19
    #[test]
    fn every_connection_is_defensive() {
        let (dir, connection) = writer();
        let path = dir.path().join("ledger.db");
        for connection in [
            connection,
            open_reader(&path).unwrap(),
            open_immutable(&path).unwrap(),
        ] {
            let on = |what| connection.db_config(what).unwrap();
            assert!(on(DbConfig::SQLITE_DBCONFIG_DEFENSIVE));
            assert!(!on(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA));
        }
    }
}
