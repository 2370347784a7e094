//! Verifying, reindexing and compacting a store.

use ledger::envelope::ProducerProof;
use ledger::reader::{Find, Reader};
use ledger::store::{Close, Folder, Ledger, compact, reindex};
use ledger::verify::{Trusted, verify_all};
use rusqlite::Connection;

use super::support::{Place, append, item, numbered, numbered_of, part};

/// Several streams with tiles, a close, late records and SDK runs.
pub(crate) fn filled() -> Place {
    let place = Place::new();
    let ledger = place.open();
    for i in 0..70 {
        append(
            &ledger,
            vec![
                part("long", 10 * i, 10 * i + 10),
                numbered("sdk", "r", 7 * i, 7 * i + 7),
            ],
        );
    }
    append(&ledger, vec![part("short", 0, 3)]);
    let mut end = part("ended", 0, 40);
    end.close = Some(Close {
        reason: 1,
        declared: 40,
    });
    append(&ledger, vec![end]);
    append(&ledger, vec![part("ended", 40, 45)]);
    ledger.close().unwrap();
    place
}

/// Every finding about a folder, in words.
pub(crate) fn findings(folder: &Folder) -> Vec<String> {
    let report = verify_all(folder, &Trusted::FirstSeen, &mut |_| {}).unwrap();
    report
        .findings
        .iter()
        .map(|finding| format!("{finding:?}"))
        .collect()
}

#[test]
fn what_the_store_wrote_verifies_whole() {
    let place = filled();
    let folder = place.read();
    let report = verify_all(&folder, &Trusted::FirstSeen, &mut |_| {}).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(
        (report.streams, report.records, report.open),
        (4, 700 + 490 + 3 + 45, 0)
    );
}

#[test]
fn an_index_that_was_changed_is_found_and_made_again() {
    let place = filled();
    assert_eq!(reindex(&place.dir()).unwrap().corrected, []);
    let database = Connection::open(place.dir().join("ledger.db")).unwrap();
    database
        .execute_batch(
            "UPDATE stream SET label = 'another' WHERE label = 'short';
             UPDATE request SET request = 'x' WHERE request = 'request of long';
             DELETE FROM link WHERE session = 'sdk';
             UPDATE run SET last = last + 1;",
        )
        .unwrap();
    drop(database);
    let found = findings(&place.read()).join("\n");
    for table in ["stream", "request", "link", "run"] {
        assert!(
            found.contains(&format!("1 rows of the index table {table}")),
            "{table}: {found}"
        );
    }
    let mut corrected = reindex(&place.dir()).unwrap().corrected;
    corrected.sort_unstable();
    assert_eq!(
        corrected,
        [("link", 1), ("request", 1), ("run", 1), ("stream", 1)]
    );
    assert_eq!(findings(&place.read()), Vec::<String>::new());
}

#[test]
fn numbers_of_a_known_sender_are_its_own_and_those_of_earlier_versions_stay_right() {
    let place = Place::new();
    let (known, other) = (
        ("victim", ProducerProof::Token),
        ("intruder", ProducerProof::Certificate),
    );
    let told = |ledger: &Ledger, part| {
        let receipt = append(ledger, vec![part]);
        let sealed: u64 = receipt.streams.iter().map(|stream| stream.count).sum();
        (sealed, receipt.duplicates, receipt.conflicts)
    };
    let ledger = place.open();
    // Taken by a claim, and by another sender that is known.
    assert_eq!(told(&ledger, numbered("kept", "r", 0, 5)), (5, 0, 0));
    assert_eq!(
        told(&ledger, numbered_of(other, "elsewhere", "r", 0, 9)),
        (9, 0, 0)
    );
    assert_eq!(
        told(&ledger, numbered_of(known, "kept", "r", 0, 3)),
        (3, 0, 0)
    );
    assert_eq!(
        told(&ledger, numbered_of(known, "kept", "r", 0, 4)),
        (1, 3, 0)
    );
    // Whoever shows nothing gets no number that somebody has.
    assert_eq!(told(&ledger, numbered("kept", "r", 0, 5)), (0, 5, 0));
    assert_eq!(told(&ledger, numbered("new", "r", 7, 8)), (0, 0, 1));
    ledger.close().unwrap();
    assert_eq!(findings(&place.read()), Vec::<String>::new());
    assert_eq!(reindex(&place.dir()).unwrap().corrected, []);
    let edit = |sql: &str| {
        let database = Connection::open(place.dir().join("ledger.db")).unwrap();
        database.execute_batch(sql).unwrap();
    };
    // As an earlier version left it, and a run that goes on.
    edit("DELETE FROM run WHERE producer LIKE '=%'");
    assert_eq!(findings(&place.read()), Vec::<String>::new());
    let ledger = place.open();
    assert_eq!(
        told(&ledger, numbered_of(known, "kept", "r", 4, 6)),
        (2, 0, 0)
    );
    ledger.close().unwrap();
    assert_eq!(findings(&place.read()), Vec::<String>::new());
    assert_eq!(reindex(&place.dir()).unwrap().corrected, [("run", 2)]);
    let ledger = place.open();
    assert_eq!(
        told(&ledger, numbered_of(known, "kept", "r", 0, 7)),
        (1, 6, 0)
    );
    ledger.close().unwrap();
    assert_eq!(findings(&place.read()), Vec::<String>::new());
    // Numbers that nothing bears out.
    edit("UPDATE run SET last = last + 1 WHERE producer LIKE '=%' AND last = 6");
    let found = findings(&place.read()).join("\n");
    assert!(found.contains("rows of the index table run"), "{found}");
}

#[test]
fn compacting_makes_fewer_segments_of_the_same_records() {
    let place = filled();
    let records = |folder: &Folder| {
        let mut all = Vec::new();
        for hint in folder.find(&Find::All).unwrap() {
            all.push((
                hint.clone(),
                folder.records(&hint.stream, 0, u64::MAX).unwrap(),
            ));
        }
        all
    };
    let before = records(&place.read());
    let done = compact(&place.dir()).unwrap();
    assert_eq!(
        (done.streams, done.before, done.after),
        (4, 70 + 70 + 1 + 2, 3 + 2 + 1 + 1)
    );
    assert!(done.bytes_after < done.bytes_before, "{done:?}");
    let folder = place.read();
    assert_eq!(records(&folder), before);
    assert_eq!(findings(&folder), Vec::<String>::new());
    drop(folder);
    let again = compact(&place.dir()).unwrap();
    assert_eq!(again.before, again.after);

    let ledger = place.open();
    append(&ledger, vec![part("long", 700, 800)]);
    ledger.close().unwrap();
    assert_eq!(findings(&place.read()), Vec::<String>::new());
    assert_eq!(compact(&place.dir()).unwrap().after, 4 + 2 + 1 + 1);
    let folder = place.read();
    assert_eq!(findings(&folder), Vec::<String>::new());
    let long = folder
        .find(&Find::Session("long".into()))
        .unwrap()
        .remove(0);
    let body = folder
        .records(&long.stream, 799, 800)
        .unwrap()
        .remove(0)
        .body
        .unwrap();
    assert_eq!(
        ledger::envelope::Envelope::decode(&body.envelope)
            .unwrap()
            .item,
        item("long", 799)
    );
}
