//! Two looks at the same folders: what differs, as diffs.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::Metadata,
    path::{Path, PathBuf},
};

use vocabulary::{
    action::{Effect, ReadAfter, ReadBefore},
    content::Content,
    record::ContentState,
};

use super::{
    Snapshot,
    walk::{self, Entry, Kept, Stamp},
};
use crate::{
    Diff,
    capture::files::{
        place,
        state::{self, Links},
    },
};

/// What differs from a snapshot.
#[derive(Debug, Default)]
pub struct Changes {
    /// One of each changed resource, by path. Files are not locked: nobody knows who changed them, only that they did.
    pub diffs: Vec<Diff>,
    /// Everything that was not looked at or not told, with counts; empty when all was.
    pub unseen: Vec<String>,
}

/// What stands at a path now.
type Now = BTreeMap<PathBuf, (Metadata, bool)>;

impl Snapshot {
    /// Looks again, and says what differs.
    pub fn changes(mut self) -> Changes {
        let mut now = Now::new();
        let whole = self.list(&mut now);
        let moved = self.moved(&now);
        let paths: BTreeSet<&PathBuf> = self.entries.keys().chain(now.keys()).collect();
        let mut changes = Changes::default();
        let mut more: u64 = 0;
        for path in paths {
            let side = (self.entries.get(path), now.get(path));
            let Some((before, mut after)) = self.sides(path, side, whole) else {
                continue;
            };
            let (mut before, name) = (before, |path| place::resource(path, &self.roots));
            if let Some(to) = moved.to.get(path.as_path()) {
                note(&mut after, &format!("renamed to {}", name(to)));
            }
            if let Some(from) = moved.from.get(path.as_path()) {
                note(&mut before, &format!("renamed from {}", name(from)));
            }
            if changes.diffs.len() >= self.limits.changes {
                more += 1;
                continue;
            }
            let diff = Diff::of(name(path))
                .before(before)
                .after(after)
                .read_before(ReadBefore::Unlocked)
                .read_after(ReadAfter::LaterRead);
            changes.diffs.push(diff.effect(Effect::Committed));
        }
        self.unseen.sort();
        self.unseen.dedup();
        changes.unseen = self.unseen;
        if more > 0 {
            changes.unseen.push(format!(
                "{more} changes beyond the first {}",
                self.limits.changes
            ));
        }
        changes
    }

    /// The state before and after of a path, where they differ.
    fn sides(
        &self,
        path: &Path,
        side: (Option<&Entry>, Option<&(Metadata, bool)>),
        whole: bool,
    ) -> Option<(Content, Content)> {
        match side {
            (None, None) => None,
            (Some(entry), None) => {
                // A folder that held something is told by what was in it.
                let told = !matches!(entry.kept, Kept::Folder { empty: false });
                let after = match whole {
                    true => Content::absent(),
                    false => Content::unknown("not looked at again: not all could be"),
                };
                told.then(|| (entry.kept.content(path), after))
            }
            (None, Some((metadata, empty))) => {
                let before = match self.whole {
                    true => Content::absent(),
                    false => Content::unknown("not looked at before: not all could be"),
                };
                let told = !metadata.is_dir() || *empty;
                told.then(|| (before, state_now(path, metadata)))
            }
            (Some(entry), Some((metadata, _))) => changed(path, entry, metadata),
        }
    }

    /// Files that lie at another path now: by inode, which is used again only by a file that was born later.
    fn moved(&self, now: &Now) -> Moved {
        let gone: HashMap<((u64, u64), Option<u128>), &PathBuf> = self
            .entries
            .iter()
            .filter(|(path, entry)| !now.contains_key(*path) && entry.stamp.born.is_some())
            .map(|(path, entry)| ((entry.stamp.inode, entry.stamp.born), path))
            .collect();
        let mut moved = Moved::default();
        for (path, (metadata, _)) in now {
            if self.entries.contains_key(path) || metadata.is_dir() {
                continue;
            }
            let stamp = walk::stamp(metadata);
            if let Some(from) = gone.get(&(stamp.inode, stamp.born)) {
                moved.from.insert(path.clone(), (*from).clone());
                moved.to.insert((*from).clone(), path.clone());
            }
        }
        moved
    }
}

/// Where files came from and went to.
#[derive(Default)]
struct Moved {
    from: HashMap<PathBuf, PathBuf>,
    to: HashMap<PathBuf, PathBuf>,
}

fn changed(path: &Path, entry: &Entry, metadata: &Metadata) -> Option<(Content, Content)> {
    let stamp = walk::stamp(metadata);
    if stamp == entry.stamp && !entry.fresh {
        return None;
    }
    if let (Kept::Folder { .. }, true) = (&entry.kept, metadata.is_dir()) {
        let other = stamp.mode != entry.stamp.mode;
        return other.then(|| {
            modes(
                entry.kept.content(path),
                entry.kept.content(path),
                entry,
                &stamp,
            )
        });
    }
    let before = entry.kept.content(path);
    let after = match &entry.kept {
        // Nothing to compare with: what it holds now is told if its stamp differs.
        Kept::Unread(_) if stamp == entry.stamp => return None,
        _ => state_now(path, metadata),
    };
    let same = match (before.digest, after.digest) {
        (Some(one), Some(other)) => one == other,
        _ => before == after && before.state != ContentState::NotCaptured,
    };
    let kind = |mode: u32| mode & 0o170_000;
    if kind(stamp.mode) == kind(entry.stamp.mode) && stamp.mode != entry.stamp.mode {
        return Some(modes(before, after, entry, &stamp));
    }
    // Too large to be read: its times are all there is.
    let unread = before.digest.is_none() && after.digest.is_none() && stamp != entry.stamp;
    (!same || (unread && before.state == ContentState::NotCaptured)).then_some((before, after))
}

/// Both sides with their permissions.
fn modes(
    mut before: Content,
    mut after: Content,
    entry: &Entry,
    stamp: &Stamp,
) -> (Content, Content) {
    note(
        &mut before,
        &format!("mode {:04o}", entry.stamp.mode & 0o7777),
    );
    note(&mut after, &format!("mode {:04o}", stamp.mode & 0o7777));
    (before, after)
}

fn state_now(path: &Path, metadata: &Metadata) -> Content {
    let mut state = state::state(path, Links::Keep);
    let links = walk::stamp(metadata).links;
    if links > 1 {
        note(
            &mut state,
            &format!("it has {links} names (hard links), here and perhaps elsewhere"),
        );
    }
    state
}

/// Adds to what is said of a state.
fn note(content: &mut Content, text: &str) {
    match &mut content.why {
        Some(why) => *why = format!("{why}; {text}"),
        None => content.why = Some(text.to_owned()),
    }
}
