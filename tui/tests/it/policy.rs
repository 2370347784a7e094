//! `recount verify --policy` and `--key WORDS`: what a person demands, and by what a ledger is known.

use std::path::Path;

use ledger::cosignature::Cosigner;
use ledger::note::Note;
use ledger::store::Folder;
use ledger::verify::{Trusted, Verifier};
use serde_json::Value;

use crate::cli::{ask, code, err, out};
use crate::store::{Store, store};

fn words(dir: &Path) -> String {
    let folder = Folder::open(dir).unwrap();
    let mut verifier = Verifier::open(&folder, &Trusted::FirstSeen).unwrap();
    verifier.fingerprint().unwrap().unwrap().words()
}

/// Verifies everything under a policy with these lines behind the log's.
fn under(store: &Store, lines: &str) -> std::process::Output {
    let file = store.home().join("policy");
    let key = std::fs::read_to_string(store.dir().join("ledger.pub")).unwrap();
    std::fs::write(&file, format!("log {}\n{lines}", key.trim())).unwrap();
    let file = file.display().to_string();
    ask(store, &["verify", "--all", "--policy", &file, "-o", "json"])
}

fn json(output: &std::process::Output) -> Value {
    serde_json::from_str(&out(output)).expect("the report is JSON")
}

fn state(report: &Value, property: &str) -> String {
    let lines = report["properties"].as_array().unwrap();
    let line = lines.iter().find(|line| line["property"] == property);
    line.unwrap()["state"].as_str().unwrap().to_owned()
}

#[test]
fn the_words_show_epochs_and_wrong_words_are_exit_three() {
    let store = store();
    let words = words(&store.dir());
    let known = ask(&store, &["verify", "--all", "-o", "json", "--key", &words]);
    assert_eq!(code(&known), 0, "{}{}", out(&known), err(&known));
    assert_eq!(state(&json(&known), "epochs"), "shown");
    assert_eq!(state(&json(&known), "index"), "shown");
    let other = ledger::fingerprint::Fingerprint([3; 32]).words();
    let wrong = ask(&store, &["verify", "--all", "--key", &other]);
    assert_eq!(code(&wrong), 3, "{}", out(&wrong));
    let typo = words.replacen(' ', " zoo ", 1);
    assert_eq!(code(&ask(&store, &["verify", "--all", "--key", &typo])), 2);
}

/// redteam: E10
#[test]
fn a_policy_that_is_not_met_is_exit_seven_and_one_that_cannot_be_read_is_two() {
    let store = store();
    let strict = under(&store, "quorum none\n");
    assert_eq!(code(&strict), 7, "{}", out(&strict));
    let unmet = json(&strict)["policy"]["unmet"].to_string();
    assert!(
        unmet.contains("epochs is required and is not_shown"),
        "{unmet}"
    );
    let some = under(&store, "quorum none\nrequire integrity\nrequire index\n");
    assert_eq!(code(&some), 0, "{}", out(&some));
    assert_eq!(json(&some)["policy"]["met"], true);
    for malformed in ["", "quorum none\nrequire nothing\n", "quorum some\n"] {
        let refused = under(&store, malformed);
        assert_eq!(code(&refused), 2, "{malformed:?} {}", out(&refused));
        assert!(err(&refused).contains("hint: "), "{}", err(&refused));
    }
}

#[test]
fn a_quorum_is_counted_over_the_checkpoint() {
    let store = store();
    let witness = |n: u8| Cosigner::new(&format!("w{n}.example.test"), &[n; 32]).unwrap();
    let policy = format!(
        "witness a {}\nwitness b {}\ngroup both all a b\nquorum both\nrequire integrity\n",
        witness(1).key(),
        witness(2).key()
    );
    let signed = store.dir().join("last_signed");
    let mut note = std::fs::read_to_string(&signed).unwrap();
    let text = Note::parse(note.as_bytes()).unwrap().text.to_owned();
    note.push_str(&witness(1).cosign(&text, 1_790_000_000));
    std::fs::write(&signed, &note).unwrap();
    let one = under(&store, &policy);
    assert_eq!(code(&one), 7, "{}", out(&one));
    assert_eq!(state(&json(&one), "witnesses"), "not_shown");
    note.push_str(&witness(2).cosign(&text, 1_790_000_060));
    std::fs::write(&signed, &note).unwrap();
    let both = under(&store, &policy);
    assert_eq!(code(&both), 0, "{}", out(&both));
    assert_eq!(json(&both)["not_after"]["by"], "quorum both");
    assert_eq!(
        json(&both)["not_after"]["at"],
        "2026-09-21T14:14:20.000000Z"
    );
    // A line that a witness did not write is no reason to shrug.
    std::fs::write(&signed, note.replace("w2.example.test", "w1.example.test")).unwrap();
    let forged = under(&store, &policy);
    assert_eq!(
        code(&forged),
        7,
        "another id: passed over. {}",
        out(&forged)
    );
}
