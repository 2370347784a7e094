//! Reading a folder: nothing in it changes, and whatever keeps it from being read has its own name.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use ledger::reader::{Find, ReadError, Reader};
use ledger::store::{Folder, Ledger, StoreError};
use rusqlite::Connection;

use super::crash::run_and_kill;
use super::maintenance::{filled, findings};
use super::support::{Place, Seen, snapshot};

/// Reads all there is, and checks it.
fn read_everything(dir: &Path) -> (usize, Vec<String>) {
    let folder = Folder::open(dir).unwrap();
    let mut records = 0;
    for hint in folder.find(&Find::All).unwrap() {
        records += folder.records(&hint.stream, 0, u64::MAX).unwrap().len();
    }
    folder.status().unwrap();
    (records, findings(&folder))
}

#[test]
fn reading_changes_no_name_no_byte_and_no_time() {
    let place = filled();
    let before = snapshot(&place.dir());
    assert_eq!(read_everything(&place.dir()), (1238, vec![]));
    assert_eq!(snapshot(&place.dir()), before);
}

#[test]
fn a_log_left_by_a_killed_collector_is_read_without_being_touched() {
    let place = Place::new();
    let acked = run_and_kill(&place.dir(), 0, 30);
    assert!(
        std::fs::metadata(place.dir().join("ledger.db-wal"))
            .unwrap()
            .len()
            > 0
    );
    let before = snapshot(&place.dir());
    let (records, findings) = read_everything(&place.dir());
    assert_eq!(findings, Vec::<String>::new());
    assert!(
        records as u64 >= acked.iter().sum::<u64>(),
        "{records} of {acked:?}"
    );
    assert_eq!(snapshot(&place.dir()), before);
}

#[test]
fn a_read_only_file_system_is_enough() {
    let place = filled();
    let mount = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| {
        let mut command = Command::new("mount");
        command.args(args).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let (from, to) = (place.dir(), mount.path().to_path_buf());
    let (from, to) = (from.to_str().unwrap(), to.to_str().unwrap());
    if !run(&["--bind", from, to]) {
        eprintln!("skipped: mounting needs root");
        return;
    }
    let read_only = run(&["-o", "remount,ro,bind", to]);
    let outcome = std::panic::catch_unwind(|| {
        assert!(std::fs::write(Path::new(to).join("x"), "x").is_err());
        read_everything(Path::new(to))
    });
    assert!(Command::new("umount").arg(to).status().unwrap().success());
    assert!(read_only);
    assert_eq!(outcome.unwrap(), (1238, vec![]));
}

#[test]
fn a_collector_that_starts_while_a_reader_is_open_is_not_kept_out_and_the_reader_says_so() {
    let place = filled();
    let folder = place.read();
    let ledger = place.open();
    let error = folder.find(&Find::All).unwrap_err();
    assert!(matches!(error, ReadError::Unavailable { .. }), "{error}");
    ledger.close().unwrap();
    let error = folder.find(&Find::All).unwrap_err();
    assert!(error.to_string().contains("open it again"), "{error}");
    assert_eq!(place.read().find(&Find::All).unwrap().len(), 4);
}

fn refusals(place: &Place) -> (StoreError, StoreError) {
    let reader = Folder::open(&place.dir()).unwrap_err();
    let writer = Ledger::open(&place.dir(), place.options()).unwrap_err();
    (reader, writer)
}

fn sql(place: &Place, statement: &str) {
    Connection::open(place.dir().join("ledger.db"))
        .unwrap()
        .execute_batch(statement)
        .unwrap();
}

#[test]
fn what_is_no_ledger_of_ours_is_refused_by_name_and_left_alone() {
    let nothing = Place::new();
    std::fs::remove_dir_all(nothing.dir()).unwrap();
    assert!(matches!(
        refusals(&nothing),
        (StoreError::Missing { .. }, StoreError::Missing { .. })
    ));
    assert!(!nothing.dir().exists());

    let newer = Place::new();
    sql(&newer, "PRAGMA user_version = 2");
    let before = snapshot(&newer.dir());
    let refused = refusals(&newer);
    assert!(
        matches!(
            refused,
            (
                StoreError::Newer {
                    found: 2,
                    known: 1,
                    ..
                },
                StoreError::Newer { found: 2, .. }
            )
        ),
        "{refused:?}"
    );
    let names = |snapshot: &[Seen]| {
        snapshot
            .iter()
            .find(|entry| entry.0.ends_with("ledger.db"))
            .unwrap()
            .3
            .clone()
    };
    assert_eq!(names(&snapshot(&newer.dir())), names(&before));

    let foreign = Place::new();
    sql(&foreign, "PRAGMA application_id = 1");
    assert!(matches!(
        refusals(&foreign),
        (StoreError::Foreign { .. }, StoreError::Foreign { .. })
    ));

    let text = Place::new();
    std::fs::write(
        text.dir().join("ledger.db"),
        "not a database, but longer than a header of one ".repeat(99),
    )
    .unwrap();
    assert!(matches!(
        refusals(&text),
        (StoreError::Foreign { .. }, StoreError::Foreign { .. })
    ));

    let hostile = Place::new();
    sql(
        &hostile,
        "CREATE TRIGGER t AFTER INSERT ON segment BEGIN DELETE FROM control; END",
    );
    let refused = refusals(&hostile);
    assert!(
        matches!(
            refused,
            (StoreError::Damaged { .. }, StoreError::Damaged { .. })
        ),
        "{refused:?}"
    );
    assert!(
        refused.0.to_string().contains("what recount never creates"),
        "{}",
        refused.0
    );
}

/// Run as nobody by the test below: says how the folder in the environment answers.
#[test]
fn child_without_permission() {
    let Ok(dir) = std::env::var("RECOUNT_TEST_DENIED_DIR") else {
        return;
    };
    println!("answer {:?}", Folder::open(Path::new(&dir)).map(drop));
}

#[test]
fn a_folder_of_another_user_is_not_allowed_rather_than_missing() {
    let place = filled();
    std::fs::set_permissions(place.temp.path(), PermissionsExt::from_mode(0o755)).unwrap();
    // The test binary itself may lie where nobody cannot reach it.
    let program = place.temp.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    let ask = || {
        let output = Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args([
                "reading::child_without_permission",
                "--exact",
                "--nocapture",
            ])
            .env("RECOUNT_TEST_DENIED_DIR", place.dir())
            .output();
        output.ok().filter(|output| output.status.success())
    };
    let Some(output) = ask() else {
        eprintln!("skipped: becoming another user needs root and setpriv");
        return;
    };
    let said = |output: std::process::Output| String::from_utf8(output.stdout).unwrap();
    let first = said(output);
    assert!(first.contains("answer Err(Denied"), "{first}");
    // As a group member may see it: readable, the folder not writable.
    std::fs::set_permissions(place.dir(), PermissionsExt::from_mode(0o755)).unwrap();
    for name in ["ledger.db", "acked", "last_signed", "lock", "ledger.pub"] {
        std::fs::set_permissions(place.dir().join(name), PermissionsExt::from_mode(0o644)).unwrap();
    }
    let second = said(ask().unwrap());
    assert!(second.contains("answer Ok(())"), "{second}");
}
