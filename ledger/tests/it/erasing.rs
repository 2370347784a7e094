//! Erasing payloads: what goes, what stays, and that nothing readable is left behind.

use std::path::Path;

use ledger::leaf::{Cause, ControlBody, ControlLeaf, Private as _, StreamId, control_commitment};
use ledger::reader::{Find, LentBody, Reader};
use ledger::store::{Erase, Erased, ErasedRange, ErasureReason, Folder, Ledger, compact, reindex};
use ledger::verify::{FindingKind, Trusted, verify_all};
use rusqlite::Connection;

use super::maintenance::findings;
use super::support::{Place, append, item, numbered, part, prepare, snapshot};

fn stream_of(reader: &dyn Reader, label: &str) -> StreamId {
    let hints = reader.find(&Find::Session(label.into())).unwrap();
    hints[0].stream
}

fn word_of_the_person() -> Cause {
    Cause {
        actor: "privacy@example.test, approved by second@example.test".into(),
        reason: "request 88 of the person concerned".into(),
    }
}

fn erase(ledger: &Ledger, label: &str, first: u64, count: u64) -> Erased {
    let stream = stream_of(&ledger.reader().unwrap(), label);
    let range = ErasedRange {
        stream,
        first,
        count,
    };
    ledger
        .erase(Erase {
            ranges: vec![range],
            names: vec![],
            reason: ErasureReason::Person,
            cause: word_of_the_person(),
        })
        .unwrap()
}

/// 512 bytes that no compressor makes smaller, the same in every run.
fn canary(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..512)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 24) as u8
        })
        .collect()
}

/// Whether some file of a folder holds these bytes.
fn lies_in(dir: &Path, needle: &[u8]) -> bool {
    snapshot(dir)
        .iter()
        .any(|(_, _, _, bytes)| bytes.windows(needle.len()).any(|window| window == needle))
}

/// Whether some decoded record holds these bytes.
fn is_told(folder: &Folder, stream: &StreamId, needle: &[u8]) -> bool {
    let mut found = false;
    folder
        .scan(stream, 0, u64::MAX, &mut |record| {
            if let LentBody::Whole { envelope, .. } = record.body {
                let whole = envelope.encode();
                found |= whole.windows(needle.len()).any(|window| window == needle);
            }
        })
        .unwrap();
    found
}

#[test]
fn an_erased_record_is_gone_and_the_tree_is_as_it_was() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 300), part("b", 0, 5)]);
    append(&ledger, vec![part("a", 300, 310)]);
    let before = place_head(&ledger, "a");
    assert_eq!(
        erase(&ledger, "a", 298, 4),
        Erased {
            records: 4,
            before: 0,
            names: 0
        }
    );
    // Once more: nothing is left to erase, and that is said, too.
    assert_eq!(erase(&ledger, "a", 300, 3).before, 2);
    ledger.close().unwrap();

    let folder = place.read();
    let stream = stream_of(&folder, "a");
    let mut gone = Vec::new();
    folder
        .scan(&stream, 0, u64::MAX, &mut |record| match record.body {
            LentBody::Erased => gone.push(record.index),
            LentBody::Whole { envelope, .. } => {
                assert_eq!(envelope.item, item("a", record.index));
            }
            LentBody::Damaged(why) => panic!("{why}"),
        })
        .unwrap();
    assert_eq!(gone, [298, 299, 300, 301, 302]);
    let report = verify_all(&folder, &Trusted::FirstSeen, &mut |_| {}).unwrap();
    assert_eq!((report.findings.len(), report.erased), (0, 5));
    assert_eq!(place_root(&folder, "a", before.0), before.1);
    // It compacts and reindexes like any other.
    drop(folder);
    compact(&place.dir()).unwrap();
    assert_eq!(reindex(&place.dir()).unwrap().corrected, []);
    assert_eq!(findings(&place.read()), Vec::<String>::new());
}

/// Size and root of a stream as its newest head says.
fn place_head(ledger: &Ledger, label: &str) -> (u64, [u8; 32]) {
    let reader = ledger.reader().unwrap();
    let stream = stream_of(&reader, label);
    let size = reader.find(&Find::Session(label.into())).unwrap()[0].records;
    (size, root(&reader, &stream, size))
}

fn place_root(folder: &Folder, label: &str, size: u64) -> [u8; 32] {
    root(folder, &stream_of(folder, label), size)
}

fn root(folder: &Folder, stream: &StreamId, size: u64) -> [u8; 32] {
    let mut frontier = ledger::tree::Frontier::new();
    folder
        .scan(stream, 0, size, &mut |record| {
            frontier.append(ledger::tree::hash_leaf(record.leaf));
        })
        .unwrap();
    frontier.root()
}

#[test]
fn the_leaf_says_on_whose_word_and_comes_before_the_loss() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 10)]);
    erase(&ledger, "a", 3, 2);
    ledger.close().unwrap();
    let folder = place.read();
    let (leaf, private) = folder
        .control(0, u64::MAX)
        .unwrap()
        .into_iter()
        .map(|stored| (ControlLeaf::decode(&stored.leaf).unwrap(), stored.private))
        .find(|(leaf, _)| leaf.body.kind() == 10)
        .unwrap();
    let ControlBody::Erasure {
        first: 3,
        count: 2,
        reason: 1,
        commitment,
        ..
    } = leaf.body
    else {
        panic!("{:?}", leaf.body)
    };
    let private = private.unwrap();
    assert_eq!(control_commitment(&private.salt, &private.body), commitment);
    assert_eq!(Cause::decode(&private.body).unwrap(), word_of_the_person());
}

#[test]
fn a_payload_that_goes_without_a_leaf_is_missing_not_erased() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 10)]);
    erase(&ledger, "a", 3, 2);
    ledger.close().unwrap();
    // Somebody takes the rest with an editor, as well formed as an erasure is.
    let database = Connection::open(place.dir().join("ledger.db")).unwrap();
    let mut builder = ledger::segment::Builder::new();
    (0..10).for_each(|_| builder.push_erased());
    let payload = ledger::segment::pack(&builder.encode().unwrap(), 3).unwrap();
    database
        .execute(
            "UPDATE segment SET payload = ?1, salts = zeroblob(320)",
            [payload],
        )
        .unwrap();
    drop(database);
    let report = verify_all(&place.read(), &Trusted::FirstSeen, &mut |_| {}).unwrap();
    let unexplained = report
        .findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::ErasedUnexplained)
        .count();
    assert!(unexplained > 0, "{:?}", report.findings);
}

#[test]
fn nothing_readable_of_an_erased_session_is_left_anywhere() {
    let place = Place::new();
    let ledger = place.open();
    let told = canary(1);
    let kept = canary(2);
    let name = "the-name-of-the-session-that-goes-0f9d8c7b6a";
    append(&ledger, vec![part("before", 0, 40)]);
    append(
        &ledger,
        vec![
            prepare(name, b"{}", std::slice::from_ref(&told), 0),
            prepare("stays", b"{}", std::slice::from_ref(&kept), 0),
        ],
    );
    append(&ledger, vec![part(name, 1, 20), part("before", 40, 60)]);
    let stream = stream_of(&ledger.reader().unwrap(), name);
    // Found before, or the search below shows nothing.
    assert!(lies_in(&place.dir(), &told) && lies_in(&place.dir(), name.as_bytes()));
    let range = ErasedRange {
        stream,
        first: 0,
        count: 20,
    };
    let done = ledger
        .erase(Erase {
            ranges: vec![range],
            names: vec![stream],
            reason: ErasureReason::Person,
            cause: word_of_the_person(),
        })
        .unwrap();
    // The opening, one binding and one link.
    assert_eq!((done.records, done.names), (20, 3));
    ledger.close().unwrap();

    let folder = place.read();
    assert!(!is_told(&folder, &stream, &told));
    assert!(!lies_in(&place.dir(), &told), "the payload is in a file");
    assert!(
        !lies_in(&place.dir(), name.as_bytes()),
        "the name is in a file"
    );
    assert!(lies_in(&place.dir(), &kept));
    assert_eq!(findings(&folder), Vec::<String>::new());
    assert_eq!(folder.find(&Find::Session(name.into())).unwrap().len(), 0);
    drop(folder);
    assert_eq!(reindex(&place.dir()).unwrap().corrected, []);

    // The name may be used again: for another stream.
    let ledger = place.open();
    let again = append(&ledger, vec![part(name, 0, 2)]);
    assert_ne!(again.streams[0].stream, stream);
    ledger.close().unwrap();
    assert_eq!(findings(&place.read()), Vec::<String>::new());
}

#[test]
fn an_erased_record_that_is_sent_again_is_not_stored_again() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![numbered("sdk", "r", 0, 8)]);
    erase(&ledger, "sdk", 2, 3);
    let again = append(&ledger, vec![numbered("sdk", "r", 0, 8)]);
    assert_eq!((again.duplicates, again.streams.len()), (8, 0));
    ledger.close().unwrap();
    // Also once the index was made again: the numbers of what was erased are nowhere else.
    assert_eq!(reindex(&place.dir()).unwrap().corrected, []);
    let ledger = place.open();
    let again = append(&ledger, vec![numbered("sdk", "r", 0, 9)]);
    assert_eq!((again.duplicates, again.streams[0].first), (8, 8));
    ledger.close().unwrap();
    assert_eq!(findings(&place.read()), Vec::<String>::new());
}
