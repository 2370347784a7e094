//! The settings a collector ran with, kept beside the ledger, so that a change is said by name.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::files::{self, Paths};
use crate::leaf::ConfigChange;
use crate::tree::Hash;

/// A file of settings is a few kilobytes.
const MAX_FILE: u64 = 1024 * 1024;

/// One effective setting. A secret never stands here: its file does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// What it is now.
    pub value: String,
    /// Where that comes from: a flag, the environment, a file, a default.
    pub origin: String,
    /// Whether a leaf says its first value, too, and not only each change of it.
    pub said_first: bool,
}

/// The exact bytes of the file `settings`: one JSON object of texts and a newline. Without settings it is empty.
pub(crate) fn encode(settings: &[Setting]) -> Vec<u8> {
    if settings.is_empty() {
        return Vec::new();
    }
    let object: Map<String, Value> = settings
        .iter()
        .map(|setting| (setting.name.clone(), Value::String(setting.value.clone())))
        .collect();
    let mut text = Value::Object(object).to_string().into_bytes();
    text.push(b'\n');
    text
}

/// What the startup leaf says of them: SHA-256 of the file, zeros without settings.
pub(crate) fn digest(encoded: &[u8]) -> Hash {
    if encoded.is_empty() {
        return [0; 32];
    }
    Sha256::digest(encoded).into()
}

/// The bytes that the last start left; `None` where there are none.
pub(crate) fn before(paths: &Paths) -> Result<Option<Vec<u8>>, StoreError> {
    match files::read_small(&paths.settings, MAX_FILE) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What changed since the settings in `before`, by name. What cannot be read any more is said to be unknown.
pub(crate) fn changes(before: &[u8], settings: &[Setting]) -> Vec<ConfigChange> {
    let known: Option<Map<String, Value>> = serde_json::from_slice(before).ok();
    let value = |name: &str| match known.as_ref().map(|known| known.get(name)) {
        None => "unknown".to_owned(),
        Some(None) => "absent".to_owned(),
        Some(Some(value)) => value.as_str().unwrap_or("unknown").to_owned(),
    };
    let mut changes: Vec<ConfigChange> = settings
        .iter()
        .filter(|setting| value(&setting.name) != setting.value)
        .map(|setting| ConfigChange {
            setting: short(&setting.name),
            from: short(&value(&setting.name)),
            to: short(&setting.value),
            origin: short(&setting.origin),
        })
        .collect();
    let gone = known.iter().flat_map(Map::keys);
    for name in gone.filter(|name| !settings.iter().any(|setting| setting.name == **name)) {
        changes.push(ConfigChange {
            setting: short(name),
            from: short(&value(name)),
            to: "absent".to_owned(),
            origin: "this release".to_owned(),
        });
    }
    changes
}

/// What has to be said where no settings were kept before.
pub(crate) fn first(settings: &[Setting]) -> Vec<ConfigChange> {
    let first: Vec<Setting> = settings
        .iter()
        .filter(|setting| setting.said_first)
        .cloned()
        .collect();
    changes(b"{}", &first)
}

/// A text that fits its length prefix.
fn short(text: &str) -> String {
    text.chars().take(8192).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(name: &str, value: &str) -> Setting {
        Setting {
            name: name.to_owned(),
            value: value.to_owned(),
            origin: "flag --x".to_owned(),
            said_first: name == "b",
        }
    }

    #[test]
    fn a_change_is_named_with_what_it_was_and_is() {
        let before = encode(&[setting("a", "1"), setting("b", "2"), setting("old", "3")]);
        let now = [setting("a", "1"), setting("b", "5"), setting("c", "6")];
        let said: Vec<String> = changes(&before, &now)
            .into_iter()
            .map(|change| {
                format!(
                    "{} {}>{} ({})",
                    change.setting, change.from, change.to, change.origin
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                "b 2>5 (flag --x)",
                "c absent>6 (flag --x)",
                "old 3>absent (this release)"
            ]
        );
        assert!(changes(&encode(&now), &now).is_empty());
        let first: Vec<String> = first(&now)
            .into_iter()
            .map(|change| format!("{} {}>{}", change.setting, change.from, change.to))
            .collect();
        assert_eq!(first, ["b absent>5"]);
        assert_eq!(changes(b"no json", &now)[0].from, "unknown");
        assert_ne!(digest(&before), digest(&encode(&now)));
        assert_eq!(digest(&encode(&[])), [0; 32]);
    }
}
