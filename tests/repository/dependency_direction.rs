//! Each crate depends on those below it in ARCHITECTURE.md's diagram, and on no other.

use crate::tree;
use std::collections::BTreeSet;

const ALLOWED: &[(&str, &[&str])] = &[
    ("vocabulary", &[]),
    ("ledger", &["vocabulary"]),
    ("account", &["ledger", "vocabulary"]),
    ("sdk", &["ledger", "vocabulary"]),
    ("collector-lite", &["account", "ledger", "vocabulary"]),
    ("tui", &["account", "ledger", "recount", "vocabulary"]),
    (
        "examples",
        &[
            "account",
            "collector-lite",
            "ledger",
            "recount",
            "tui",
            "vocabulary",
        ],
    ),
    (
        "tests",
        &[
            "account",
            "collector-lite",
            "examples",
            "ledger",
            "recount",
            "tui",
            "vocabulary",
        ],
    ),
];

#[test]
fn crates_depend_only_downwards() {
    let members: BTreeSet<&str> = ALLOWED
        .iter()
        .flat_map(|(_, below)| below.iter().copied())
        .collect();
    for (folder, below) in ALLOWED {
        let manifest = manifest(folder);
        for name in manifest["dependencies"]
            .as_table()
            .into_iter()
            .flat_map(|table| table.keys())
        {
            assert!(
                !members.contains(name.as_str()) || below.contains(&name.as_str()),
                "{folder} must not depend on {name}"
            );
        }
    }
}

#[test]
fn the_sdk_takes_the_ledger_without_its_store() {
    let ledger = &manifest("sdk")["dependencies"]["ledger"];
    let features = ledger["features"].as_array().expect("a list");
    assert!(
        features
            .iter()
            .all(|feature| matches!(feature.as_str(), Some("otlp" | "producer"))),
        "the SDK links neither store nor verifier: {ledger}"
    );
    let workspace = manifest(".");
    let base = &workspace["workspace"]["dependencies"]["ledger"];
    assert_eq!(base["default-features"].as_bool(), Some(false));
}

fn manifest(folder: &str) -> toml::Value {
    let path = tree::root().join(folder).join("Cargo.toml");
    let text = std::fs::read_to_string(&path).expect("a manifest");
    toml::Value::Table(text.parse().expect("a manifest in TOML"))
}
