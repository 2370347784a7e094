//! One control leaf of every kind, with its fields as `docs/ledger-format.md` names them.

use ledger::leaf::{
    Cause, ConfigChange, ConflictNote, ControlBody, ControlLeaf, GapNote, LedgerId, NO_HEAD,
    Private, PruneNote, Receipt, RefusedPayload, RequestBinding, RestoreNote, SessionLink,
    ShortText, StreamId, StreamOpening, TreeHead, control_commitment,
};
use ledger::tree::{Hash, hash_leaf};
use serde_json::{Value, json};

use super::{SALT, frozen, head, hex};

fn json_head(head: TreeHead) -> Value {
    json!([head.size, hex(head.root)])
}

/// One control leaf with its fields as the document names them, and its private part with its fields.
fn case(at: u64, body: ControlBody, fields: Value, private: Option<(Vec<u8>, Value)>) -> Value {
    let (name, kind) = (body.name(), body.kind());
    let leaf = ControlLeaf {
        index: at,
        unix_ns: 1_780_000_000_000_000_000 + at,
        body,
    };
    let bytes = leaf.encode().unwrap();
    assert_eq!(ControlLeaf::decode(&bytes), Ok(leaf));
    let private = private
        .map(|(bytes, fields)| json!({"salt": hex(SALT), "fields": fields, "bytes": hex(bytes)}));
    json!({
        "name": name, "kind": kind, "index": at, "unix_ns": (1_780_000_000_000_000_000 + at).to_string(),
        "fields": fields, "private": private, "bytes": hex(&bytes), "hash": hex(hash_leaf(&bytes)),
    })
}

fn private(part: &impl Private, fields: Value) -> (Hash, Option<(Vec<u8>, Value)>) {
    let bytes = part.encode().unwrap();
    (control_commitment(&SALT, &bytes), Some((bytes, fields)))
}

fn stream_leaves(stream: StreamId) -> Vec<Value> {
    let id = stream.to_string();
    let mut cases = Vec::new();
    let opening = StreamOpening {
        label: "s-1".into(),
        rule: 2,
        producer: "unauthenticated:otlp-http".into(),
        proof: 1,
        claim: "agent".into(),
    };
    let (commitment, part) = private(
        &opening,
        json!(["s-1", 2, "unauthenticated:otlp-http", 1, "agent"]),
    );
    let body = ControlBody::StreamOpen {
        stream,
        nonce: [0x11; 16],
        commitment,
    };
    cases.push(case(3, body, json!([id, hex([0x11; 16])]), part));
    let body = ControlBody::StreamHead {
        stream,
        head: head(7),
        prev_head_index: NO_HEAD,
    };
    cases.push(case(
        4,
        body,
        json!([id, json_head(head(7)), NO_HEAD.to_string()]),
        None,
    ));
    let body = ControlBody::StreamClose {
        stream,
        head: head(9),
        prev_head_index: 4,
        reason: 1,
        declared: 9,
    };
    cases.push(case(
        5,
        body,
        json!([id, json_head(head(9)), "4", 1, "9"]),
        None,
    ));
    let (commitment, part) = private(
        &SessionLink {
            session: "sitzung-ä".into(),
            rule: 6,
            evidence: 3,
        },
        json!(["sitzung-ä", 6, "3"]),
    );
    cases.push(case(
        6,
        ControlBody::SessionLink { stream, commitment },
        json!([id]),
        part,
    ));
    let (commitment, part) = private(
        &RequestBinding {
            request: "47892".into(),
            rule: 1,
            evidence: 0,
        },
        json!(["47892", 1, "0"]),
    );
    cases.push(case(
        7,
        ControlBody::RequestBinding { stream, commitment },
        json!([id]),
        part,
    ));
    let (commitment, part) = private(
        &Cause {
            actor: "dpo".into(),
            reason: "asked".into(),
        },
        json!(["dpo", "asked"]),
    );
    let body = ControlBody::Erasure {
        stream,
        first: 2,
        count: 3,
        reason: 1,
        commitment,
    };
    cases.push(case(10, body, json!([id, "2", "3", 1]), part));
    let (commitment, part) = private(
        &PruneNote {
            actor: "root".into(),
            policy: "90d".into(),
        },
        json!(["root", "90d"]),
    );
    cases.push(case(
        11,
        ControlBody::Prune {
            stream,
            head: head(9),
            commitment,
        },
        json!([id, json_head(head(9))]),
        part,
    ));
    let note = GapNote {
        producer: "p".into(),
        run: "r".into(),
        first: 4,
        last: 6,
        why: 1,
    };
    let (commitment, part) = private(&note, json!(["p", "r", "4", "6", 1]));
    cases.push(case(
        16,
        ControlBody::Gap { stream, commitment },
        json!([id]),
        part,
    ));
    let note = ConflictNote {
        what: "two".into(),
        first: head(1).root,
        second: head(2).root,
    };
    let (commitment, part) = private(&note, json!(["two", hex(head(1).root), hex(head(2).root)]));
    cases.push(case(
        20,
        ControlBody::Conflict {
            kind: 1,
            stream,
            commitment,
        },
        json!([1, id]),
        part,
    ));
    cases
}

fn ledger_leaves(ledger: LedgerId) -> Vec<Value> {
    let old = LedgerId(hash_leaf(b"an older ledger"));
    let (instance, boot, config) = ([0x33; 16], [0x44; 16], hash_leaf(b"settings"));
    let mut cases = Vec::new();
    let body = ControlBody::Genesis {
        ledger,
        identity: [0x55; 32],
        origin: "recount.local/test".into(),
        previous: (old, head(70)),
    };
    let fields = json!([
        ledger.to_string(),
        hex([0x55; 32]),
        "recount.local/test",
        old.to_string(),
        json_head(head(70))
    ]);
    cases.push(case(0, body, fields, None));
    let note = RestoreNote {
        actor: "root".into(),
        reason: "disk".into(),
        origin: "recount.local/old".into(),
    };
    let (commitment, part) = private(&note, json!(["root", "disk", "recount.local/old"]));
    let body = ControlBody::Incarnation {
        previous: old,
        claimed: head(70),
        found: head(60),
        commitment,
    };
    cases.push(case(
        1,
        body,
        json!([old.to_string(), json_head(head(70)), json_head(head(60))]),
        part,
    ));
    let refused = RefusedPayload {
        door: 1,
        why: "malformed".into(),
        digest: head(3).root,
        size: 12,
        peer: "127.0.0.1".into(),
    };
    let (commitment, part) = private(
        &refused,
        json!([1, "malformed", hex(head(3).root), "12", "127.0.0.1"]),
    );
    cases.push(case(
        8,
        ControlBody::RefusedPayload { commitment },
        json!([]),
        part,
    ));
    let body = ControlBody::EpochSeal {
        epoch: 5,
        head: head(9),
        next_key: [0x66; 32],
        view_root: [0; 32],
        signature: [0x77; 64],
    };
    let fields = json!([
        "5",
        json_head(head(9)),
        hex([0x66; 32]),
        hex([0; 32]),
        hex([0x77; 64])
    ]);
    cases.push(case(9, body, fields, None));
    let (commitment, part) = private(
        &Receipt {
            holder: "witness".into(),
            receipt: vec![1, 2, 3],
        },
        json!(["witness", "010203"]),
    );
    let body = ControlBody::AnchorReceipt {
        head: head(8),
        kind: 4,
        commitment,
    };
    cases.push(case(12, body, json!([json_head(head(8)), 4]), part));
    cases.push(case(
        13,
        ControlBody::Beacon {
            kind: 3,
            value: vec![9, 8],
        },
        json!([3, "0908"]),
        None,
    ));
    let body = ControlBody::Startup {
        clean: 1,
        boot,
        instance,
        commit: 11,
        boot_ns: 12,
        config,
        version: ShortText("0.1.0".into()),
    };
    cases.push(case(
        14,
        body,
        json!([
            1,
            hex(boot),
            hex(instance),
            "11",
            "12",
            hex(config),
            "0.1.0"
        ]),
        None,
    ));
    let body = ControlBody::Shutdown {
        instance,
        commit: 13,
        reason: 1,
    };
    cases.push(case(15, body, json!([hex(instance), "13", 1]), None));
    let change = ConfigChange {
        setting: "limits.body".into(),
        from: "1".into(),
        to: "2".into(),
        origin: "flag".into(),
    };
    let (commitment, part) = private(&change, json!(["limits.body", "1", "2", "flag"]));
    cases.push(case(
        17,
        ControlBody::ConfigChange { config, commitment },
        json!([hex(config)]),
        part,
    ));
    let body = ControlBody::Heartbeat {
        instance,
        boot_ns: 1,
        commit: 2,
        records: 3,
    };
    cases.push(case(18, body, json!([hex(instance), "1", "2", "3"]), None));
    let body = ControlBody::ClockStep {
        expected_unix_ns: 1,
        found_unix_ns: 2,
        boot_ns: 3,
    };
    cases.push(case(19, body, json!(["1", "2", "3"]), None));
    cases
}

#[test]
fn control_leaves_of_every_kind_are_frozen() {
    let ledger = LedgerId(hash_leaf(b"a ledger"));
    let mut cases = ledger_leaves(ledger);
    cases.extend(stream_leaves(StreamId::derive(&ledger, &[0x11; 16])));
    cases.sort_by_key(|case| case["kind"].as_u64());
    let kinds: Vec<u64> = cases
        .iter()
        .filter_map(|case| case["kind"].as_u64())
        .collect();
    assert_eq!(kinds, (1..=20).collect::<Vec<_>>());
    frozen("control_leaves.json", &json!(cases));
}
