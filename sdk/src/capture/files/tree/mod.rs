//! Whole folders before and after something that acts on its own: which files it made, changed, renamed and removed.
//!
//! Symbolic links are looked at and never followed. What was not looked at, and why, is counted and said
//! ([`Changes::unseen`]): a file that changed and changed back, or one beyond the bounds, leaves no trace.

mod compare;
mod walk;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub use self::compare::Changes;
use self::walk::Entry;
use super::{Files, place::Root};
use crate::Recorder;

/// How much a snapshot looks at and keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// So many files, links and folders; 100,000.
    pub entries: usize,
    /// So many bytes of the states before are kept in memory; 256 MiB. Files beyond it are kept by size and digest.
    pub kept_bytes: u64,
    /// So many bytes are read for one snapshot; 4 GiB. Files beyond it are compared by size and times alone.
    pub read_bytes: u64,
    /// So many changes are told with their states; 10,000. The rest is counted.
    pub changes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 100_000,
            kept_bytes: 256 << 20,
            read_bytes: 4 << 30,
            changes: 10_000,
        }
    }
}

/// What some folders held at one time; see [`Files::snapshot`].
#[derive(Debug)]
pub struct Snapshot {
    folders: Vec<PathBuf>,
    except: Vec<PathBuf>,
    roots: std::sync::Arc<[Root]>,
    limits: Limits,
    recorder: Recorder,
    entries: BTreeMap<PathBuf, Entry>,
    /// Whether everything was looked at: else what is new later may have been there.
    whole: bool,
    unseen: Vec<String>,
}

impl Files {
    /// Looks at everything below `folders` now, except what lies below `except`. A folder may be a file, or not be
    /// there yet. Resources are named by the roots of this value.
    pub fn snapshot<P: AsRef<Path>, Q: AsRef<Path>>(
        &self,
        folders: impl IntoIterator<Item = P>,
        except: impl IntoIterator<Item = Q>,
        limits: Limits,
    ) -> Snapshot {
        let mut snapshot = Snapshot {
            folders: folders.into_iter().map(resolved).collect(),
            except: except.into_iter().map(resolved).collect(),
            roots: self.roots.clone(),
            limits,
            recorder: self.session.recorder().clone(),
            entries: BTreeMap::new(),
            whole: true,
            unseen: Vec::new(),
        };
        snapshot.folders.sort();
        snapshot.folders.dedup();
        snapshot.look();
        snapshot
    }
}

impl Snapshot {
    /// How many files, links and folders it holds.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }
}

/// A path without links on the way to it, as far as it exists.
fn resolved(path: impl AsRef<Path>) -> PathBuf {
    let path = path.as_ref();
    super::place::place(path, super::state::Links::Follow, &[])
        .map_or_else(|_| super::unresolved(path), |place| place.path)
}
