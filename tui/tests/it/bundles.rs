//! Exports from outside: what is written, what a second party sees with no store, and what is refused.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ledger::bundle::{pack, unpack};
use ledger::reader::{Find, Reader as _};
use ledger::store::Folder;

use crate::store::{Store, flip, store};

fn recount(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recount"));
    command.env_clear().env("HOME", home).stdin(Stdio::null());
    command.args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Exports request 47892; gives the file and where a second party is at home, who never saw the store.
fn exported(store: &Store, more: &[&str]) -> (tempfile::TempDir, PathBuf, Output) {
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("request.tar");
    let (dir, name) = (store.dir(), file.display().to_string());
    let mut arguments = vec!["export", "47892", "-f", "bundle", "-o", &name];
    let dir = dir.display().to_string();
    arguments.extend(["--store", &dir]);
    arguments.extend(more);
    let output = recount(&store.home(), &arguments);
    (elsewhere, file, output)
}

#[test]
fn whoever_gets_a_bundle_sees_the_same_account_and_needs_no_store() {
    let store = store();
    let before = store.fingerprint();
    let (home, file, output) = exported(&store, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(store.fingerprint(), before, "an export changes nothing");
    let name = file.display().to_string();
    let verified = recount(home.path(), &["verify", &name]);
    let said = text(&verified.stdout);
    assert_eq!(
        verified.status.code(),
        Some(0),
        "{said}{}",
        text(&verified.stderr)
    );
    for line in [
        "integrity            shown ",
        "completeness         shown ",
        "redactions           shown ",
        "index                not checked a bundle has no index",
        "other streams and newer heads may be left out",
        "exit                 0",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let there = recount(home.path(), &["show", &name]);
    let dir = store.dir().display().to_string();
    let here = recount(home.path(), &["show", "47892", "--store", &dir]);
    let facts = |output: &Output| {
        let lines = text(&output.stdout);
        let told = |line: &&str| {
            !line.starts_with("store ") && !line.starts_with("record") && !line.starts_with("not_")
        };
        lines
            .lines()
            .filter(told)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (there, here) = (facts(&there), facts(&here));
    assert!(there.len() > 10, "{there:?}");
    let differing: Vec<_> = there.iter().zip(&here).filter(|(a, b)| a != b).collect();
    assert!(
        differing
            .iter()
            .all(|(a, _)| a.contains("not proven") || a.contains("proven")),
        "{differing:?}"
    );
    for command in [
        &["log", &name][..],
        &["why", &name],
        &["diff", &name, "--stat"],
    ] {
        let output = recount(home.path(), command);
        assert_eq!(output.status.code(), Some(0), "{command:?}");
    }
}

#[test]
fn the_same_export_gives_the_same_bytes_and_never_overwrites() {
    let store = store();
    let (_one, file, _) = exported(&store, &[]);
    let (_other, again, _) = exported(&store, &[]);
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(again).unwrap());
    let name = file.display().to_string();
    let dir = store.dir().display().to_string();
    let output = recount(
        &store.home(),
        &["export", "47892", "-o", &name, "--store", &dir],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("exists"));
}

/// What the leaf of the third record of the request commits to: bytes that are in the store once.
fn commitment(store: &Store) -> Vec<u8> {
    let folder = Folder::open(&store.dir()).unwrap();
    let hints = folder.find(&Find::Request("47892".to_owned())).unwrap();
    let records = folder.records(&hints[0].stream, 2, 3).unwrap();
    records[0].leaf[22..].to_vec()
}

/// What does not verify is evidence too, but it never leaves unnoticed.
#[test]
fn a_broken_record_is_exported_only_when_asked_for_and_says_so_everywhere() {
    let store = store();
    flip(&store.dir().join("ledger.db"), &commitment(&store));
    let (_home, file, output) = exported(&store, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(!file.exists(), "nothing was written");
    assert!(
        text(&output.stderr).contains("--broken"),
        "{}",
        text(&output.stderr)
    );
    let (home, file, output) = exported(&store, &["--broken"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output.stderr).contains("NOT INTACT"),
        "{}",
        text(&output.stderr)
    );
    let name = file.display().to_string();
    let verified = recount(home.path(), &["verify", &name]);
    assert_eq!(verified.status.code(), Some(3));
    assert!(
        text(&verified.stdout).contains("integrity            FAILED"),
        "{}",
        text(&verified.stdout)
    );
    let shown = recount(home.path(), &["show", &name]);
    assert_eq!(shown.status.code(), Some(3), "{}", text(&shown.stdout));
}

/// redteam: E11. The account in a bundle is a duplicate that nothing vouches for.
#[test]
fn an_account_that_says_something_else_than_the_records_is_found_and_never_shown() {
    let store = store();
    let (home, file, _) = exported(&store, &[]);
    let bytes = std::fs::read(&file).unwrap();
    let (files, _) = unpack(&bytes).unwrap();
    let account = files
        .iter()
        .find(|(name, _)| *name == "account.json")
        .unwrap()
        .1;
    let changed = text(account).replacen("\"intact\"", "\"broken\"", 1);
    assert!(changed.as_bytes() != account, "nothing was changed");
    let forged: Vec<(&str, &[u8])> = files
        .iter()
        .filter(|(name, _)| *name != "SHA256SUMS")
        .map(|(name, content)| match *name {
            "account.json" => (*name, changed.as_bytes()),
            _ => (*name, *content),
        })
        .collect();
    std::fs::write(&file, pack(&forged).unwrap()).unwrap();
    let name = file.display().to_string();
    let verified = recount(home.path(), &["verify", &name]);
    assert_eq!(
        verified.status.code(),
        Some(3),
        "{}",
        text(&verified.stdout)
    );
    let said = text(&verified.stdout);
    assert!(
        said.contains("account.json is not what the records give"),
        "{said}"
    );
    let shown = recount(home.path(), &["show", &name, "-o", "json"]);
    assert_eq!(shown.status.code(), Some(0));
    assert!(text(&shown.stdout).contains("\"status\": \"intact\""));
}

#[test]
fn what_is_no_bundle_is_refused_by_name() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("other.tar");
    std::fs::write(&file, b"not a bundle").unwrap();
    let name = file.display().to_string();
    for command in [
        &["verify", &name][..],
        &["show", &name],
        &["show", "1", "--store", &name],
    ] {
        let output = recount(home.path(), command);
        assert_eq!(output.status.code(), Some(2), "{command:?}");
        assert!(
            text(&output.stderr).contains("not a bundle"),
            "{}",
            text(&output.stderr)
        );
    }
}

/// redteam: S14, S15. A bundle of another ledger under a known name.
#[test]
fn a_bundle_by_another_key_under_a_pinned_name_is_not_believed() {
    let store = store();
    let (home, file, _) = exported(&store, &[]);
    let key = std::fs::read_to_string(store.dir().join("ledger.pub")).unwrap();
    let (origin, _) = key.split_once('+').unwrap();
    let other = ledger::note::SignerKey::new(origin, &[9; 32])
        .unwrap()
        .verifier();
    let pins = home.path().join(".local/state/recount");
    std::fs::create_dir_all(&pins).unwrap();
    std::fs::write(pins.join("known_keys"), format!("{other} /somewhere\n")).unwrap();
    let name = file.display().to_string();
    let verified = recount(home.path(), &["verify", &name]);
    assert_eq!(
        verified.status.code(),
        Some(3),
        "{}",
        text(&verified.stdout)
    );
    std::fs::write(
        pins.join("known_keys"),
        format!("{} /somewhere\n", key.trim()),
    )
    .unwrap();
    let verified = recount(home.path(), &["verify", &name]);
    assert_eq!(verified.status.code(), Some(0));
    assert!(
        text(&verified.stdout).contains("signed by the pinned key"),
        "{}",
        text(&verified.stdout)
    );
}
