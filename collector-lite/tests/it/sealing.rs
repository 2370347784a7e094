//! What was acknowledged is in the ledger: exact, sealed, and under the right session.

use ledger::envelope::{CollectorPart, Delivery, Envelope, SessionRule};
use ledger::store::Folder;
use ledger::verify::{Trusted, verify_all};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use prost::Message;

use crate::harness::{JSON, Lab, PROTOBUF, logs_json, post, record_json};

#[test]
fn a_json_log_lands_durable_and_sealed() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let record = record_json(
        "hello",
        &[("session.id", "s-1"), ("recount.request.id", "47892")],
    );
    let answer = post(
        &collector,
        "/v1/logs",
        &[JSON],
        logs_json(&[&record]).as_bytes(),
    );
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    let receipt: serde_json::Value =
        serde_json::from_slice(answer.headers["recount-receipt"].as_bytes()).unwrap();
    assert_eq!(receipt["streams"][0]["count"], 1);

    // A crash right after the answer loses nothing.
    collector.kill().unwrap();
    let records = lab.records();
    assert_eq!(records.len(), 1);
    let body = records[0].body.as_ref().unwrap();
    let envelope = Envelope::decode(&body.envelope).unwrap();
    assert_eq!(envelope.item, record.as_bytes(), "the exact text is kept");
    let part = CollectorPart::decode(envelope.collector).unwrap();
    assert_eq!(
        (part.session_label.as_str(), part.session_rule),
        ("s-1", SessionRule::SessionAttribute)
    );
    assert_eq!(
        (part.producer.as_str(), part.claimed_producer.as_str()),
        ("unauthenticated:otlp-http", "agent")
    );

    // A stop in order ends in a ledger that verifies as a whole.
    lab.serve().stop().unwrap();
    let folder = Folder::open(&lab.store()).unwrap();
    let report = verify_all(&folder, &Trusted::FirstSeen, &mut |_| {}).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(report.records, 1);
}

#[test]
fn a_protobuf_log_is_kept_byte_for_byte_with_its_delivery() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let record = LogRecord {
        event_name: "x".into(),
        trace_id: vec![7; 16],
        ..Default::default()
    };
    let export = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs: vec![ScopeLogs {
                log_records: vec![record.clone()],
                ..Default::default()
            }],
            ..Default::default()
        }],
    };
    let answer = post(
        &collector,
        "/v1/logs",
        &[PROTOBUF, ("recount-delivery", "strict")],
        &export.encode_to_vec(),
    );
    assert_eq!((answer.status, answer.body.as_slice()), (200, &b""[..]));
    collector.stop().unwrap();
    let records = lab.records();
    let envelope = Envelope::decode(&records[0].body.as_ref().unwrap().envelope).unwrap();
    assert_eq!(envelope.item, record.encode_to_vec());
    let part = CollectorPart::decode(envelope.collector).unwrap();
    assert_eq!(part.session_label, format!("trace:{}", "07".repeat(16)));
    assert_eq!(
        (part.session_rule, part.delivery),
        (SessionRule::Trace, Delivery::Strict)
    );
}

#[test]
fn a_credential_never_reaches_the_disk() {
    let secret = "sk-abcdefghijklmnopqrstuvwxyzABCDEF";
    let lab = Lab::new();
    let mut collector = lab.serve();
    let record = record_json(&format!("the key is {secret}, ok"), &[("session.id", "s")]);
    assert_eq!(
        post(
            &collector,
            "/v1/logs",
            &[JSON],
            logs_json(&[&record]).as_bytes()
        )
        .status,
        200
    );
    collector.stop().unwrap();
    let records = lab.records();
    let envelope = Envelope::decode(&records[0].body.as_ref().unwrap().envelope).unwrap();
    assert_eq!(envelope.item.len(), record.len());
    let part = CollectorPart::decode(envelope.collector).unwrap();
    assert_eq!(part.masks.len(), 1);
    let mask = &part.masks[0];
    let at = mask.offset as usize..(mask.offset + mask.length) as usize;
    assert_eq!(&record.as_bytes()[at.clone()], secret.as_bytes());
    assert!(envelope.item[at].iter().all(|byte| *byte == b'*'));
}
