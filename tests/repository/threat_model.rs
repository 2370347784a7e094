//! Every sentence of the threat model's promises names what shows it, and what is named exists.

use crate::tree;

const DOCUMENT: &str = "docs/threat-model.md";

fn text() -> String {
    std::fs::read_to_string(tree::root().join(DOCUMENT)).expect("the threat model")
}

#[test]
fn every_sentence_of_the_threat_model_names_what_shows_it() {
    let text = text();
    let bare: Vec<&str> = promises(&text)
        .into_iter()
        .filter(|promise| ids(promise).is_empty() && tests(promise).is_empty())
        .collect();
    assert!(
        bare.is_empty(),
        "no attack or test named in:\n{}",
        bare.join("\n")
    );
    assert!(promises(&text).len() > 50, "the promises are not found");
}

#[test]
fn every_attack_and_test_that_the_threat_model_names_exists() {
    let text = text();
    let rows: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split(' ').next())
        .collect();
    let (prose, _) = text.split_once("<!-- attacks").expect("a table");
    let sources: String = tree::files("rs")
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("a readable source file"))
        .collect();
    let lost: Vec<&str> = ids(prose)
        .into_iter()
        .filter(|id| !rows.contains(id))
        .chain(tests(prose).into_iter().filter(|name| {
            let short = name.strip_prefix("incident_").unwrap_or(name);
            let named = [
                format!("fn {name}"),
                format!("\"{name}\""),
                format!("\"{short}\""),
            ];
            !named.iter().any(|named| sources.contains(named))
        }))
        .collect();
    assert!(lost.is_empty(), "named but not there: {lost:?}");
}

#[test]
fn a_name_is_told_from_other_words() {
    let words = "See S03, K1, `a_test_that_shows`, `verify`, `not_proven` and E15.";
    assert_eq!(ids(words), ["S03", "E15"]);
    assert_eq!(tests(words), ["a_test_that_shows"]);
}

#[test]
fn a_sentence_ends_where_the_next_begins() {
    let text = "Nothing does (S01). `verify` says so, e.g. here. It can (P06)";
    assert_eq!(
        sentences(text),
        [
            "Nothing does (S01).",
            "`verify` says so, e.g. here.",
            "It can (P06)"
        ]
    );
    assert_eq!(
        promises("- One. Two.\nprose. More.\n<!-- attacks\n- Three."),
        ["One.", "Two."]
    );
}

/// The sentences of the promises and of the list items before the table of attacks.
fn promises(text: &str) -> Vec<&str> {
    let prose = text.split("<!-- attacks").next().unwrap_or(text);
    prose
        .lines()
        .filter_map(|line| {
            line.strip_prefix("- ")
                .or_else(|| line.strip_prefix("Promise: "))
        })
        .flat_map(sentences)
        .collect()
}

/// Divided where a full stop is followed by a space and a capital or a backtick.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    for (at, _) in text.match_indices(". ") {
        let next = text[at + 2..].chars().next();
        if next.is_some_and(|c| c.is_uppercase() || c == '`') {
            found.push(&text[from..=at]);
            from = at + 2;
        }
    }
    found.push(&text[from..]);
    found
}

/// Names of attacks: a family's letter and two digits.
fn ids(text: &str) -> Vec<&str> {
    let names = |word: &&str| {
        word.len() == 3
            && word.starts_with(['S', 'K', 'P', 'E', 'O'])
            && word[1..].bytes().all(|b| b.is_ascii_digit())
    };
    text.split(|c: char| !c.is_ascii_alphanumeric())
        .filter(names)
        .collect()
}

/// Names of tests: in backticks, in lower case, with two underscores or more.
fn tests(text: &str) -> Vec<&str> {
    let is_name = |code: &&str| {
        code.matches('_').count() > 1
            && code
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text.split('`').skip(1).step_by(2).filter(is_name).collect()
}
