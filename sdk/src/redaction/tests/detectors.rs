//! The rules of gitleaks: each of them finds what was planted for it.

use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::*;
use crate::redaction::credentials::{self, Rule};

#[test]
fn every_rule_compiles() {
    let broken: Vec<&str> = credentials::rules()
        .iter()
        .filter(|rule| !credentials::compiles(rule))
        .map(|rule| rule.id)
        .collect();
    assert_eq!(broken, [] as [&str; 0]);
}

/// Examples of rules whose expression cannot be made into one.
const BY_HAND: &[(&str, &str)] = &[
    (
        "curl-auth-header",
        "curl -X POST --header 'X-Api-Key: 8f3kd92mfk20smvk3' https://h/",
    ),
    (
        "curl-auth-user",
        "curl --user 'ann:8f3kd92mfk20' https://h/",
    ),
    (
        "kubernetes-secret-yaml",
        "kind: Secret\ndata:\n  word: aHVudGVyMmh1bnRlcjI=\n",
    ),
    (
        "private-key",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n8f3kd92mfk20smvk38f3kd92mfk20smvk38f3kd92mfk20smvk38f3kd92mfk20smvk3\n-----END PGP PRIVATE KEY BLOCK-----",
    ),
];

/// Texts that the rule matches, made from its expression; of each, what the credential in it is.
fn planted(rule: &Rule) -> Vec<(String, String)> {
    let name = format!("gitleaks.{}", rule.id);
    let of = |text: String| {
        let text = format!("see {} {text} there", rule.keywords[0]);
        let one = credentials::find(text.as_bytes())
            .into_iter()
            .find(|(place, by)| *by == name && place.len() >= 8)?;
        Some((text[one.0].to_owned(), text))
    };
    if let Some((_, text)) = BY_HAND.iter().find(|(id, _)| *id == rule.id) {
        return of((*text).to_owned()).into_iter().collect();
    }
    // What only says where a credential begins or ends is a quote here.
    let pattern = rule
        .regex
        .replace(r#"(?:[\x60'"\s;]|\\[nr]|$)"#, "\"")
        .replace(r#"(?:[\x60'"\s;]|\\[nr]|$|\b)"#, "\"")
        .replace("(?:^|", "(?:")
        .replace("(?:$|", "(?:")
        .replace("|$)", ")")
        .replace(r"|\z)", ")")
        .replace("(?i)", "")
        .replace("(?i:", "(?:")
        .replace(r"\b", "");
    let Ok(strategy) = proptest::string::bytes_regex(&format!("(?-u){pattern}")) else {
        return Vec::new();
    };
    let mut runner = TestRunner::deterministic();
    let mut found = Vec::new();
    for _ in 0..200 {
        let Ok(tree) = strategy.new_tree(&mut runner) else {
            break;
        };
        let Ok(text) = String::from_utf8(tree.current()) else {
            continue;
        };
        found.extend(of(text));
        if found.len() == 2 {
            break;
        }
    }
    found
}

#[test]
fn no_planted_credential_of_any_rule_is_in_any_record() {
    let mut unmade = Vec::new();
    let mut survived = Vec::new();
    for rule in credentials::rules() {
        let planted = planted(rule);
        if planted.is_empty() {
            unmade.push(rule.id);
        }
        for (secret, text) in planted {
            let recorder = Recorder::testing_with(Policy::new().all_credentials());
            everywhere(&recorder, &text);
            for record in holds(&recorder, &secret) {
                let name = record.split(' ').next().unwrap_or_default().to_owned();
                survived.push(format!("{}: {secret:?} of {text:?} in {name}", rule.id));
            }
        }
    }
    assert!(survived.is_empty(), "{}", survived.join("\n"));
    assert_eq!(unmade, [] as [&str; 0], "no example could be made");
}
