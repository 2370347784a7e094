//! What the collector says of itself and its witnesses: statements as leaves, signing that is held.

use std::time::{Duration, Instant};

use ledger::checkpoint::Checkpoint;
use ledger::cosignature::Cosigner;
use ledger::leaf::{
    ConfigChange, ConflictNote, ControlBody, ControlLeaf, Private, Receipt, StreamId, TreeHead,
    control_commitment,
};
use ledger::reader::Reader;
use ledger::store::{AppendError, Ledger, Statement, StoreError, release_signing, signing_held};
use ledger::tree::{hash_leaf, verify_consistency};
use ledger::verify::{Trusted, consistency_proof, verify_all};

use super::support::{Place, append, part};

fn say(ledger: &Ledger, statements: Vec<Statement>) {
    assert_eq!(ledger.state(statements).unwrap(), [3, 4, 5, 6]);
}

fn receipt() -> Receipt {
    Receipt {
        holder: "file:/mnt/elsewhere/checkpoints".to_owned(),
        receipt: b"offset 0".to_vec(),
    }
}

#[test]
fn statements_become_leaves_that_open_and_verify() {
    let place = Place::new();
    let ledger = place.open();
    let genesis = ledger.reader().unwrap().control(0, 1).unwrap().remove(0);
    let head = TreeHead {
        size: 1,
        root: hash_leaf(&genesis.leaf),
    };
    let change = ConfigChange {
        setting: "anchor".to_owned(),
        from: "a".to_owned(),
        to: "b".to_owned(),
        origin: "file".to_owned(),
    };
    let conflict = ConflictNote {
        what: "two histories".to_owned(),
        first: [1; 32],
        second: [2; 32],
    };
    say(
        &ledger,
        vec![
            Statement::Anchored {
                head,
                kind: 1,
                receipt: receipt(),
            },
            Statement::Beacon {
                kind: 1,
                value: vec![9; 70],
            },
            Statement::ConfigChanged {
                config: [7; 32],
                change: change.clone(),
            },
            Statement::Conflict {
                kind: 4,
                stream: StreamId([0; 32]),
                note: conflict.clone(),
            },
        ],
    );
    ledger.close().unwrap();

    let folder = place.read();
    let leaves = folder.control(3, 7).unwrap();
    let kinds: Vec<u8> = leaves.iter().map(|leaf| leaf.leaf[1]).collect();
    assert_eq!(kinds, [12, 13, 17, 20]);
    let expected = [
        receipt().encode().unwrap(),
        change.encode().unwrap(),
        conflict.encode().unwrap(),
    ];
    for (at, private) in [0, 2, 3].into_iter().zip(expected) {
        let body = ControlLeaf::decode(&leaves[at].leaf).unwrap().body;
        let found = leaves[at].private.as_ref().unwrap();
        assert_eq!(found.body, private);
        assert_eq!(
            body.commitment(),
            Some(&control_commitment(&found.salt, &found.body))
        );
    }
    let body = ControlLeaf::decode(&leaves[0].leaf).unwrap().body;
    assert!(
        matches!(body, ControlBody::AnchorReceipt { head: found, kind: 1, .. } if found == head)
    );
    let report = verify_all(&folder, &Trusted::FirstSeen, &mut |_| {}).unwrap();
    assert_eq!(report.findings, []);
}

#[test]
fn a_statement_too_long_for_its_leaf_is_refused_before_the_writer() {
    let place = Place::new();
    let ledger = place.open();
    let beacon = Statement::Beacon {
        kind: 1,
        value: vec![0; 70_000],
    };
    assert!(matches!(
        ledger.state(vec![beacon]),
        Err(AppendError::Malformed { .. })
    ));
    append(&ledger, vec![part("a", 0, 1)]);
    ledger.close().unwrap();
}

fn signed(ledger: &Ledger) -> u64 {
    let note = std::fs::read(ledger.dir().join("last_signed")).unwrap();
    Checkpoint::open(&note, ledger.key()).unwrap().head.size
}

fn wait_for(what: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < until, "it did not happen in 20 s");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn whoever_asks_has_the_log_signed_at_once_whatever_the_pace() {
    let place = Place::new();
    let mut options = place.options();
    options.sign_soon = Duration::from_secs(3600);
    options.sign_late = Duration::from_secs(3600);
    let ledger = Ledger::open(&place.dir(), options).unwrap();
    let beacon = |number| Statement::Beacon {
        kind: 1,
        value: vec![number; 70],
    };
    for number in 0..20 {
        ledger.state(vec![beacon(number)]).unwrap();
        let size = ledger.reader().unwrap().state().unwrap().size;
        assert!(ledger.sign_now(Duration::from_secs(20)));
        assert!(signed(&ledger) >= size);
    }
    // Nothing new: at once. Held: never, and nobody waits for it.
    assert!(ledger.sign_now(Duration::ZERO));
    ledger.state(vec![beacon(20)]).unwrap();
    ledger.hold_signing("a test").unwrap();
    assert!(!ledger.sign_now(Duration::from_secs(3600)));
    ledger.close().unwrap();
}

/// redteam: O08
#[test]
fn held_signing_signs_nothing_while_recording_goes_on_and_after_a_restart() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 1)]);
    wait_for(|| signed(&ledger) >= ledger.reader().unwrap().state().unwrap().size);
    ledger.hold_signing("the witness knows more").unwrap();
    ledger.hold_signing("a later reason").unwrap();
    let before = signed(&ledger);
    append(&ledger, vec![part("a", 1, 300)]);
    ledger.close().unwrap();
    assert_eq!(signed(&ledger), before);
    assert_eq!(
        signing_held(&place.dir()).as_deref(),
        Some("the witness knows more")
    );

    let ledger = place.open();
    append(&ledger, vec![part("b", 0, 300)]);
    assert!(ledger.signing_held().is_some());
    assert!(matches!(
        release_signing(&place.dir()),
        Err(StoreError::Locked { .. })
    ));
    ledger.close().unwrap();
    assert_eq!(signed(&ledger), before);
    assert!(release_signing(&place.dir()).unwrap().is_some());
    assert_eq!(release_signing(&place.dir()).unwrap(), None);

    let ledger = place.open();
    ledger.close().unwrap();
    assert!(signed(&ledger) > before);
    let report = verify_all(&place.read(), &Trusted::FirstSeen, &mut |_| {}).unwrap();
    assert_eq!((report.findings.len(), report.open), (0, 0));
}

#[test]
fn a_cosigned_checkpoint_is_kept_for_readers_and_a_foreign_one_is_not() {
    let place = Place::new();
    let ledger = place.open();
    assert_eq!(place_witnessed(&ledger), None);
    let mut note = std::fs::read(place.dir().join("last_signed")).unwrap();
    let text = String::from_utf8(note.clone()).unwrap();
    let text = &text[..=text.find("\n\n").unwrap()];
    let witness = Cosigner::new("w", &[3; 32]).unwrap();
    note.extend_from_slice(witness.cosign(text, 5).as_bytes());
    ledger.keep_witnessed(&note).unwrap();
    assert_eq!(place_witnessed(&ledger), Some(note));
    assert!(ledger.keep_witnessed(b"x\n1\n\n").is_err());
    ledger.close().unwrap();
}

fn place_witnessed(ledger: &Ledger) -> Option<Vec<u8>> {
    ledger.reader().unwrap().witnessed().unwrap()
}

#[test]
fn a_consistency_proof_between_any_two_sizes_of_a_store_holds() {
    let place = Place::new();
    let ledger = place.open();
    let mut heads = Vec::new();
    for i in 0..40 {
        let got = append(&ledger, vec![part(&format!("s{i}"), 0, 2)]);
        heads.push((got.ledger_size, got.ledger_root));
    }
    let reader = ledger.reader().unwrap();
    for (old, old_root) in &heads {
        for (new, new_root) in heads.iter().filter(|(new, _)| new >= old) {
            let proof = consistency_proof(&reader, *old, *new).unwrap();
            verify_consistency(*old, old_root, *new, new_root, &proof).unwrap();
        }
    }
    drop(reader);
    ledger.close().unwrap();
}
