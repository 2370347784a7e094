//! Files that a tool is told about: as they are before and after the call, below the folders that were named.

use std::path::{Path, PathBuf};

use recount::capture::files::{Limits, Snapshot};
use recount::{ActionHandle, Handle};
use serde_json::Value;

use crate::failure::Failure;
use crate::record::run::watched::named;

/// Members of arguments that name a file.
const NAMES: [&str; 14] = [
    "path",
    "paths",
    "file",
    "files",
    "file_path",
    "filePath",
    "filename",
    "source",
    "destination",
    "src",
    "dst",
    "from",
    "to",
    "uri",
];

/// What one call may be looked at for.
const LIMITS: Limits = Limits {
    entries: 10_000,
    kept_bytes: 64 << 20,
    read_bytes: 256 << 20,
    changes: 1_000,
};

/// The folders in which a server's file tools work.
#[derive(Debug, Default)]
pub(super) struct Roots {
    /// Folder without links, and its name in resources.
    folders: Vec<(PathBuf, String)>,
    except: Vec<PathBuf>,
}

impl Roots {
    pub(super) fn of(roots: &[PathBuf], own: Option<&Path>) -> Result<Self, Failure> {
        let here = std::env::current_dir().unwrap_or_default();
        let folders = roots.iter().map(|root| {
            let folder = root.canonicalize().map_err(|error| Failure::Usage {
                what: format!("--root {}: {error}", root.display()),
                hint: "name a folder that is there".to_owned(),
            })?;
            Ok((folder, named(root, &here)))
        });
        Ok(Self {
            folders: folders.collect::<Result<_, Failure>>()?,
            except: own.map(Path::to_owned).into_iter().collect(),
        })
    }

    /// The files that a call's parameters name, as they are now; `None` where it names none below the folders.
    pub(super) fn before(&self, session: &Handle, params: &str) -> Option<Snapshot> {
        if self.folders.is_empty() {
            return None;
        }
        let params: Value = serde_json::from_str(params).ok()?;
        let mut paths = Vec::new();
        for name in NAMES {
            self.add(&params["arguments"][name], &mut paths);
        }
        if paths.is_empty() {
            return None;
        }
        let files = self
            .folders
            .iter()
            .fold(session.files(), |files, (folder, name)| {
                files.root_named(name, folder)
            });
        Some(files.snapshot(paths, &self.except, LIMITS))
    }

    fn add(&self, value: &Value, paths: &mut Vec<PathBuf>) {
        match value {
            Value::String(text) => {
                let path = Path::new(text.strip_prefix("file://").unwrap_or(text));
                // A relative path is one below any of the folders.
                let inside = self.folders.iter().filter_map(|(folder, _)| {
                    let joined = std::path::absolute(folder.join(path)).ok()?;
                    let resolved = resolved(&joined);
                    resolved.starts_with(folder).then_some(resolved)
                });
                paths.extend(inside);
            }
            Value::Array(items) => items.iter().for_each(|item| self.add(item, paths)),
            _ => {}
        }
    }
}

/// The path with links on the way resolved, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let mut rest = Vec::new();
    let mut existing = path;
    loop {
        if let Ok(found) = existing.canonicalize() {
            return rest.iter().rev().fold(found, |path, name| path.join(name));
        }
        match (existing.parent(), existing.file_name()) {
            (Some(parent), Some(name)) => {
                rest.push(name.to_owned());
                existing = parent;
            }
            _ => return path.to_owned(),
        }
    }
}

/// Records what differs from before, in the action that did it.
pub(super) fn after(before: Snapshot, action: &ActionHandle) {
    let changes = before.changes();
    for diff in changes.diffs {
        action.diff(diff);
    }
    if !changes.unseen.is_empty() {
        action.result(&format!("not seen: {}", changes.unseen.join("; ")));
    }
}
