//! What each feature of the SDK brings, counted as Cargo resolves it.

use std::collections::BTreeSet;
use std::process::Command;

use crate::tree;

/// Crates that the SDK may add to a program that uses `reqwest` and `tokio` already.
const MOST: usize = 60;

/// The crates that a package is built with, itself included.
fn crates(arguments: &[&str]) -> BTreeSet<String> {
    let done = Command::new(env!("CARGO"))
        .current_dir(tree::root())
        .args([
            "tree",
            "--offline",
            "--locked",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .args(arguments)
        .output()
        .expect("cargo");
    let text = String::from_utf8(done.stdout).expect("text");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let name = |line: &str| line.split(" (").next().unwrap_or(line).to_owned();
    text.lines()
        .filter(|line| !line.is_empty())
        .map(name)
        .collect()
}

#[test]
fn the_sdk_adds_at_most_sixty_crates_to_a_program_with_reqwest_and_tokio() {
    let there = crates(&["--package", "reqwest", "--package", "tokio"]);
    let added: Vec<_> = crates(&["--package", "recount"])
        .into_iter()
        .filter(|one| !there.contains(one))
        .collect();
    assert!(added.len() > 10, "the tree is not read: {added:?}");
    assert!(added.len() <= MOST, "{} crates: {added:?}", added.len());
}

#[test]
fn each_feature_says_how_many_crates_it_adds() {
    let page = std::fs::read_to_string(tree::root().join("docs/instrumenting.md")).expect("a page");
    let manifest =
        std::fs::read_to_string(tree::root().join("sdk/Cargo.toml")).expect("a manifest");
    let manifest: toml::Table = toml::from_str(&manifest).expect("toml");
    let without = crates(&["--package", "recount", "--no-default-features"]);
    let features = manifest["features"].as_table().expect("features").keys();
    let mut wrong = Vec::new();
    for feature in features.filter(|name| !matches!(name.as_str(), "default" | "exchange")) {
        let with = [
            "--package",
            "recount",
            "--no-default-features",
            "--features",
            feature,
        ];
        let added = crates(&with).difference(&without).count();
        let row = format!("| `{feature}` | {added} |");
        if !page.contains(&row) {
            wrong.push(row);
        }
    }
    assert!(
        wrong.is_empty(),
        "rows of docs/instrumenting.md that are missing or differ:\n{}",
        wrong.join("\n")
    );
}
