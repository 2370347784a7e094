//! The small examples, run as they are run by hand.

use std::path::PathBuf;
use std::process::Command;

/// An example that Cargo has built beside this test.
fn example(name: &str) -> Command {
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
