//! How much an auditor has to read, and that none of it reaches for a file, a network or `unsafe`.

use std::path::Path;

use crate::tree::{files, root, shown};

/// Folders and files of `ledger/src` that a feature brings.
const BROUGHT: [&str; 4] = ["store", "door", "bundle", "words"];

/// What checks a checkpoint, a cosignature, a leaf and its proof: all that a relying party of one record needs.
const PROOFS: [&str; 10] = [
    "bytes",
    "checkpoint",
    "cosignature",
    "fingerprint",
    "hex",
    "leaf",
    "note",
    "proof",
    "tile",
    "tree",
];

/// Lines of code of that part; decision 0017 says why they are more than were asked for.
const PROOF_LINES: usize = 2_100;
/// Lines of code of the crate without features, verifier and OTLP walker included.
const ALL_LINES: usize = 8_500;

/// Lines that are neither blank nor comment, up to the unit tests at the end of a file.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines
        .take_while(|line| *line != "#[cfg(test)]")
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
}

/// The first name under `ledger/src`, without its ending.
fn part(path: &Path) -> Option<String> {
    let below = path.strip_prefix(root().join("ledger/src")).ok()?;
    let first = below.iter().next()?.to_string_lossy().into_owned();
    Some(first.trim_end_matches(".rs").to_owned())
}

#[test]
fn the_ledger_without_features_is_small_enough_to_be_read_and_reaches_for_nothing() {
    let (mut all, mut proofs) = (0, 0);
    for path in files("rs") {
        let Some(part) = part(&path).filter(|part| !BROUGHT.contains(&part.as_str())) else {
            continue;
        };
        let text = std::fs::read_to_string(&path).expect("a readable file");
        for line in code(&text) {
            for foreign in ["unsafe {", "std::fs", "std::net", "rusqlite", "std::env"] {
                assert!(!line.contains(foreign), "{}: {line}", shown(&path));
            }
            all += 1;
            proofs += usize::from(PROOFS.contains(&part.as_str()));
        }
    }
    println!("{proofs} lines check a proof, {all} a whole ledger");
    assert!(proofs > 1_000 && all > proofs, "nothing was counted");
    assert!(proofs <= PROOF_LINES, "{proofs} lines check a proof");
    assert!(all <= ALL_LINES, "{all} lines without features");
}
