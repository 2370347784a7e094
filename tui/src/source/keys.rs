//! The pinned keys: the first key that a place showed is remembered outside the store, where its writer has no say.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use ledger::note::VerifierKey;
use ledger::verify::{Pins, Trusted};

use super::place::Environment;
use crate::failure::Failure;

/// The file of pinned keys, one line per place.
const FILE: &str = "known_keys";

/// What is known of keys: the file, and what `--key` said.
#[derive(Debug)]
pub(crate) struct Keyring {
    file: Option<PathBuf>,
    pins: Pins,
    named: Option<Trusted>,
}

impl Keyring {
    /// Reads the pinned keys. A damaged file is an error: taken for empty, it would make every key look new.
    pub(crate) fn read(environment: &Environment, key: Option<&str>) -> Result<Keyring, Failure> {
        let named = key.map(named_key).transpose()?;
        let file = environment.state_folder().map(|folder| folder.join(FILE));
        let text = match file.as_ref().map(std::fs::read_to_string) {
            Some(Ok(text)) => text,
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                let path = file.as_deref().unwrap_or(Path::new(FILE)).display();
                return Err(Failure::Usage {
                    what: format!("{path}: {error}"),
                    hint: "make it readable, or name the key with --key".to_owned(),
                });
            }
            _ => String::new(),
        };
        let pins = Pins::parse(&text).map_err(|error| Failure::Usage {
            what: format!(
                "{}: {error}",
                file.as_deref().unwrap_or(Path::new(FILE)).display()
            ),
            hint:
                "correct or remove that line; the key it held is then seen for the first time again"
                    .to_owned(),
        })?;
        Ok(Keyring { file, pins, named })
    }

    /// What to believe about a place.
    pub(crate) fn trusted(&self, place: &str) -> Trusted {
        match &self.named {
            Some(named) => named.clone(),
            None => self.pins.trusted(place),
        }
    }

    /// What to believe about a ledger that comes from no place of its own and shows this key.
    pub(crate) fn trusted_of(&self, shown: Option<&VerifierKey>) -> Trusted {
        match shown.filter(|_| !self.is_named()) {
            Some(shown) => self.pins.trusted_of(shown),
            None => self.trusted(""),
        }
    }

    /// Remembers a place's key when it has none yet, or when a person named it with `--key`. Never inside the store,
    /// whose writer could then change it.
    pub(crate) fn remember(
        &mut self,
        place: &str,
        key: &VerifierKey,
        store: Option<&Path>,
    ) -> Result<bool, std::io::Error> {
        let Some(file) = self.file.clone() else {
            return Ok(false);
        };
        if store.is_some_and(|store| file.starts_with(store)) {
            return Ok(false);
        }
        let new = match &self.named {
            Some(Trusted::Pinned(named)) if named != key => false,
            // Words were compared with the ledger before anything is remembered.
            Some(_) => self.pins.replace(place, key.clone()),
            None => self.pins.remember(place, key.clone()),
        };
        if !new {
            return Ok(false);
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let fresh = folder.join(format!(".{FILE}.{}", std::process::id()));
        let mut out = std::fs::File::create(&fresh)?;
        out.write_all(self.pins.to_string().as_bytes())?;
        out.sync_all()?;
        std::fs::rename(&fresh, &file)?;
        Ok(true)
    }

    /// Whether a person named the key.
    pub(crate) fn is_named(&self) -> bool {
        self.named.is_some()
    }

    /// The file, for `doctor`.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }
}

/// What `--key` takes: the key itself, the words that `init` printed, or a file that holds one of them.
pub(crate) fn named_key(text: &str) -> Result<Trusted, Failure> {
    let is_itself = text.contains('+') || text.trim().contains(char::is_whitespace);
    let given = if is_itself && !Path::new(text).exists() {
        text.to_owned()
    } else {
        std::fs::read_to_string(text).map_err(|error| Failure::Usage {
            what: format!("--key {text}: {error}"),
            hint: "give the key, its 24 words, or the ledger.pub that the collector wrote"
                .to_owned(),
        })?
    };
    Trusted::named(&given).map_err(|error| Failure::Usage {
        what: format!("--key {text}: {error}"),
        hint: "a key looks like NAME+8 HEX DIGITS+BASE64, as in ledger.pub, or is 24 words as recount-collector key --words prints them".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> VerifierKey {
        ledger::note::SignerKey::new("recount.local/test", &[seed; 32])
            .unwrap()
            .verifier()
    }

    #[test]
    fn the_first_key_is_remembered_and_the_second_is_not_believed() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::of([("HOME", home.path().to_str().unwrap())]);
        let mut keyring = Keyring::read(&environment, None).unwrap();
        assert_eq!(keyring.trusted("/store"), Trusted::FirstSeen);
        assert!(keyring.remember("/store", &key(1), None).unwrap());
        assert!(!keyring.remember("/store", &key(2), None).unwrap());
        let again = Keyring::read(&environment, None).unwrap();
        assert_eq!(again.trusted("/store"), Trusted::Pinned(key(1)));
        assert_eq!(again.trusted("/other"), Trusted::FirstSeen);
    }

    #[test]
    fn a_named_key_takes_the_place_of_the_one_before() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::of([("HOME", home.path().to_str().unwrap())]);
        let mut keyring = Keyring::read(&environment, None).unwrap();
        assert!(keyring.remember("/store", &key(1), None).unwrap());
        let named = key(2).to_string();
        let mut keyring = Keyring::read(&environment, Some(&named)).unwrap();
        assert!(!keyring.remember("/store", &key(1), None).unwrap());
        assert!(keyring.remember("/store", &key(2), None).unwrap());
        assert!(!keyring.remember("/store", &key(2), None).unwrap());
        let again = Keyring::read(&environment, None).unwrap();
        assert_eq!(again.trusted("/store"), Trusted::Pinned(key(2)));
    }

    #[test]
    fn nothing_is_pinned_inside_the_store() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::of([("HOME", home.path().to_str().unwrap())]);
        let mut keyring = Keyring::read(&environment, None).unwrap();
        assert!(
            !keyring
                .remember("/store", &key(1), Some(home.path()))
                .unwrap()
        );
        assert!(std::fs::read_dir(home.path()).unwrap().next().is_none());
    }

    #[test]
    fn a_damaged_file_is_no_empty_file() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join(".local/state/recount");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(FILE), "garbage\n").unwrap();
        let environment = Environment::of([("HOME", home.path().to_str().unwrap())]);
        assert!(Keyring::read(&environment, None).is_err());
    }
}
