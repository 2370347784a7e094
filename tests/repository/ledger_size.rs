//! How much an auditor of one record has to read, and that none of it reaches for a file, a network or `unsafe`.

use std::path::{Path, PathBuf};

use crate::tree::{root, shown};

/// Most lines of code that `ledger` may have without its features; decision 0025 says what is in them.
const LINES: usize = 2_000;

/// Lines that are neither blank nor comment, up to the unit tests at the end of a file.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines
        .take_while(|line| *line != "#[cfg(test)]")
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
}

/// The modules that a file declares in files of their own, without those that a feature brings.
fn modules(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut brought = false;
    for line in code(text) {
        if line.starts_with("#[") {
            brought |= line.starts_with("#[cfg(") && line.contains("feature");
            continue;
        }
        let declared = line.strip_suffix(';').and_then(|line| {
            let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
            line.strip_prefix("pub ")
                .unwrap_or(line)
                .strip_prefix("mod ")
        });
        found.extend(declared.filter(|_| !brought).map(str::to_owned));
        brought = false;
    }
    found
}

/// Where the module `name` of the file at `parent` lies.
fn file_of(parent: &Path, name: &str) -> PathBuf {
    let folder = match parent.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "mod") | None => parent.with_file_name(""),
        Some(_) => parent.with_extension(""),
    };
    let flat = folder.join(format!("{name}.rs"));
    if flat.is_file() {
        flat
    } else {
        folder.join(name).join("mod.rs")
    }
}

#[test]
fn modules_behind_a_feature_are_told_from_the_others() {
    let text = "pub mod a;\n\n#[cfg(feature = \"x\")]\n/// Words.\npub mod b;\nmod c;\n#[cfg(any(feature = \"x\", \
                feature = \"y\"))]\n#[doc(hidden)]\nmod d;\npub(crate) mod e;\nmod f {}\n#[cfg(test)]\nmod g;\n";
    assert_eq!(modules(text), ["a", "c", "e"]);
}

#[test]
fn the_ledger_without_features_is_small_enough_to_be_read_and_reaches_for_nothing() {
    let mut open = vec![root().join("ledger/src/lib.rs")];
    let mut lines = 0;
    let mut read = Vec::new();
    while let Some(path) = open.pop() {
        let text = std::fs::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{}: {error}", shown(&path)));
        for line in code(&text) {
            for foreign in ["unsafe {", "std::fs", "std::net", "rusqlite", "std::env"] {
                assert!(!line.contains(foreign), "{}: {line}", shown(&path));
            }
            lines += 1;
        }
        open.extend(modules(&text).iter().map(|name| file_of(&path, name)));
        read.push(shown(&path));
    }
    println!("{lines} lines in {} files", read.len());
    for name in [
        "tree/proof",
        "leaf/control",
        "envelope",
        "note",
        "cosignature",
    ] {
        let file = format!("ledger/src/{name}.rs");
        assert!(read.contains(&file), "{file} was not counted");
    }
    assert!(lines <= LINES, "{lines} lines without features");
}
