//! What must hold for any bytes that the collector reads from files: settings, enrolments, spools.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a target fails by panicking"
)]

use std::path::PathBuf;

use crate::producers::file;
use crate::settings::{Access, Raw, Settings};
use crate::spool;

/// One target: it panics when what it promises does not hold for these bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder in `tests/fuzz/seeds`, and how many mutations an ordinary test
/// tries: fewer where each is a file.
pub const TARGETS: &[(&str, Target, u64)] = &[
    ("producers", producers, 10_000),
    ("settings", settings, 3_000),
    ("spool", spool, 10_000),
];

/// A file for one call, which is gone afterwards.
struct Fed(PathBuf);

impl Fed {
    fn of(bytes: &[u8]) -> Self {
        let thread = std::thread::current().id();
        let name = format!("recount-fuzz-{}-{thread:?}", std::process::id());
        let path = std::env::temp_dir().join(name.replace(['(', ')'], "-"));
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Fed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A configuration file is settings, or an error that names the file.
pub fn settings(bytes: &[u8]) {
    let fed = Fed::of(bytes);
    let none = |_: &str| None;
    let error = match Raw::gather(&[], &none, Some(&fed.0)) {
        Ok(raw) => Settings::check(&raw, &none, Access::Read).err(),
        Err(error) => Some(error),
    };
    if let Some(error) = error {
        let said = error.to_string();
        assert!(said.contains("recount-fuzz-"), "{said}");
    }
}

/// Enrolments that are read are written as lines that mean the same.
pub fn producers(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        file::read_and_write(text);
    }
}

/// Of a spool, whole frames in front of the first that is not, and nothing beyond the file.
pub fn spool(bytes: &[u8]) {
    spool::frames_are_within(bytes);
}

#[cfg(test)]
#[path = "../../tests/fuzz/src/mutations.rs"]
mod mutations;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::mutations;

    #[test]
    fn every_target_holds_for_its_seeds_and_their_mutations() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds");
        for (name, target, mutations) in super::TARGETS {
            mutations::hold(name, *target, &seeds.join(name), *mutations);
        }
    }
}
