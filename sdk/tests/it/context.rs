//! The context that travels with the code, and what happens where it does not.

use recount::testing::Recorded;
use recount::{Access, Ambient, Handle, InContext, Kind, Recorder};

/// What a capture does: an action in the context that it finds.
async fn captured(recorder: &Recorder, name: &str) {
    tokio::task::yield_now().await;
    let here = recorder.here();
    let action = here
        .session()
        .action(Kind::Http, name, Access::Read)
        .begin()
        .await
        .unwrap();
    action.end_success();
}

#[tokio::test]
async fn what_begins_inside_a_run_is_part_of_it() {
    let recorder = Recorder::testing();
    let session = recorder.session("47892").start().await;
    let pick = session.decide("which?").chose(["a"]).record();
    let outer = session.tool("outer").because(pick).begin().await.unwrap();
    let id = outer.id().to_string();
    let inside = recorder.clone();
    outer
        .run(async move {
            captured(&inside, "inner").await;
            Ok::<_, String>(())
        })
        .await
        .unwrap();
    let inner = Recorded::of(&recorder).action("inner").begin;
    assert_eq!(inner.str("recount.action.parent"), Some(id.as_str()));
    assert_eq!(
        inner.str("recount.decision.id"),
        Some(pick.id().to_string().as_str())
    );
    assert_eq!(inner.str("recount.request.id"), Some("47892"));
    assert!(
        Ambient::current().is_none(),
        "the context stayed after the run"
    );
    session.end(recount::EndReason::Completed).await;
}

#[tokio::test]
async fn a_bare_spawn_loses_the_context_and_is_recorded_as_unattributed() {
    let recorder = Recorder::testing();
    let session = recorder.session("47892").start().await;
    let action = session.tool("outer").begin().await.unwrap();
    let (lost, kept, handle): (Recorder, Recorder, Handle) =
        (recorder.clone(), recorder.clone(), session.handle());
    action
        .run(async move {
            tokio::spawn(async move { captured(&lost, "lost").await })
                .await
                .unwrap();
            tokio::spawn(async move { captured(&kept, "kept").await }.in_session(&handle))
                .await
                .unwrap();
            Ok::<_, String>(())
        })
        .await
        .unwrap();
    let recorded = Recorded::of(&recorder);
    let lost = recorded.action("lost").begin;
    assert_eq!(
        lost.str("session.id"),
        Some(format!("unattributed:{}", recorder.run()).as_str())
    );
    assert_eq!(
        recorded.action("kept").begin.str("session.id"),
        Some(session.id().as_str())
    );
    let starts = recorded.of_event(recount::Event::SessionStart);
    assert_eq!(
        starts.len(),
        2,
        "the unattributed session has a start of its own"
    );
    session.end(recount::EndReason::Completed).await;
}

#[tokio::test]
async fn two_sessions_interleaved_on_one_thread_do_not_mix() {
    let recorder = Recorder::testing();
    let one = recorder.session("1").start().await;
    let two = recorder.session("2").start().await;
    let work = |name: &'static str| {
        let recorder = recorder.clone();
        async move {
            for _ in 0..3 {
                captured(&recorder, name).await;
            }
        }
    };
    tokio::join!(work("a").in_session(&one), work("b").in_session(&two));
    for action in Recorded::of(&recorder).actions() {
        let expected = if action.begin.str("recount.action.name") == Some("a") {
            "1"
        } else {
            "2"
        };
        assert_eq!(action.begin.str("recount.request.id"), Some(expected));
    }
    one.end(recount::EndReason::Completed).await;
    two.end(recount::EndReason::Completed).await;
}

#[test]
fn a_thread_gets_the_context_that_it_is_given() {
    let recorder = Recorder::testing();
    let session = recorder.session("47892").start_blocking();
    let action = session.tool("outer").begin_blocking().unwrap();
    let ambient = action.ambient();
    let inside = recorder.clone();
    std::thread::spawn(move || {
        ambient.run(|| {
            inside
                .here()
                .session()
                .tool("inner")
                .begin_blocking()
                .unwrap()
                .end_success()
        });
    })
    .join()
    .unwrap();
    let id = action.id().to_string();
    action.end_success();
    let inner = Recorded::of(&recorder).action("inner").begin;
    assert_eq!(inner.str("recount.action.parent"), Some(id.as_str()));
    session.end_blocking(recount::EndReason::Completed);
}

#[test]
fn a_delegated_session_is_a_child_with_the_same_request_and_trace() {
    let recorder = Recorder::testing();
    let session = recorder.session("47892").start_blocking();
    let child = session.delegate("speller").start_blocking();
    assert_ne!(child.id(), session.id());
    child.end_blocking(recount::EndReason::Completed);
    let recorded = Recorded::of(&recorder);
    let delegate = recorded.of_event(recount::Event::Delegate)[0];
    let start = recorded.of_event(recount::Event::SessionStart)[1];
    assert_eq!(
        delegate.str("recount.delegate.session"),
        start.str("session.id")
    );
    assert_eq!(
        start.str("recount.session.parent"),
        Some(session.id().as_str())
    );
    assert_eq!(start.str("recount.request.id"), Some("47892"));
    assert_eq!(start.trace_id, delegate.trace_id);
    assert_eq!(start.str("recount.trigger.kind"), Some("delegation"));
    session.end_blocking(recount::EndReason::Completed);
}

#[test]
fn who_joins_a_session_neither_starts_nor_ends_it_and_says_what_its_actions_observe() {
    let recorder = Recorder::testing();
    let session = "s-of-somebody".parse().unwrap();
    let observed = recount::Observed {
        span: Some(([0xab; 16], [1; 8])),
        target: Some("http:127.0.0.1:9000/a".to_owned()),
    };
    let joined = recorder.join(&session, None, Some([0xab; 16]));
    let seen = joined.observing(observed);
    let action = seen.action(recount::Kind::Http, "GET /a", recount::Access::Read);
    action.begin_blocking().unwrap().end_success();
    drop((joined, seen));
    let recorded = Recorded::of(&recorder);
    let names: Vec<&str> = recorded.names().collect();
    assert_eq!(names, ["agent.tool.invoke", "agent.tool.result"]);
    let begin = &recorded.records()[0];
    assert_eq!(begin.str("session.id"), Some("s-of-somebody"));
    assert_eq!(begin.str("recount.request.id"), None);
    let span = format!("{}-{}", "ab".repeat(16), "01".repeat(8));
    assert_eq!(begin.str("recount.observed.span"), Some(span.as_str()));
    assert_eq!(
        begin.str("recount.observed.target"),
        Some("http:127.0.0.1:9000/a")
    );
}

#[test]
fn a_child_elsewhere_is_the_session_that_was_announced() {
    let (here, elsewhere) = (Recorder::testing(), Recorder::testing());
    // region: handoff
    let session = here.session("47892").start_blocking();
    let token = session.hand_over("speller").to_string();

    // In another process, on another host:
    let handed: recount::Handoff = token.parse().unwrap();
    let builder = elsewhere.session_without_request().handed_over(&handed);
    let child = builder.start_blocking();
    // end
    child.end_blocking(recount::EndReason::Completed);
    session.end_blocking(recount::EndReason::Completed);
    let announced = Recorded::of(&here).of_event(recount::Event::Delegate)[0].clone();
    let start = Recorded::of(&elsewhere).of_event(recount::Event::SessionStart)[0].clone();
    assert_eq!(
        announced.str("recount.delegate.session"),
        start.str("session.id")
    );
    assert_eq!(announced.str("recount.delegate.agent"), Some("speller"));
    assert_eq!(
        start.str("recount.session.parent"),
        announced.str("session.id")
    );
    assert_eq!(start.str("recount.request.id"), Some("47892"));
    assert_eq!(start.trace_id, announced.trace_id);
    assert_eq!(start.str("recount.trigger.kind"), Some("delegation"));
}

#[tokio::test]
async fn of_a_fan_out_what_is_cancelled_is_said_to_be_so_and_the_rest_goes_on() {
    let recorder = Recorder::testing();
    let session = recorder.session("47892").start().await;
    let mut set = tokio::task::JoinSet::new();
    for at in 0..4 {
        let session = session.handle();
        let work = async move {
            let action = session
                .tool(&format!("part {at}"))
                .reads()
                .begin()
                .await
                .unwrap();
            let done = action.run(async move {
                if at % 2 == 1 {
                    std::future::pending::<()>().await;
                }
                Ok::<_, String>(at)
            });
            done.await
        };
        set.spawn(work.in_session(&recorder.here().session().clone()));
    }
    for _ in 0..2 {
        set.join_next().await.unwrap().unwrap().unwrap();
    }
    set.shutdown().await;
    session.end(recount::EndReason::Partial).await;
    let recorded = Recorded::of(&recorder);
    for at in 0..4 {
        let part = recorded.action(&format!("part {at}"));
        let expected = ["success", "cancelled"][at % 2];
        assert_eq!(part.outcome(), Some(expected), "part {at}");
    }
}

#[test]
fn a_child_that_never_starts_is_announced_and_no_more() {
    let recorder = Recorder::testing();
    let session = recorder.session("47892").start_blocking();
    let token = session.hand_over("speller");
    session.end_blocking(recount::EndReason::Completed);
    let recorded = Recorded::of(&recorder);
    assert_eq!(recorded.of_event(recount::Event::Delegate).len(), 1);
    let named = |record: &&recount::testing::Record| {
        record.str("session.id") == Some(token.session().as_str())
    };
    assert_eq!(recorded.records().iter().filter(named).count(), 0);
}
