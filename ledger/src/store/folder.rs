//! Reading a ledger folder without changing anything in it: names, bytes and times stay as they are.

use std::fmt;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, ErrorCode};

use super::error::StoreError;
use super::files::{self, Identity, Lock, Paths};
use super::schema::LEDGER_LOG;
use super::status::Status;
use super::tables::{self, TableError};
use super::{check, database, query, recover, schema};
use crate::acked::Acked;
use crate::checkpoint::Checkpoint;
use crate::leaf::StreamId;
use crate::note::Note;
use crate::reader::{
    Find, LentRecord, Log, ReadError, Reader, State, StoredControl, StoredRecord, StreamHint,
};
use crate::tile;
use crate::verify::Finding;

/// A [`Reader`] over a ledger folder.
///
/// Opened by [`Folder::open`] while no collector runs; a running collector has a door for readers, and its own process
/// reads through [`super::Ledger::reader`]. A leftover write-ahead log is folded in a private copy, because reading
/// beside it would either change the folder or silently show less.
pub struct Folder {
    paths: Paths,
    source: Source,
    /// Connections that are open and not in use.
    idle: Mutex<Vec<Connection>>,
}

/// Connections kept open for the next reads.
const IDLE: usize = 8;

enum Source {
    /// Nobody writes, no log is left.
    Quiet(Stamp),
    /// A copy of our own with the log folded in.
    Copy(PrivateCopy),
    /// Our own process writes.
    Live(Identity),
}

/// What changes when someone writes a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    len: u64,
    modified: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, StoreError> {
        let meta = fs::metadata(path).map_err(|error| StoreError::io("look at", path, error))?;
        Ok(Self {
            inode: meta.ino(),
            len: meta.len(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        })
    }
}

/// A folder that is removed again.
#[derive(Debug)]
struct PrivateCopy {
    dir: PathBuf,
    database: PathBuf,
}

impl Drop for PrivateCopy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl fmt::Debug for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Folder")
            .field("dir", &self.paths.dir)
            .finish_non_exhaustive()
    }
}

impl Folder {
    /// Opens a folder that no collector is writing to. Works on a read-only file system.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Denied`], [`StoreError::Locked`] while a collector runs,
    /// [`StoreError::Newer`], [`StoreError::Foreign`], [`StoreError::Damaged`]; `NoSpace` if the copy that a leftover
    /// log needs does not fit.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let paths = Paths::of(dir);
        readable(&paths)?;
        let _held = lock(&paths)?;
        let source = if paths.has_wal()? {
            Source::Copy(copy(&paths)?)
        } else {
            Source::Quiet(Stamp::of(&paths.database)?)
        };
        let folder = Self {
            paths,
            source,
            idle: Mutex::default(),
        };
        let connection = folder.connect()?;
        schema::check(&connection, &folder.paths.database)?;
        folder.give_back(connection);
        Ok(folder)
    }

    /// A reader beside the writer of the same process.
    pub(crate) fn beside_writer(paths: Paths, database: Identity) -> Result<Self, StoreError> {
        let folder = Self {
            paths,
            source: Source::Live(database),
            idle: Mutex::default(),
        };
        folder.give_back(folder.connect()?);
        Ok(folder)
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.paths.dir
    }

    /// Leaves in the ledger log.
    ///
    /// # Errors
    /// As the folder fails.
    pub fn size(&self) -> Result<u64, ReadError> {
        self.with(|connection| Ok(tables::state(connection)?.size))
    }

    /// How the ledger stands.
    ///
    /// # Errors
    /// As the folder fails.
    pub fn status(&self) -> Result<Status, ReadError> {
        let signed = self.checkpoint()?.and_then(|note| {
            let note = Note::parse(&note).ok()?;
            Checkpoint::parse(note.text)
                .ok()
                .map(|checkpoint| checkpoint.head)
        });
        let len = |path: &Path| fs::metadata(path).map_or(0, |meta| meta.len());
        let (database_bytes, wal_bytes) = (len(&self.paths.database), len(&self.paths.wal));
        self.with(|connection| {
            let state = tables::state(connection)?;
            Ok(Status {
                dir: self.paths.dir.clone(),
                ledger: state.ledger,
                origin: state.origin,
                commit: state.commit,
                size: state.size,
                signed,
                streams: query::count(connection, "SELECT count(*) FROM stream")?,
                uncovered: query::count(
                    connection,
                    "SELECT count(*) FROM stream WHERE uncovered = 1",
                )?,
                segments: query::count(connection, "SELECT count(*) FROM segment")?,
                database_bytes,
                wal_bytes,
                clean: state.clean,
            })
        })
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        match &self.source {
            Source::Quiet(_) => database::open_immutable(&self.paths.database),
            Source::Copy(copy) => database::open_immutable(&copy.database),
            Source::Live(_) => database::open_reader(&self.paths.database),
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(connection);
        }
    }

    /// Runs one read. Nobody may start to write during it, and nobody may have written since the folder was opened.
    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, TableError>,
    ) -> Result<T, ReadError> {
        let _held = match &self.source {
            Source::Quiet(stamp) => {
                let held = lock(&self.paths)?;
                if Stamp::of(&self.paths.database)? != *stamp || self.paths.has_wal()? {
                    let why = "a collector wrote to it meanwhile; open it again".to_owned();
                    return Err(ReadError::Unavailable {
                        place: self.place(),
                        why,
                    });
                }
                held
            }
            Source::Live(database) if !database.still_at(&self.paths.database) => {
                let what = "ledger.db was removed or replaced".to_owned();
                return Err(ReadError::Damaged {
                    place: self.place(),
                    what,
                });
            }
            Source::Copy(_) | Source::Live(_) => None,
        };
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let outcome = read(&connection).map_err(|error| name_page(&connection, error));
        self.give_back(connection);
        outcome.map_err(|error| self.read_error(error))
    }

    fn read_error(&self, error: TableError) -> ReadError {
        let place = self.place();
        match error {
            TableError::Damaged { place: row, why } => ReadError::Damaged {
                place,
                what: format!("{row}: {why}"),
            },
            TableError::Sqlite(error) => match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                    ReadError::Unavailable {
                        place,
                        why: error.to_string(),
                    }
                }
                Some(ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                    ReadError::NotAllowed {
                        place,
                        why: error.to_string(),
                    }
                }
                _ => ReadError::Damaged {
                    place,
                    what: error.to_string(),
                },
            },
        }
    }

    fn number(connection: &Connection, log: &Log) -> Result<Option<i64>, TableError> {
        match log {
            Log::Ledger => Ok(Some(LEDGER_LOG)),
            Log::Stream(stream) => Ok(query::number(connection, stream)?),
        }
    }
}

/// SQLite says that something is malformed; its own check says which page.
fn name_page(connection: &Connection, error: TableError) -> TableError {
    let TableError::Sqlite(sqlite) = &error else {
        return error;
    };
    if sqlite.sqlite_error_code() != Some(ErrorCode::DatabaseCorrupt) {
        return error;
    }
    match check::pages(connection, 3) {
        Ok(lines) if !lines.is_empty() => TableError::damaged("ledger.db", lines.join("; ")),
        _ => error,
    }
}

/// Says what keeps the folder from being read, before SQLite says less.
fn readable(paths: &Paths) -> Result<(), StoreError> {
    match File::open(&paths.database) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(StoreError::Missing {
            dir: paths.dir.clone(),
            file: "ledger.db".into(),
        }),
        Err(error) => Err(StoreError::io("open", &paths.database, error)),
    }
}

/// Held while reading, so that no collector starts in the middle of it. Without a lock file none can start at all.
fn lock(paths: &Paths) -> Result<Option<Lock>, StoreError> {
    match Lock::shared(paths) {
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// Copies database and log aside and folds them there.
fn copy(paths: &Paths) -> Result<PrivateCopy, StoreError> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|error| {
        StoreError::io(
            "draw random bytes for",
            &paths.dir,
            std::io::Error::other(error.to_string()),
        )
    })?;
    let dir = std::env::temp_dir().join(format!("recount-{:016x}", u64::from_be_bytes(random)));
    files::create_folder(&dir)?;
    let copy = PrivateCopy {
        database: dir.join("ledger.db"),
        dir,
    };
    for (from, to) in [
        (&paths.database, "ledger.db"),
        (&paths.wal, "ledger.db-wal"),
    ] {
        let to = copy.dir.join(to);
        let mut source = File::open(from).map_err(|error| StoreError::io("open", from, error))?;
        File::create_new(&to)
            .and_then(|mut target| std::io::copy(&mut source, &mut target))
            .map_err(|error| StoreError::io("copy the ledger to", &to, error))?;
    }
    let connection = database::open_writer(&copy.database)?;
    database::fold(&connection, &copy.database)?;
    connection
        .close()
        .map_err(|(_, error)| StoreError::sqlite("close", &copy.database, error))?;
    Ok(copy)
}

/// A note with 32 signatures has about 8 KiB.
const MAX_WITNESSED: u64 = 64 * 1024;

impl Folder {
    /// What `acked` says, or why it says nothing.
    pub(super) fn acked(&self) -> Result<Acked, StoreError> {
        recover::read_acked(&self.paths)
    }
}

impl Reader for Folder {
    fn place(&self) -> String {
        self.paths.dir.display().to_string()
    }

    fn self_check(&self) -> Result<Vec<Finding>, ReadError> {
        self.check()
    }

    fn state(&self) -> Result<State, ReadError> {
        let acked = self.acked().ok();
        self.with(|connection| {
            let state = tables::state(connection)?;
            Ok(State {
                commit: state.commit,
                size: state.size,
                acked,
            })
        })
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, ReadError> {
        match recover::read_last_signed(&self.paths) {
            Ok(note) => Ok(Some(note)),
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn witnessed(&self) -> Result<Option<Vec<u8>>, ReadError> {
        match files::read_small(&self.paths.witnessed, MAX_WITNESSED) {
            Ok(note) => Ok(Some(note)),
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn control(&self, from: u64, to: u64) -> Result<Vec<StoredControl>, ReadError> {
        self.with(|connection| query::control(connection, from, to))
    }

    fn tile(&self, log: Log, level: u8, n: u64) -> Result<Option<Vec<u8>>, ReadError> {
        self.with(|connection| {
            let Some(number) = Self::number(connection, &log)? else {
                return Ok(None);
            };
            let hashes = tables::tile(connection, number, level, n)?;
            Ok(hashes.filter(|hashes| level > 0 || hashes.len() == tile::BYTES))
        })
    }

    fn find(&self, wanted: &Find) -> Result<Vec<StreamHint>, ReadError> {
        self.with(|connection| query::find(connection, wanted))
    }

    fn records(
        &self,
        stream: &StreamId,
        from: u64,
        to: u64,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        let mut records = Vec::new();
        self.scan(stream, from, to, &mut |record| {
            records.push(record.to_stored())
        })?;
        Ok(records)
    }

    fn scan(
        &self,
        stream: &StreamId,
        from: u64,
        to: u64,
        visit: &mut dyn FnMut(LentRecord<'_>),
    ) -> Result<(), ReadError> {
        self.with(|connection| match query::number(connection, stream)? {
            Some(n) => query::records(connection, n, from, to, visit),
            None => Ok(()),
        })
    }
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        let what = error.to_string();
        let place = |path: &Path| path.display().to_string();
        match error {
            StoreError::Missing { dir, .. } => Self::Missing { place: place(&dir) },
            StoreError::Denied { path } => Self::NotAllowed {
                place: place(&path),
                why: "permission denied".into(),
            },
            StoreError::Newer { path, found, known } => Self::Newer {
                place: place(&path),
                found: i64::from(found),
                known: i64::from(known),
            },
            StoreError::Foreign { path, why } => Self::Foreign {
                place: place(&path),
                what: why,
            },
            StoreError::Damaged { place, why } => Self::Damaged { place, what: why },
            StoreError::Behind { .. } => Self::Damaged {
                place: "the ledger".into(),
                what,
            },
            _ => Self::Unavailable {
                place: "the ledger".into(),
                why: what,
            },
        }
    }
}
