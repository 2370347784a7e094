//! What bad input gets: the answer that OTLP prescribes, a leaf that says so, and nothing half done.

use std::io::{Read, Write};
use std::time::Duration;

use collector_lite::Hidden;
use ledger::leaf::{ControlBody, ControlLeaf, Private, RefusedPayload};
use ledger::reader::Reader;
use ledger::store::Folder;

use crate::harness::{Answer, JSON, Lab, PROTOBUF, logs_json, peak_kb, post, record_json};

/// The refusals that the ledger of a stopped collector tells of.
pub(crate) fn refused(lab: &Lab) -> Vec<RefusedPayload> {
    let folder = Folder::open(&lab.store()).unwrap();
    let leaves = folder.control(0, u64::MAX).unwrap();
    leaves
        .iter()
        .filter(|leaf| {
            matches!(
                ControlLeaf::decode(&leaf.leaf).unwrap().body,
                ControlBody::RefusedPayload { .. }
            )
        })
        .map(|leaf| RefusedPayload::decode(&leaf.private.as_ref().unwrap().body).unwrap())
        .collect()
}

fn json(collector: &Hidden, body: &str) -> Answer {
    post(collector, "/v1/logs", &[JSON], body.as_bytes())
}

#[test]
fn a_malformed_export_is_refused_with_its_place_and_leaves_a_leaf() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let answer = post(&collector, "/v1/logs", &[PROTOBUF], b"\x0a\x05\x0a");
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains("goes beyond the end at byte 2"),
        "{}",
        answer.text()
    );
    assert!(answer.headers.get("retry-after").is_none());
    assert_eq!(json(&collector, "{\"resourceLogs\":7}").status, 400);
    assert_eq!(json(&collector, "").status, 400);
    collector.stop().unwrap();
    let refused = refused(&lab);
    assert_eq!(refused.len(), 3);
    assert!(refused[0].why.contains("goes beyond the end"));
    assert_eq!((refused[0].size, refused[0].door), (3, 1));
    assert!(lab.records().is_empty());
}

#[test]
fn a_record_that_will_never_be_acceptable_is_counted_and_the_others_are_kept() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let good = record_json("fine", &[("session.id", "s")]);
    let bad = r#"{"traceId":"xyz"}"#;
    let answer = json(&collector, &logs_json(&[&good, bad, &good]));
    assert_eq!(answer.status, 200);
    let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["partialSuccess"]["rejectedLogRecords"], 1);
    collector.stop().unwrap();
    assert_eq!(lab.records().len(), 2);
    assert_eq!(refused(&lab).len(), 1);
}

#[test]
fn an_sdk_export_is_taken_whole_or_not_at_all() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let record = |attributes: &str| {
        format!(
            r#"{{"attributes":[{attributes}{{"key":"session.id","value":{{"stringValue":"s"}}}}]}}"#
        )
    };
    let export = |records: &str| {
        format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"recount.producer","value":{{"stringValue":"p"}}}},{{"key":"recount.run","value":{{"stringValue":"r"}}}}]}},"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#
        )
    };
    let numbered = |seq: u64| {
        record(&format!(
            r#"{{"key":"recount.seq","value":{{"intValue":"{seq}"}}}},"#
        ))
    };
    let half = export(&format!("{},{}", numbered(0), record("")));
    let answer = json(&collector, &half);
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert_eq!(
        json(
            &collector,
            &export(&format!("{},{}", numbered(0), numbered(1)))
        )
        .status,
        200
    );
    // A retry that overlaps seals only what is new.
    let answer = json(
        &collector,
        &export(&format!("{},{}", numbered(1), numbered(2))),
    );
    assert_eq!(answer.status, 200);
    let receipt: serde_json::Value =
        serde_json::from_slice(answer.headers["recount-receipt"].as_bytes()).unwrap();
    assert_eq!(receipt["duplicates"], 1);
    collector.stop().unwrap();
    assert_eq!(lab.records().len(), 3);
}

#[test]
fn the_same_body_again_gets_the_old_receipt() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let body = logs_json(&[&record_json("once", &[("session.id", "s")])]);
    let first = json(&collector, &body).headers["recount-receipt"].clone();
    let second = json(&collector, &body).headers["recount-receipt"].clone();
    let read = |header: &ureq::http::HeaderValue| -> serde_json::Value {
        serde_json::from_slice(header.as_bytes()).unwrap()
    };
    let (first, second) = (read(&first), read(&second));
    assert_eq!(
        (&first["commit"], &first["ledger_root"]),
        (&second["commit"], &second["ledger_root"])
    );
    assert_eq!(second["duplicates"], 1);
    collector.stop().unwrap();
    assert_eq!(lab.records().len(), 1);
}

#[test]
fn bombs_oversize_and_unknown_types_are_refused_for_good() {
    let lab = Lab::new();
    let mut collector = lab.serve_with(&["--max-body-bytes", "100000"]);
    let zeros = vec![b' '; 100_000_000];
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(&zeros).unwrap();
    // A gzip of a gzip would be smaller still; this one fits the limit only before decompression.
    let gzip = writer.finish().unwrap();
    let zstd = zstd::encode_all(&zeros[..], 1).unwrap();
    drop(zeros);
    let status =
        |headers: &[(&str, &str)], body: &[u8]| post(&collector, "/v1/logs", headers, body).status;
    assert_eq!(status(&[JSON, ("content-encoding", "zstd")], &zstd), 413);
    assert_eq!(status(&[JSON, ("content-encoding", "gzip")], &gzip), 413);
    assert_eq!(status(&[JSON], &vec![b' '; 100_001]), 413);
    assert_eq!(status(&[("content-type", "text/plain")], b"{}"), 415);
    assert_eq!(status(&[JSON, ("content-encoding", "br")], b"{}"), 415);
    assert_eq!(
        status(&[JSON, ("content-encoding", "gzip")], b"not gzip"),
        400
    );
    assert_eq!(status(&[JSON], b"{}"), 200);
    let pid = collector.ready().pid;
    let peak = peak_kb(pid);
    assert!(peak < 200_000, "{peak} kB after the bombs");
    collector.stop().unwrap();
    assert_eq!(refused(&lab).len(), 6);
}

#[test]
fn a_web_page_cannot_write() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let body = logs_json(&[&record_json("forged", &[("session.id", "s")])]);
    let origin = ("origin", "http://evil.example");
    assert_eq!(
        post(&collector, "/v1/logs", &[JSON, origin], body.as_bytes()).status,
        403
    );
    collector.stop().unwrap();
    assert!(lab.records().is_empty());
}

#[test]
fn a_flood_of_refusals_does_not_fill_the_ledger() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    for _ in 0..200 {
        assert_eq!(json(&collector, "nonsense").status, 400);
    }
    collector.stop().unwrap();
    let leaves = refused(&lab).len();
    assert!((20..60).contains(&leaves), "{leaves}");
}

#[test]
fn a_body_that_breaks_off_is_neither_kept_nor_acknowledged() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let address = collector.ready().otlp_http.clone().unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(b"POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"res").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    collector.stop().unwrap();
    assert!(lab.records().is_empty());
}

#[test]
fn a_list_is_no_export() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let record = record_json("lost", &[("session.id", "s")]);
    for body in [
        "[]".to_owned(),
        format!("[{record}]"),
        format!(r#"{{"resourceLogs":[[null,null,[{{"logRecords":[{record}]}}]]]}}"#),
    ] {
        let answer = json(&collector, &body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(
            answer.text().contains("expected an object"),
            "{}",
            answer.text()
        );
    }
    collector.stop().unwrap();
    assert_eq!(refused(&lab).len(), 3);
}

#[test]
fn an_export_without_records_is_warned_about_unless_it_is_empty() {
    let lab = Lab::new();
    let collector = lab.serve();
    assert_eq!(json(&collector, "{}").text(), "{}");
    let spans = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"chat"}]}]}]}"#;
    let answer = json(&collector, spans);
    assert_eq!(answer.status, 200);
    let said: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(said["partialSuccess"]["rejectedLogRecords"], 0);
    let warning = said["partialSuccess"]["errorMessage"].as_str().unwrap();
    assert!(warning.contains("no record"), "{warning}");
}

#[test]
fn a_mistyped_endpoint_is_told_the_right_one_and_leaves_a_leaf() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let answer = post(&collector, "/v1/logs/", &[JSON], b"{}");
    assert_eq!(answer.status, 404);
    assert!(answer.text().contains("/v1/traces"), "{}", answer.text());
    let address = collector.ready().otlp_http.clone().unwrap();
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build();
    let mut got = ureq::Agent::new_with_config(config)
        .get(format!("http://{address}/v1/logs"))
        .call()
        .unwrap();
    assert_eq!(got.status(), 405);
    assert_eq!(got.headers()["allow"], "POST");
    assert!(got.body_mut().read_to_string().unwrap().contains("POST"));
    collector.stop().unwrap();
    assert_eq!(refused(&lab).len(), 1);
}

#[test]
fn a_sender_that_is_refused_unread_may_finish_and_sees_why() {
    let lab = Lab::new();
    let collector = lab.serve();
    let body = vec![b'x'; 30_000_000];
    let answer = post(
        &collector,
        "/v1/logs",
        &[("content-type", "text/plain")],
        &body,
    );
    assert_eq!(answer.status, 415);
}

#[test]
fn a_record_that_is_all_credentials_is_refused_alone() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let key = format!("sk-{} ", "a1B2".repeat(8));
    let good = record_json("kept", &[("session.id", "s")]);
    let bad = record_json(&key.repeat(20_000), &[("session.id", "s")]);
    let answer = json(&collector, &logs_json(&[&good, &bad]));
    assert_eq!(answer.status, 200);
    assert!(
        answer.text().contains("look like credentials"),
        "{}",
        answer.text()
    );
    collector.stop().unwrap();
    assert_eq!(lab.records().len(), 1);
}
