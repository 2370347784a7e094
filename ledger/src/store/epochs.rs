//! The keys of signing epochs: made, put in force by a seal in the ledger log, destroyed.
//!
//! The order never leaves a ledger without its key, and never leaves a key behind that no longer rules:
//! 1. the next key is durable as `keys/epoch.next`;
//! 2. the seal that names it commits, signed by the key in force;
//! 3. `keys/epoch` is written over with zeros, synced, and replaced by `keys/epoch.next`.
//!
//! A crash after 1 leaves a next key that rules nothing: the next start destroys it. A crash after 2 leaves a seal
//! whose next key is still called `epoch.next`: the next start goes on with 3. Writing over a file destroys a key as
//! far as the device lets it: copies that a file system, an SSD or a snapshot keeps are out of reach.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension};

use super::error::StoreError;
use super::files::{self, Paths};
use super::recover::damaged;
use crate::leaf::{ControlBody, ControlLeaf};
use crate::note::SignerKey;
use crate::verify::epochs::epoch_key_name;

/// `u8 version ‖ u64 epoch ‖ seed[32]`.
const KEY_FILE: usize = 41;
const VERSION: u8 = 1;

/// How long a rotation that found no space waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// A key with the number of its epoch.
#[derive(Debug, Clone)]
pub(crate) struct EpochKey {
    pub(crate) epoch: u64,
    pub(crate) key: Arc<SignerKey>,
}

/// The epoch in force, and when it ends.
#[derive(Debug)]
pub(crate) struct Epochs {
    paths: Paths,
    origin: String,
    current: EpochKey,
    next: Option<EpochKey>,
    length: Duration,
    /// When the last seal was written: Unix nanoseconds; `None` if there is none.
    sealed_ns: Option<u64>,
    /// The same by a clock that nobody sets.
    since: Instant,
    not_before: Option<Instant>,
}

impl Epochs {
    /// Finds the key that the ledger's last seal names, and finishes or takes back a rotation that was interrupted.
    /// `identity` signs epoch 0.
    pub(crate) fn open(
        paths: &Paths,
        connection: &Connection,
        identity: SignerKey,
        length: Duration,
    ) -> Result<Self, StoreError> {
        let origin = identity.verifier().name().to_owned();
        let last = last_seal(connection, paths)?;
        let current = match &last {
            None => {
                destroy(&paths.epoch_next)?;
                EpochKey {
                    epoch: 0,
                    key: Arc::new(identity),
                }
            }
            Some(last) => in_force(paths, &origin, last)?,
        };
        Ok(Self {
            paths: paths.clone(),
            origin,
            current,
            next: None,
            length,
            sealed_ns: last.map(|last| last.unix_ns),
            since: Instant::now(),
            not_before: None,
        })
    }

    /// The key that signs checkpoints beside the identity key; `None` before the first seal.
    pub(crate) fn signing(&self) -> Option<Arc<SignerKey>> {
        (self.current.epoch > 0).then(|| Arc::clone(&self.current.key))
    }

    /// The key that signs the next seal.
    pub(crate) fn current(&self) -> EpochKey {
        self.current.clone()
    }

    /// Whether the epoch in force has lasted long enough. One seal covers however long nothing ran.
    pub(crate) fn due(&self, now_ns: u64) -> bool {
        if self.not_before.is_some_and(|until| Instant::now() < until) {
            return false;
        }
        let length = u64::try_from(self.length.as_nanos()).unwrap_or(u64::MAX);
        let by_wall = self
            .sealed_ns
            .is_none_or(|sealed| now_ns.saturating_sub(sealed) >= length);
        by_wall || self.since.elapsed() >= self.length
    }

    /// Step 1: makes the next key durable and gives its public half.
    pub(crate) fn prepare(&mut self) -> Result<[u8; 32], StoreError> {
        let next = match self.next.take() {
            Some(next) => next,
            None => create(&self.paths.epoch_next, &self.origin, self.current.epoch + 1)?,
        };
        let public = *next.key.verifier().bytes();
        self.next = Some(next);
        Ok(public)
    }

    /// The seal was not committed, and nothing tells that it will be soon.
    pub(crate) fn postpone(&mut self) {
        self.not_before = Some(Instant::now() + PATIENCE);
    }

    /// Step 3, once the seal of this time is durable: the next key rules, the old one is destroyed.
    pub(crate) fn advance(&mut self, sealed_ns: u64) -> Result<(), StoreError> {
        if let Some(next) = self.next.take() {
            replace(&self.paths)?;
            self.current = next;
        }
        self.sealed_ns = Some(sealed_ns);
        self.since = Instant::now();
        self.not_before = None;
        Ok(())
    }
}

/// Makes a key and keeps it in a file of its own.
pub(crate) fn create(path: &Path, origin: &str, epoch: u64) -> Result<EpochKey, StoreError> {
    let mut bytes = [0; KEY_FILE];
    let (head, seed) = bytes.split_at_mut(KEY_FILE - 32);
    head.copy_from_slice(&[&[VERSION][..], &epoch.to_be_bytes()].concat());
    getrandom::fill(seed).map_err(|error| {
        let why = std::io::Error::other(error.to_string());
        StoreError::io("draw random bytes for", path, why)
    })?;
    files::replace_file(path, &bytes)?;
    let key = decode(&bytes, origin, path);
    bytes.fill(0);
    std::hint::black_box(&bytes);
    key
}

fn decode(bytes: &[u8], origin: &str, path: &Path) -> Result<EpochKey, StoreError> {
    let wrong = |why: String| StoreError::Damaged {
        place: path.display().to_string(),
        why,
    };
    let (Some(&[VERSION]), true) = (bytes.first_chunk::<1>(), bytes.len() == KEY_FILE) else {
        return Err(wrong(format!(
            "{} bytes that are no epoch key",
            bytes.len()
        )));
    };
    let (epoch, seed) = bytes
        .get(1..)
        .and_then(|rest| rest.split_first_chunk::<8>())
        .ok_or_else(|| wrong("too short".to_owned()))?;
    let seed = seed.try_into().map_err(|_| wrong("too short".to_owned()))?;
    let key = SignerKey::new(&epoch_key_name(origin), seed);
    Ok(EpochKey {
        epoch: u64::from_be_bytes(*epoch),
        key: Arc::new(key.map_err(|error| wrong(error.to_string()))?),
    })
}

/// The key in a file; `None` if there is no such file or it was written over.
fn read(path: &Path, origin: &str) -> Result<Option<EpochKey>, StoreError> {
    let mut bytes = match files::read_small(path, KEY_FILE as u64 + 1) {
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(None);
        }
        other => other?,
    };
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let key = decode(&bytes, origin, path);
    bytes.fill(0);
    std::hint::black_box(&bytes);
    key.map(Some)
}

/// The newest seal of the ledger log.
fn last_seal(connection: &Connection, paths: &Paths) -> Result<Option<ControlLeaf>, StoreError> {
    let leaf: Option<Vec<u8>> = connection
        .query_row(
            "SELECT leaf FROM control WHERE substr(leaf, 2, 1) = x'09' ORDER BY n DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .optional()
        .map_err(|error| damaged(&paths.database, error.into()))?;
    let decoded = leaf.map(|leaf| ControlLeaf::decode(&leaf)).transpose();
    decoded.map_err(|error| StoreError::Damaged {
        place: format!("the newest epoch seal in {}", paths.database.display()),
        why: error.to_string(),
    })
}

/// The key that a seal names, wherever a rotation left it.
fn in_force(paths: &Paths, origin: &str, last: &ControlLeaf) -> Result<EpochKey, StoreError> {
    let ControlBody::EpochSeal {
        epoch, next_key, ..
    } = &last.body
    else {
        return Err(StoreError::Damaged {
            place: paths.database.display().to_string(),
            why: "the newest epoch seal is none".to_owned(),
        });
    };
    let rules = |it: &EpochKey| it.epoch == epoch + 1 && it.key.verifier().bytes() == next_key;
    let (current, next) = (
        read(&paths.epoch, origin)?,
        read(&paths.epoch_next, origin)?,
    );
    match (current, next) {
        (Some(current), _) if rules(&current) => {
            destroy(&paths.epoch_next)?;
            Ok(current)
        }
        (_, Some(next)) if rules(&next) => {
            replace(paths)?;
            Ok(next)
        }
        (Some(other), _) | (None, Some(other)) if other.epoch > epoch + 1 => {
            let missing = format!(
                "epoch {} is in force, the ledger's last seal ended epoch {epoch}",
                other.epoch
            );
            Err(StoreError::Behind {
                evidence: "keys/epoch",
                missing,
            })
        }
        (Some(_), _) | (None, Some(_)) => Err(StoreError::Damaged {
            place: paths.epoch.display().to_string(),
            why: format!(
                "it does not hold the key of epoch {}, which the ledger's last seal names",
                epoch + 1
            ),
        }),
        (None, None) => Err(StoreError::Missing {
            dir: paths.dir.clone(),
            file: "keys/epoch".to_owned(),
        }),
    }
}

/// Puts the next key in the place of the one that it follows, which is destroyed.
fn replace(paths: &Paths) -> Result<(), StoreError> {
    write_over(&paths.epoch)?;
    fs::rename(&paths.epoch_next, &paths.epoch)
        .map_err(|error| StoreError::io("replace", &paths.epoch, error))?;
    files::sync_folder(&paths.keys)
}

/// Writes a key file over and removes it, if there is one.
pub(crate) fn destroy(path: &Path) -> Result<(), StoreError> {
    for path in [path, &path.with_extension("tmp")] {
        write_over(path)?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn write_over(path: &Path) -> Result<(), StoreError> {
    let file = match OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(|error| StoreError::io("open", path, error))?,
    };
    file.write_all_at(&[0; KEY_FILE], 0)
        .map_err(|error| StoreError::io("write", path, error))?;
    files::sync(&file, path)
}
