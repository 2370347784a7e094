//! The small examples, run as they are run by hand.

use std::path::PathBuf;
use std::process::Command;

/// An example that Cargo has built beside this test.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).map(PathBuf::from).unwrap();
    Command::new(built.join("examples").join(name))
}

#[test]
fn a_diff_of_each_kind_is_shown_with_how_each_side_was_read() {
    let home = tempfile::tempdir().unwrap();
    let mut command = example("diff_of_each_kind");
    // What it remembers of keys must not reach the user's own folders.
    for name in [
        "HOME",
        "XDG_STATE_HOME",
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
        "TMPDIR",
    ] {
        command.env(name, home.path());
    }
    let done = command.output().unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    assert_eq!(
        done.status.code(),
        Some(0),
        "{text}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    for line in [
        "file:draft.md",
        "+your contract ends soon.",
        "read before unlocked, after later read; effect committed; in scope",
        "db:contracts/main.contracts/17",
        "read before in transaction, after in transaction; effect rolled back; in scope",
        "read before in transaction, after in transaction; effect committed; in scope",
        "read before precondition sent, after response body; effect committed; in scope",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[test]
fn the_smallest_session_records_without_a_collector() {
    let home = tempfile::tempdir().unwrap();
    let done = example("smallest_session")
        .env("RECOUNT_SPOOL", home.path())
        .env("RECOUNT_COLLECTOR", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{text}");
    assert!(text.contains("Dear Acme"), "{text}");
    assert!(!text.contains("\n0 records unsent"), "{text}");
}

#[test]
fn a_ledger_is_checked_with_the_ledger_crate_alone() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../ledger/tests/golden/1");
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(golden).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
    }
    let check = || example("check_ledger").arg(copy.path()).output().unwrap();
    let done = check();
    let text = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(0), "{text}");
    let note = copy.path().join("last_signed");
    let mut text = std::fs::read(&note).unwrap();
    text[60] ^= 1;
    std::fs::write(&note, text).unwrap();
    assert_eq!(check().status.code(), Some(3));
}
