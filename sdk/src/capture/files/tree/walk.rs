//! Walking folders: what lies in them, as far as the bounds go.

use std::{
    collections::BTreeMap,
    fs::{self, Metadata},
    io,
    path::{Path, PathBuf},
};

use vocabulary::content::{Content, INLINE_BYTES};

use super::Snapshot;
use crate::capture::files::state::{self, Links};

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) inode: (u64, u64),
    /// Nanoseconds of the birth of the inode, where the file system knows it: an inode's number is used again.
    pub(super) born: Option<u128>,
    pub(super) links: u64,
    pub(super) mode: u32,
    owner: (u32, u32),
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// One thing in a folder.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) stamp: Stamp,
    pub(super) kept: Kept,
    /// It had changed so shortly before it was looked at that a later change may have the same time.
    pub(super) fresh: bool,
}

/// What is kept of its state.
#[derive(Debug)]
pub(super) enum Kept {
    /// A folder, and whether it is empty.
    Folder { empty: bool },
    /// The bytes of a small file that nothing happened to while they were read.
    Bytes(Vec<u8>),
    /// Everything else.
    State(Content),
    /// Not read: only the stamp is known.
    Unread(Content),
}

impl Kept {
    /// The state as a record has it.
    pub(super) fn content(&self, path: &Path) -> Content {
        match self {
            Self::Folder { .. } => Content::not_captured(None, "a folder"),
            Self::Bytes(bytes) => Content::redacted(bytes, state::media_type(path, bytes)),
            Self::State(content) | Self::Unread(content) => content.clone(),
        }
    }
}

/// What may still be read and kept.
struct Budget {
    kept: u64,
    read: u64,
    beyond_kept: u64,
    beyond_read: u64,
}

impl Snapshot {
    /// Fills the snapshot.
    pub(super) fn look(&mut self) {
        let mut found = BTreeMap::new();
        self.whole = self.list(&mut found);
        let mut budget = Budget {
            kept: self.limits.kept_bytes,
            read: self.limits.read_bytes,
            beyond_kept: 0,
            beyond_read: 0,
        };
        for (path, (metadata, empty)) in found {
            let entry = self.entry(&path, &metadata, empty, &mut budget);
            self.entries.insert(path, entry);
        }
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                self.unseen.push(format!("{count} {what}"));
            }
        };
        say(
            budget.beyond_read,
            "files compared by size and times alone: beyond the bytes that are read",
        );
        say(
            budget.beyond_kept,
            "files whose state before is kept by size and digest alone: beyond the bytes that are kept",
        );
    }

    /// Everything below the folders with its metadata; false when not all of it could be listed.
    pub(super) fn list(&mut self, found: &mut BTreeMap<PathBuf, (Metadata, bool)>) -> bool {
        let mut todo: Vec<PathBuf> = self.folders.iter().rev().cloned().collect();
        let (mut refused, mut beyond, mut first) = (0_u64, 0_u64, None);
        while let Some(path) = todo.pop() {
            if self.except.iter().any(|except| path.starts_with(except)) {
                continue;
            }
            if found.len() >= self.limits.entries {
                beyond += 1;
                continue;
            }
            let listed = metadata_of(&path).and_then(|metadata| {
                let below = match metadata.is_dir() {
                    true => names(&path)?,
                    false => Vec::new(),
                };
                Ok((metadata, below))
            });
            match listed {
                Ok((metadata, mut below)) => {
                    let empty = below.is_empty();
                    below.sort_unstable_by(|one, other| other.cmp(one));
                    todo.append(&mut below);
                    found.insert(path, (metadata, empty));
                }
                // Gone between listing and looking, or never there.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    refused += 1;
                    first.get_or_insert_with(|| format!("{}: {error}", path.display()));
                }
            }
        }
        if let Some(first) = first {
            self.unseen.push(format!(
                "{refused} that cannot be looked at, the first is {first}"
            ));
        }
        if beyond > 0 {
            let most = self.limits.entries;
            self.unseen.push(format!(
                "{beyond} or more beyond the first {most} files and folders"
            ));
        }
        refused + beyond == 0
    }

    fn entry(&self, path: &Path, metadata: &Metadata, empty: bool, budget: &mut Budget) -> Entry {
        let stamp = stamp(metadata);
        let changed_ms = stamp.changed.0.saturating_mul(1000) + stamp.changed.1 / 1_000_000;
        let now = i64::try_from(self.recorder.now_ms()).unwrap_or(i64::MAX);
        // Times of files tick every few milliseconds.
        let fresh = now.saturating_sub(changed_ms) < 1000;
        let kept = match metadata.is_dir() {
            true => Kept::Folder { empty },
            false => keep(path, metadata, budget),
        };
        Entry { stamp, kept, fresh }
    }
}

fn keep(path: &Path, metadata: &Metadata, budget: &mut Budget) -> Kept {
    let size = metadata.len();
    if metadata.is_file() && size <= state::WHOLE {
        match budget.read.checked_sub(size) {
            Some(left) => budget.read = left,
            None => {
                budget.beyond_read += 1;
                let why = "not read: beyond the bytes that a snapshot reads";
                return Kept::Unread(Content::not_captured(Some(size), why));
            }
        }
    }
    let small = usize::try_from(size).is_ok_and(|size| size <= INLINE_BYTES);
    if metadata.is_file()
        && small
        && size <= budget.kept
        && let Some(bytes) = quiet_bytes(path, metadata)
    {
        budget.kept -= size;
        return Kept::Bytes(bytes);
    }
    let mut state = state::state(path, Links::Keep);
    let inline = state.bytes().map_or(0, |bytes| bytes.len() as u64);
    match budget.kept.checked_sub(inline) {
        Some(left) => budget.kept = left,
        None => {
            budget.beyond_kept += 1;
            let digest = state.digest;
            let why = "not kept: beyond the bytes that a snapshot keeps";
            state = Content {
                digest,
                ..Content::not_captured(state.size, why)
            };
        }
    }
    Kept::State(state)
}

/// The bytes of a file that is the same before and after they were read.
fn quiet_bytes(path: &Path, metadata: &Metadata) -> Option<Vec<u8>> {
    let bytes = fs::read(path).ok()?;
    let after = metadata_of(path).ok()?;
    let same = stamp(&after) == stamp(metadata) && bytes.len() as u64 == after.len();
    same.then_some(bytes)
}

/// Of a link, its own.
pub(super) fn metadata_of(path: &Path) -> io::Result<Metadata> {
    fs::symlink_metadata(path)
}

fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect()
}

#[cfg(unix)]
pub(super) fn stamp(metadata: &Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;
    Stamp {
        inode: (metadata.dev(), metadata.ino()),
        born: born(metadata),
        links: if metadata.is_file() {
            metadata.nlink()
        } else {
            1
        },
        mode: metadata.mode(),
        owner: (metadata.uid(), metadata.gid()),
        size: metadata.len(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    }
}

#[cfg(not(unix))]
pub(super) fn stamp(metadata: &Metadata) -> Stamp {
    let modified = metadata
        .modified()
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
        .map_or((0, 0), |time| {
            (
                i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
                i64::from(time.subsec_nanos()),
            )
        });
    Stamp {
        inode: (0, 0),
        born: born(metadata),
        links: 1,
        mode: u32::from(metadata.permissions().readonly()),
        owner: (0, 0),
        size: metadata.len(),
        modified,
        changed: modified,
    }
}

fn born(metadata: &Metadata) -> Option<u128> {
    let since = metadata
        .created()
        .ok()?
        .duration_since(std::time::UNIX_EPOCH);
    since.ok().map(|time| time.as_nanos())
}
