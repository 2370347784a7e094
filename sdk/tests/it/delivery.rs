//! Delivery: nothing is lost, nothing is renumbered, whatever the collector does.

use std::time::{Duration, Instant};

use recount::{EndReason, Recorder};

use crate::collector::{Collector, Reply};

const LONG: Duration = Duration::from_secs(8);

fn recorder(collector: &Collector, folder: &tempfile::TempDir) -> Recorder {
    Recorder::builder("tester")
        .collector(collector.url())
        .spool(folder.path())
        .export_timeout(Duration::from_millis(400))
        .build()
        .unwrap()
}

/// A session with so many reads.
fn record(recorder: &Recorder, reads: usize) {
    let session = recorder.session("47892").intent("x").start_blocking();
    for number in 0..reads {
        let action = session
            .tool("look")
            .reads()
            .attempt(number as u32)
            .begin_blocking()
            .unwrap();
        action.end_success();
    }
    session.end_blocking(EndReason::Completed);
}

#[test]
fn a_collector_that_fails_gets_the_same_records_again() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    collector.reply([
        Reply::Refuse(503, None),
        Reply::KeepInSilence,
        Reply::Refuse(500, None),
        Reply::KeepAfter(Duration::from_millis(600)),
        Reply::Refuse(429, None),
    ]);
    let recorder = recorder(&collector, &folder);
    record(&recorder, 50);
    assert!(
        recorder.close_blocking(LONG).is_none(),
        "{:?}",
        recorder.last_error()
    );
    let runs = collector.runs();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs.values().next().unwrap().len(), 103);
    assert!(
        folder.path().read_dir().unwrap().next().is_none(),
        "a spool without unsent records stays"
    );
}

#[test]
fn a_wait_that_the_collector_asks_for_is_honoured() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    collector.reply([Reply::Refuse(429, Some(1))]);
    let recorder = recorder(&collector, &folder);
    let began = Instant::now();
    record(&recorder, 1);
    assert!(recorder.close_blocking(LONG).is_none());
    assert!(
        began.elapsed() >= Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(collector.requests(), collector.exports().len() + 1);
}

#[test]
fn an_export_that_is_too_large_is_halved_until_it_fits() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    collector.always(Some(Reply::KeepAtMost(3)));
    let recorder = recorder(&collector, &folder);
    record(&recorder, 20);
    assert!(recorder.close_blocking(LONG).is_none());
    assert_eq!(collector.runs().values().next().unwrap().len(), 43);
    assert!(!collector.names().contains(&"agent.loss".to_owned()));
}

#[test]
fn a_record_that_is_never_taken_is_set_aside_and_told() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    collector.always(Some(Reply::KeepWithout("poison")));
    let recorder = recorder(&collector, &folder);
    let session = recorder.session("47892").start_blocking();
    session.checkpoint("before");
    session.checkpoint("poison");
    session.checkpoint("after");
    session.end_blocking(EndReason::Completed);
    assert!(recorder.flush_blocking(LONG).is_none());
    collector.until("the loss", |collector| {
        collector.names().contains(&"agent.loss".to_owned())
    });
    let loss = collector
        .records()
        .into_iter()
        .find(|record| record.event == "agent.loss")
        .unwrap();
    assert_eq!(loss.int("recount.loss.count"), Some(1));
    assert!(
        loss.str("recount.reason").unwrap().contains("refused/"),
        "{loss:?}"
    );
    let aside: Vec<_> = folder.path().join("refused").read_dir().unwrap().collect();
    assert_eq!(aside.len(), 1);
    let notes: Vec<_> = collector
        .records()
        .iter()
        .filter_map(|record| record.str("recount.session.note").map(str::to_owned))
        .collect();
    assert_eq!(notes, ["before", "after"]);
}

#[test]
fn many_threads_make_one_numbering() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    let recorder = Recorder::builder("tester")
        .collector(collector.url())
        .spool(folder.path())
        .spool_file_bytes(64 * 1024)
        .build()
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| record(&recorder, 200));
        }
    });
    assert!(recorder.close_blocking(LONG).is_none());
    let runs = collector.runs();
    assert_eq!(runs.values().next().unwrap().len(), 4 * 403);
    assert!(folder.path().read_dir().unwrap().next().is_none());
}

#[test]
fn a_record_larger_than_a_file_of_the_spool_is_kept() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    let recorder = Recorder::builder("tester")
        .collector(collector.url())
        .spool(folder.path())
        .spool_file_bytes(64 * 1024)
        .build()
        .unwrap();
    let session = recorder.session("47892").start_blocking();
    let large = "y".repeat(200 * 1024);
    let action = session
        .tool("look")
        .reads()
        .input(large.clone())
        .begin_blocking()
        .unwrap();
    action.output(large.clone());
    action.end_success();
    drop(session);
    assert!(recorder.close_blocking(LONG).is_none());
    let records = collector.runs().into_values().next().unwrap();
    let begin = records
        .iter()
        .find(|record| record.event == "agent.tool.invoke")
        .unwrap();
    assert_eq!(begin.text("recount.input"), Some(large.as_str()));
}

#[test]
fn content_beyond_the_limit_is_truncated_with_the_size_of_the_whole() {
    let recorder = Recorder::testing();
    let session = recorder.session("47892").start_blocking();
    let large = "z".repeat(300 * 1024);
    session
        .tool("look")
        .reads()
        .input(large)
        .begin_blocking()
        .unwrap()
        .end_success();
    let begin = recount::testing::Recorded::of(&recorder)
        .action("look")
        .begin;
    let input = &begin.attributes["recount.input"];
    assert_eq!(input["state"], "truncated");
    assert_eq!(input["size"], 300 * 1024);
    assert_eq!(input["inline"].as_str().unwrap().len(), 256 * 1024);
    drop(session);
}

#[test]
fn a_credential_reaches_neither_the_spool_nor_the_wire() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    let secret = format!("sk-{}", "aB3dE5gH".repeat(4));
    let recorder = recorder(&collector, &folder);
    let session = recorder
        .session("47892")
        .intent(format!("use {secret}"))
        .start_blocking();
    let action = session
        .tool("look")
        .reads()
        .input(format!("key={secret}"))
        .target(&format!("http:a/?k={secret}"))
        .begin_blocking()
        .unwrap();
    action.result(&secret).output(secret.clone());
    action.end_failure("auth", None, &format!("bad key {secret}"));
    session.end_blocking(EndReason::Failed);
    assert!(recorder.flush_blocking(LONG).is_none());
    let file = folder
        .path()
        .read_dir()
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let spooled = std::fs::read(file).unwrap();
    let found = |bytes: &[u8]| {
        bytes
            .windows(secret.len())
            .any(|window| window == secret.as_bytes())
    };
    assert!(!found(&spooled));
    assert!(
        !collector
            .exports()
            .iter()
            .flat_map(|export| &export.items)
            .any(|item| found(item))
    );
    let names = collector.names();
    let intent = &collector.records()[names
        .iter()
        .position(|name| name == "agent.intent")
        .unwrap()];
    assert_eq!(
        intent.attributes["recount.intent"]["redactions"][0]["rule"],
        "openai_key"
    );
    assert!(!intent.attributes.contains_key("recount.redactions"));
}

#[test]
fn each_record_lists_what_was_removed_from_its_texts() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    let secret = format!("sk-{}", "aB3dE5gH".repeat(4));
    let recorder = Recorder::builder("test")
        .collector(collector.url())
        .spool(folder.path())
        .owner(format!("team {secret}"))
        .build()
        .unwrap();
    let session = recorder.session("47892").start_blocking();
    session.scope(["read tool:a", &format!("read tool:{secret}")], "me");
    session
        .decide("which?")
        .chose([1])
        .discarded([(2, "dear"), (3, &*format!("costs {secret}"))])
        .record();
    let action = session.tool("look").reads().begin_blocking().unwrap();
    action.result(&secret);
    action.end_failure("auth", None, &format!("bad key {secret}, not {secret}"));
    session.end_blocking(EndReason::Failed);
    assert!(recorder.flush_blocking(LONG).is_none());
    let removed: Vec<(String, Vec<String>)> = collector
        .records()
        .into_iter()
        .filter_map(|record| {
            let list = record.attributes.get("recount.redactions")?.as_array()?;
            let line = |one: &serde_json::Value| {
                assert_eq!(one["rule"], "openai_key");
                assert_eq!(one["len"], secret.len());
                one["path"].as_str().unwrap().to_owned()
            };
            Some((record.event, list.iter().map(line).collect()))
        })
        .collect();
    let expected = [
        ("agent.session.start", &["resource/recount.agent.owner"][..]),
        ("agent.scope", &["recount.scope.entries/1"]),
        ("agent.decision.log", &["recount.discarded/1"]),
        (
            "agent.tool.result",
            &[
                "recount.result",
                "recount.error.message",
                "recount.error.message",
            ],
        ),
    ];
    let expected = expected.map(|(event, paths)| {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        (event.to_owned(), paths)
    });
    assert_eq!(removed, expected);
}
