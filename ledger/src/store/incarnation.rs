//! Going on after a restore: what is left of a ledger is put aside, and a new one that links to it begins.
//!
//! A database behind what was acknowledged or signed is never appended to: that would be a second history under one
//! name. The new ledger has a name and keys of its own; its genesis names the old one, its second leaf says what was
//! claimed and what was found. Everything is prepared in `recovering/` first; what follows are renames that a second
//! call finishes after a crash.

use std::fs;
use std::path::{Path, PathBuf};

use super::epochs;
use super::error::StoreError;
use super::files::{self, Lock, Paths};
use super::init::{self, Continues, InitOptions};
use super::tables::StateRow;
use super::{database, recover, schema};
use crate::checkpoint::{Checkpoint, default_origin};
use crate::leaf::{ControlBody, ControlLeaf, LedgerId, Private as _, RestoreNote, TreeHead};
use crate::note::{Note, VerifierKey};
use crate::reader::{ReadError, Reader};

/// Where the new ledger is prepared.
const STAGING: &str = "recovering";

/// Where older ledgers lie.
const PREVIOUS: &str = "previous";

/// Names the older ledger in the staging folder; written last, so that it says that everything else is there.
const OLDER: &str = "older";

/// On whose word a ledger goes on under a new name.
#[derive(Debug, Clone)]
pub struct RecoverOptions {
    /// Who says so.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Name of the new ledger in its checkpoints; derived from its id or from the old name if there is none.
    pub origin: Option<String>,
    /// Time of its first leaf: Unix nanoseconds.
    pub now_ns: u64,
}

/// What `recover` did.
#[derive(Debug, Clone)]
pub struct Recovered {
    /// The new ledger.
    pub ledger: LedgerId,
    /// First line of its checkpoints.
    pub origin: String,
    /// The key that anyone needs to check it: another one than before.
    pub key: VerifierKey,
    /// What it says about the older one.
    pub continues: Continued,
    /// Where that lies now.
    pub previous: PathBuf,
}

/// What a ledger says about the one that it continues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continued {
    /// The older ledger.
    pub ledger: LedgerId,
    /// The last that it was known to have signed or acknowledged.
    pub claimed: TreeHead,
    /// What was left of it.
    pub found: TreeHead,
    /// Who, why, and the older ledger's name; `None` if that was erased.
    pub note: Option<RestoreNote>,
}

/// True while a recovery is unfinished: nothing but [`recover_ledger()`] may touch the folder.
pub(crate) fn is_unfinished(dir: &Path) -> bool {
    dir.join(STAGING).join(OLDER).exists()
}

/// Puts the ledger of this folder aside and starts a new one that links to it. Only for a ledger that lacks what was
/// acknowledged or signed; the folder's database must be readable, so after its loss an older copy is put back first.
/// After a crash, the same call finishes.
///
/// # Errors
/// [`StoreError::NothingToRecover`]; everything else that [`StoreError`] names.
pub fn recover_ledger(dir: &Path, options: &RecoverOptions) -> Result<Recovered, StoreError> {
    let paths = Paths::of(dir);
    let lock = match Lock::exclusive(&paths) {
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(missing(&paths, "lock"));
        }
        other => other?,
    };
    let staging = Paths::of(&dir.join(STAGING));
    if !is_unfinished(dir) {
        prepare(&paths, &staging, options)?;
    }
    let previous = move_old(&paths, &staging)?;
    move_new(&paths, &staging)?;
    drop(lock);
    report(&paths, previous)
}

fn missing(paths: &Paths, file: &str) -> StoreError {
    StoreError::Missing {
        dir: paths.dir.clone(),
        file: file.to_owned(),
    }
}

/// What is wrong with a ledger that would otherwise be opened; the same checks as at a start.
fn look(paths: &Paths) -> Result<(StateRow, Continued), StoreError> {
    if !paths.database.exists() {
        return Err(missing(paths, "ledger.db"));
    }
    let connection = database::open_writer(&paths.database)?;
    schema::check(&connection, &paths.database)?;
    let state = recover::read_state(paths, &connection)?;
    let key = fs::read_to_string(&paths.public)
        .ok()
        .and_then(|text| VerifierKey::parse(text.trim()).ok());
    let against = || -> Result<(), StoreError> {
        recover::against_acked(paths, &connection, &state)?;
        if let Some(key) = &key {
            let (signed, _) = recover::against_signed(paths, &connection, &state, key)?;
            recover::recompute(paths, &connection, &state, signed)?;
        }
        Ok(())
    };
    let found = TreeHead {
        size: state.size,
        root: state.root,
    };
    match against() {
        Ok(()) => Err(StoreError::NothingToRecover {
            dir: paths.dir.clone(),
        }),
        Err(_) => {
            let continues = Continued {
                ledger: state.ledger,
                claimed: claimed(paths).unwrap_or(found),
                found,
                note: None,
            };
            Ok((state, continues))
        }
    }
}

/// The larger of what `acked` and `last_signed` say. Whether the note is signed by the right key is for a reader to
/// judge: the file stays beside what was found.
fn claimed(paths: &Paths) -> Option<TreeHead> {
    let acked = recover::read_acked(paths).ok().map(|acked| TreeHead {
        size: acked.size,
        root: acked.root,
    });
    let signed = recover::read_last_signed(paths).ok().and_then(|note| {
        let note = Note::parse(&note).ok()?;
        Checkpoint::parse(note.text)
            .ok()
            .map(|checkpoint| checkpoint.head)
    });
    acked.into_iter().chain(signed).max_by_key(|head| head.size)
}

/// Makes the new ledger in the staging folder, and says last which one it continues.
fn prepare(paths: &Paths, staging: &Paths, options: &RecoverOptions) -> Result<(), StoreError> {
    let (state, continues) = look(paths)?;
    // A preparation that was not finished says nothing.
    if staging.dir.exists() {
        fs::remove_dir_all(&staging.dir)
            .map_err(|error| StoreError::io("remove", &staging.dir, error))?;
    }
    let named = state.origin != default_origin(&state.ledger);
    let continues = Continues {
        note: RestoreNote {
            actor: options.actor.clone(),
            reason: options.reason.clone(),
            origin: state.origin.clone(),
        },
        // The same name would be a second history to every witness.
        below: named.then(|| state.origin.clone()),
        ledger: continues.ledger,
        claimed: continues.claimed,
        found: continues.found,
    };
    let init = InitOptions {
        origin: options.origin.clone(),
        now_ns: options.now_ns,
    };
    if options.origin.as_ref() == Some(&state.origin) {
        return Err(StoreError::BadOrigin {
            origin: state.origin,
        });
    }
    init::continuing(&staging.dir, &init, continues)?;
    let older = state.ledger.to_string();
    files::create_file(&staging.dir.join(OLDER), older.as_bytes())?;
    files::sync_folder(&staging.dir)?;
    files::sync_folder(&paths.dir)
}

/// Moves what is left of the older ledger aside, its database last: once that is there, this is done. Its keys are
/// destroyed: nothing is signed under the old name any more.
fn move_old(paths: &Paths, staging: &Paths) -> Result<PathBuf, StoreError> {
    let older = files::read_small(&staging.dir.join(OLDER), 64)?;
    let short = String::from_utf8_lossy(&older)
        .chars()
        .take(16)
        .collect::<String>();
    let above = paths.dir.join(PREVIOUS);
    let to = Paths::of(&above.join(short));
    for folder in [&above, &to.dir] {
        match files::create_folder(folder) {
            Ok(()) | Err(StoreError::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if to.database.exists() {
        return Ok(to.dir);
    }
    for key in [&paths.epoch, &paths.epoch_next, &paths.identity] {
        epochs::destroy(key)?;
    }
    let shared = paths.dir.join("ledger.db-shm");
    rename_if_there(&shared, &to.dir.join("ledger.db-shm"))?;
    for (from, to) in [
        (&paths.wal, &to.wal),
        (&paths.acked, &to.acked),
        (&paths.last_signed, &to.last_signed),
        (&paths.public, &to.public),
        (&paths.witnessed, &to.witnessed),
        (&paths.held, &to.held),
        (&paths.database, &to.database),
    ] {
        rename_if_there(from, to)?;
        files::sync_folder(&paths.dir)?;
    }
    // Made again by whoever opens the database.
    let _ = fs::remove_file(to.dir.join("ledger.db-shm"));
    files::sync_folder(&to.dir)?;
    files::sync_folder(&above)?;
    Ok(to.dir)
}

/// Puts the new ledger in its place, its database last, and takes the staging folder away.
fn move_new(paths: &Paths, staging: &Paths) -> Result<(), StoreError> {
    for (from, to) in [
        (&staging.identity, &paths.identity),
        (&staging.epoch, &paths.epoch),
        (&staging.acked, &paths.acked),
        (&staging.last_signed, &paths.last_signed),
        (&staging.public, &paths.public),
        (&staging.database, &paths.database),
    ] {
        rename_if_there(from, to)?;
    }
    files::sync_folder(&paths.keys)?;
    files::sync_folder(&paths.dir)?;
    fs::remove_dir_all(&staging.dir)
        .map_err(|error| StoreError::io("remove", &staging.dir, error))?;
    files::sync_folder(&paths.dir)
}

fn rename_if_there(from: &Path, to: &Path) -> Result<(), StoreError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io("move", from, error))
        }
        _ => Ok(()),
    }
}

fn report(paths: &Paths, previous: PathBuf) -> Result<Recovered, StoreError> {
    let folder = super::Folder::open(&paths.dir)?;
    let damaged = |why: String| StoreError::Damaged {
        place: paths.database.display().to_string(),
        why,
    };
    let continues = continued(&folder)
        .map_err(|error| damaged(error.to_string()))?
        .ok_or_else(|| damaged("its second leaf names no older ledger".to_owned()))?;
    let status = folder
        .status()
        .map_err(|error| damaged(error.to_string()))?;
    let key = files::read_small(&paths.public, 1024)?;
    let key = VerifierKey::parse(String::from_utf8_lossy(&key).trim())
        .map_err(|error| damaged(error.to_string()))?;
    Ok(Recovered {
        ledger: status.ledger,
        origin: status.origin,
        key,
        continues,
        previous,
    })
}

/// What the second leaf of a ledger says about an older one; `None` if it continues none. Unverified, as everything
/// that a reader gives.
///
/// # Errors
/// As the reader fails.
pub fn continued(reader: &dyn Reader) -> Result<Option<Continued>, ReadError> {
    let Some(stored) = reader.control(1, 2)?.into_iter().next() else {
        return Ok(None);
    };
    let Ok(ControlLeaf {
        body:
            ControlBody::Incarnation {
                previous,
                claimed,
                found,
                ..
            },
        ..
    }) = ControlLeaf::decode(&stored.leaf)
    else {
        return Ok(None);
    };
    let note = stored
        .private
        .and_then(|private| RestoreNote::decode(&private.body).ok());
    Ok(Some(Continued {
        ledger: previous,
        claimed,
        found,
        note,
    }))
}

/// Folders of older ledgers that lie beside this one, each readable like any other; in the order of their names.
#[must_use]
pub fn previous(dir: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(dir.join(PREVIOUS))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("ledger.db").exists())
        .collect();
    found.sort();
    found
}
