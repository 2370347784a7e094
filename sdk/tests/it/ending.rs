//! How actions and sessions end: results untouched, cancellation, panics.

use std::time::Duration;

use recount::testing::Recorded;
use recount::{Access, Content, Diff, Effect, EndReason, Kind, Outcome, Recorder};

#[tokio::test]
async fn a_run_gives_the_output_of_its_future_and_keeps_the_error_type() {
    #[derive(Debug, PartialEq, thiserror::Error)]
    #[error("code {0}")]
    struct Own(u8);
    let recorder = Recorder::testing();
    let session = recorder.session("1").start().await;
    let good = session
        .tool("good")
        .begin()
        .await
        .unwrap()
        .run(async { Ok::<_, Own>(7) })
        .await;
    assert_eq!(good, Ok(7));
    let bad = session
        .tool("bad")
        .begin()
        .await
        .unwrap()
        .run(async { Err::<(), _>(Own(9)) })
        .await;
    assert_eq!(bad, Err(Own(9)));
    session.end(&bad).await;
    let recorded = Recorded::of(&recorder);
    assert_eq!(recorded.action("good").outcome(), Some("success"));
    let end = recorded.action("bad").end.unwrap();
    assert_eq!(end.str("recount.outcome"), Some("failure"));
    assert_eq!(end.str("recount.error.message"), Some("code 9"));
    assert_eq!(end.str("error.type"), Some("Own"));
    let last = recorded.records().last().unwrap();
    assert_eq!(last.str("recount.session.end_reason"), Some("failed"));
    assert_eq!(last.str("recount.session.summary"), Some("code 9"));
}

#[tokio::test]
async fn a_run_that_times_out_is_cancelled_with_unknown_effect() {
    let recorder = Recorder::testing();
    let session = recorder.session("1").start().await;
    let action = session
        .action(Kind::Http, "patch", Access::Write)
        .begin()
        .await
        .unwrap();
    let slow = action.run(std::future::pending::<Result<(), String>>());
    assert!(
        tokio::time::timeout(Duration::from_millis(10), slow)
            .await
            .is_err()
    );
    let patch = Recorded::of(&recorder).action("patch");
    assert_eq!(patch.outcome(), Some("cancelled"));
    assert_eq!(patch.effect(), Some("unknown"));
    session.end(EndReason::Failed).await;
}

#[tokio::test]
async fn a_panic_inside_a_run_is_recorded_and_goes_on() {
    let recorder = Recorder::testing();
    let session = recorder.session("1").start().await;
    let action = session.tool("bang").begin().await.unwrap();
    let task = tokio::spawn(action.run(async {
        if true {
            panic!("boom {}", 3);
        }
        Ok::<(), String>(())
    }));
    assert!(task.await.unwrap_err().is_panic());
    let end = Recorded::of(&recorder).action("bang").end.unwrap();
    assert_eq!(end.str("recount.outcome"), Some("failure"));
    assert_eq!(end.str("error.type"), Some("panic"));
    assert_eq!(end.str("recount.error.message"), Some("boom 3"));
    session.end(EndReason::Failed).await;
}

#[test]
fn the_blocking_twin_of_run_records_the_same() {
    let recorder = Recorder::testing();
    let session = recorder.session("1").start_blocking();
    let good = session
        .tool("good")
        .begin_blocking()
        .unwrap()
        .run_blocking(|| Ok::<_, String>(1));
    assert_eq!(good, Ok(1));
    let bang = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let action = session.tool("bang").begin_blocking().unwrap();
        action.run_blocking(|| -> Result<(), String> { panic!("boom") })
    }));
    assert!(bang.is_err());
    let recorded = Recorded::of(&recorder);
    assert_eq!(recorded.action("good").outcome(), Some("success"));
    assert_eq!(
        recorded.action("bang").end.unwrap().str("error.type"),
        Some("panic")
    );
    session.end_blocking(EndReason::Completed);
}

#[test]
fn an_action_dropped_by_a_panicking_thread_failed() {
    let recorder = Recorder::testing();
    let session = recorder.session("1").start_blocking();
    let bang = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _action = session.tool("bang").begin_blocking().unwrap();
        panic!("boom");
    }));
    assert!(bang.is_err());
    assert_eq!(
        Recorded::of(&recorder).action("bang").outcome(),
        Some("failure")
    );
    session.end_blocking(EndReason::Failed);
}

#[test]
fn a_session_dropped_without_an_end_is_abandoned() {
    let recorder = Recorder::testing();
    drop(recorder.session("1").start_blocking());
    assert_eq!(
        Recorded::of(&recorder).names().last(),
        Some("agent.session.abandoned")
    );
}

#[test]
fn diffs_come_before_the_end_which_counts_them() {
    let recorder = Recorder::testing();
    let session = recorder.session("1").start_blocking();
    let action = session
        .action(Kind::File, "write", Access::Write)
        .begin_blocking()
        .unwrap();
    action.diff(
        Diff::of("file:a.md")
            .before(Content::absent())
            .after(Content::text("a")),
    );
    action.diff(
        Diff::of("file:b.md")
            .before(Content::text("b"))
            .after(Content::absent()),
    );
    action.end_success();
    session.end_blocking(EndReason::Completed);
    let recorded = Recorded::of(&recorder);
    let write = recorded.action("write");
    assert_eq!(write.between.len(), 2);
    assert_eq!(
        write.between[0].attributes["recount.before"]["state"],
        "absent"
    );
    assert_eq!(write.end.as_ref().unwrap().int("recount.diffs"), Some(2));
    assert_eq!(write.effect(), Some("committed"));
    let names: Vec<_> = recorded.names().collect();
    let at = |name| names.iter().rposition(|other| *other == name).unwrap();
    assert!(at("agent.diff") < at("agent.tool.result"));
}

#[test]
fn effects_inside_a_transaction_stay_pending_until_it_settles() {
    let recorder = Recorder::testing();
    let session = recorder.session("1").start_blocking();
    let transaction = session.new_transaction();
    let action = session
        .action(Kind::Db, "update", Access::Write)
        .transaction(transaction)
        .begin_blocking()
        .unwrap();
    action.diff(Diff::of("db:contracts/main.contracts/1"));
    action.end_success();
    session.transaction(
        transaction,
        recount::vocabulary::action::TransactionOutcome::RolledBack,
    );
    let recorded = Recorded::of(&recorder);
    let update = recorded.action("update");
    assert_eq!(update.effect(), Some("pending"));
    assert_eq!(update.between[0].str("recount.effect"), Some("pending"));
    assert_eq!(
        recorded
            .records()
            .last()
            .unwrap()
            .str("recount.transaction.outcome"),
        Some("rolled_back")
    );
    session.end_blocking(EndReason::Completed);
}

#[test]
fn an_action_that_a_rule_forbids_ends_denied_without_effect() {
    let recorder = Recorder::testing();
    let session = recorder.session("1").start_blocking();
    session
        .action(Kind::Http, "POST /send", Access::Send)
        .denied("R-7 drafts-only", "3", "drafts are not sent");
    let send = Recorded::of(&recorder).action("POST /send");
    assert_eq!(
        (send.outcome(), send.effect()),
        (Some("denied"), Some("none"))
    );
    assert_eq!(send.between[0].str("recount.verdict"), Some("deny"));
    assert_eq!(send.between[0].str("recount.rule"), Some("R-7 drafts-only"));
    session.end_blocking(EndReason::Partial);
}

#[test]
fn what_may_have_had_an_effect_and_does_not_say_so_is_unknown() {
    let recorder = Recorder::testing();
    let session = recorder.session("1").start_blocking();
    session
        .action(Kind::Http, "fail", Access::Write)
        .begin_blocking()
        .unwrap()
        .end_failure("503", None, "down");
    session
        .action(Kind::Http, "look", Access::Read)
        .begin_blocking()
        .unwrap()
        .end_failure("503", None, "down");
    session
        .action(Kind::Http, "told", Access::Write)
        .begin_blocking()
        .unwrap()
        .end(Outcome::Failure, Effect::None);
    let recorded = Recorded::of(&recorder);
    assert_eq!(recorded.action("fail").effect(), Some("unknown"));
    assert_eq!(recorded.action("look").effect(), Some("none"));
    assert_eq!(recorded.action("told").effect(), Some("none"));
    session.end_blocking(EndReason::Failed);
}

#[tokio::test]
async fn a_session_says_at_its_end_how_many_records_it_wrote() {
    let recorder = Recorder::testing();
    let session = recorder.session("1").start().await;
    session.decide("which?").chose(["a"]).record();
    let other = recorder.session("2").start().await;
    session.tool("one").begin().await.unwrap().end_success();
    other.end(EndReason::Completed).await;
    session.end(EndReason::Completed).await;
    let recorded = Recorded::of(&recorder);
    let counts: Vec<(usize, i64)> = recorded
        .of_event(recount::vocabulary::Event::SessionEnd)
        .into_iter()
        .map(|end| {
            let id = end.str("session.id");
            let own = recorded
                .records()
                .iter()
                .filter(|record| record.str("session.id") == id);
            (own.count(), end.int("recount.session.records").unwrap())
        })
        .collect();
    assert!(
        counts.iter().all(|(own, said)| *own as i64 == *said),
        "{counts:?}"
    );
    assert_eq!(counts.len(), 2);
}
