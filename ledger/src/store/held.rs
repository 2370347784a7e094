//! Signing that is held: a file beside the ledger says so, and only a person takes it away.

use std::path::Path;

use super::error::StoreError;
use super::files::{self, Lock, Paths};

/// A reason is a few sentences.
const MAX_REASON: u64 = 4096;

/// Keeps the reason; an earlier one stays.
pub(super) fn keep(paths: &Paths, reason: &str) -> Result<(), StoreError> {
    if why(paths).is_some() {
        return Ok(());
    }
    files::replace_file(&paths.held, format!("{}\n", reason.trim_end()).as_bytes())
}

/// The reason, if signing is held. A file that is there and cannot be read holds, too.
pub(super) fn why(paths: &Paths) -> Option<String> {
    match files::read_small(&paths.held, MAX_REASON) {
        Ok(text) => Some(String::from_utf8_lossy(&text).trim_end().to_owned()),
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => Some(error.to_string()),
    }
}

/// Why nothing is signed in the ledger of this folder, if signing is held.
#[must_use]
pub fn signing_held(dir: &Path) -> Option<String> {
    why(&Paths::of(dir))
}

/// Lets the ledger sign again, after a person found out what the conflict was. No collector may be running; returns
/// the reason that held it.
///
/// # Errors
/// The folder is in use; the file cannot be removed.
pub fn release_signing(dir: &Path) -> Result<Option<String>, StoreError> {
    let paths = Paths::of(dir);
    paths.require()?;
    let _lock = Lock::exclusive(&paths)?;
    let found = why(&paths);
    if found.is_some() {
        std::fs::remove_file(&paths.held)
            .map_err(|error| StoreError::io("remove", &paths.held, error))?;
        files::sync_folder(&paths.dir)?;
    }
    Ok(found)
}
