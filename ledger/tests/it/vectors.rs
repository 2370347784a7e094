//! The frozen vectors of `ledger/vectors`: what this code gives for fixed inputs, and what Python gives.
//!
//! `RECOUNT_WRITE_VECTORS=1` writes files that do not exist yet; an existing one is never changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ledger::acked::Acked;
use ledger::checkpoint::Checkpoint;
use ledger::envelope::{
    CollectorPart, Delivery, Encoding, Envelope, Mask, Part, PrincipalProof, ProducerProof,
    RecordingMode, SessionRule, Signal,
};
use ledger::leaf::{ControlBody, ControlLeaf, LedgerId, RecordLeaf, StreamId, TreeHead};
use ledger::note::SignerKey;
use ledger::producer::{self, AgentKey, Signed};
use ledger::proof::LeafProof;
use ledger::segment::{Builder, Segment};
use ledger::tile;
use ledger::tree::{self, Hash, hash_leaf};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

mod control_leaves;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn hexes(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(hex).collect()
}

/// Compares what the code gives with the frozen file.
fn frozen(name: &str, computed: &Value) {
    let path = folder().join(name);
    if std::env::var_os("RECOUNT_WRITE_VECTORS").is_some() && !path.exists() {
        fs::write(
            &path,
            serde_json::to_string_pretty(computed).unwrap() + "\n",
        )
        .unwrap();
    }
    let file: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert_eq!(&file, computed, "{name} is frozen");
}

/// The leaves of the certificate transparency vectors.
fn ct_leaves() -> Vec<Vec<u8>> {
    let hex = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    hex.iter()
        .map(|text| {
            (0..text.len())
                .step_by(2)
                .map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap())
                .collect()
        })
        .collect()
}

#[test]
fn trees_are_frozen() {
    let leaves = ct_leaves();
    let hashes: Vec<Hash> = leaves.iter().map(|leaf| hash_leaf(leaf)).collect();
    let mut nodes = hashes.as_slice();
    let roots: Vec<Hash> = (0..=8)
        .map(|size| tree::root_of(&mut nodes, size).unwrap())
        .collect();
    let mut inclusion = Vec::new();
    let mut consistency = Vec::new();
    for size in 1..=8u64 {
        for index in 0..size {
            let proof = tree::inclusion(&mut nodes, index, size).unwrap();
            inclusion.push(json!({"index": index, "size": size, "proof": hexes(&proof)}));
        }
        for old in 1..=size {
            let proof = tree::consistency(&mut nodes, old, size).unwrap();
            consistency.push(json!({"old": old, "new": size, "proof": hexes(&proof)}));
        }
    }
    frozen(
        "trees.json",
        &json!({
            "leaves": leaves.iter().map(hex).collect::<Vec<_>>(),
            "leaf_hashes": hexes(&hashes),
            "roots": hexes(&roots),
            "inclusion": inclusion,
            "consistency": consistency,
            "tile_paths": [[0, 273, 112, tile::path(0, 273, 112)], [0, 1_234_067, 256, tile::path(0, 1_234_067, 256)],
                           [2, 0, 1, tile::path(2, 0, 1)]],
        }),
    );
}

#[test]
fn record_leaves_are_frozen() {
    let cases = [
        (0, 1_780_000_000_000_000_000, 0),
        (1, 1_780_000_000_123_456_789, 14),
        (u64::MAX, u64::MAX, u32::MAX),
    ];
    let leaves = cases.map(|(index, received_unix_ns, flags)| {
        let commitment = hash_leaf(b"a commitment");
        let leaf = RecordLeaf { index, received_unix_ns, flags, commitment }.encode();
        json!({
            "index": index.to_string(), "received_unix_ns": received_unix_ns.to_string(), "flags": flags,
            "commitment": hex(commitment), "bytes": hex(leaf), "hash": hex(hash_leaf(&leaf)),
        })
    });
    let (ledger, nonce) = (LedgerId(hash_leaf(b"a ledger")), [0x11; 16]);
    frozen(
        "record_leaves.json",
        &json!({
            "leaves": leaves,
            "stream": {"ledger_id": ledger.to_string(), "nonce": hex(nonce),
                       "stream_id": StreamId::derive(&ledger, &nonce).to_string()},
        }),
    );
}

#[test]
fn producer_chain_and_signatures_are_frozen() {
    let key = AgentKey::new(&[0x42; 32]);
    let items: [&[u8]; 3] = [b"first item", b"second item", b""];
    let mut before = [0; 32];
    let links = (0..).zip(items).map(|(number, item)| {
        before = producer::link(&before, number, &Sha256::digest(item).into());
        json!({"item": hex(item), "link": hex(before)})
    });
    let links: Vec<Value> = links.collect();
    let signatures = ["s-1", "", "s\u{e9}ance"].map(|session| {
        let signed = Signed {
            producer: [0x11; 16],
            run: [0x22; 16],
            number: 2,
            link: before,
            session,
        };
        json!({"session": session, "message": hex(signed.message()), "signature": hex(key.sign(&signed))})
    });
    frozen(
        "producers.json",
        &json!({
            "links": links, "seed": "42".repeat(32), "key": hex(key.public()), "number": 2,
            "producer": hex([0x11; 16]), "run": hex([0x22; 16]), "signatures": signatures,
        }),
    );
}

const SALT: [u8; 32] = [0xa5; 32];

fn head(size: u64) -> TreeHead {
    TreeHead {
        size,
        root: hash_leaf(&size.to_be_bytes()),
    }
}

fn collector_part() -> CollectorPart {
    CollectorPart {
        session_rule: SessionRule::SessionAttribute,
        producer_proof: ProducerProof::Token,
        recording_mode: RecordingMode::SelfRecorded,
        delivery: Delivery::Strict,
        principal_proof: PrincipalProof::VerifiedByAgent,
        session_label: "s-1".into(),
        producer: "agent-7".into(),
        claimed_producer: "c0ffee".into(),
        masks: vec![Mask {
            part: Part::Item,
            offset: 3,
            length: 5,
            rule: "credential".into(),
        }],
        enrolled_key: None,
    }
}

#[test]
fn envelopes_and_segments_are_frozen() {
    let collector = collector_part().encode().unwrap();
    assert_eq!(CollectorPart::decode(&collector), Ok(collector_part()));
    let envelope = |encoding, item| Envelope {
        encoding,
        signal: Signal::Logs,
        collector: &collector,
        resource: b"a resource",
        resource_schema_url: b"",
        scope: b"a scope",
        scope_schema_url: b"https://opentelemetry.io/schemas/1.37.0",
        item,
    };
    let envelopes = [
        envelope(Encoding::Protobuf, b"item 0".as_slice()),
        envelope(Encoding::Protobuf, b"".as_slice()),
        envelope(Encoding::Json, b"{\"a\":1,\"a\":2}".as_slice()),
    ];
    let mut builder = Builder::new();
    builder.push(&envelopes[0]);
    builder.push(&envelopes[1]);
    builder.push_erased();
    builder.push(&envelopes[2]);
    let plain = builder.encode().unwrap();
    let segment = Segment::decode(&plain).unwrap();
    let [first, second, third] = envelopes;
    assert_eq!(
        segment.envelopes(),
        [Some(first), Some(second), None, Some(third)]
    );
    let cases = envelopes.map(|envelope| {
        assert_eq!(Envelope::decode(&envelope.encode()), Ok(envelope));
        json!({
            "encoding": envelope.encoding as u8, "signal": envelope.signal as u8,
            "parts": envelope.parts().map(hex), "bytes": hex(envelope.encode()),
            "salt": hex(SALT), "commitment": hex(envelope.commitment(&SALT)),
        })
    });
    let part = collector_part();
    frozen(
        "envelopes.json",
        &json!({
            "collector": {
                "codes": [part.session_rule as u8, part.producer_proof as u8, part.recording_mode as u8,
                          part.delivery as u8, part.principal_proof as u8],
                "texts": [part.session_label, part.producer, part.claimed_producer],
                "masks": [[5, 3, 5, "credential"]],
                "bytes": hex(&collector),
            },
            "envelopes": cases,
            "segment": {"records": [0, 1, null, 2], "plain": hex(&plain)},
        }),
    );
}

#[test]
fn notes_checkpoints_proofs_and_slots_are_frozen() {
    let seed = [0x42; 32];
    let key = SignerKey::new("recount.local/test", &seed).unwrap();
    let leaves: Vec<Hash> = ct_leaves().iter().map(|leaf| hash_leaf(leaf)).collect();
    let mut nodes = leaves.as_slice();
    let head = TreeHead {
        size: 7,
        root: tree::root_of(&mut nodes, 7).unwrap(),
    };
    let checkpoint = Checkpoint {
        origin: "recount.local/test".into(),
        head,
    };
    let note = checkpoint.sign(&key).unwrap();
    assert_eq!(
        Checkpoint::open(&note, &key.verifier()),
        Ok(checkpoint.clone())
    );
    let hashes = tree::inclusion(&mut nodes, 4, 7).unwrap();
    let proof = LeafProof {
        extra: None,
        index: 4,
        hashes,
        checkpoint: note.clone(),
    };
    assert_eq!(LeafProof::parse(&proof.encode()), Ok(proof.clone()));
    assert_eq!(
        proof.verify(&ct_leaves()[4], &key.verifier()),
        Ok(checkpoint.clone())
    );
    let acked = Acked {
        commit: 9,
        size: head.size,
        root: head.root,
    };
    frozen(
        "notes.json",
        &json!({
            "seed": hex(seed), "name": "recount.local/test", "public": hex(key.verifier().bytes()),
            "vkey": key.verifier().to_string(),
            "size": head.size, "root": hex(head.root), "text": checkpoint.text(),
            "note": String::from_utf8(note).unwrap(),
            "proof": {"index": 4, "text": String::from_utf8(proof.encode()).unwrap()},
            "acked": {"commit": "9", "size": "7", "root": hex(head.root), "slot": hex(acked.encode())},
            "epoch_seal_message": hex(epoch_message()),
            "epoch_seal_signature": hex(key.sign_bytes(&epoch_message())),
        }),
    );
}

/// What the signature of an epoch seal covers.
fn epoch_message() -> Vec<u8> {
    let body = ControlBody::EpochSeal {
        epoch: 0,
        head: head(9),
        next_key: [0x66; 32],
        view_root: [0; 32],
        signature: [0; 64],
    };
    ledger::leaf::epoch_message(
        &LedgerId(hash_leaf(b"a ledger")),
        &ControlLeaf {
            index: 9,
            unix_ns: 1,
            body,
        },
    )
    .unwrap()
    .unwrap()
}

#[test]
fn the_second_implementation_agrees() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/python/ledger_vectors.py");
    let Ok(output) = Command::new("python3").arg(&script).arg(folder()).output() else {
        eprintln!("python3 is not there: the second implementation was not run");
        return;
    };
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
}
