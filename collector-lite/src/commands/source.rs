//! Where a command that only looks reads from: the folder, or the collector that is writing to it.

use std::path::{Path, PathBuf};

use ledger::door::Door;
use ledger::reader::Reader;
use ledger::store::{Folder, StoreError};

use crate::error::Error;
use crate::settings::{ReaderPlace, Settings};

/// An open store.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one per process")]
pub(super) enum Source {
    /// Nobody writes to it.
    Folder(Folder),
    /// A collector writes to it and answers for it.
    Running { door: Door, place: PathBuf },
}

impl Source {
    /// Opens the folder; while a collector runs on it, that collector's reader door.
    pub(super) fn open(settings: &Settings) -> Result<Self, Error> {
        let locked = match Folder::open(&settings.store) {
            Ok(folder) => return Ok(Self::Folder(folder)),
            Err(error @ StoreError::Locked { .. }) => error,
            Err(error) => return Err(error.into()),
        };
        if let ReaderPlace::Socket(place) = &settings.reader {
            let door = Door::socket(place);
            if serves(&door, &settings.store) {
                return Ok(Self::Running {
                    door,
                    place: place.clone(),
                });
            }
        }
        Err(locked.into())
    }

    pub(super) fn reader(&self) -> &dyn Reader {
        match self {
            Self::Folder(folder) => folder,
            Self::Running { door, .. } => door,
        }
    }
}

/// Whether the collector behind a door writes to this store and not to another one.
fn serves(door: &Door, store: &Path) -> bool {
    let Ok(body) = door.get("/healthz") else {
        return false;
    };
    let health: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let theirs = health
        .get("store")
        .and_then(|store| store.as_str())
        .map(Path::new);
    theirs.is_some_and(
        |theirs| match (theirs.canonicalize(), store.canonicalize()) {
            (Ok(theirs), Ok(ours)) => theirs == ours,
            _ => theirs == store,
        },
    )
}
