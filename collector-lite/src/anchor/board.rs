//! How each anchor stands: what it took last, since when it fails, what it was pinned to. Kept in `anchors.json`.
//!
//! The file is bookkeeping, not evidence: receipts are leaves. Without it, the anchors are asked anew.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::spec::Spec;
use super::{Failed, Given, Taken};

/// How one anchor stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Standing {
    pub(crate) spec: Spec,
    /// Since when it is configured: Unix nanoseconds.
    pub(crate) since_ns: u64,
    /// Set once it is no longer configured; it still gets a last checkpoint.
    pub(crate) leaving: Option<Leaving>,
    /// What it took last.
    pub(crate) taken: Option<Taken>,
    /// When it was last asked, whatever came of it: Unix nanoseconds.
    pub(crate) tried_ns: Option<u64>,
    /// Since when it fails, and why.
    pub(crate) failing: Option<Failing>,
    /// Attempts that failed, ever.
    pub(crate) failures: u64,
    /// What a person should know.
    pub(crate) remark: Option<String>,
}

/// An anchor that is no longer configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Leaving {
    pub(crate) since_ns: u64,
    /// The leaf that says so; its last checkpoint covers this leaf.
    pub(crate) leaf: Option<u64>,
}

/// Since when an anchor fails, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failing {
    pub(crate) since_ns: u64,
    /// In a row.
    pub(crate) attempts: u32,
    pub(crate) why: String,
}

/// How long an anchor that is no longer configured is asked to take a last checkpoint: 7 days, in nanoseconds.
const FAREWELL_NS: u64 = 7 * 86_400 * 1_000_000_000;

/// Every anchor by its holder.
#[derive(Debug)]
pub(crate) struct Board {
    path: PathBuf,
    standings: Mutex<BTreeMap<String, Standing>>,
}

/// A destination that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// The holder before; empty if there was none.
    pub(crate) from: String,
    /// The holder from now on; empty if there is none.
    pub(crate) to: String,
}

/// The file's name in the ledger's folder.
pub(crate) const FILE: &str = "anchors.json";

/// Reads the file of a ledger's folder; empty if there is none.
///
/// # Errors
/// It is there and cannot be read.
pub(crate) fn read(store: &Path) -> Result<BTreeMap<String, Standing>, String> {
    let path = store.join(FILE);
    match std::fs::read(&path) {
        Ok(bytes) => {
            serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

impl Board {
    /// Takes up what is known of the anchors and says which destinations changed.
    pub(crate) fn open(
        store: &Path,
        specs: &[Spec],
        now_ns: u64,
    ) -> Result<(Self, Vec<Change>), String> {
        let mut standings = read(store)?;
        let mut gone = Vec::new();
        let mut come = Vec::new();
        for (holder, standing) in &mut standings {
            let configured = specs.iter().find(|spec| spec.holder() == *holder);
            match (configured, standing.leaving) {
                (Some(spec), leaving) => {
                    standing.spec = spec.clone();
                    if leaving.is_some() {
                        standing.leaving = None;
                        come.push((spec.kind(), holder.clone()));
                    }
                }
                (None, None) => {
                    standing.leaving = Some(Leaving {
                        since_ns: now_ns,
                        leaf: None,
                    });
                    gone.push((standing.spec.kind(), holder.clone()));
                }
                (None, Some(_)) => {}
            }
        }
        standings.retain(|_, standing| {
            standing
                .leaving
                .is_none_or(|leaving| now_ns.saturating_sub(leaving.since_ns) < FAREWELL_NS)
        });
        for spec in specs {
            let holder = spec.holder();
            if let Entry::Vacant(vacant) = standings.entry(holder) {
                come.push((spec.kind(), vacant.key().clone()));
                vacant.insert(Standing::new(spec.clone(), now_ns));
            }
        }
        let board = Self {
            path: store.join(FILE),
            standings: Mutex::new(standings),
        };
        if !board.lock().is_empty() || board.path.exists() {
            board.write(&board.lock());
        }
        Ok((board, pair(gone, come)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Standing>> {
        self.standings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Every anchor with its holder.
    pub(crate) fn all(&self) -> Vec<(String, Standing)> {
        self.lock()
            .iter()
            .map(|(holder, standing)| (holder.clone(), standing.clone()))
            .collect()
    }

    pub(crate) fn get(&self, holder: &str) -> Option<Standing> {
        self.lock().get(holder).cloned()
    }

    /// Takes down which leaf says that an anchor is no longer configured.
    pub(crate) fn leaves(&self, holder: &str, leaf: u64) {
        let mut standings = self.lock();
        if let Some(leaving) = standings
            .get_mut(holder)
            .and_then(|standing| standing.leaving.as_mut())
        {
            leaving.leaf = Some(leaf);
        }
        self.write(&standings);
    }

    /// Takes down that an anchor took a checkpoint. One that was leaving has gone.
    pub(crate) fn took(&self, holder: &str, size: u64, given: &Given, now_ns: u64) {
        let mut standings = self.lock();
        if let Some(standing) = standings.get_mut(holder) {
            standing.taken = Some(Taken {
                size,
                at_ns: now_ns,
                handle: given.handle.clone(),
            });
            standing.tried_ns = Some(now_ns);
            standing.failing = None;
            if given.remark.is_some() {
                standing.remark.clone_from(&given.remark);
            }
            if standing.leaving.is_some() {
                standings.remove(holder);
            }
        }
        self.write(&standings);
    }

    /// Takes down that there was nothing new for an anchor.
    pub(crate) fn current(&self, holder: &str, now_ns: u64) {
        if let Some(standing) = self.lock().get_mut(holder) {
            standing.tried_ns = Some(now_ns);
        }
    }

    /// Takes down that an anchor failed.
    pub(crate) fn failed(&self, holder: &str, why: &Failed, now_ns: u64) {
        let mut standings = self.lock();
        if let Some(standing) = standings.get_mut(holder) {
            let before = standing.failing.take();
            standing.tried_ns = Some(now_ns);
            standing.failures += 1;
            standing.failing = Some(Failing {
                since_ns: before.as_ref().map_or(now_ns, |failing| failing.since_ns),
                attempts: before
                    .map_or(0, |failing| failing.attempts)
                    .saturating_add(1),
                why: why.to_string().chars().take(1000).collect(),
            });
        }
        self.write(&standings);
    }

    /// A board that cannot be written is no reason to stop: what it holds is asked for again after the next start.
    fn write(&self, standings: &BTreeMap<String, Standing>) {
        let beside = self.path.with_extension("tmp");
        let written = serde_json::to_vec_pretty(standings)
            .map_err(std::io::Error::other)
            .and_then(|bytes| {
                std::fs::write(&beside, bytes)?;
                std::fs::File::open(&beside)?.sync_all()?;
                std::fs::rename(&beside, &self.path)
            });
        if let Err(error) = written {
            tracing::warn!(%error, "cannot write {}", self.path.display());
        }
    }
}

impl Standing {
    fn new(spec: Spec, now_ns: u64) -> Self {
        Self {
            spec,
            since_ns: now_ns,
            leaving: None,
            taken: None,
            tried_ns: None,
            failing: None,
            failures: 0,
            remark: None,
        }
    }
}

/// One anchor of a kind that went and one that came are one change.
fn pair(gone: Vec<(u8, String)>, mut come: Vec<(u8, String)>) -> Vec<Change> {
    let mut changes = Vec::new();
    for (kind, from) in gone {
        let to = come
            .iter()
            .position(|(other, _)| *other == kind)
            .map(|at| come.remove(at).1);
        changes.push(Change {
            from,
            to: to.unwrap_or_default(),
        });
    }
    changes.extend(come.into_iter().map(|(_, to)| Change {
        from: String::new(),
        to,
    }));
    changes
}
