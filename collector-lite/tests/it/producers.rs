//! Producers that are known: enrolled, recognised by what they show, refused once revoked, and kept to their sessions.

use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use collector_lite::Hidden;
use ledger::door::Door;
use ledger::envelope::{CollectorPart, Envelope, ProducerProof, RecordingMode};
use ledger::leaf::{ConfigChange, ConflictNote, ControlBody, ControlLeaf, Private, StreamOpening};
use ledger::reader::{Reader, StoredRecord};
use ledger::store::Folder;
use serde_json::Value;

use crate::grpc;
use crate::harness::{Answer, JSON, Lab, logs_json, post, record_json};
use crate::refusing::refused;

/// Enrols and gives the token.
fn enroll(lab: &Lab, args: &[&str]) -> String {
    let told = lab.run(&[&["enroll", "-o", "json"], args].concat());
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    told["token"].as_str().unwrap_or_default().to_owned()
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// One export of one record for each session, with a token or without.
fn send(collector: &Hidden, token: Option<&str>, sessions: &[&str]) -> Answer {
    let records: Vec<String> = sessions
        .iter()
        .map(|session| record_json(session, &[("session.id", session)]))
        .collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    let authorization = token.map(bearer);
    let mut headers = vec![JSON];
    headers.extend(
        authorization
            .as_deref()
            .map(|value| ("authorization", value)),
    );
    post(
        collector,
        "/v1/logs",
        &headers,
        logs_json(&records).as_bytes(),
    )
}

/// What the private parts of one kind of leaf say.
fn said<P: Private>(folder: &dyn Reader, kind: fn(&ControlBody) -> bool) -> Vec<P> {
    let leaves = folder.control(0, u64::MAX).unwrap();
    leaves
        .iter()
        .filter(|leaf| kind(&ControlLeaf::decode(&leaf.leaf).unwrap().body))
        .map(|leaf| P::decode(&leaf.private.as_ref().unwrap().body).unwrap())
        .collect()
}

/// What the collector sealed beside each record.
fn parts(lab: &Lab) -> Vec<CollectorPart> {
    let part = |record: &StoredRecord| {
        let envelope = &record.body.as_ref().unwrap().envelope;
        CollectorPart::decode(Envelope::decode(envelope).unwrap().collector).unwrap()
    };
    lab.records().iter().map(part).collect()
}

/// Label, producer and proof of every stream.
fn streams(lab: &Lab) -> Vec<(String, String, u8)> {
    let folder = Folder::open(&lab.store()).unwrap();
    said::<StreamOpening>(&folder, |body| {
        matches!(body, ControlBody::StreamOpen { .. })
    })
    .into_iter()
    .map(|open| (open.label, open.producer, open.proof))
    .collect()
}

fn conflicts(lab: &Lab) -> Vec<ConflictNote> {
    let folder = Folder::open(&lab.store()).unwrap();
    said(&folder, |body| {
        matches!(body, ControlBody::Conflict { kind: 3, .. })
    })
}

/// Enrolments as the ledger tells them: name, what it was, what it is.
fn changes(folder: &dyn Reader) -> Vec<(String, String, String)> {
    said::<ConfigChange>(folder, |body| {
        matches!(body, ControlBody::ConfigChange { .. })
    })
    .into_iter()
    .filter(|change| change.setting.starts_with("producer "))
    .map(|change| (change.setting, change.from, change.to))
    .collect()
}

fn metric(lab: &Lab, name: &str) -> u64 {
    let text = Door::socket(&lab.socket()).get("/metrics").unwrap();
    let text = String::from_utf8(text).unwrap();
    let line = text
        .lines()
        .find(|line| line.split(' ').next() == Some(name));
    line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_token_names_its_producer_through_both_protocols() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let token = enroll(&lab, &["billing", "--key", &"ab".repeat(32)]);
    assert_eq!(send(&collector, Some(&token), &["s"]).status, 200);
    assert_eq!(send(&collector, None, &["s"]).status, 200);
    let called = grpc::call_with(
        &collector,
        grpc::LOGS,
        &[("authorization", &bearer(&token))],
        &grpc::one_log("g"),
    );
    assert_eq!(called.status, "0");
    collector.stop().unwrap();
    let billing = |label: &str| {
        (
            label.to_owned(),
            "billing".to_owned(),
            ProducerProof::Token as u8,
        )
    };
    let nobody = (
        "s".to_owned(),
        "unauthenticated:otlp-http".to_owned(),
        ProducerProof::Asserted as u8,
    );
    assert_eq!(streams(&lab), [billing("s"), nobody, billing("g")]);
    let parts = parts(&lab);
    let keys: Vec<_> = parts.iter().map(|part| part.enrolled_key).collect();
    assert_eq!(keys, [Some([0xab; 32]), None, Some([0xab; 32])]);
    assert!(
        parts
            .iter()
            .all(|part| part.recording_mode == RecordingMode::SelfRecorded)
    );
    // The token is nowhere in the store.
    for file in std::fs::read_dir(lab.store()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes
                .windows(token.len())
                .any(|window| window == token.as_bytes());
            assert!(!found, "the token is in {}", path.display());
        }
    }
}

#[test]
fn a_token_that_is_none_is_refused_and_told() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let answer = send(&collector, Some("rct_guessed"), &["s"]);
    assert_eq!(answer.status, 401);
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
    assert!(
        answer.text().contains("of no enrolled producer"),
        "{}",
        answer.text()
    );
    let called = grpc::call_with(
        &collector,
        grpc::LOGS,
        &[("authorization", "Bearer rct_guessed")],
        &grpc::one_log("s"),
    );
    assert_eq!(called.status, "16");
    let metrics = post(
        &collector,
        "/v1/metrics",
        &[JSON, ("authorization", "Bearer rct_guessed")],
        b"{}",
    );
    assert_eq!(metrics.status, 401);
    assert_eq!(metric(&lab, "recount_refused_credentials_total"), 3);
    let status = lab.run(&["status", "--reader", lab.socket().to_str().unwrap()]);
    let status = String::from_utf8(status.stdout).unwrap();
    let words = "refused since the start: 3 exports for their credential";
    assert!(status.contains(words), "{status}");
    collector.stop().unwrap();
    let refused = refused(&lab);
    let told: Vec<(u8, bool)> = refused
        .iter()
        .map(|refused| {
            (
                refused.door,
                refused.why.contains("of no enrolled producer"),
            )
        })
        .collect();
    assert_eq!(told, [(1, true), (2, true), (1, true)]);
    assert!(
        refused
            .iter()
            .all(|refused| !refused.why.contains("guessed"))
    );
    assert!(lab.records().is_empty());
}

#[test]
fn a_revoked_token_is_refused_by_the_running_collector_from_the_next_request_on() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let token = enroll(&lab, &["billing"]);
    assert_eq!(send(&collector, Some(&token), &["before"]).status, 200);
    assert_eq!(lab.run(&["revoke", "billing"]).status.code(), Some(0));
    let answer = send(&collector, Some(&token), &["after"]);
    assert_eq!(answer.status, 401);
    assert!(
        answer
            .text()
            .contains("the token of billing was revoked at 2"),
        "{}",
        answer.text()
    );
    // Enrolled anew: another token, and the old one stays refused.
    let again = enroll(&lab, &["billing"]);
    assert_eq!(send(&collector, Some(&again), &["again"]).status, 200);
    assert_eq!(send(&collector, Some(&token), &["after"]).status, 401);
    let renewed = enroll(&lab, &["billing", "--renew"]);
    assert_eq!(send(&collector, Some(&again), &["after"]).status, 401);
    assert_eq!(send(&collector, Some(&renewed), &["renewed"]).status, 200);
    collector.stop().unwrap();
    let labels: Vec<String> = streams(&lab).into_iter().map(|stream| stream.0).collect();
    assert_eq!(labels, ["before", "again", "renewed"]);
    let told = changes(&Folder::open(&lab.store()).unwrap());
    let kinds: Vec<&str> = told
        .iter()
        .map(|told| told.2.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        kinds,
        ["enrolled", "revoked", "enrolled", "enrolled"],
        "{told:?}"
    );
    assert_eq!(told[0].1, "absent");
    assert_eq!(told[1].1, told[0].2);
    assert!(
        refused(&lab)[0]
            .why
            .contains("the token of billing was revoked at")
    );
    // The next start has nothing new to tell.
    lab.serve().stop().unwrap();
    assert_eq!(
        changes(&Folder::open(&lab.store()).unwrap()).len(),
        told.len()
    );
}

#[test]
fn a_collector_that_nobody_sends_to_tells_who_was_enrolled_and_revoked() {
    let lab = Lab::new();
    assert_eq!(lab.run(&["init"]).status.code(), Some(0));
    enroll(&lab, &["early"]);
    let mut collector = lab.serve();
    let door = Door::socket(&lab.socket());
    assert_eq!(changes(&door).len(), 1, "said by the first start");
    assert_eq!(lab.run(&["revoke", "early"]).status.code(), Some(0));
    let began = Instant::now();
    while changes(&door).len() < 2 {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{:?}",
            changes(&door)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(changes(&door)[1].2.starts_with("revoked at="));
    collector.stop().unwrap();
}

#[test]
fn another_enrolled_producer_gets_a_stream_of_its_own() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let (one, two) = (enroll(&lab, &["one"]), enroll(&lab, &["two"]));
    for token in [&one, &two, &one] {
        assert_eq!(send(&collector, Some(token), &["s"]).status, 200);
    }
    collector.stop().unwrap();
    let producers: Vec<(String, String)> = streams(&lab)
        .into_iter()
        .map(|open| (open.0, open.1))
        .collect();
    let s = |producer: &str| ("s".to_owned(), producer.to_owned());
    assert_eq!(producers, [s("one"), s("two")]);
    assert!(conflicts(&lab).is_empty());
}

#[test]
fn where_enrolment_is_required_a_session_is_of_one_producer_and_others_of_the_export_are_kept() {
    let lab = Lab::new();
    let mut collector = lab.serve_with(&["--require-enrolment"]);
    let (one, two) = (enroll(&lab, &["one"]), enroll(&lab, &["two"]));
    let proxy = enroll(&lab, &["proxy", "--recorder"]);
    let unknown = send(&collector, None, &["s"]);
    assert_eq!(unknown.status, 401);
    assert!(
        unknown.text().contains("must be enrolled"),
        "{}",
        unknown.text()
    );
    assert_eq!(send(&collector, Some(&proxy), &["s"]).text(), "{}");
    assert_eq!(send(&collector, Some(&one), &["s"]).text(), "{}");
    for _ in 0..2 {
        let answer = send(&collector, Some(&two), &["s", "own"]);
        let told: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(
            (answer.status, &told["partialSuccess"]["rejectedLogRecords"]),
            (200, &1.into())
        );
        assert!(
            answer.text().contains("another producer's"),
            "{}",
            answer.text()
        );
    }
    assert_eq!(metric(&lab, "recount_foreign_records_total"), 2);
    collector.stop().unwrap();
    let producers: Vec<(String, String)> = streams(&lab)
        .into_iter()
        .map(|open| (open.0, open.1))
        .collect();
    let of = |label: &str, producer: &str| (label.to_owned(), producer.to_owned());
    assert_eq!(
        producers,
        [of("s", "proxy"), of("s", "one"), of("own", "two")]
    );
    let conflicts = conflicts(&lab);
    assert_eq!(conflicts.len(), 1, "one for all attempts");
    assert!(
        conflicts[0]
            .what
            .starts_with("producer two named session s, which is one's"),
        "{}",
        conflicts[0].what
    );
    let modes: Vec<RecordingMode> = parts(&lab).iter().map(|part| part.recording_mode).collect();
    assert_eq!(
        modes
            .iter()
            .filter(|mode| **mode == RecordingMode::Independent)
            .count(),
        1
    );
}

#[test]
fn an_sdk_export_that_names_a_foreign_session_is_refused_whole() {
    let lab = Lab::new();
    let mut collector = lab.serve_with(&["--require-enrolment"]);
    let (one, two) = (enroll(&lab, &["one"]), enroll(&lab, &["two"]));
    assert_eq!(send(&collector, Some(&one), &["s"]).status, 200);
    let record = |session: &str, seq: u32| {
        format!(
            r#"{{"attributes":[{{"key":"session.id","value":{{"stringValue":"{session}"}}}},{{"key":"recount.seq","value":{{"intValue":"{seq}"}}}}]}}"#
        )
    };
    let export = |records: &[String]| {
        let text = |key: &str, value: &str| {
            format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#)
        };
        let (producer, run) = (text("recount.producer", "p"), text("recount.run", "r"));
        let body = format!(
            r#"{{"resourceLogs":[{{"resource":{{"attributes":[{producer},{run}]}},"scopeLogs":[{{"logRecords":[{}]}}]}}]}}"#,
            records.join(",")
        );
        let authorization = bearer(&two);
        post(
            &collector,
            "/v1/logs",
            &[JSON, ("authorization", &authorization)],
            body.as_bytes(),
        )
    };
    let answer = export(&[record("own", 0), record("s", 1)]);
    assert_eq!(answer.status, 422);
    assert!(answer.headers.get("retry-after").is_none());
    // The SDK halves such an export: what is its own is taken.
    assert_eq!(export(&[record("own", 0)]).status, 200);
    assert_eq!(export(&[record("s", 1)]).status, 422);
    collector.stop().unwrap();
    assert_eq!((lab.records().len(), conflicts(&lab).len()), (2, 1));
}

/// One export over the agent socket, by hand: a request like any other.
fn send_over_socket(lab: &Lab, token: Option<&str>, session: &str) -> String {
    let body = logs_json(&[&record_json("x", &[("session.id", session)])]);
    let authorization = token.map_or(String::new(), |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    let mut stream = UnixStream::connect(lab.dir.path().join("agent.sock")).unwrap();
    write!(
        stream,
        "POST /v1/logs HTTP/1.1\r\nhost: recount\r\nconnection: close\r\n{authorization}content-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_agent_socket_shows_the_user_and_a_bound_token_is_of_no_use_to_another() {
    let lab = Lab::new();
    let socket = lab.dir.path().join("agent.sock");
    let mut collector = lab.serve_with(&["--agent-socket", socket.to_str().unwrap()]);
    let own = std::fs::metadata("/proc/self").unwrap().uid();
    assert_eq!(collector.ready().agent_socket.as_deref(), socket.to_str());
    let (own_text, other) = (own.to_string(), (own + 1).to_string());
    assert!(send_over_socket(&lab, None, "nobody").starts_with("HTTP/1.1 200"));
    let bound = enroll(&lab, &["bound", "--uid", &own_text]);
    let stolen = enroll(&lab, &["stolen", "--uid", &other]);
    assert!(send_over_socket(&lab, Some(&bound), "bound").starts_with("HTTP/1.1 200"));
    let answer = send_over_socket(&lab, Some(&stolen), "stolen");
    let words = format!("the token of stolen is bound to user {other}, and user {own} presents it");
    assert!(
        answer.starts_with("HTTP/1.1 401") && answer.contains(&words),
        "{answer}"
    );
    // A port does not show the user.
    let answer = send(&collector, Some(&bound), &["port"]);
    assert!(
        answer.status == 401 && answer.text().contains("only the agent socket shows"),
        "{}",
        answer.text()
    );
    assert_eq!(
        enroll(&lab, &["user", "--uid", &own_text, "--no-token"]),
        ""
    );
    assert!(send_over_socket(&lab, None, "user").starts_with("HTTP/1.1 200"));
    collector.stop().unwrap();
    assert!(!socket.exists());
    let open =
        |label: &str, producer: &str, proof| (label.to_owned(), producer.to_owned(), proof as u8);
    assert_eq!(
        streams(&lab),
        [
            open(
                "nobody",
                "unauthenticated:otlp-unix",
                ProducerProof::Asserted
            ),
            open("bound", "bound", ProducerProof::Token),
            open("user", "user", ProducerProof::PeerCredentials),
        ]
    );
    let refused = refused(&lab);
    assert_eq!(refused[0].door, 3);
    assert!(
        refused[0]
            .peer
            .starts_with(&format!("user {own}, process ")),
        "{}",
        refused[0].peer
    );
}

#[test]
fn a_wrong_enrolment_is_refused_with_what_to_do() {
    let lab = Lab::new();
    let says = |args: &[&str], code: i32, words: &[&str]| {
        let told = lab.run(args);
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert_eq!(told.status.code(), Some(code), "{args:?}: {said}");
        for words in words {
            assert!(said.contains(words), "{args:?}: no {words:?} in {said}");
        }
    };
    says(&["enroll", "billing"], 5, &["hint: create one with"]);
    assert_eq!(lab.run(&["init"]).status.code(), Some(0));
    enroll(&lab, &["billing"]);
    says(
        &["enroll", "billing"],
        2,
        &["billing is enrolled since 2", "hint: --renew"],
    );
    says(&["enroll", "a b"], 2, &["\"a b\" is not a producer's name"]);
    says(
        &["enroll", "x", "--key", "12"],
        2,
        &[
            "\"12\" is neither a public key",
            "hint: give the public key",
        ],
    );
    says(
        &["revoke", "nobody"],
        1,
        &[
            "no producer \"nobody\" is enrolled",
            "enrolled are: billing",
        ],
    );
    assert_eq!(lab.run(&["revoke", "billing"]).status.code(), Some(0));
    says(
        &["revoke", "billing"],
        1,
        &["billing was revoked at 2", "nobody is enrolled now"],
    );
    let listed = lab.run(&["producers", "-o", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["producers"][0]["name"], "billing");
    assert!(listed["producers"][0]["revoked_at"].is_string());
    // A collector does not start on enrolments that it cannot read, and keeps running on those that it had.
    let mut collector = lab.serve();
    let token = enroll(&lab, &["steady"]);
    assert_eq!(send(&collector, Some(&token), &["s"]).status, 200);
    let file = lab.store().join("producers.jsonl");
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, "{}\n").unwrap();
    assert_eq!(send(&collector, Some(&token), &["s"]).status, 200);
    let status = lab.run(&["status", "--reader", lab.socket().to_str().unwrap()]);
    let status = String::from_utf8(status.stdout).unwrap();
    assert!(status.contains("line 1: missing field `name`"), "{status}");
    collector.stop().unwrap();
    says(
        &["serve"],
        2,
        &[
            "line 1: missing field `name`",
            "hint: `enroll` and `revoke` write this file",
        ],
    );
    std::fs::write(&file, good).unwrap();
    let mut mode = std::fs::metadata(&file).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o666);
    std::fs::set_permissions(&file, mode).unwrap();
    says(&["producers"], 4, &["its mode is 666", "chmod 600"]);
}
