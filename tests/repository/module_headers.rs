//! Every source file opens with one sentence that says what it is.

use crate::tree;

#[test]
fn every_source_file_opens_with_one_sentence() {
    let bare: Vec<String> = tree::files("rs")
        .iter()
        .filter(|path| {
            let text = std::fs::read_to_string(path).expect("a readable source file");
            !header(&text).is_some_and(is_sentence)
        })
        .map(|path| tree::shown(path))
        .collect();
    assert!(
        bare.is_empty(),
        "no sentence in the first line of:\n{}",
        bare.join("\n")
    );
}

#[test]
fn a_header_that_is_no_sentence_is_refused() {
    assert!(header("//! Reads leaves.\n").is_some_and(is_sentence));
    assert!(header("use std::fs;\n").is_none());
    assert!(!header("//! Reads leaves\n").is_some_and(is_sentence));
    assert!(!header("//!\n").is_some_and(is_sentence));
}

/// The first paragraph of the file's documentation.
fn header(text: &str) -> Option<String> {
    let lines: Vec<&str> = text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .map(|line| line.trim_start_matches("//!").trim())
        .take_while(|line| !line.is_empty())
        .collect();
    (text.starts_with("//!")).then(|| lines.join(" "))
}

fn is_sentence(text: impl AsRef<str>) -> bool {
    let text = text.as_ref();
    text.len() > 10 && text.ends_with(['.', ':', '?'])
}
