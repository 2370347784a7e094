//! Every path that a document names in backticks exists.

use crate::tree;

#[test]
fn every_path_named_in_a_document_exists() {
    let mut missing = Vec::new();
    for document in tree::files("md") {
        let text = std::fs::read_to_string(&document).expect("a readable document");
        for path in paths(&text) {
            let folder = document.parent().expect("a document lies in a folder");
            if !tree::root().join(&path).exists() && !folder.join(&path).exists() {
                missing.push(format!("{}: {path}", tree::shown(&document)));
            }
        }
    }
    assert!(
        missing.is_empty(),
        "named but not there:\n{}",
        missing.join("\n")
    );
}

#[test]
fn a_path_is_told_from_other_code() {
    let text = "See `docs/records.md`, `ledger/src/`, `cargo test`, `a/b` and `/var/lib/recount`.";
    assert_eq!(paths(text), ["docs/records.md", "ledger/src/"]);
}

/// What stands in backticks and starts with one of the repository's own top folders or files.
fn paths(text: &str) -> Vec<String> {
    const TOP: &[&str] = &[
        "vocabulary/",
        "ledger/",
        "account/",
        "sdk/",
        "collector-lite/",
        "tui/",
        "examples/",
        "tests/",
        "docs/",
        "scripts/",
        ".ci/",
        "fuzz/",
        "README.md",
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "deny.toml",
    ];
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| TOP.iter().any(|top| code.starts_with(top)))
        .filter(|code| !code.contains(['*', ' ', '…', '<', '{', '\n']))
        .map(|code| code.split('#').next().unwrap_or(code).to_owned())
        .collect()
}
