//! Going on after a restore: the old ledger beside a new one that links to it.

use std::path::Path;

use ledger::leaf::{ControlBody, ControlLeaf};
use ledger::reader::{Find, Reader};
use ledger::store::{
    Folder, InitOptions, Ledger, RecoverOptions, Recovered, StoreError, continued, init, previous,
    recover_ledger,
};

use super::maintenance::findings;
use super::support::{Place, START_NS, append, part};

fn options() -> RecoverOptions {
    RecoverOptions {
        actor: "ops".to_owned(),
        reason: "restored the backup of Monday".to_owned(),
        origin: None,
        now_ns: START_NS + 7,
    }
}

fn recover(dir: &Path) -> Recovered {
    recover_ledger(dir, &options()).unwrap()
}

/// A ledger whose database is an older copy; how many leaves were signed, and how many are there.
fn restored(place: &Place) -> (u64, u64) {
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 3)]);
    ledger.close().unwrap();
    let backup = place.temp.path().join("backup.db");
    std::fs::copy(place.dir().join("ledger.db"), &backup).unwrap();
    let found = place.read().status().unwrap().size;
    let ledger = place.open();
    append(&ledger, vec![part("a", 3, 6), part("b", 0, 2)]);
    ledger.close().unwrap();
    let claimed = place.read().status().unwrap().size;
    std::fs::copy(&backup, place.dir().join("ledger.db")).unwrap();
    (claimed, found)
}

/// redteam: S09 O04
#[test]
fn a_restored_ledger_goes_on_under_a_new_name_and_the_old_one_stays_readable_beside_it() {
    let place = Place::new();
    let old = place.read().status().unwrap();
    let (claimed, found) = restored(&place);
    let refused = Ledger::open(&place.dir(), place.options()).unwrap_err();
    assert!(matches!(refused, StoreError::Behind { .. }), "{refused}");

    let done = recover(&place.dir());
    assert_eq!(
        (
            done.continues.ledger,
            done.continues.claimed.size,
            done.continues.found.size
        ),
        (old.ledger, claimed, found)
    );
    assert!(done.ledger != old.ledger && done.origin != old.origin);

    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 5)]);
    ledger.close().unwrap();
    let folder = place.read();
    assert_eq!(findings(&folder), Vec::<String>::new());
    let said = continued(&folder).unwrap().unwrap();
    assert_eq!(said, done.continues);
    let note = said.note.unwrap();
    assert_eq!(
        (&*note.actor, &*note.reason, &note.origin),
        ("ops", "restored the backup of Monday", &old.origin)
    );
    let genesis = folder.control(0, 1).unwrap().remove(0);
    let ControlBody::Genesis {
        previous: linked, ..
    } = ControlLeaf::decode(&genesis.leaf).unwrap().body
    else {
        panic!("no genesis")
    };
    assert_eq!(linked, (old.ledger, done.continues.claimed));

    // The old one: what it holds is readable, and it says itself that something is missing.
    assert_eq!(previous(&place.dir()), std::slice::from_ref(&done.previous));
    let older = Folder::open(&done.previous).unwrap();
    assert_eq!(
        older.find(&Find::Session("a".into())).unwrap()[0].records,
        3
    );
    assert!(findings(&older).join("\n").contains("Truncated"));
    // Nothing can be signed under its name any more, and nobody can append to it.
    assert!(!done.previous.join("keys").exists());
    let again = Ledger::open(&done.previous, place.options()).unwrap_err();
    assert!(matches!(again, StoreError::Missing { .. }), "{again}");
}

#[test]
fn a_ledger_that_lacks_nothing_is_not_recovered() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 3)]);
    let running = recover_ledger(&place.dir(), &options()).unwrap_err();
    assert!(matches!(running, StoreError::Locked { .. }), "{running}");
    ledger.close().unwrap();
    let before = super::support::snapshot(&place.dir().join("keys"));
    let refused = recover_ledger(&place.dir(), &options()).unwrap_err();
    assert!(
        matches!(refused, StoreError::NothingToRecover { .. }),
        "{refused}"
    );
    assert_eq!(super::support::snapshot(&place.dir().join("keys")), before);
    assert!(previous(&place.dir()).is_empty());
    place.open().close().unwrap();
}

/// redteam: S08
#[test]
fn without_any_database_a_copy_has_to_be_put_back_first() {
    let place = Place::new();
    place.open().close().unwrap();
    std::fs::remove_file(place.dir().join("ledger.db")).unwrap();
    let refused = recover_ledger(&place.dir(), &options()).unwrap_err();
    assert!(
        matches!(&refused, StoreError::Missing { file, .. } if file == "ledger.db"),
        "{refused}"
    );
}

#[test]
fn a_ledger_with_a_name_of_its_own_gets_one_below_it_and_never_the_same() {
    let temp = tempfile::tempdir().unwrap();
    let place = Place {
        temp,
        clock: super::support::TestClock::default(),
    };
    let named = InitOptions {
        origin: Some("recount.example.org/lab".to_owned()),
        now_ns: START_NS,
    };
    init(&place.dir(), &named).unwrap();
    restored(&place);
    let same = RecoverOptions {
        origin: named.origin.clone(),
        ..options()
    };
    let refused = recover_ledger(&place.dir(), &same).unwrap_err();
    assert!(matches!(refused, StoreError::BadOrigin { .. }), "{refused}");
    let done = recover(&place.dir());
    assert!(
        done.origin.starts_with("recount.example.org/lab/"),
        "{}",
        done.origin
    );
}

#[test]
fn an_unfinished_recovery_keeps_everyone_else_out_and_is_finished_by_the_next() {
    let place = Place::new();
    restored(&place);
    // As if the process had ended right after the new ledger was prepared, and then after the old files were moved.
    let whole = place.temp.path().join("whole");
    super::crash::copy(&place.dir(), &whole);
    recover(&whole);
    let staging = place.dir().join("recovering");
    super::crash::copy(&whole, &staging);
    std::fs::remove_dir_all(staging.join("previous")).unwrap();
    let older = place.read().status().unwrap().ledger.to_string();
    std::fs::write(staging.join("older"), &older).unwrap();
    for moved in [
        &["acked"][..],
        &["acked", "ledger.pub", "last_signed", "ledger.db"],
    ] {
        let to = place.dir().join("previous").join(&older[..16]);
        std::fs::create_dir_all(&to).unwrap();
        for file in moved {
            let from = place.dir().join(file);
            if from.exists() {
                std::fs::rename(from, to.join(file)).unwrap();
            }
        }
        let refused = Ledger::open(&place.dir(), place.options()).unwrap_err();
        assert!(
            matches!(refused, StoreError::Recovering { .. }),
            "{refused}"
        );
    }
    let done = recover(&place.dir());
    assert!(!staging.exists());
    assert_eq!(done.continues.ledger.to_string(), older);
    assert!(Folder::open(&done.previous).is_ok());
    place.open().close().unwrap();
    assert_eq!(findings(&place.read()), Vec::<String>::new());
}
