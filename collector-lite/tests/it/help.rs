//! `--help` is the contract: what it says is kept in a file, so that every change of it is seen.
//!
//! `RECOUNT_BLESS=1 cargo test -p collector-lite help` writes the file anew.

use std::process::Command;

use crate::harness::BINARY;

const COMMANDS: &[&str] = &[
    "",
    "init",
    "serve",
    "status",
    "verify",
    "key",
    "reindex",
    "compact",
    "recover",
    "checkpoint",
    "adopt",
    "import",
    "enroll",
    "producers",
    "revoke",
    "doctor",
    "config",
    "anchor",
    "anchor status",
    "anchor now",
    "anchor release",
    "witness",
    "witness init",
    "witness vkey",
    "witness trust",
];

#[test]
fn the_help_of_every_command_is_what_was_agreed() {
    let mut said = String::new();
    for command in COMMANDS {
        let mut program = Command::new(BINARY);
        let output = program
            .args(command.split_whitespace())
            .arg("--help")
            .env("COLUMNS", "100")
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}");
        said.push_str(
            &format!("$ recount-collector {command}\n").replace("collector \n", "collector\n"),
        );
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            said.push_str(line.trim_end());
            said.push('\n');
        }
        said.push('\n');
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/help.txt");
    if std::env::var_os("RECOUNT_BLESS").is_some() {
        std::fs::write(file, &said).unwrap();
    }
    let agreed = std::fs::read_to_string(file).unwrap();
    assert_eq!(
        said, agreed,
        "run with RECOUNT_BLESS=1 if the change is meant"
    );
}
