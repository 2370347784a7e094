//! The store that release 0.1 wrote, in `tests/golden/0.1/`: every later version must verify it and answer from it.
//!
//! It is made once, as `tests/end_to_end/first_release.rs` says, and never again.

use account::{Options, build};
use ledger::note::VerifierKey;
use ledger::reader::Reader;
use ledger::store::Folder;
use ledger::verify::{Trusted, verify_all};
use vocabulary::record::IntegrityStatus;

/// What the ledger's key signed last: name, size and root of the ledger log.
const CHECKPOINT: &str =
    "recount.local/1ae641f63da33138\n10\nl7+fRbZ5Ac1DHRB5WRX2zwORiEIClmH7ogY0q9AwpJg=";

fn golden() -> (Folder, Trusted) {
    let dir = crate::tree::root().join("tests/golden/0.1");
    let key = std::fs::read_to_string(dir.join("ledger.pub")).expect("a public key");
    let key = VerifierKey::parse(key.trim_end()).expect("a verifier key");
    (Folder::open(&dir).expect("a store"), Trusted::Pinned(key))
}

#[test]
fn the_store_of_the_first_release_verifies_whole() {
    let (folder, trusted) = golden();
    let report = verify_all(&folder, &trusted, &mut |_| {}).expect("a report");
    assert_eq!(report.findings, []);
    assert_eq!(folder.check().expect("pages that can be read"), []);
    assert_eq!((report.streams, report.open), (2, 0));
    let note = folder.checkpoint().expect("a checkpoint").expect("one");
    let note = String::from_utf8(note).expect("text");
    let (signed, _) = note.split_once("\n\n").expect("a text and its signatures");
    assert_eq!(signed, CHECKPOINT);
}

#[test]
fn the_store_of_the_first_release_answers_whole() {
    let (folder, trusted) = golden();
    for (request, actions) in [("47892", 2), ("47893", 1)] {
        let account = build(&folder, &trusted, request, &Options::default()).expect("an account");
        assert_eq!(account.actions.len(), actions, "{request}");
        assert_eq!(account.sessions.len(), 1, "{request}");
        assert_ne!(
            account.integrity.status,
            IntegrityStatus::Broken,
            "{request}"
        );
    }
    let account = build(&folder, &trusted, "47892", &Options::default()).expect("an account");
    assert_eq!(account.integrity.status, IntegrityStatus::Intact);
    let intent = account.asked.first().expect("who asked").intent.clone();
    let intent = serde_json::to_value(intent).expect("JSON");
    assert!(
        intent
            .to_string()
            .contains("draft a renewal email for Acme")
    );
}

#[test]
fn the_store_of_the_first_release_holds_no_private_key() {
    let dir = crate::tree::root().join("tests/golden/0.1");
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["acked", "last_signed", "ledger.db", "ledger.pub"]);
}
