//! Remembering keys: which key a place showed when it was first looked at, as a text file of lines.
#![forbid(unsafe_code)]

use std::fmt;

use super::Trusted;
use crate::note::VerifierKey;

/// The keys that were seen, by place (a store's path, a collector's address).
///
/// As text: one line per place, `<vkey> <place>`; empty lines and lines that start with `#` are kept out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pins {
    seen: Vec<(String, VerifierKey)>,
}

/// What the pins say about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there are a handful per process")]
pub enum Pin {
    /// The place was never seen.
    New,
    /// The key is the one seen before.
    Same,
    /// Another key was seen before: this one.
    Changed(VerifierKey),
}

/// A line that is no pin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the known keys is not a key and a place: {why}")]
pub struct NotAPin {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl Pins {
    /// Reads the text form.
    ///
    /// # Errors
    /// A line that is no pin: a damaged file must not make every key look new.
    pub fn parse(text: &str) -> Result<Self, NotAPin> {
        let mut seen = Vec::new();
        for (i, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |why: String| NotAPin { line: i + 1, why };
            let (vkey, place) = line
                .split_once(' ')
                .ok_or_else(|| wrong("no space".to_owned()))?;
            let key = VerifierKey::parse(vkey).map_err(|error| wrong(error.to_string()))?;
            seen.push((place.to_owned(), key));
        }
        Ok(Self { seen })
    }

    /// The key that a place showed before.
    #[must_use]
    pub fn get(&self, place: &str) -> Option<&VerifierKey> {
        self.seen
            .iter()
            .find(|(known, _)| known == place)
            .map(|(_, key)| key)
    }

    /// What to believe about a place: its pinned key, or whatever it shows first.
    #[must_use]
    pub fn trusted(&self, place: &str) -> Trusted {
        self.get(place)
            .map_or(Trusted::FirstSeen, |key| Trusted::Pinned(key.clone()))
    }

    /// What to believe about a ledger that comes from no place of its own, such as a bundle: the key that was
    /// seen anywhere under the name of the key it shows.
    #[must_use]
    pub fn trusted_of(&self, shown: &VerifierKey) -> Trusted {
        let of_name = self
            .seen
            .iter()
            .filter(|(_, key)| key.name() == shown.name());
        let keys: Vec<&VerifierKey> = of_name.map(|(_, key)| key).collect();
        match keys.first() {
            None => Trusted::FirstSeen,
            Some(_) if keys.contains(&shown) => Trusted::Pinned(shown.clone()),
            Some(other) => Trusted::Pinned((*other).clone()),
        }
    }

    /// Compares a key with the one seen before.
    #[must_use]
    pub fn check(&self, place: &str, key: &VerifierKey) -> Pin {
        match self.get(place) {
            None => Pin::New,
            Some(known) if known == key => Pin::Same,
            Some(known) => Pin::Changed(known.clone()),
        }
    }

    /// Remembers a key that a person named, in place of any other. `false` when that changes nothing.
    pub fn replace(&mut self, place: &str, key: VerifierKey) -> bool {
        if self.get(place) == Some(&key) {
            return false;
        }
        self.seen.retain(|(known, _)| known != place);
        self.remember(place, key)
    }

    /// Remembers a key; a place that has one keeps it, and `false` says so. A place with a line break in its
    /// name cannot be remembered.
    pub fn remember(&mut self, place: &str, key: VerifierKey) -> bool {
        if self.get(place).is_some() || place.contains(['\n', '\r']) {
            return false;
        }
        self.seen.push((place.to_owned(), key));
        true
    }
}

impl fmt::Display for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.seen
            .iter()
            .try_for_each(|(place, key)| writeln!(f, "{key} {place}"))
    }
}
