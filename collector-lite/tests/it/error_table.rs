//! What a sender is told, row by row of the error table in `docs/collector.md`, over both protocols.

use std::io::Write;
use std::net::TcpStream;

use collector_lite::Hidden;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message;

use crate::grpc::{self, Called, LOGS};
use crate::harness::{Answer, JSON, Lab, PROTOBUF, logs_json, post, record_json};
use crate::refusing::refused;

fn http(collector: &Hidden, body: &[u8]) -> Answer {
    post(collector, "/v1/logs", &[PROTOBUF], body)
}

fn call(collector: &Hidden, body: &[u8]) -> Called {
    grpc::call(collector, LOGS, None, body)
}

/// The partial success of an answer in protobuf; `None` is full success.
fn partial(body: &[u8]) -> Option<(i64, String)> {
    let answer = ExportLogsServiceResponse::decode(body).unwrap();
    let partial = answer.partial_success?;
    Some((partial.rejected_log_records, partial.error_message))
}

/// Whether a status carries a `google.rpc.RetryInfo`.
fn says_when(called: &Called) -> bool {
    called.headers.contains_key("grpc-status-details-bin")
}

#[test]
fn a_durable_commit_is_full_success_with_a_receipt() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let answer = http(&collector, &grpc::logs(1));
    assert_eq!((answer.status, partial(&answer.body)), (200, None));
    assert!(answer.headers.contains_key("recount-receipt"));
    let called = call(&collector, &grpc::logs(2));
    assert_eq!(
        (called.status.as_str(), partial(&called.message)),
        ("0", None)
    );
    assert!(called.headers.contains_key("recount-receipt"));
    collector.kill().unwrap();
    assert_eq!(lab.records().len(), 3, "durable, whatever happens next");
}

#[test]
fn the_same_again_is_success_with_the_old_receipt() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let commit = |receipt: &[u8]| -> u64 {
        let receipt: serde_json::Value = serde_json::from_slice(receipt).unwrap();
        receipt["commit"].as_u64().unwrap()
    };
    let body = grpc::logs(1);
    let first = call(&collector, &body).headers["recount-receipt"].clone();
    let again = call(&collector, &body).headers["recount-receipt"].clone();
    assert_eq!(commit(first.as_bytes()), commit(again.as_bytes()));
    let again = http(&collector, &body);
    assert_eq!(again.status, 200);
    collector.stop().unwrap();
    assert_eq!(lab.records().len(), 1);
}

#[test]
fn no_memory_for_the_body_is_retryable_and_says_when() {
    let lab = Lab::new();
    let mut collector = lab.serve_with(&["--max-body-bytes", "4096", "--max-in-flight-bytes", "1"]);
    let address = collector.ready().otlp_http.clone().unwrap();
    // A body of unknown length that never comes holds all the memory there is.
    let mut holder = TcpStream::connect(address).unwrap();
    holder
        .write_all(b"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
        .unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    let called = std::thread::scope(|scope| {
        let called = scope.spawn(|| call(&collector, &grpc::logs(1)));
        let large = logs_json(&[&record_json(&"x".repeat(3900), &[])]);
        let chunked: Vec<(&str, &str)> = vec![JSON, ("transfer-encoding", "chunked")];
        let answer = post(&collector, "/v1/logs", &chunked, large.as_bytes());
        assert_eq!(answer.status, 429, "{}", answer.text());
        assert_eq!(answer.headers["retry-after"], "1");
        called.join().unwrap()
    });
    assert_eq!((called.status.as_str(), says_when(&called)), ("14", true));
    drop(holder);
    collector.stop().unwrap();
    assert!(lab.records().is_empty());
    assert!(
        refused(&lab).is_empty(),
        "what may come again is not refused"
    );
}

#[test]
fn too_big_is_final_and_leaves_a_leaf_with_its_size() {
    let lab = Lab::new();
    let mut collector = lab.serve_with(&["--max-body-bytes", "10000"]);
    let body = grpc::logs(200);
    let answer = http(&collector, &body);
    assert_eq!(answer.status, 413);
    assert!(answer.headers.get("retry-after").is_none());
    let called = call(&collector, &body);
    assert_eq!((called.status.as_str(), says_when(&called)), ("8", false));
    let said = called.headers["grpc-message"].to_str().unwrap();
    assert!(said.contains("10000 bytes"), "{said}");
    collector.stop().unwrap();
    let doors: Vec<(u8, u64)> = refused(&lab).iter().map(|it| (it.door, it.size)).collect();
    assert_eq!(doors, [(1, body.len() as u64), (2, 0)]);
}

#[test]
fn malformed_is_final_and_leaves_a_leaf() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let answer = http(&collector, b"\x0a\x05\x0a");
    assert_eq!(answer.status, 400);
    assert!(answer.headers.get("retry-after").is_none());
    let called = call(&collector, b"\x0a\x05\x0a");
    assert_eq!((called.status.as_str(), says_when(&called)), ("3", false));
    collector.stop().unwrap();
    assert_eq!(refused(&lab).len(), 2);
}

#[test]
fn some_records_malformed_is_partial_success_and_the_others_are_kept() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let mut body = grpc::logs(1);
    // A second export's worth of bytes in the same message: one record whose trace id has three bytes.
    body.extend_from_slice(b"\x0a\x09\x12\x07\x12\x05\x4a\x03abc");
    let answer = http(&collector, &body);
    let (rejected, why) = partial(&answer.body).unwrap();
    assert_eq!((answer.status, rejected), (200, 1));
    assert!(why.contains("3 bytes instead of 16"), "{why}");
    body.extend_from_slice(b"\x0a\x09\x12\x07\x12\x05\x4a\x03abc");
    let called = call(&collector, &body);
    assert_eq!(called.status, "0");
    assert_eq!(partial(&called.message).unwrap().0, 2);
    collector.stop().unwrap();
    assert_eq!(lab.records().len(), 2);
    assert_eq!(refused(&lab).len(), 2);
}
