//! Proofs of one record: what they show, how long they are, and that no bit of them can be another one.

use ledger::checkpoint::{Checkpoint, default_origin};
use ledger::leaf::{ControlBody, ControlLeaf, LedgerId, RecordLeaf, StreamId, TreeHead};
use ledger::note::{SignerKey, VerifierKey};
use ledger::proof::{LeafProof, RecordProof};
use ledger::tree::{Hash, hash_leaf, inclusion, root_by};
use ledger::verify::{Trusted, Verifier};

use crate::memory::{Memory, T0};

/// Hashes of a proof of the first leaf, and the root that they lead to.
fn path(leaf: &Hash, size: u64) -> (Vec<Hash>, Hash) {
    let length = 64 - (size - 1).leading_zeros();
    let path: Vec<Hash> = (0..length).map(|at| hash_leaf(&at.to_be_bytes())).collect();
    let root = root_by(leaf, 0, size, &path).unwrap();
    (path, root)
}

/// The proof of a record in a stream of `records`, in a ledger log of `leaves`: the longest that there is.
fn longest(records: u64, leaves: u64) -> (RecordProof, VerifierKey) {
    let record = RecordLeaf {
        index: 0,
        received_unix_ns: T0,
        flags: 0,
        commitment: [7; 32],
    };
    let (up, root) = path(&hash_leaf(&record.encode()), records);
    let head = ControlLeaf {
        index: 0,
        unix_ns: T0,
        body: ControlBody::StreamClose {
            stream: StreamId([5; 32]),
            head: TreeHead {
                size: records,
                root,
            },
            prev_head_index: leaves - 1,
            reason: 1,
            declared: records,
        },
    };
    let (hashes, root) = path(&hash_leaf(&head.encode().unwrap()), leaves);
    let origin = default_origin(&LedgerId([3; 32]));
    let key = SignerKey::new(&origin, &[4; 32]).unwrap();
    let head_of_log = TreeHead { size: leaves, root };
    let checkpoint = Checkpoint {
        origin: origin.clone(),
        head: head_of_log,
    };
    let mut note = checkpoint.sign(&key).unwrap();
    let epoch = SignerKey::new(&format!("{origin}/epoch"), &[6; 32]).unwrap();
    let both = epoch.sign(&checkpoint.text()).unwrap();
    note.extend_from_slice(&both[checkpoint.text().len() + 1..]);
    let leaf = LeafProof {
        extra: None,
        index: 0,
        hashes,
        checkpoint: note,
    };
    let proof = RecordProof::new(&record, up, &head, leaf).unwrap();
    (proof, key.verifier())
}

#[test]
fn the_proof_of_a_record_among_ten_million_leaves_fits_into_two_kilobytes() {
    for records in [200, 1_000, 4_096, 10_000] {
        let (proof, key) = longest(records, 10_000_000);
        assert_eq!(proof.leaf.hashes.len(), 24);
        let bytes = proof.encode();
        // The proof is of leaf 0; the index of another one has up to six digits more.
        let most = bytes.len() + 6;
        println!("a record of {records}: {most} bytes");
        assert!(most <= if records <= 4_096 { 2_048 } else { 2_112 });
        let again = RecordProof::parse(&bytes).unwrap();
        assert_eq!(again, proof);
        assert_eq!(again.verify(&key).unwrap().checkpoint.head.size, 10_000_000);
    }
}

#[test]
fn no_bit_of_a_proof_can_be_another_one() {
    let (proof, key) = longest(200, 1_000);
    let bytes = proof.encode();
    for at in 0..bytes.len() * 8 {
        let mut other = bytes.clone();
        other[at / 8] ^= 1 << (at % 8);
        let good = RecordProof::parse(&other).is_ok_and(|it| it.verify(&key).is_ok());
        assert!(
            !good,
            "bit {at} was flipped: {}",
            String::from_utf8_lossy(&other)
        );
    }
}

#[test]
fn every_record_of_a_ledger_can_be_proven_and_no_proof_fits_another_record() {
    let ledger = Memory::of(&[1, 7, 120]);
    let mut verifier = Verifier::open(&ledger, &Trusted::FirstSeen).unwrap();
    let key = ledger.key().verifier();
    let other = SignerKey::new(key.name(), &[1; 32]).unwrap().verifier();
    for stream in &ledger.streams {
        let read = verifier.read_stream(&stream.hint);
        let head = read.head.unwrap();
        let leaf = ControlLeaf::decode(&ledger.control[head.index as usize].leaf).unwrap();
        let hashes: Vec<Hash> = read
            .records
            .iter()
            .map(|it| hash_leaf(&it.leaf.encode()))
            .collect();
        for record in &read.records {
            let index = record.leaf.index;
            let path = inclusion(&mut hashes.as_slice(), index, head.head.size).unwrap();
            let under = verifier.leaf_proof(head.index).unwrap().unwrap();
            let proof = RecordProof::new(&record.leaf, path, &leaf, under).unwrap();
            let bytes = proof.encode();
            let read = RecordProof::parse(&bytes).unwrap();
            assert_eq!(read.verify(&key).unwrap().record, record.leaf);
            assert!(read.verify(&other).is_err());
            let mut moved = read;
            moved.record = RecordLeaf {
                index: index + 1,
                ..record.leaf
            }
            .encode();
            assert!(moved.verify(&key).is_err());
        }
    }
}
