//! One record's proof, one report for stores and bundles, and copies that anchors hold.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use ledger::checkpoint::Checkpoint;
use ledger::note::SignerKey;

use crate::store::{Store, store};

fn recount(store: &Store, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recount"));
    command
        .env_clear()
        .env("HOME", store.home())
        .stdin(Stdio::null());
    command.args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Exit code and output.
fn said(store: &Store, arguments: &[&str]) -> (Option<i32>, String) {
    let output = recount(store, arguments);
    let all = text(&output.stdout) + &text(&output.stderr);
    (output.status.code(), all)
}

#[test]
fn a_record_is_proven_to_somebody_who_has_nothing_but_the_key() {
    let store = store();
    let dir = name(&store.dir());
    let before = store.fingerprint();
    let proof = recount(&store, &["proof", "47892#5", "--store", &dir]);
    assert_eq!(proof.status.code(), Some(0), "{}", text(&proof.stderr));
    assert!(proof.stdout.len() <= 2_048);
    assert_eq!(store.fingerprint(), before, "a proof changes nothing");
    let file = store.home().join("record.proof");
    std::fs::write(&file, &proof.stdout).unwrap();
    let (file, key) = (name(&file), name(&store.dir().join("ledger.pub")));
    let (code, out) = said(&store, &["verify", &file, "--key", &key]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("record 5 of stream "), "{out}");
    assert!(out.contains("integrity            shown "), "{out}");
    assert!(out.contains("its leaf commits to bytes that are not here"));

    let (code, out) = said(&store, &["verify", &file]);
    assert_eq!(code, Some(2), "{out}");
    let other = SignerKey::new("ledger.example.test/one", &[9; 32]).unwrap();
    let other = other.verifier().to_string();
    let (code, out) = said(&store, &["verify", &file, "--key", &other]);
    assert_eq!(code, Some(3), "{out}");
    // Another digit of the record's leaf.
    let extra = text(&proof.stdout).find("extra ").unwrap() + 20;
    let mut forged = proof.stdout.clone();
    forged[extra] = if forged[extra] == b'A' { b'B' } else { b'A' };
    std::fs::write(&file, forged).unwrap();
    let (code, out) = said(&store, &["verify", &file, "--key", &key]);
    assert_eq!(code, Some(3), "{out}");
}

#[test]
fn what_names_no_record_is_not_proven() {
    let store = store();
    let dir = name(&store.dir());
    for (record, code) in [("47892", 2), ("47892#9999", 1), ("nothing#1", 1)] {
        let (found, out) = said(&store, &["proof", record, "--store", &dir]);
        assert_eq!(found, Some(code), "{record}: {out}");
    }
}

/// Names and states of a report's lines.
fn states(report: &str) -> Vec<String> {
    let lines = report.lines().filter(|line| !line.starts_with("  - "));
    let columns = lines.map(|line| line.chars().take(32).collect::<String>());
    columns
        .map(|line| line.trim().to_owned())
        .filter(|line| {
            !["place", "not proven", "time", "exit"]
                .iter()
                .any(|it| line.starts_with(it))
        })
        .collect()
}

#[test]
fn a_bundle_and_the_store_that_it_came_from_are_reported_in_the_same_lines() {
    let store = store();
    let dir = name(&store.dir());
    let bundle = name(&store.home().join("request.tar"));
    let (code, out) = said(
        &store,
        &[
            "export", "47892", "-f", "bundle", "-o", &bundle, "--store", &dir,
        ],
    );
    assert_eq!(code, Some(0), "{out}");
    let (code, here) = said(&store, &["verify", "47892", "--store", &dir, "--view"]);
    assert_eq!(code, Some(0), "{here}");
    let (code, there) = said(&store, &["verify", &bundle]);
    assert_eq!(code, Some(0), "{there}");
    let mut wanted = vec![
        "integrity            shown",
        "completeness         shown",
        "producer_signatures  not shown",
        "producer_gaps        not checked",
        "redactions           shown",
        "epochs               not shown",
        "witnesses            not checked",
        "anchors              not shown",
        "index                shown",
    ];
    assert_eq!(states(&here), wanted, "{here}");
    assert!(here.contains("made again from the sealed bytes"), "{here}");
    wanted[8] = "index                not checked";
    assert_eq!(states(&there), wanted, "{there}");
    let (_, json) = said(&store, &["verify", &bundle, "-o", "json"]);
    assert!(json.contains("\"schema\": \"recount.verify/2\""), "{json}");
}

#[test]
fn a_copy_that_an_anchor_holds_is_compared_with_the_ledger() {
    let store = store();
    let dir = name(&store.dir());
    let note = std::fs::read(store.dir().join("last_signed")).unwrap();
    let copy = store.home().join("copy");
    let verify = |bytes: &[u8]| {
        std::fs::write(&copy, bytes).unwrap();
        let copy = name(&copy);
        said(
            &store,
            &["verify", "47892", "--store", &dir, "--anchor", &copy],
        )
    };
    let (code, out) = verify(&[&note[..], b"\n"].concat());
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("which extends"), "{out}");
    let (code, out) = verify(b"something else\n");
    assert_eq!(code, Some(2), "{out}");
    assert!(out.contains("holds no checkpoint"), "{out}");
    // Signed by the ledger's own key, over another history.
    let seed = std::fs::read(store.dir().join("keys/identity")).unwrap();
    let key = SignerKey::new(
        "ledger.example.test/one",
        seed.as_slice().try_into().unwrap(),
    );
    let key = key.unwrap();
    let mut head = Checkpoint::open(&note, &key.verifier()).unwrap();
    head.head.root[0] ^= 1;
    let (code, out) = verify(&head.sign(&key).unwrap());
    assert_eq!(code, Some(3), "{out}");
    assert!(out.contains("does not extend"), "{out}");
}
