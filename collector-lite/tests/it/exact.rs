//! What a careless reader would lose is in the verified record as it was on the wire; what is acknowledged is durable.

use std::io::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use collector_lite::Hidden;
use ledger::otlp::{Item, Value};
use ledger::reader::{Find, Reader};
use ledger::store::Folder;
use ledger::verify::{Trusted, VerifiedStream, Verifier};

use crate::harness::{JSON, Lab, PROTOBUF, logs_json, post, record_json};

/// The only stream of a session, verified against the ledger's signed checkpoint.
fn verified(lab: &Lab, session: &str) -> VerifiedStream {
    let folder = Folder::open(&lab.store()).unwrap();
    let mut verifier = Verifier::open(&folder, &Trusted::FirstSeen).unwrap();
    let hints = folder.find(&Find::Session(session.to_owned())).unwrap();
    assert_eq!(hints.len(), 1);
    let stream = verifier.read_stream(&hints[0]);
    assert_eq!(stream.findings, []);
    assert_eq!(
        stream.tail, 0,
        "a stop in order leaves a signed head over all"
    );
    stream
}

/// A field with a length, in protobuf.
fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = varint(u64::from(number << 3 | 2));
    out.extend(varint(bytes.len() as u64));
    out.extend_from_slice(bytes);
    out
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// An attribute with a string.
fn text(key: &str, value: &str) -> Vec<u8> {
    field(
        6,
        &[
            field(1, key.as_bytes()),
            field(2, &field(1, value.as_bytes())),
        ]
        .concat(),
    )
}

#[test]
fn unknown_fields_and_unusual_lengths_in_protobuf_survive_to_the_verified_record() {
    let record = [
        field(5, &field(1, b"body")),
        // A key that occurs twice, which OTLP forbids and nothing enforces.
        text("session.id", "exact"),
        text("session.id", "another"),
        // A field that no release of OTLP has, a group, and the same number in more bytes than it needs.
        field(9_999, b"from the future"),
        vec![0xf3, 0x3f, 0x08, 0x01, 0xf4, 0x3f],
        vec![0x10, 0x89, 0x80, 0x80, 0x00],
    ]
    .concat();
    let resource = [
        field(
            1,
            &[field(1, b"service.name"), field(2, &field(1, b"a"))].concat(),
        ),
        field(77, b"?"),
    ]
    .concat();
    let body = field(
        1,
        &[
            // The resource behind the records it belongs to, between two unknown fields.
            field(50, b"x"),
            field(2, &field(2, &record)),
            field(1, &resource),
            field(51, b"y"),
        ]
        .concat(),
    );
    let lab = Lab::new();
    let mut collector = lab.serve();
    assert_eq!(post(&collector, "/v1/logs", &[PROTOBUF], &body).status, 200);
    collector.stop().unwrap();

    let stream = verified(&lab, "exact");
    let envelope = stream.records[0].envelope().unwrap();
    assert_eq!(envelope.item, record);
    assert_eq!(envelope.resource, resource);
    let item = Item::decode(envelope.encoding, envelope.signal, envelope.item).unwrap();
    assert!(item.attributes.is_ambiguous("session.id"));
}

#[test]
fn big_integers_and_duplicate_keys_in_json_survive_to_the_verified_record() {
    let record = concat!(
        r#"{ "attributes":[{"key":"session.id","value":{"stringValue":"exact"}},"#,
        r#"{"key":"row","value":{"intValue":"9223372036854775807"}},"#,
        r#"{"key":"row","value":{"intValue":9007199254740993}}],"#,
        r#""body":{"stringValue":"na\u00efve \/ \ud83d\ude00"},"#,
        "\t\"later\":123456789012345678901234567890.10, \"later\" : 1e400,\r\n",
        r#""later":{"a":1,"a":2} }"#,
    );
    let lab = Lab::new();
    let mut collector = lab.serve();
    let answer = post(
        &collector,
        "/v1/logs",
        &[JSON],
        logs_json(&[record]).as_bytes(),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    collector.stop().unwrap();

    let stream = verified(&lab, "exact");
    let envelope = stream.records[0].envelope().unwrap();
    assert_eq!(envelope.item, record.as_bytes());
    let item = Item::decode(envelope.encoding, envelope.signal, envelope.item).unwrap();
    assert_eq!(item.attributes.get("row"), Some(&Value::Int(i64::MAX)));
    assert_eq!(
        item.attributes.last("row"),
        Some(&Value::Int(9_007_199_254_740_993))
    );
}

#[test]
fn an_acknowledgement_waits_for_the_device() {
    const SYNC: Duration = Duration::from_millis(250);
    let lab = Lab::new();
    let served = lab.command();
    let mut slow = Command::new("strace");
    slow.args([
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "trace=fsync,fdatasync",
        "-e",
    ])
    .arg(format!(
        "inject=fsync,fdatasync:delay_enter={}",
        SYNC.as_micros()
    ))
    .arg(served.get_program())
    .args(served.get_args())
    .arg("--reader")
    .arg(lab.socket());
    let Ok(mut collector) = Hidden::spawn(&mut slow, true) else {
        let _told = writeln!(
            std::io::stderr(),
            "skipped: slowing a device down needs strace"
        );
        return;
    };
    for delivery in ["strict", "spooled"] {
        let record = record_json(delivery, &[("session.id", "s")]);
        let start = Instant::now();
        let answer = post(
            &collector,
            "/v1/logs",
            &[JSON, ("recount-delivery", delivery)],
            logs_json(&[&record]).as_bytes(),
        );
        assert_eq!(answer.status, 200);
        assert!(start.elapsed() >= SYNC, "answered before the device did");
    }
    // The collector itself, not only the program that slows it down.
    let kill = |process: u32| {
        Command::new("kill")
            .args(["-KILL", &process.to_string()])
            .status()
    };
    kill(collector.ready().pid).unwrap();
    collector.kill().unwrap();
}
