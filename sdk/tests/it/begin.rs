//! The begin of an action: what it waits for, and when it is refused.

use std::time::{Duration, Instant};

use recount::{Access, Kind, Recorder, RefusedWhy};

use crate::collector::{Collector, Reply};

const SHORT: Duration = Duration::from_millis(100);

fn recorder(url: &str, folder: &tempfile::TempDir) -> Recorder {
    Recorder::builder("tester")
        .collector(url)
        .spool(folder.path())
        .strict_wait(SHORT)
        .build()
        .unwrap()
}

/// An address that nobody listens on.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn a_strict_begin_returns_only_after_the_collector_has_it() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    let recorder = recorder(&collector.url(), &folder);
    let session = recorder
        .session("47892")
        .intent("x")
        .scope(["write file:**"])
        .start_blocking();
    let action = session
        .action(Kind::File, "write", Access::Write)
        .begin_blocking()
        .unwrap();
    let names = collector.names();
    assert_eq!(
        names,
        [
            "agent.session.start",
            "agent.intent",
            "agent.scope",
            "agent.tool.invoke"
        ]
    );
    assert!(
        recorder
            .last_receipt()
            .unwrap()
            .text
            .unwrap()
            .contains("number")
    );
    assert_eq!(recorder.last_receipt().unwrap().through, 4);
    action.end_success();
    session.end_blocking(recount::EndReason::Completed);
}

#[test]
fn unsent_predecessors_travel_in_the_same_export_as_a_strict_begin() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    collector.always(Some(Reply::Refuse(503, None)));
    let recorder = recorder(&collector.url(), &folder);
    let session = recorder.session("47892").intent("x").start_blocking();
    session.decide("which?").chose(["a"]).record();
    collector.until("a first attempt", |collector| collector.requests() > 0);
    collector.always(None);
    session
        .action(Kind::File, "write", Access::Write)
        .begin_blocking()
        .unwrap()
        .end_success();
    let exports = collector.exports();
    let begin = exports
        .iter()
        .position(|export| export.items.len() > 3)
        .unwrap();
    assert_eq!(begin, 0, "predecessors were sent apart from the begin");
    assert_eq!(exports[0].delivery, "strict");
    drop(session);
}

#[test]
fn a_begin_whose_action_ran_at_once_is_never_sent_as_strict() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    let recorder = Recorder::builder("tester")
        .collector(collector.url())
        .spool(folder.path())
        .build()
        .unwrap();
    let session = recorder.session("47892").start_blocking();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..25 {
                    let look = session.tool("look").reads().begin_blocking().unwrap();
                    let send = session.tool("send").begin_blocking().unwrap();
                    send.end_success();
                    look.end_success();
                }
            });
        }
    });
    session.end_blocking(recount::EndReason::Completed);
    assert!(recorder.close_blocking(Duration::from_secs(8)).is_none());
    let mut strict = 0;
    for export in collector.exports() {
        for item in &export.items {
            let record = recount::testing::Record::decode(item).unwrap();
            if let Some(durability) = record.str("recount.durability") {
                let expected = if durability == "strict" {
                    "strict"
                } else {
                    "spooled"
                };
                assert_eq!(export.delivery, expected);
                strict += usize::from(durability == "strict");
            }
        }
    }
    assert_eq!(strict, 100);
    assert_eq!(collector.runs().values().next().unwrap().len(), 402);
}

#[test]
fn without_a_collector_a_strict_begin_is_refused_in_time_and_its_end_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder(&nobody(), &folder);
    let session = recorder.session("47892").start_blocking();
    let began = Instant::now();
    let refused = session.tool("send").begin_blocking().unwrap_err();
    assert!(
        began.elapsed() >= SHORT && began.elapsed() < SHORT * 10,
        "{:?}",
        began.elapsed()
    );
    assert!(
        matches!(refused.why, RefusedWhy::NoReceipt { .. }),
        "{refused}"
    );
    drop(session);
    assert_eq!(recorder.unsent().0, 4, "start, begin, end, abandoned");
    assert!(!recorder.close_blocking(SHORT).is_none());

    // Its thread lets go of the spool.
    let spooled = folder
        .path()
        .read_dir()
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let file = std::fs::File::open(spooled).unwrap();
    file.lock().unwrap();
    drop(file);

    // The collector comes back: what it gets is not dangling.
    let collector = Collector::start();
    let next = self::recorder(&collector.url(), &folder);
    assert!(next.close_blocking(Duration::from_secs(5)).is_none());
    let ends: Vec<_> = collector
        .records()
        .into_iter()
        .filter(|record| record.event == "agent.tool.result")
        .collect();
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0].str("recount.outcome"), Some("not_executed"));
    assert_eq!(ends[0].str("recount.effect"), Some("none"));
    assert_eq!(
        ends[0].str("recount.action.id"),
        Some(refused.action.to_string().as_str())
    );
}

#[test]
fn a_read_begins_at_once_without_a_collector() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = recorder(&nobody(), &folder);
    let session = recorder.session("47892").start_blocking();
    let began = Instant::now();
    session
        .tool("look")
        .reads()
        .begin_blocking()
        .unwrap()
        .end_success();
    assert!(began.elapsed() < SHORT / 2);
    drop(session);
}

#[test]
fn a_begin_that_the_collector_will_never_take_is_refused_at_once() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    collector.always(Some(Reply::KeepWithout("poison")));
    let recorder = Recorder::builder("tester")
        .collector(collector.url())
        .spool(folder.path())
        .build()
        .unwrap();
    let session = recorder.session("47892").start_blocking();
    let began = Instant::now();
    let refused = session.tool("poison").begin_blocking().unwrap_err();
    assert!(
        matches!(refused.why, RefusedWhy::ByCollector(_)),
        "{refused}"
    );
    assert!(began.elapsed() < Duration::from_secs(4));
    drop(session);
}

#[tokio::test]
async fn a_future_that_stops_waiting_for_its_begin_leaves_an_end() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    collector.reply([Reply::KeepAfter(Duration::from_millis(300))]);
    let recorder = Recorder::builder("tester")
        .collector(collector.url())
        .spool(folder.path())
        .build()
        .unwrap();
    let session = recorder.session("47892").start().await;
    let begin = session.tool("send").begin();
    assert!(tokio::time::timeout(SHORT, begin).await.is_err());
    session.end(recount::EndReason::Failed).await;
    assert!(recorder.close(Duration::from_secs(5)).await.is_none());
    let result = collector
        .records()
        .into_iter()
        .find(|record| record.event == "agent.tool.result")
        .unwrap();
    assert_eq!(result.str("recount.outcome"), Some("not_executed"));
}

#[test]
fn a_full_spool_refuses_strict_begins_and_counts_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let recorder = Recorder::builder("tester")
        .collector(&url)
        .spool(folder.path())
        .spool_file_bytes(64 * 1024)
        .spool_limit(128 * 1024)
        .strict_wait(SHORT)
        .export_timeout(SHORT)
        .build()
        .unwrap();
    let session = recorder.session("47892").start_blocking();
    for _ in 0..200 {
        session.checkpoint(&"x".repeat(1000));
    }
    assert!(session.losses() > 0);
    let refused = session
        .tool("send")
        .input("x".repeat(4000))
        .begin_blocking()
        .unwrap_err();
    assert!(matches!(refused.why, RefusedWhy::SpoolFull(_)), "{refused}");

    let lost = session.losses();
    let collector = Collector::on(listener);
    collector.until("room in the spool", |_| recorder.unsent().0 == 0);
    session.end_blocking(recount::EndReason::Partial);
    assert!(recorder.close_blocking(Duration::from_secs(5)).is_none());
    let losses: Vec<_> = collector
        .records()
        .into_iter()
        .filter(|record| record.event == "agent.loss")
        .collect();
    let counted: i64 = losses
        .iter()
        .map(|record| record.int("recount.loss.count").unwrap())
        .sum();
    assert_eq!(counted, lost as i64);
    assert_eq!(losses[0].str("recount.loss.cause"), Some("spool_full"));
    assert_eq!(losses[0].str("recount.request.id"), Some("47892"));
    collector.runs();
}
