//! The spool of an agent that is gone becomes sealed records, once.

use std::io::Write;
use std::path::Path;

use ledger::envelope::{CollectorPart, Delivery, Envelope};
use ledger::otlp::{Encoding, Item, Resource, Signal};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use prost::Message;
use sha2::{Digest, Sha256};

use crate::harness::Lab;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

/// A record as the SDK spools it: its producer chain, 32 zeros, lies at the end.
fn item(seq: i64) -> Vec<u8> {
    let attributes = vec![
        text("session.id", "s-1"),
        attribute("recount.seq", Value::IntValue(seq)),
        attribute("recount.chain", Value::BytesValue(vec![0; 32])),
    ];
    let bytes = LogRecord {
        event_name: "agent.intent".into(),
        attributes,
        ..Default::default()
    }
    .encode_to_vec();
    // `event_name` follows the attributes on the wire; the SDK writes it first.
    let name = b"\x62\x0cagent.intent";
    let at = bytes.len() - name.len();
    assert_eq!(&bytes[at..], name);
    [&bytes[at..], &bytes[..at]].concat()
}

/// Writes a spool file of one run by the format's own words, not by the SDK.
fn spool(folder: &Path, records: i64, torn: bool) {
    let resource = ProtoResource {
        attributes: vec![text("recount.producer", "p-1"), text("recount.run", "r-1")],
        ..Default::default()
    };
    let (resource, scope) = (resource.encode_to_vec(), b"\x0a\x07recount".to_vec());
    let data = 4096u64;
    let mut frames = Vec::new();
    for seq in 0..records {
        let item = item(seq);
        let mut crc = crc32fast::Hasher::new();
        crc.update(&[0]);
        crc.update(&item);
        frames.extend_from_slice(&(item.len() as u32).to_be_bytes());
        frames.extend_from_slice(&crc.finalize().to_be_bytes());
        frames.push(0);
        frames.extend_from_slice(&item);
    }
    let head = data + frames.len() as u64;
    if torn {
        let last = frames.len() - 1;
        frames[last] ^= 1;
    }
    let mut bytes = b"recount spool 1\n".to_vec();
    bytes.extend_from_slice(&[[1; 16], [2; 16]].concat());
    for number in [0, 0, data, head, data] {
        bytes.extend_from_slice(&u64::to_be_bytes(number));
    }
    bytes.extend_from_slice(&[0; 32]);
    bytes.extend_from_slice(&1u64.to_be_bytes());
    bytes.extend_from_slice(&(resource.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&(scope.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&resource);
    bytes.extend_from_slice(&scope);
    bytes.resize(data as usize, 0);
    bytes.extend_from_slice(&frames);
    bytes.extend_from_slice(&[0; 500]);
    std::fs::create_dir_all(folder).unwrap();
    std::fs::File::create(folder.join("run-00000000.spool"))
        .unwrap()
        .write_all(&bytes)
        .unwrap();
}

/// What the producer chain of the records has to be.
fn chain(records: i64) -> Vec<Vec<u8>> {
    let mut tag = b"recount/producer/v1".to_vec();
    tag.resize(32, 0);
    let mut last = vec![0; 32];
    (0..records)
        .map(|seq| {
            let digest = Sha256::digest(item(seq));
            let parts = [tag.as_slice(), &last, &(seq as u64).to_be_bytes(), &digest];
            last = Sha256::digest(parts.concat()).to_vec();
            last.clone()
        })
        .collect()
}

fn check(lab: &Lab, records: i64) {
    let kept = lab.records();
    assert_eq!(kept.len(), records as usize);
    for (record, link) in kept.iter().zip(chain(records)) {
        let body = record.body.as_ref().unwrap();
        let envelope = Envelope::decode(&body.envelope).unwrap();
        let item = Item::decode(Encoding::Protobuf, Signal::Logs, envelope.item).unwrap();
        assert_eq!(
            item.attributes.bytes("recount.chain"),
            Some(link.as_slice())
        );
        let resource = Resource::decode(Encoding::Protobuf, envelope.resource).unwrap();
        assert_eq!(resource.attributes.str("recount.run"), Some("r-1"));
        assert_eq!(
            CollectorPart::decode(envelope.collector).unwrap().delivery,
            Delivery::Adopted
        );
    }
}

#[test]
fn a_spool_is_sealed_once_with_its_chain_and_goes() {
    let lab = Lab::new();
    assert!(lab.run(&["init"]).status.success());
    let folder = lab.dir.path().join("spool");
    let adopt = || lab.run(&["adopt", folder.to_str().unwrap()]);
    spool(&folder, 1203, false);
    let output = adopt();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("adopted 1203 records of 1 runs"), "{said}");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
    check(&lab, 1203);
    // The same records again, from a copy of the spool, are known.
    spool(&folder, 1203, false);
    assert_eq!(adopt().status.code(), Some(0));
    check(&lab, 1203);
}

#[test]
fn a_running_collector_takes_the_spool_and_a_torn_end_is_told() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let folder = lab.dir.path().join("spool");
    spool(&folder, 3, true);
    let url = format!("http://{}", collector.ready().otlp_http.clone().unwrap());
    let output = lab.run(&["adopt", folder.to_str().unwrap(), "--collector", &url]);
    assert_eq!(
        output.status.code(),
        Some(6),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    collector.stop().unwrap();
    check(&lab, 2);
}

#[test]
fn the_spool_of_an_enrolled_agent_is_brought_in_with_its_token() {
    let lab = Lab::new();
    let mut collector = lab.serve_with(&["--require-enrolment"]);
    let told = lab.run(&["enroll", "billing", "-o", "json"]).stdout;
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    let folder = lab.dir.path().join("spool");
    spool(&folder, 3, false);
    let url = format!("http://{}", collector.ready().otlp_http.clone().unwrap());
    let adopt = |token: Option<&str>| {
        let mut command = lab.command_of(&["adopt", folder.to_str().unwrap(), "--collector", &url]);
        command.envs(token.map(|token| ("RECOUNT_TOKEN", token)));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    let (code, said) = adopt(None);
    assert!(code == Some(5) && said.contains("RECOUNT_TOKEN"), "{said}");
    assert_eq!(adopt(told["token"].as_str()).0, Some(0));
    collector.stop().unwrap();
    check(&lab, 3);
    let body = lab.records()[0].body.clone().unwrap();
    let envelope = Envelope::decode(&body.envelope).unwrap();
    let part = CollectorPart::decode(envelope.collector).unwrap();
    assert_eq!(part.producer, "billing");
}

#[test]
fn a_folder_that_is_no_spool_is_named() {
    let lab = Lab::new();
    assert!(lab.run(&["init"]).status.success());
    let folder = lab.dir.path().join("spool");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("x.spool"), "nonsense").unwrap();
    let output = lab.run(&["adopt", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&output.stderr).contains("x.spool"));
}
