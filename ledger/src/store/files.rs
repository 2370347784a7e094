//! The files beside the database: the lock, `acked`, `last_signed`, and writing a small file so that it survives.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::StoreError;

/// Where each file of a ledger folder is.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    pub(crate) dir: PathBuf,
    pub(crate) database: PathBuf,
    pub(crate) wal: PathBuf,
    pub(crate) acked: PathBuf,
    pub(crate) last_signed: PathBuf,
    pub(crate) lock: PathBuf,
    pub(crate) keys: PathBuf,
    pub(crate) identity: PathBuf,
    pub(crate) epoch: PathBuf,
    pub(crate) epoch_next: PathBuf,
    pub(crate) public: PathBuf,
    pub(crate) witnessed: PathBuf,
    pub(crate) held: PathBuf,
    pub(crate) reserve: PathBuf,
    pub(crate) settings: PathBuf,
}

impl Paths {
    pub(crate) fn of(dir: &Path) -> Self {
        Self {
            dir: dir.to_path_buf(),
            database: dir.join("ledger.db"),
            wal: dir.join("ledger.db-wal"),
            acked: dir.join("acked"),
            last_signed: dir.join("last_signed"),
            lock: dir.join("lock"),
            keys: dir.join("keys"),
            identity: dir.join("keys").join("identity"),
            epoch: dir.join("keys").join("epoch"),
            epoch_next: dir.join("keys").join("epoch.next"),
            public: dir.join("ledger.pub"),
            witnessed: dir.join("witnessed"),
            held: dir.join("signing_held"),
            reserve: dir.join("reserve"),
            settings: dir.join("settings"),
        }
    }

    /// Says which file is gone, before anything else opens or creates one.
    pub(crate) fn require(&self) -> Result<(), StoreError> {
        if super::incarnation::is_unfinished(&self.dir) {
            return Err(StoreError::Recovering {
                dir: self.dir.clone(),
            });
        }
        for path in [&self.database, &self.lock, &self.acked, &self.last_signed] {
            match fs::metadata(path) {
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    let file = path
                        .file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned();
                    return Err(StoreError::Missing {
                        dir: self.dir.clone(),
                        file,
                    });
                }
                Err(error) => return Err(StoreError::io("look at", path, error)),
            }
        }
        Ok(())
    }

    /// True if a write-ahead log with content lies beside the database.
    pub(crate) fn has_wal(&self) -> Result<bool, StoreError> {
        match fs::metadata(&self.wal) {
            Ok(meta) => Ok(meta.len() > 0),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("look at", &self.wal, error)),
        }
    }
}

/// Creates one folder that only its owner may enter.
pub(crate) fn create_folder(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => StoreError::Exists {
                path: path.to_path_buf(),
            },
            _ => StoreError::io("create", path, error),
        })
}

/// Makes names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let dir = File::open(path).map_err(|error| StoreError::io("open", path, error))?;
    sync(&dir, path)
}

/// Makes a file durable. Whatever keeps it from that, a full disk too, is an error that nobody may go on from: the
/// system forgets that the pages were not written, and a second sync would succeed.
pub(crate) fn sync(file: &File, path: &Path) -> Result<(), StoreError> {
    file.sync_all().map_err(|source| StoreError::SyncFailed {
        path: path.to_path_buf(),
        source,
    })
}

/// Writes a new file that only its owner may read, synced; never overwrites one.
pub(crate) fn create_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let file = file.and_then(|mut file| {
        file.write_all(bytes)?;
        Ok(file)
    });
    let file = file.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => StoreError::Exists {
            path: path.to_path_buf(),
        },
        _ => StoreError::io("create", path, error),
    })?;
    sync(&file, path)
}

/// Puts new content under an old name in one step that a power cut cannot split: write beside, sync, rename, sync
/// the folder.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let beside = path.with_extension("tmp");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            Ok(file)
        });
    let file = written.map_err(|error| StoreError::io("write", &beside, error))?;
    sync(&file, &beside)?;
    fs::rename(&beside, path).map_err(|error| StoreError::io("replace", path, error))?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Reads a small file whole; `limit` keeps a file that is not ours from filling the memory.
pub(crate) fn read_small(path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| StoreError::io("read", path, error))?;
    Ok(bytes)
}

/// The exclusive lock of the one writer; released when dropped, and by the system when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
    exclusive: bool,
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.exclusive {
            // Whoever fails to get the lock from now on must not be told our number.
            let _ = self.file.write_all_at(&[b' '; PID_WIDTH], 0);
        }
        // Closing would do, were it not for a child process that another thread has just forked: until it starts its
        // program it holds the file open, too.
        let _ = self.file.unlock();
    }
}

/// Width of the process number that the owner of the lock leaves in it.
const PID_WIDTH: usize = 10;

impl Lock {
    /// Takes the lock, or says who has it. A reader holds it for the length of one read, so a short wait is allowed.
    pub(crate) fn exclusive(paths: &Paths) -> Result<Self, StoreError> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&paths.lock)
            .map_err(|error| StoreError::io("open", &paths.lock, error))?;
        for attempt in 0.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < 10 => {
                    std::thread::sleep(std::time::Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => return Err(locked(paths, &mut file)),
                Err(TryLockError::Error(error)) => {
                    return Err(StoreError::io("lock", &paths.lock, error));
                }
            }
        }
        // The process number is a hint for messages; failing to leave it must not keep a ledger from opening.
        let pid = format!("{:<PID_WIDTH$}\n", std::process::id());
        let _ = file.write_all_at(pid.as_bytes(), 0);
        Ok(Self {
            file,
            exclusive: true,
        })
    }

    /// Takes the lock for a moment of reading, beside other readers; fails while a writer is there.
    pub(crate) fn shared(paths: &Paths) -> Result<Self, StoreError> {
        let mut file =
            File::open(&paths.lock).map_err(|error| StoreError::io("open", &paths.lock, error))?;
        match file.try_lock_shared() {
            Ok(()) => Ok(Self {
                file,
                exclusive: false,
            }),
            Err(TryLockError::WouldBlock) => Err(locked(paths, &mut file)),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &paths.lock, error)),
        }
    }
}

fn locked(paths: &Paths, file: &mut File) -> StoreError {
    let mut text = [0_u8; PID_WIDTH];
    let read = file.read_at(&mut text, 0).unwrap_or(0);
    let pid = text
        .get(..read)
        .and_then(|text| std::str::from_utf8(text).ok())
        .and_then(|text| text.trim().parse().ok())
        // A killed owner leaves its number behind; then it is a reader that holds the lock.
        .filter(|pid| {
            !Path::new("/proc/self").exists() || Path::new(&format!("/proc/{pid}")).exists()
        });
    StoreError::Locked {
        dir: paths.dir.clone(),
        pid,
    }
}

/// Which file a path meant when it was opened, to notice that it now means another or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    pub(crate) fn of(path: &Path) -> Result<Self, StoreError> {
        let meta = fs::metadata(path).map_err(|error| StoreError::io("look at", path, error))?;
        Ok(Self {
            device: meta.dev(),
            inode: meta.ino(),
        })
    }

    /// True while `path` still names this file and the file still has a name.
    pub(crate) fn still_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|meta| {
            meta.dev() == self.device && meta.ino() == self.inode && meta.nlink() > 0
        })
    }
}
