//! Who follows live, and the small print of the reader door: every answer is JSON, and no reader costs more than a part.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use collector_lite::Hidden;

use crate::harness::{JSON, Lab, logs_json, post, record_json, resident_kb};

/// A request to the socket, up to and with its whole answer.
fn asked(lab: &Lab, request: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(lab.socket()).unwrap();
    write!(
        stream,
        "{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("recount-store: "), "{head}");
    assert!(head.contains("application/json"), "{head}");
    (status, body.to_owned())
}

fn send(collector: &Hidden, text: &str) {
    let body = logs_json(&[&record_json(text, &[("session.id", "s")])]);
    let answer = post(collector, "/v1/logs", &[JSON], body.as_bytes());
    assert_eq!(answer.status, 200);
}

#[test]
fn whatever_is_asked_wrongly_is_answered_in_json() {
    let lab = Lab::new();
    let _collector = lab.serve();
    for (request, status, said) in [
        ("GET /nothing", 404, "docs/collector.md"),
        ("GET /", 404, "docs/collector.md"),
        ("POST /v1/state", 405, "GET only"),
        ("DELETE /v1/streams/x", 405, "GET only"),
        ("GET /v1/control?from=-1", 400, "from"),
        ("GET /v1/sessions?limit=many", 400, "limit"),
        ("GET /v1/tile?level=0", 400, "n"),
        ("GET /v1/streams?by=magic", 400, "by="),
        ("GET /v1/streams/xyz", 400, "hexadecimal"),
        ("GET /tile/0/5", 400, "tile"),
        ("GET /v1/account/nobody", 404, "nobody"),
    ] {
        let (answered, body) = asked(&lab, request);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        let error = body["error"].as_str().unwrap();
        assert_eq!(answered, status, "{request}: {error}");
        assert!(error.contains(said), "{request}: {error}");
    }
}

#[test]
fn a_reader_that_stops_reading_costs_no_more_than_a_part() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let mut stuck: Vec<UnixStream> = (0..6)
        .map(|_| {
            let mut stream = UnixStream::connect(lab.socket()).unwrap();
            stream
                .write_all(b"GET /v1/tail HTTP/1.1\r\nhost: x\r\n\r\n")
                .unwrap();
            stream.read_exact(&mut [0; 12]).unwrap();
            stream
        })
        .collect();
    // 50 MB of records in one export, of which each reader takes what its socket holds.
    let text = "x".repeat(100_000);
    let records: Vec<String> = (0..500)
        .map(|n| record_json(&format!("{n}{text}"), &[("session.id", "s")]))
        .collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let answer = post(
        &collector,
        "/v1/logs",
        &[JSON],
        logs_json(&records).as_bytes(),
    );
    assert_eq!(answer.status, 200);
    std::thread::sleep(Duration::from_secs(2));
    let resident = resident_kb(collector.ready().pid);
    assert!(
        resident < 300_000,
        "{resident} kB with six readers that do not read"
    );
    // One that reads again is told everything it can be told.
    let lines = BufReader::new(stuck.remove(0)).lines();
    let told = lines
        .map(Result::unwrap)
        .filter(|line| line == "event: record");
    assert_eq!(told.take(500).count(), 500);
    assert!(
        collector.stop().unwrap().success(),
        "readers are not waited for"
    );
}

#[test]
fn a_tail_over_tcp_needs_the_token() {
    let lab = Lab::new();
    let token = lab.dir.path().join("token");
    std::fs::write(&token, "0123456789abcdef").unwrap();
    let file = token.to_str().unwrap();
    let collector = lab.serve_with(&["--reader", "127.0.0.1:0", "--reader-token-file", file]);
    let address = collector.ready().reader.clone().unwrap();
    let tail = |authorization: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        write!(
            stream,
            "GET /v1/tail HTTP/1.1\r\nhost: x\r\n{authorization}\r\n"
        )
        .unwrap();
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        (lines.next().unwrap(), lines)
    };
    for wrong in [
        "",
        "authorization: Bearer 0123456789abcdeX\r\n",
        "authorization: Basic 0123456789abcdef\r\n",
    ] {
        assert!(tail(wrong).0.contains("401"), "{wrong}");
    }
    let (status, mut lines) = tail("authorization: Bearer 0123456789abcdef\r\n");
    assert!(status.contains("200"), "{status}");
    send(&collector, "seen");
    assert!(lines.any(|line| line == "event: record"));
}

/// The stream that a tail of places names next.
fn named(lines: &mut impl Iterator<Item = String>) -> serde_json::Value {
    let event = lines.find(|line| line.starts_with("event: ")).unwrap();
    let data = lines.find_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    let data: serde_json::Value = serde_json::from_str(&data.unwrap()).unwrap();
    assert_eq!(
        (&data["from"], &data["to"]),
        (&0.into(), &1.into()),
        "{data}"
    );
    assert!(data["envelope"].is_null(), "{data}");
    assert_eq!(event, "event: sealed");
    data["stream"].clone()
}

#[test]
fn a_tail_of_places_tells_where_records_lie_and_none_of_them() {
    let lab = Lab::new();
    let collector = lab.serve();
    let places = |query: &str| {
        let mut stream = UnixStream::connect(lab.socket()).unwrap();
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).unwrap();
        write!(
            stream,
            "GET /v1/tail?records=false{query} HTTP/1.1\r\nhost: x\r\n\r\n"
        )
        .unwrap();
        let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
        assert!(lines.next().unwrap().contains("200"));
        lines
    };
    let (mut all, mut one) = (places(""), places("&session=second"));
    for session in ["first", "second"] {
        let body = logs_json(&[&record_json("seen", &[("session.id", session)])]);
        let answer = post(&collector, "/v1/logs", &[JSON], body.as_bytes());
        assert_eq!(answer.status, 200);
    }
    let (first, second) = (named(&mut all), named(&mut all));
    assert_ne!(first, second);
    assert_eq!(named(&mut one), second, "the filter holds for places, too");
}

#[test]
fn metrics_are_what_prometheus_reads() {
    let lab = Lab::new();
    let collector = lab.serve();
    send(&collector, "counted");
    let mut stream = UnixStream::connect(lab.socket()).unwrap();
    let request = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("text/plain; version=0.0.4"), "{head}");
    // https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
    assert!(body.ends_with('\n'));
    let (mut described, mut typed, mut samples) = ("", "", 0);
    for line in body.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            described = help.split(' ').next().unwrap();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').unwrap();
            assert_eq!(name, described);
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            assert!(kind == "counter" || kind == "gauge");
            typed = name;
        } else {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert_eq!(name.split('{').next(), Some(typed), "{line}");
            assert_eq!(name.contains('{'), name.ends_with("\"}"), "{line}");
            value.parse::<f64>().unwrap();
            samples += 1;
        }
    }
    assert!(samples >= 12, "{body}");
    assert!(body.contains("\nrecount_records_total 1\n"), "{body}");
}
