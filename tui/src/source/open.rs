//! Opening the chosen place as a reader, and reading accounts from it.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use account::model::Account;
use ledger::bundle::Bundle;
use ledger::door::{Door, Tail};
use ledger::note::VerifierKey;
use ledger::reader::{Find, Reader};
use ledger::store::{Folder, StoreError};
use ledger::verify::{Kept, KeyState, Trusted, Verifier};

use super::keys::Keyring;
use super::place::{Chosen, Environment, Place, choose};
use crate::args::Common;
use crate::failure::{self, Failure};

/// What is added to who named a folder when its collector answers for it.
const THROUGH: &str = ", through its collector's door";

/// What gives the bytes.
enum Open {
    Folder(Box<Folder>),
    Bundle(Box<Bundle>),
    Door(Door),
}

/// An open place: its reader, and the key that is believed.
pub(crate) struct Source {
    /// The place and who named it.
    pub(crate) chosen: Chosen,
    open: Open,
    /// The key to believe.
    pub(crate) trusted: Trusted,
    keyring: Keyring,
    name: String,
    /// What the last answer proved and the next one need not prove again.
    kept: Cell<Option<Kept>>,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("chosen", &self.chosen)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Chooses and opens a place.
    pub(crate) fn open(common: &Common, environment: &Environment) -> Result<Source, Failure> {
        Source::at(choose(common, environment)?, common, environment)
    }

    /// Opens the place that was chosen before once more: another one would be another ledger.
    pub(crate) fn again(
        &self,
        common: &Common,
        environment: &Environment,
    ) -> Result<Source, Failure> {
        Source::at(self.chosen.clone(), common, environment)
    }

    /// Opens a place.
    pub(crate) fn at(
        mut chosen: Chosen,
        common: &Common,
        environment: &Environment,
    ) -> Result<Source, Failure> {
        let keyring = Keyring::read(environment, common.key.as_deref())?;
        let open = match &chosen.place {
            Place::Folder(folder) => match Folder::open(folder) {
                Ok(folder) => Open::Folder(Box::new(folder)),
                Err(locked @ StoreError::Locked { .. }) => {
                    // A collector is writing there: its door shows the same bytes.
                    let socket = door_of(folder, environment)
                        .ok_or_else(|| failure::of_store(folder, &locked))?;
                    if !chosen.because.ends_with(THROUGH) {
                        chosen.because.push_str(THROUGH);
                    }
                    Open::Door(Door::socket(&socket))
                }
                Err(error) => return Err(failure::of_store(folder, &error)),
            },
            Place::Bundle(file) => Open::Bundle(Box::new(read_bundle(file)?)),
            Place::Socket(socket) => Open::Door(Door::socket(socket)),
            Place::Tcp { address, token } => {
                Open::Door(Door::tcp(address, token.as_deref().unwrap_or_default()))
            }
        };
        let name = match &chosen.place {
            Place::Folder(folder) => std::fs::canonicalize(folder)
                .unwrap_or_else(|_| folder.clone())
                .display()
                .to_string(),
            other => other.to_string(),
        };
        let trusted = match &open {
            Open::Bundle(bundle) => trusted_in(&keyring, bundle),
            _ => keyring.trusted(&name),
        };
        Ok(Source {
            chosen,
            open,
            trusted,
            keyring,
            name,
            kept: Cell::new(None),
        })
    }

    /// What gives the bytes; none of them is believed before it is verified.
    pub(crate) fn reader(&self) -> &dyn Reader {
        match &self.open {
            Open::Folder(folder) => &**folder,
            Open::Bundle(bundle) => &**bundle,
            Open::Door(door) => door,
        }
    }

    /// The bundle, where it is one.
    pub(crate) fn bundle(&self) -> Option<&Bundle> {
        match &self.open {
            Open::Bundle(bundle) => Some(bundle),
            _ => None,
        }
    }

    /// Whether it is read through a collector's door: then pages and index rows are out of sight.
    pub(crate) fn is_door(&self) -> bool {
        matches!(self.open, Open::Door(_))
    }

    /// Wakes up when something is sealed; `None` for a folder, which nobody announces anything of.
    pub(crate) fn tail(&self) -> Result<Option<Tail>, Failure> {
        match &self.open {
            Open::Folder(_) | Open::Bundle(_) => Ok(None),
            Open::Door(door) => {
                let tail = door.tail().map_err(|error| failure::of_read(&error))?;
                Ok(Some(tail))
            }
        }
    }

    /// The place's name, for messages and screens.
    pub(crate) fn place(&self) -> String {
        self.chosen.place.to_string()
    }

    /// The file of pinned keys.
    pub(crate) fn key_file(&self) -> Option<&Path> {
        self.keyring.file()
    }

    /// Reads and verifies the account of a query.
    pub(crate) fn account(&self, query: &str) -> Result<Account, Failure> {
        let kept = self.kept.take();
        let mut verifier = Verifier::resume(self.reader(), &self.trusted, kept)
            .map_err(|error| failure::of_account(&self.place(), query, error.into()))?;
        let options = account::Options::default();
        let account = account::build_with(self.reader(), &mut verifier, query, &options)
            .map_err(|error| failure::of_account(&self.place(), query, error))
            .map_err(|failure| self.with_near(failure));
        self.kept.set(verifier.keep(&self.trusted));
        account
    }

    /// Adds requests that look like the one asked for, where nothing begins like it: a transposed digit, a letter
    /// too many. The index is good enough for a suggestion.
    fn with_near(&self, failure: Failure) -> Failure {
        let Failure::NoMatch {
            query,
            place,
            mut near,
        } = failure
        else {
            return failure;
        };
        if near.is_empty()
            && let Ok(hints) = self.reader().find(&Find::Recent(LOOKED_AT))
        {
            let names = hints.into_iter().flat_map(|hint| hint.requests);
            let mut close: Vec<(usize, String)> = names
                .map(|name| (distance(&query, &name), name))
                .filter(|(far, _)| *far <= 2)
                .collect();
            close.sort();
            close.dedup();
            near = close.into_iter().take(NEAR).map(|(_, name)| name).collect();
        }
        Failure::NoMatch { query, place, near }
    }

    /// Opens a verifier on the place.
    pub(crate) fn verifier(&self) -> Result<Verifier<'_>, Failure> {
        Verifier::open(self.reader(), &self.trusted).map_err(|error| failure::of_read(&error))
    }

    /// Remembers the ledger's key when this place showed none before, or when it is the one that a person named, and
    /// nothing is wrong with it. What cannot be
    /// written is no failure: the key stays unpinned, and the account says so.
    pub(crate) fn pin(&mut self) -> Result<Option<String>, std::io::Error> {
        // A file can come from anywhere: its place says nothing about whose key it is.
        if self.bundle().is_some()
            || (self.trusted != Trusted::FirstSeen && !self.keyring.is_named())
        {
            return Ok(None);
        }
        let Ok(verifier) = Verifier::open(self.reader(), &self.trusted) else {
            return Ok(None);
        };
        let seen = verifier.ledger();
        let Some(key) = seen
            .key
            .clone()
            .filter(|_| seen.findings.is_empty() && seen.checkpoint.is_some())
        else {
            return Ok(None);
        };
        let store = match &self.chosen.place {
            Place::Folder(folder) => std::fs::canonicalize(folder).ok(),
            _ => None,
        };
        let new = self.keyring.remember(&self.name, &key, store.as_deref())?;
        Ok(new.then(|| key.to_string()))
    }
}

/// Reads and opens a bundle; nothing of it is believed.
pub(crate) fn read_bundle(file: &Path) -> Result<Bundle, Failure> {
    let place = file.display().to_string();
    let bytes = std::fs::read(file).map_err(|error| failure::of_file(file, &error))?;
    Bundle::open(&place, bytes).map_err(|error| failure::of_bundle(&place, &error))
}

/// What to believe about a bundle: the named key, or one that was pinned under its ledger's name.
fn trusted_in(keyring: &Keyring, bundle: &Bundle) -> Trusted {
    let seen = Verifier::open(bundle, &Trusted::FirstSeen).ok();
    let seen = seen.and_then(|verifier| verifier.ledger().key.clone());
    keyring.trusted_of(seen.as_ref())
}

/// How many streams are looked at for a name that looks like the one asked for.
const LOOKED_AT: usize = 2_000;
/// How many such names are suggested.
const NEAR: usize = 5;

/// How many characters have to be changed, left out, added or swapped with their neighbour.
pub(crate) fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (
        one.chars().take(64).collect(),
        other.chars().take(64).collect(),
    );
    let mut rows: Vec<Vec<usize>> = vec![(0..=other.len()).collect()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let differs = usize::from(one[i - 1] != other[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + differs);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

/// The reader door of the collector that writes to a folder: beside the ledger, or where collectors listen.
///
/// Another collector's door would answer about another ledger, so the door must show the folder's key.
fn door_of(folder: &Path, environment: &Environment) -> Option<PathBuf> {
    let text = std::fs::read_to_string(folder.join("ledger.pub")).ok()?;
    let key = VerifierKey::parse(text.trim()).ok()?;
    let beside = folder.join("reader.sock");
    std::iter::once(beside)
        .chain(environment.sockets())
        .find(|socket| {
            let door = Door::socket(socket);
            Verifier::open(&door, &Trusted::Pinned(key.clone()))
                .is_ok_and(|verifier| verifier.ledger().key_state == KeyState::Pinned)
        })
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn swapped_digits_are_near() {
        assert_eq!(distance("47982", "47892"), 1);
        assert_eq!(distance("4789", "47892"), 1);
        assert_eq!(distance("", "ab"), 2);
        assert!(distance("47892", "PAY-118") > 2);
    }
}
