//! `docs/glossary.md` has every word of the design, and the words of the code are in it.

use std::collections::BTreeSet;

use crate::committed::root;

/// The words of the design, in its order.
const WORDS: &[&str] = &[
    "session",
    "producer",
    "stream",
    "request",
    "principal",
    "intent",
    "scope",
    "authorization",
    "action",
    "decision",
    "verdict",
    "diff",
    "record",
    "ledger",
    "checkpoint",
    "account",
    "problem",
    "store",
    "whole",
    "epoch",
];

/// Public modules of this crate that are no words of the design, each with its reason.
const MODULES_BESIDE: &[(&str, &str)] = &[
    ("attribute", "keys on the wire"),
    ("catalogue", "the list of events"),
    ("content", "explained under record"),
    ("digest", "explained under record"),
    ("event", "the name of what a record reports"),
    ("id", "identifiers of the words"),
    ("redaction", "explained under record"),
    ("reference", "how records are named in what users write"),
    ("row", "explained under diff"),
    ("source", "explained below the table"),
    ("time", "no word of its own"),
    ("wire", "headers and tags"),
    ("word", "how closed sets are written"),
];

fn glossary() -> String {
    std::fs::read_to_string(root().join("docs/glossary.md")).unwrap()
}

fn headings(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect()
}

#[test]
fn the_glossary_has_exactly_the_words_of_the_design() {
    assert_eq!(headings(&glossary()), WORDS);
}

#[test]
fn every_public_module_is_a_word_or_says_why_it_is_none() {
    let lib = include_str!("../../src/lib.rs");
    let modules: BTreeSet<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    for module in &modules {
        let beside = MODULES_BESIDE.iter().any(|(name, _)| name == module);
        assert!(WORDS.contains(module) != beside, "module {module}");
    }
    for (name, _) in MODULES_BESIDE {
        assert!(modules.contains(name), "no module {name}");
    }
}

#[test]
fn the_words_of_closed_sets_that_the_glossary_lists_are_those_of_the_code() {
    let text = glossary();
    for (set, words) in [
        ("Source", list::<vocabulary::Source>()),
        ("Outcome", list::<vocabulary::action::Outcome>()),
        ("Effect", list::<vocabulary::action::Effect>()),
        ("Access", list::<vocabulary::action::Access>()),
        ("Durability", list::<vocabulary::action::Durability>()),
        ("Integrity", list::<vocabulary::record::IntegrityStatus>()),
        ("Verdict", list::<vocabulary::verdict::Verdict>()),
        ("Scope verdict", list::<vocabulary::verdict::ScopeVerdict>()),
        ("Decision point", list::<vocabulary::decision::Point>()),
        ("Made by", list::<vocabulary::decision::MadeBy>()),
        (
            "Principal proof",
            list::<vocabulary::principal::PrincipalProof>(),
        ),
        ("Read before", list::<vocabulary::action::ReadBefore>()),
        ("Read after", list::<vocabulary::action::ReadAfter>()),
        ("Content state", list::<vocabulary::record::ContentState>()),
        (
            "Recording mode",
            list::<vocabulary::record::RecordingMode>(),
        ),
        ("Sender", list::<vocabulary::record::SenderKind>()),
        ("Delivery", list::<vocabulary::record::Delivery>()),
    ] {
        let line = format!("- **{set}**: {words}.");
        assert!(text.contains(&line), "docs/glossary.md should say\n{line}");
    }
}

fn list<W: vocabulary::word::Word>() -> String {
    let words: Vec<String> = W::ALL
        .iter()
        .map(|word| format!("`{}`", word.word()))
        .collect();
    words.join(", ")
}

#[test]
fn problem_kinds_are_listed_worst_first_with_their_severity() {
    let text = glossary();
    for kind in vocabulary::problem::ProblemKind::ALL {
        let row = format!("| {} | `{kind}` |", kind.severity());
        assert!(
            text.contains(&row),
            "docs/glossary.md should have a row\n{row}"
        );
    }
}
