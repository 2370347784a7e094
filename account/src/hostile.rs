//! Whatever a sender sends: nothing panics, and the same records give the same rows in any order.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

use ledger::envelope::{
    CollectorPart, Delivery, Encoding, Envelope, PrincipalProof, ProducerProof, RecordingMode,
    SessionRule, Signal,
};
use ledger::leaf::RecordLeaf;
use proptest::prelude::*;
use serde_json::{Value, json};
use vocabulary::event::Event;
use vocabulary::id::{RecordRef, SessionRef, StreamRef};
use vocabulary::record::RecordingMode as Mode;
use vocabulary::session::{EndReason, SessionSource};
use vocabulary::source::Source;

use crate::fold::{Fold, Run};
use crate::judge::problems::Problems;
use crate::judge::{outcome, problems, scope, who};
use crate::model::{self, Agent, Evidence, Standing};
use crate::told::{Telling, Told};

fn run() -> Run {
    Run::new(model::Session {
        name: SessionRef(1),
        id: "s-1".to_owned(),
        ledger: String::new(),
        streams: Vec::new(),
        parent: None,
        agent: Agent::default(),
        started_at: None,
        ended_at: None,
        end_reason: EndReason::Unknown,
        records: 0,
        recording_mode: Mode::Unknown,
        sender: vocabulary::record::SenderKind::Unknown,
        numbered: 0,
        signed: 0,
        session_source: SessionSource::Unknown,
        evidence: Evidence::new(Source::Stated, Vec::new()),
    })
}

fn collector() -> Vec<u8> {
    let part = CollectorPart {
        session_rule: SessionRule::SessionAttribute,
        producer_proof: ProducerProof::None,
        recording_mode: RecordingMode::SelfRecorded,
        delivery: Delivery::Plain,
        principal_proof: PrincipalProof::None,
        session_label: "s-1".to_owned(),
        producer: "unauthenticated:otlp-http".to_owned(),
        claimed_producer: String::new(),
        masks: vec![],
        enrolled_key: None,
    };
    part.encode().unwrap()
}

/// The rows, problems and counts of items, read in the order given by `order`.
fn judged(items: &[(String, Signal)], order: &[usize]) -> String {
    let collector = collector();
    let mut telling = Telling::default();
    let told: Vec<Told<'_>> = items
        .iter()
        .enumerate()
        .filter_map(|(index, (item, signal))| {
            let index = index as u64;
            let stream = StreamRef {
                session: SessionRef(1),
                stream: 0,
            };
            let leaf = RecordLeaf {
                index,
                received_unix_ns: 5_000 + index,
                flags: 0,
                commitment: [0; 32],
            };
            let envelope = Envelope {
                encoding: Encoding::Json,
                signal: *signal,
                collector: &collector,
                resource: b"{}",
                resource_schema_url: b"",
                scope: b"{}",
                scope_schema_url: b"",
                item: item.as_bytes(),
            };
            telling
                .read(RecordRef { stream, index }, Standing::Own, leaf, envelope)
                .ok()
        })
        .collect();
    let mut fold = Fold::default();
    fold.runs.push(run());
    for at in order {
        if let Some(told) = told.get(*at) {
            fold.tell(told);
        }
    }
    let mut fold = fold.finish();
    let found = scope::judge(&mut fold, &|_| false);
    let mut all = Problems::default();
    let unrecovered = problems::collect(&fold, &found, &mut all);
    crate::replay::mismatches(&fold, &mut all);
    let all = all.worst_first();
    let outcome = outcome::collect(&fold, &all, unrecovered);
    let who = who::collect(&fold);
    let acts: Vec<_> = fold.acts.iter().map(|act| &act.row).collect();
    let diffs: Vec<_> = fold.changes.iter().map(|change| &change.row).collect();
    serde_json::to_string(&(acts, diffs, &all, &outcome, who)).unwrap()
}

/// Any value an attribute may have, ids and words that meet each other included.
fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        Just("a-1".to_owned()),
        Just("a-2".to_owned()),
        Just("success".to_owned()),
        Just("failure".to_owned()),
        Just("denied".to_owned()),
        Just("committed".to_owned()),
        Just("pending".to_owned()),
        Just("write".to_owned()),
        Just("read".to_owned()),
        Just("deny".to_owned()),
        Just("file:x/y".to_owned()),
        Just("http".to_owned()),
        Just("unlocked".to_owned()),
        Just("429".to_owned()),
        any::<String>(),
    ];
    let content = (
        prop_oneof![
            Just("present"),
            Just("absent"),
            Just("truncated"),
            Just("x")
        ],
        any::<String>(),
        any::<i64>(),
    )
        .prop_map(|(state, inline, size)| {
            json!({ "kvlistValue": { "values": [
            { "key": "state", "value": { "stringValue": state } },
            { "key": "inline", "value": { "stringValue": inline } },
            { "key": "media_type", "value": { "stringValue": "application/json" } },
            { "key": "size", "value": { "intValue": size.to_string() } },
        ] } })
        });
    prop_oneof![
        6 => text.prop_map(|text| json!({ "stringValue": text })),
        2 => content,
        1 => any::<i64>().prop_map(|number| json!({ "intValue": number.to_string() })),
        1 => any::<bool>().prop_map(|value| json!({ "boolValue": value })),
        1 => proptest::collection::vec("write [a-z]{1,4}:[a-z*/]{1,6}", 0..3).prop_map(|list| {
            let values: Vec<Value> = list.into_iter().map(|text| json!({ "stringValue": text })).collect();
            json!({ "arrayValue": { "values": values } })
        }),
    ]
}

fn item() -> impl Strategy<Value = (String, Signal)> {
    let keys = proptest::sample::select(vocabulary::attribute::ALL);
    let ids = proptest::sample::select(
        &[
            "recount.action.id",
            "recount.retry_of",
            "recount.target",
            "recount.resource",
        ][..],
    );
    let attribute = (prop_oneof![2 => keys, 1 => ids], value());
    let event = proptest::sample::select(Event::ALL);
    (event, any::<bool>(), 0..4_u64, proptest::collection::vec(attribute, 0..14)).prop_map(|(event, span, at, attributes)| {
        let attributes: Vec<Value> =
            attributes.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        // Few times and spans, so that records meet.
        let time = (at * 1_000).to_string();
        let item = if span && event.is_security() {
            json!({ "spanId": format!("{:016x}", at + 1), "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
                "name": "x", "startTimeUnixNano": time, "endTimeUnixNano": time, "attributes": attributes })
        } else {
            json!({ "timeUnixNano": time, "eventName": event.name(), "attributes": attributes })
        };
        let signal = if item.get("eventName").is_some() { Signal::Logs } else { Signal::Traces };
        (item.to_string(), signal)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(80) })]

    #[test]
    fn no_records_make_it_panic(items in proptest::collection::vec(item(), 0..24)) {
        let order: Vec<usize> = (0..items.len()).collect();
        judged(&items, &order);
    }
}

/// One record with an action's id.
fn record(time: u64, event: &str, attributes: &[(&str, &str)]) -> (String, Signal) {
    let attributes: Vec<Value> = attributes
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": { "stringValue": value } }))
        .collect();
    let item =
        json!({ "timeUnixNano": time.to_string(), "eventName": event, "attributes": attributes });
    (item.to_string(), Signal::Logs)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(40) })]

    #[test]
    fn begins_ends_verdicts_and_transactions_meet_in_any_order(
        order in Just((0..8_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let id = ("recount.action.id", "a-1");
        let items = [
            record(1_000, "agent.scope", &[("recount.scope.entries", "write file:x/**")]),
            record(2_000, "agent.tool.invoke", &[id, ("recount.action.access", "write"), ("recount.target", "file:y")]),
            record(3_000, "agent.verdict", &[id, ("recount.verdict", "allow"), ("recount.rule", "r")]),
            record(4_000, "agent.diff", &[id, ("recount.resource", "file:y"), ("recount.effect", "pending"),
                ("recount.transaction.id", "t")]),
            record(5_000, "agent.tool.result", &[id, ("recount.outcome", "success"), ("recount.effect", "pending")]),
            record(6_000, "agent.transaction", &[("recount.transaction.id", "t"),
                ("recount.transaction.outcome", "committed")]),
            record(7_000, "agent.approval", &[id, ("recount.approval", "approved"), ("recount.approved_by", "x")]),
            record(8_000, "agent.session.end", &[("recount.session.end_reason", "completed")]),
        ];
        let straight: Vec<usize> = (0..items.len()).collect();
        // References are listed in the order of arrival; everything else does not depend on it.
        let facts = |text: String| {
            let mut value: Value = serde_json::from_str(&text).unwrap();
            forget_refs(&mut value);
            value
        };
        prop_assert_eq!(facts(judged(&items, &order)), facts(judged(&items, &straight)));
    }
}

fn forget_refs(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.remove("refs");
            map.values_mut().for_each(forget_refs);
        }
        Value::Array(list) => list.iter_mut().for_each(forget_refs),
        _ => {}
    }
}
