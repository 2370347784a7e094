//! Creating, appending, closing, opening again.

use std::time::Duration;

use ledger::checkpoint::Checkpoint;
use ledger::leaf::{
    ControlBody, ControlLeaf, Private as _, Receipt as AnchorReceipt, TreeHead, control_commitment,
};
use ledger::reader::{Find, LentBody, Reader};
use ledger::store::{AppendError, Batch, Close, Folder, InitOptions, StoreError, init};
use ledger::tree::hash_leaf;

use super::maintenance::findings;
use super::support::{Place, append, batch, item, numbered, numbered_item, part, snapshot};

#[test]
fn what_was_appended_is_read_back_byte_for_byte() {
    let place = Place::new();
    let ledger = place.open();
    let first = append(&ledger, vec![part("a", 0, 10), part("b", 0, 3)]);
    let second = append(&ledger, vec![part("a", 10, 400)]);
    assert_eq!((first.streams[0].first, first.streams[1].count), (0, 3));
    assert_eq!(
        (second.streams[0].first, second.streams[0].count),
        (10, 390)
    );
    assert_eq!(second.commit, first.commit + 1);
    ledger.close().unwrap();

    let folder = place.read();
    let hints = folder.find(&Find::Request("request of a".into())).unwrap();
    assert_eq!(hints.len(), 1);
    assert_eq!((hints[0].records, hints[0].label.as_str()), (400, "a"));
    let mut next = 0;
    folder
        .scan(&hints[0].stream, 0, u64::MAX, &mut |record| {
            let LentBody::Whole { salt, envelope } = record.body else {
                panic!("{:?}", record.body)
            };
            assert_eq!(record.index, next);
            assert_eq!(envelope.item, item("a", next));
            assert_ne!(salt, &[0; 32]);
            next += 1;
        })
        .unwrap();
    assert_eq!(next, 400);
    assert_eq!(folder.records(&hints[0].stream, 8, 12).unwrap().len(), 4);
}

#[test]
fn closing_leaves_heads_a_shutdown_leaf_a_signature_over_all_and_no_log() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 10)]);
    let key = ledger.key().clone();
    ledger.close().unwrap();
    assert!(!place.dir().join("ledger.db-wal").exists());
    let folder = place.read();
    let signed = Checkpoint::open(&folder.checkpoint().unwrap().unwrap(), &key).unwrap();
    let state = folder.state().unwrap();
    assert_eq!(signed.head.size, state.size);
    assert_eq!(state.acked.unwrap().commit, state.commit);
    let kinds: Vec<u8> = folder
        .control(0, u64::MAX)
        .unwrap()
        .iter()
        .map(|stored| ControlLeaf::decode(&stored.leaf).unwrap().body.kind())
        .collect();
    // genesis, epoch seal, startup, open, binding, link, head, shutdown
    assert_eq!(kinds, [1, 9, 14, 3, 7, 6, 4, 15]);
    let status = folder.status().unwrap();
    assert_eq!(
        (status.uncovered, status.streams, status.clean),
        (0, 1, true)
    );
}

#[test]
fn a_folder_that_holds_anything_is_not_made_a_ledger() {
    let place = Place::new();
    let before = snapshot(&place.dir());
    let again = init(
        &place.dir(),
        &InitOptions {
            origin: None,
            now_ns: 0,
        },
    );
    assert!(matches!(again, Err(StoreError::Exists { .. })), "{again:?}");
    assert_eq!(snapshot(&place.dir()), before);
    let bad = init(
        &place.temp.path().join("x"),
        &InitOptions {
            origin: Some("a b".into()),
            now_ns: 0,
        },
    );
    assert!(matches!(bad, Err(StoreError::BadOrigin { .. })), "{bad:?}");
    assert!(!place.temp.path().join("x").exists());
}

#[test]
fn a_second_collector_is_refused_and_told_who_has_it() {
    let place = Place::new();
    let ledger = place.open();
    let second = ledger::store::Ledger::open(&place.dir(), place.options()).unwrap_err();
    assert!(
        matches!(second, StoreError::Locked { pid: Some(pid), .. } if pid == std::process::id()),
        "{second}"
    );
    assert!(matches!(
        Folder::open(&place.dir()),
        Err(StoreError::Locked { .. })
    ));
    ledger.close().unwrap();
    place.open().close().unwrap();
}

#[test]
fn numbers_that_are_sealed_are_answered_and_not_sealed_again() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![numbered("a", "r", 0, 10)]);
    let whole = append(&ledger, vec![numbered("a", "r", 0, 10)]);
    assert_eq!((whole.duplicates, whole.streams.len()), (10, 0));
    let part = append(&ledger, vec![numbered("a", "r", 5, 20)]);
    assert_eq!(
        (
            part.duplicates,
            part.streams[0].first,
            part.streams[0].count
        ),
        (5, 10, 10)
    );
    ledger.close().unwrap();
    let ledger = place.open();
    let after = append(
        &ledger,
        vec![numbered("a", "r", 0, 21), numbered("a", "other", 0, 1)],
    );
    assert_eq!(
        (
            after.duplicates,
            after.streams[0].count,
            after.streams[1].count
        ),
        (20, 1, 1)
    );
    let reader = ledger.reader().unwrap();
    let stream = after.streams[0].stream;
    let items: Vec<Vec<u8>> = reader
        .records(&stream, 0, 21)
        .unwrap()
        .iter()
        .map(|record| {
            let body = record.body.clone().unwrap();
            ledger::envelope::Envelope::decode(&body.envelope)
                .unwrap()
                .item
                .to_vec()
        })
        .collect();
    assert_eq!(
        items,
        (0..21).map(|i| numbered_item("a", i)).collect::<Vec<_>>()
    );
}

#[test]
fn an_export_without_numbers_is_known_again_also_after_a_restart() {
    let place = Place::new();
    let ledger = place.open();
    let export = || Batch {
        digest: Some([7; 32]),
        ..batch(vec![part("a", 0, 4)])
    };
    let first = ledger.append_and_wait(export()).unwrap();
    let again = ledger.append_and_wait(export()).unwrap();
    assert_eq!((again.duplicates, again.commit), (4, first.commit));
    ledger.close().unwrap();
    let ledger = place.open();
    let after = ledger.append_and_wait(export()).unwrap();
    assert_eq!((after.duplicates, after.commit), (4, first.commit));
}

#[test]
fn a_stream_gets_a_head_when_it_has_waited_long_enough() {
    let place = Place::new();
    let ledger = place.open();
    let receipt = append(&ledger, vec![part("a", 0, 4)]);
    let reader = ledger.reader().unwrap();
    let head = || {
        reader
            .find(&Find::Stream(receipt.streams[0].stream))
            .unwrap()[0]
            .head_index
    };
    assert_eq!(head(), None);
    place.clock.advance(Duration::from_secs(11));
    for _ in 0..100 {
        if head().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(head().is_some());
    append(&ledger, vec![part("a", 4, 300)]);
    let hint = reader
        .find(&Find::Stream(receipt.streams[0].stream))
        .unwrap()
        .remove(0);
    assert_eq!((hint.records, hint.closed), (300, false));
    let last = reader.control(hint.head_index.unwrap(), u64::MAX).unwrap();
    assert_eq!(last.len(), 1, "296 records more are a head's worth");
}

#[test]
fn a_head_that_is_due_when_the_ledger_closes_is_written_all_the_same() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 4)]);
    place.clock.advance(Duration::from_secs(60));
    ledger.close().unwrap();
    assert_eq!(place.read().status().unwrap().uncovered, 0);
}

#[test]
fn a_session_end_closes_and_what_comes_later_is_late() {
    let place = Place::new();
    let ledger = place.open();
    let mut end = part("a", 0, 4);
    end.close = Some(Close {
        reason: 1,
        declared: 4,
    });
    let stream = append(&ledger, vec![end]).streams[0].stream;
    let reader = ledger.reader().unwrap();
    assert!(reader.find(&Find::Stream(stream)).unwrap()[0].closed);
    append(&ledger, vec![part("a", 4, 5)]);
    ledger.close().unwrap();
    let folder = place.read();
    let hint = folder.find(&Find::Stream(stream)).unwrap().remove(0);
    assert!(hint.closed, "a further close followed");
    let flags: Vec<u32> = folder
        .records(&stream, 0, 9)
        .unwrap()
        .iter()
        .map(|record| {
            ledger::leaf::RecordLeaf::decode(&record.leaf)
                .unwrap()
                .flags
        })
        .collect();
    assert_eq!(flags, [0, 0, 0, 0, ledger::leaf::flag::LATE]);
}

#[test]
fn a_full_queue_says_so_at_once() {
    let place = Place::new();
    let mut options = place.options();
    options.waiting_records = 10;
    let ledger = ledger::store::Ledger::open(&place.dir(), options).unwrap();
    let (send, receive) = std::sync::mpsc::channel();
    let (busy, ok) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    for i in 0..200 {
        let send = send.clone();
        ledger.append(batch(vec![part("a", i * 8, i * 8 + 8)]), move |answer| {
            send.send(answer).unwrap()
        });
    }
    drop(send);
    for answer in receive {
        match answer {
            Ok(_) => ok.set(ok.get() + 1),
            Err(AppendError::Busy { .. }) => busy.set(busy.get() + 1),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(busy.get() + ok.get(), 200);
    assert!(ok.get() > 0);
}

#[test]
fn more_streams_than_are_kept_at_hand_go_on_where_they_were() {
    let place = Place::new();
    let mut options = place.options();
    options.streams_at_hand = 60;
    let ledger = ledger::store::Ledger::open(&place.dir(), options).unwrap();
    for round in 0..2 {
        for some in 0..6 {
            let streams = (0..50)
                .map(|i| part(&format!("{some}/{i}"), 3 * round, 3 * round + 3))
                .collect();
            append(&ledger, streams);
        }
    }
    place.clock.advance(Duration::from_secs(11));
    append(&ledger, vec![part("0/0", 6, 7)]);
    ledger.close().unwrap();
    let folder = place.read();
    assert_eq!(super::maintenance::findings(&folder), Vec::<String>::new());
    assert!(
        folder
            .find(&Find::All)
            .unwrap()
            .iter()
            .all(|hint| hint.records >= 6)
    );
}

#[test]
fn a_ledger_verifies_while_it_is_being_written() {
    let place = Place::new();
    let ledger = place.open();
    let reader = ledger.reader().unwrap();
    std::thread::scope(|scope| {
        let ledger = &ledger;
        let writing = scope.spawn(move || {
            for i in 0..300 {
                append(
                    ledger,
                    vec![
                        part("a", 5 * i, 5 * i + 5),
                        numbered("s", "r", 5 * i, 5 * i + 5),
                    ],
                );
            }
        });
        while !writing.is_finished() {
            assert_eq!(reader.check().unwrap(), []);
        }
    });
    ledger.close().unwrap();
}

#[test]
fn what_an_anchor_answered_becomes_a_leaf_between_batches() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 10)]);
    let genesis = ledger.reader().unwrap().control(0, 1).unwrap().remove(0);
    let head = TreeHead {
        size: 1,
        root: hash_leaf(&genesis.leaf),
    };
    let receipt = AnchorReceipt {
        holder: "file:/elsewhere".to_owned(),
        receipt: b"a line".to_vec(),
    };
    let at = ledger.anchored(head, 1, receipt).unwrap();
    append(&ledger, vec![part("a", 10, 12)]);
    ledger.close().unwrap();
    let nothing = AnchorReceipt {
        holder: String::new(),
        receipt: vec![],
    };
    assert!(matches!(
        ledger.anchored(head, 1, nothing),
        Err(AppendError::Closing)
    ));
    let folder = place.read();
    let stored = folder.control(at, at + 1).unwrap().remove(0);
    let leaf = ControlLeaf::decode(&stored.leaf).unwrap();
    let ControlBody::AnchorReceipt {
        head: said,
        kind: 1,
        commitment,
    } = leaf.body
    else {
        panic!("{:?}", leaf.body)
    };
    let private = stored.private.unwrap();
    assert_eq!(said, head);
    assert_eq!(control_commitment(&private.salt, &private.body), commitment);
    assert_eq!(
        AnchorReceipt::decode(&private.body).unwrap().receipt,
        b"a line"
    );
    assert_eq!(findings(&folder), Vec::<String>::new());
}
