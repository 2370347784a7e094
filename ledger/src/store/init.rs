//! Creating a ledger: never by accident, never over another one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::book::Book;
use super::control::{ControlLog, WriteError};
use super::epochs::{self, EpochKey};
use super::error::StoreError;
use super::files::{self, Paths};
use super::tables::to_sql;
use super::{database, schema};
use crate::acked::{self, Acked};
use crate::checkpoint::{Checkpoint, default_origin};
use crate::fingerprint::Fingerprint;
use crate::leaf::{ControlBody, LedgerId, NO_INCARNATION, RestoreNote, TreeHead};
use crate::note::{SignerKey, VerifierKey};

/// What a new ledger is.
#[derive(Debug, Clone)]
pub struct InitOptions {
    /// First line of its checkpoints and name of its key, like `recount.example.org/lab`. Without one it is
    /// `recount.local/` and 16 digits of the ledger's id.
    pub origin: Option<String>,
    /// Time of the first leaf: Unix nanoseconds.
    pub now_ns: u64,
}

/// What was created.
#[derive(Debug, Clone)]
pub struct Created {
    /// The ledger's id.
    pub ledger: LedgerId,
    /// First line of its checkpoints.
    pub origin: String,
    /// The key that anyone needs to check it; also in `ledger.pub`.
    pub key: VerifierKey,
    /// What the ledger is recognised by: its name, its key and the start of its epochs.
    pub fingerprint: Fingerprint,
    /// The folder.
    pub dir: PathBuf,
}

/// Creates a folder with an empty ledger, its key and a first signed checkpoint. The folder may exist if it is empty;
/// folders above it are created.
///
/// # Errors
/// The folder holds something; an origin that cannot name a key; what the system refuses. After an error nothing of it
/// is left.
pub fn init(dir: &Path, options: &InitOptions) -> Result<Created, StoreError> {
    let paths = Paths::of(dir);
    let made = prepare_folder(dir)?;
    let created = fill(&paths, options, None);
    if created.is_err() {
        remove(&paths, made);
    }
    created
}

/// Which ledger a new one continues, and on whose word.
#[derive(Debug, Clone)]
pub(crate) struct Continues {
    pub(crate) ledger: LedgerId,
    pub(crate) claimed: TreeHead,
    pub(crate) found: TreeHead,
    pub(crate) note: RestoreNote,
    /// A name to put the new one's below; without it the name is derived from the new id alone.
    pub(crate) below: Option<String>,
}

/// As [`init()`], for a ledger that continues another one.
pub(crate) fn continuing(
    dir: &Path,
    options: &InitOptions,
    continues: Continues,
) -> Result<Created, StoreError> {
    let paths = Paths::of(dir);
    let made = prepare_folder(dir)?;
    let created = fill(&paths, options, Some(continues));
    if created.is_err() {
        remove(&paths, made);
    }
    created
}

/// True if the folder was created here.
fn prepare_folder(dir: &Path) -> Result<bool, StoreError> {
    match fs::read_dir(dir) {
        Ok(mut names) => match names.next() {
            None => Ok(false),
            Some(_) => Err(StoreError::Exists {
                path: dir.to_path_buf(),
            }),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
                fs::create_dir_all(above)
                    .map_err(|error| StoreError::io("create", above, error))?;
            }
            files::create_folder(dir).map(|()| true)
        }
        Err(error) => Err(StoreError::io("look into", dir, error)),
    }
}

/// Takes back what an `init` that failed has made; only its own names.
fn remove(paths: &Paths, made: bool) {
    let wal = [
        paths.wal.clone(),
        paths.dir.join("ledger.db-shm"),
        paths.last_signed.with_extension("tmp"),
    ];
    let names = [
        &paths.database,
        &paths.acked,
        &paths.last_signed,
        &paths.lock,
        &paths.identity,
        &paths.epoch,
        &paths.public,
    ];
    for path in names.into_iter().chain(&wal) {
        let _ = fs::remove_file(path);
    }
    let _ = fs::remove_dir(&paths.keys);
    if made {
        let _ = fs::remove_dir(&paths.dir);
    }
}

fn fill(
    paths: &Paths,
    options: &InitOptions,
    continues: Option<Continues>,
) -> Result<Created, StoreError> {
    let mut random = [0; 64];
    getrandom::fill(&mut random).map_err(|error| {
        StoreError::io(
            "draw random bytes for",
            &paths.dir,
            std::io::Error::other(error.to_string()),
        )
    })?;
    let (ledger, seed) = random.split_at(32);
    let ledger = LedgerId(ledger.try_into().unwrap_or_default());
    let seed: [u8; 32] = seed.try_into().unwrap_or_default();
    let below = continues
        .as_ref()
        .and_then(|continues| continues.below.as_ref());
    let origin = match (&options.origin, below) {
        (Some(origin), _) => origin.clone(),
        (None, Some(older)) => format!("{older}/{}", ledger.to_string().split_at(8).0),
        (None, None) => default_origin(&ledger),
    };
    let signer = SignerKey::new(&origin, &seed).map_err(|_| StoreError::BadOrigin {
        origin: origin.clone(),
    })?;
    let signer = Arc::new(signer);
    let key = signer.verifier();

    files::create_folder(&paths.keys)?;
    files::create_file(&paths.identity, &seed)?;
    files::create_file(&paths.lock, b"")?;
    let epoch = epochs::create(&paths.epoch, &origin, 1)?;
    let fingerprint = Fingerprint::of(&ledger, key.bytes(), epoch.key.verifier().bytes());
    let head = first_commit(paths, options, ledger, &origin, &signer, &epoch, continues)?;
    let mut slots = [0; acked::FILE];
    let first = Acked {
        commit: 1,
        size: head.size,
        root: head.root,
    };
    let at = acked::SLOT * acked::slot_of(first.commit);
    for (to, from) in slots.iter_mut().skip(at).zip(first.encode()) {
        *to = from;
    }
    files::create_file(&paths.acked, &slots)?;
    let note = Checkpoint {
        origin: origin.clone(),
        head,
    }
    .sign_in_epoch(&signer, Some(&epoch.key))
    .map_err(|_| StoreError::BadOrigin {
        origin: origin.clone(),
    })?;
    files::create_file(&paths.last_signed, &note)?;
    files::create_file(&paths.public, format!("{key}\n").as_bytes())?;
    for folder in [
        Some(paths.keys.as_path()),
        Some(&paths.dir),
        paths.dir.parent(),
    ] {
        if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty()) {
            files::sync_folder(folder)?;
        }
    }
    Ok(Created {
        ledger,
        origin,
        key,
        fingerprint,
        dir: paths.dir.clone(),
    })
}

/// The database with its genesis leaf, closed again and without a log beside it.
fn first_commit(
    paths: &Paths,
    options: &InitOptions,
    ledger: LedgerId,
    origin: &str,
    signer: &Arc<SignerKey>,
    epoch: &EpochKey,
    continues: Option<Continues>,
) -> Result<TreeHead, StoreError> {
    // Created by us first, so that SQLite finds a file with the right mode.
    files::create_file(&paths.database, b"")?;
    let connection = database::create(&paths.database)?;
    let sqlite = |error| StoreError::sqlite("create", &paths.database, error);
    connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(sqlite)?;
    schema::create(&connection).map_err(sqlite)?;
    let mut control = ControlLog::empty();
    control.at(options.now_ns);
    let genesis = ControlBody::Genesis {
        ledger,
        identity: *signer.verifier().bytes(),
        origin: origin.to_owned(),
        previous: continues.as_ref().map_or(NO_INCARNATION, |continues| {
            (continues.ledger, continues.claimed)
        }),
    };
    let refused = |error| match error {
        WriteError::Sqlite(error) => sqlite(error),
        _ => StoreError::BadOrigin {
            origin: origin.to_owned(),
        },
    };
    control.append(&connection, genesis).map_err(refused)?;
    if let Some(continues) = continues {
        control
            .append_private(&connection, &continues.note, |commitment| {
                ControlBody::Incarnation {
                    previous: continues.ledger,
                    claimed: continues.claimed,
                    found: continues.found,
                    commitment,
                }
            })
            .map_err(refused)?;
    }
    // The identity key signs epoch 0 only: from here on epoch 1 rules.
    let identity = EpochKey {
        epoch: 0,
        key: Arc::clone(signer),
    };
    control
        .append_seal(
            &connection,
            &ledger,
            &identity,
            *epoch.key.verifier().bytes(),
        )
        .map_err(refused)?;
    connection
        .execute(
            "INSERT INTO state (id, ledger_id, origin, commit_no, size, root, frontier, clean)
             VALUES (1, ?1, ?2, 1, ?3, ?4, ?5, 1)",
            (
                ledger.0,
                origin,
                to_sql(control.size()),
                control.root(),
                control.frontier(),
            ),
        )
        .map_err(sqlite)?;
    connection.execute_batch("COMMIT").map_err(sqlite)?;
    connection
        .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        .map_err(sqlite)?;
    // What the next start will read is what was written.
    Book::load(&connection, options.now_ns, 1).map_err(|error| StoreError::Damaged {
        place: paths.database.display().to_string(),
        why: error.to_string(),
    })?;
    connection.close().map_err(|(_, error)| sqlite(error))?;
    Ok(TreeHead {
        size: control.size(),
        root: control.root(),
    })
}
