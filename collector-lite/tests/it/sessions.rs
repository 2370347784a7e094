//! Which session a record of a stock sender belongs to.

use ledger::reader::{Find, Reader};
use ledger::store::Folder;

use crate::harness::{JSON, Lab, logs_json, post, record_json};

fn span(trace: u8, attributes: &[(&str, &str)]) -> String {
    let attributes: Vec<String> = attributes
        .iter()
        .map(|(key, value)| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#))
        .collect();
    let id = format!("{trace:02x}").repeat(16);
    format!(
        r#"{{"traceId":"{id}","spanId":"{}","name":"x","attributes":[{}]}}"#,
        &id[..16],
        attributes.join(",")
    )
}

fn export(resource: &str, spans: &[String]) -> String {
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{resource}]}},"scopeSpans":[{{"spans":[{}]}}]}}]}}"#,
        spans.join(",")
    )
}

struct Sent {
    lab: Lab,
}

/// Sends each export to one collector, which then stops.
fn sent(exports: &[String]) -> Sent {
    let lab = Lab::new();
    let mut collector = lab.serve();
    for export in exports {
        let answer = post(&collector, "/v1/traces", &[JSON], export.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    assert!(collector.stop().unwrap().success());
    Sent { lab }
}

impl Sent {
    /// Label, records, sessions and requests of every stream.
    fn streams(&self) -> Vec<(String, u64, Vec<String>, Vec<String>)> {
        let folder = Folder::open(&self.lab.store()).unwrap();
        let mut streams: Vec<_> = folder
            .find(&Find::All)
            .unwrap()
            .into_iter()
            .map(|hint| (hint.label, hint.records, hint.sessions, hint.requests))
            .collect();
        streams.sort();
        streams
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn spans_of_a_trace_share_the_session_that_one_of_them_names() {
    let sent = sent(&[export(
        "",
        &[
            span(1, &[]),
            span(1, &[("gen_ai.conversation.id", "c-7")]),
            span(2, &[]),
        ],
    )]);
    let trace = format!("trace:{}", "02".repeat(16));
    assert_eq!(
        sent.streams(),
        [
            ("c-7".into(), 2, words(&[]), words(&["c-7"])),
            (trace.clone(), 1, words(&[]), vec![trace])
        ]
    );
}

#[test]
fn a_trace_whose_session_comes_later_is_linked_to_it_once() {
    let named = |n| {
        let attributes = [
            ("session.id", "late"),
            ("recount.request.id", "47892"),
            ("n", n),
        ];
        export("", &[span(1, &attributes)])
    };
    let unnamed = |n| export("", &[span(1, &[("n", n)])]);
    let sent = sent(&[unnamed("1"), named("2"), unnamed("3"), named("4")]);
    let trace = format!("trace:{}", "01".repeat(16));
    let streams = sent.streams();
    assert_eq!(streams.len(), 2, "{streams:?}");
    assert_eq!((streams[0].0.as_str(), streams[0].1), ("late", 3));
    assert_eq!(
        (streams[1].0.as_str(), streams[1].1, &streams[1].2),
        (trace.as_str(), 1, &words(&["late"]))
    );
    let folder = Folder::open(&sent.lab.store()).unwrap();
    assert_eq!(folder.find(&Find::Session("late".into())).unwrap().len(), 2);
}

#[test]
fn a_request_on_the_resource_holds_for_its_records() {
    let resource = r#"{"key":"recount.request.id","value":{"stringValue":"47892"}}"#;
    let sent = sent(&[export(resource, &[span(1, &[("session.id", "s")])])]);
    assert_eq!(
        sent.streams(),
        [("s".into(), 1, words(&[]), words(&["47892"]))]
    );
}

#[test]
fn a_trace_is_linked_across_a_restart() {
    let lab = Lab::new();
    for span in [
        span(1, &[("n", "1")]),
        span(1, &[("session.id", "late")]),
        span(1, &[("n", "3")]),
    ] {
        let mut collector = lab.serve();
        let body = export("", &[span]);
        assert_eq!(
            post(&collector, "/v1/traces", &[JSON], body.as_bytes()).status,
            200
        );
        collector.stop().unwrap();
    }
    let streams = Sent { lab }.streams();
    assert_eq!((streams[0].0.as_str(), streams[0].1), ("late", 2));
    assert_eq!((streams[1].1, &streams[1].2), (1, &words(&["late"])));
}

#[test]
fn records_that_name_only_a_request_are_kept_apart_by_it() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    for (said, request) in [("a", "1"), ("b", "2"), ("c", "1")] {
        let record = record_json(said, &[("recount.request.id", request)]);
        let body = logs_json(&[&record]);
        let answer = post(&collector, "/v1/logs", &[JSON], body.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    collector.stop().unwrap();
    assert_eq!(
        Sent { lab }.streams(),
        [
            (
                "unattributed:agent:request:1".into(),
                2,
                words(&[]),
                words(&["1"])
            ),
            (
                "unattributed:agent:request:2".into(),
                1,
                words(&[]),
                words(&["2"])
            ),
        ]
    );
}
