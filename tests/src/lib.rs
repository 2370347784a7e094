//! Promises between crates: what the integration tests share.

pub mod authority;
pub mod certificates;
pub mod models;
pub mod need;
pub mod outcome;
pub mod postgres;
pub mod program;

use std::path::{Path, PathBuf};

/// The top folder of the repository.
#[must_use]
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}
