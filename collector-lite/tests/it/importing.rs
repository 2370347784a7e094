//! A log that was written elsewhere becomes sealed records that say so, once.

use std::path::PathBuf;

use ledger::envelope::{CollectorPart, Delivery, Envelope, RecordingMode};
use ledger::otlp::{Encoding, Item, Resource, Signal, Value};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::harness::Lab;

/// JSON, text, an empty line, bytes that are no text, and a last line without an end.
const LOG: &[u8] = b"{\"request\":{\"id\":12345678901234567890123},\"run\":\"r1\",\"at\":\"2026-03-14T09:12:04.125Z\",\"x\": 1.50}\r\n\
plain text, token=abc\n\
\n\
\xff\xfe not text\n\
{\"request\":{\"id\":\"47892\"},\"run\":\"r2\",\"at\":1773479524125}";

fn file(lab: &Lab, name: &str, content: &[u8]) -> PathBuf {
    let path = lab.dir.path().join(name);
    std::fs::write(&path, content).unwrap();
    path
}

fn import(lab: &Lab, args: &[&str]) -> (i32, String) {
    let output = lab.run(&[&["import"], args].concat());
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(text).unwrap(),
    )
}

fn made() -> Lab {
    let lab = Lab::new();
    assert!(lab.run(&["init"]).status.success());
    lab
}

/// What a sealed record is, with the stream's producer.
fn sealed(lab: &Lab) -> Vec<(CollectorPart, String, Json)> {
    let mut out = Vec::new();
    for record in lab.records() {
        let bytes = record.body.unwrap().envelope;
        let envelope = Envelope::decode(&bytes).unwrap();
        let part = CollectorPart::decode(envelope.collector).unwrap();
        let item = Item::decode(Encoding::Protobuf, Signal::Logs, envelope.item).unwrap();
        let resource = Resource::decode(Encoding::Protobuf, envelope.resource).unwrap();
        let text = |key: &str| item.attributes.str(key).map(str::to_owned);
        let inline = match item.attributes.get("recount.content") {
            Some(Value::Map(content)) => match content.get("inline") {
                Some(Value::Str(text)) => text.as_bytes().to_vec(),
                Some(Value::Bytes(bytes)) => bytes.to_vec(),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let facts = json!({
            "event": item.name, "session": text("session.id"), "request": text("recount.request.id"),
            "number": item.attributes.int("recount.line.number"), "file": text("recount.line.file"),
            "source": text("recount.line.source"), "time": item.time_unix_nano,
            "inline": inline, "by": resource.attributes.str("recount.imported.by").is_some(),
            "agent": resource.attributes.str("gen_ai.agent.name"),
        });
        out.push((part, text("session.id").unwrap_or_default(), facts));
    }
    out
}

#[test]
fn each_line_of_a_file_is_sealed_exactly_with_its_number_and_the_files_digest() {
    let lab = made();
    let log = file(&lab, "agent.jsonl", LOG);
    let (code, text) = import(
        &lab,
        &[
            log.to_str().unwrap(),
            "--request",
            "nightly",
            "--time-field",
            "at",
            "--agent",
            "old-agent",
        ],
    );
    // Two lines are no JSON and say no time; they are kept, and that is said.
    assert_eq!(code, 6, "{text}");
    assert!(
        text.contains("5 lines (1 empty) in 1 sessions; 5 records sealed now, 0 before"),
        "{text}"
    );
    assert!(text.contains("2 lines name no time"), "{text}");
    let records = sealed(&lab);
    let expected: Vec<&[u8]> = LOG
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .collect();
    let lines: Vec<_> = records
        .iter()
        .filter(|it| it.2["event"] == "agent.log.line")
        .collect();
    assert_eq!((records.len(), lines.len()), (5, 4));
    let digest = format!(
        "sha256:{}",
        Sha256::digest(LOG)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect::<String>()
    );
    for ((part, _, facts), (line, number)) in lines.iter().zip(expected.iter().zip([1, 2, 4, 5])) {
        assert_eq!(part.recording_mode, RecordingMode::Imported);
        assert_eq!(part.delivery, Delivery::Adopted);
        assert_eq!(part.producer, "unauthenticated:import");
        // The one credential in it is masked in place; everything else is as it was.
        let masked = String::from_utf8_lossy(line).contains("token=abc");
        if !masked {
            assert_eq!(facts["inline"], json!(line), "{facts}");
        }
        assert_eq!(facts["number"], number, "{facts}");
        assert_eq!(
            (&facts["file"], &facts["source"]),
            (&json!(digest), &json!("agent.jsonl"))
        );
        assert_eq!(
            (&facts["by"], &facts["agent"]),
            (&json!(true), &json!("old-agent"))
        );
    }
    assert_eq!(lines[0].2["time"], 1_773_479_524_125_000_000_u64);
    assert_eq!(lines[3].2["time"], 1_773_479_524_125_000_000_u64);
    assert_eq!(records[4].2["event"], "agent.session.end");
}

#[test]
fn a_file_that_is_imported_again_is_sealed_once_and_read_otherwise_again() {
    let lab = made();
    let log = file(&lab, "agent.jsonl", LOG);
    let log = log.to_str().unwrap();
    let (code, text) = import(&lab, &[log, "--request", "nightly"]);
    assert!(
        code == 0 && text.contains("5 records sealed now, 0 before"),
        "{text}"
    );
    let (code, text) = import(&lab, &[log, "--request", "nightly"]);
    assert!(
        code == 0 && text.contains("0 records sealed now, 5 before"),
        "{text}"
    );
    // Through a running collector it is the same import.
    let mut collector = lab.serve();
    let url = format!("http://{}", collector.ready().otlp_http.clone().unwrap());
    let (code, text) = import(&lab, &[log, "--request", "nightly", "--collector", &url]);
    assert!(
        code == 0 && text.contains("0 records sealed now, 5 before"),
        "{text}"
    );
    let (code, text) = import(&lab, &[log, "--request", "weekly", "--collector", &url]);
    assert!(
        code == 0 && text.contains("5 records sealed now, 0 before"),
        "{text}"
    );
    collector.stop().unwrap();
    let records = sealed(&lab);
    assert_eq!(records.len(), 10);
    assert!(records.iter().all(|(part, ..)| {
        part.recording_mode == RecordingMode::Imported && part.producer == "unauthenticated:import"
    }));
}

#[test]
fn fields_name_request_and_session_of_each_line_and_lines_without_are_kept_and_told() {
    let lab = made();
    let log = file(&lab, "agent.jsonl", LOG);
    let args = [
        log.to_str().unwrap(),
        "--request-field",
        "/request/id",
        "--session-field",
        "run",
    ];
    let (code, text) = import(&lab, &args);
    assert_eq!(code, 6, "{text}");
    assert!(
        text.contains("2 lines name no request: they are under import:"),
        "{text}"
    );
    assert!(text.contains("2 lines name no session"), "{text}");
    let records = sealed(&lab);
    let lines = records
        .iter()
        .filter(|it| it.2["event"] == "agent.log.line");
    let belong: Vec<(String, String)> = lines
        .map(|it| {
            (
                it.2["request"].as_str().unwrap().to_owned(),
                it.2["session"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    assert!(
        belong.contains(&("12345678901234567890123".to_owned(), "r1".to_owned())),
        "{belong:?}"
    );
    assert!(
        belong.contains(&("47892".to_owned(), "r2".to_owned())),
        "{belong:?}"
    );
    let own = belong.iter().filter(|(request, session)| {
        request.starts_with("import:") && session.starts_with("import:")
    });
    assert_eq!(own.count(), 2, "{belong:?}");
    let ends = records
        .iter()
        .filter(|it| it.2["event"] == "agent.session.end")
        .count();
    assert_eq!(ends, 3);
}

#[test]
fn the_account_says_that_it_was_imported_by_whom_and_from_what() {
    let lab = made();
    let log = file(&lab, "agent.jsonl", LOG);
    let args = [
        log.to_str().unwrap(),
        "--request",
        "nightly",
        "--time-field",
        "at",
        "--agent",
        "old-agent",
    ];
    import(&lab, &args);
    let folder = ledger::store::Folder::open(&lab.store()).unwrap();
    let options = account::Options::default();
    let account = account::build(
        &folder,
        &ledger::verify::Trusted::FirstSeen,
        "nightly",
        &options,
    )
    .unwrap();
    let [session] = &account.sessions[..] else {
        panic!("{:?}", account.sessions)
    };
    assert_eq!(
        session.recording_mode,
        vocabulary::record::RecordingMode::Imported
    );
    assert_eq!(
        session.sent_by(),
        "imported: written elsewhere, and sealed afterwards"
    );
    assert_eq!(session.agent.name.as_deref(), Some("old-agent"));
    let by = account
        .who
        .iter()
        .find(|who| who.role == vocabulary::principal::WhoRole::Imported)
        .unwrap();
    assert!(by.identity.is_some() && by.at.is_some(), "{by:?}");
    assert!(
        by.proof.starts_with("imported from agent.jsonl (sha256:"),
        "{}",
        by.proof
    );
    let lines = account
        .actions
        .iter()
        .filter(|row| row.name.as_deref() == Some("agent.jsonl"));
    let sources: Vec<_> = lines.map(|row| row.evidence.source).collect();
    assert_eq!(sources, [vocabulary::Source::Stated; 4]);
    // Old times are what an import is for, and no clock of anybody's.
    let clocks = account
        .problems
        .iter()
        .filter(|row| row.kind == vocabulary::problem::ProblemKind::ClockDisagrees);
    assert_eq!(clocks.count(), 0);
    let not_proven = account.integrity.not_proven.join("; ");
    assert!(
        not_proven.contains("sealed when they were imported"),
        "{not_proven}"
    );
    assert!(
        !not_proven.contains("the agent recorded itself"),
        "{not_proven}"
    );
}

#[test]
fn what_cannot_be_imported_says_why() {
    let lab = made();
    let log = file(&lab, "agent.jsonl", LOG);
    let log = log.to_str().unwrap();
    assert_eq!(import(&lab, &[log]).0, 2, "no request");
    let (code, text) = import(&lab, &[log, "--request-field", "a..b"]);
    assert!(code == 2 && text.contains("no path of a field"), "{text}");
    let folder = lab.dir.path().to_str().unwrap().to_owned();
    let (code, text) = import(&lab, &[&folder, "--request", "1"]);
    assert!(code == 2 && text.contains("log-line"), "{text}");
    let (code, text) = import(&lab, &["/no/such/file", "--request", "1"]);
    assert!(code != 0 && text.contains("/no/such/file"), "{text}");
    let (code, text) = import(
        &lab,
        &[log, "--request", "1", "--collector", "http://127.0.0.1:1"],
    );
    assert!(code == 5 && text.contains("0 records sealed"), "{text}");
    assert_eq!(sealed(&lab).len(), 0);
}
