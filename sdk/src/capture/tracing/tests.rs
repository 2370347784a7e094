//! Programs that only use `tracing`, and what is recorded of them.

use ::tracing::{Instrument as _, error, error_span, info, info_span, trace_span};
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::capture::testing::{SECRET, is_recorded};
use crate::testing::Recorded;

fn watched(recorder: &Recorder, program: impl FnOnce()) {
    let subscriber = tracing_subscriber::registry().with(Layer::new(recorder));
    ::tracing::subscriber::with_default(subscriber, program);
}

#[test]
fn a_program_that_only_traces_is_a_session_with_actions() {
    let recorder = Recorder::testing();
    watched(&recorder, || {
        // region: tracing
        let run = info_span!(
            "renewals",
            recount.request = "47892",
            recount.intent = "draft renewals"
        );
        run.in_scope(|| {
            let draft = info_span!("draft", customer = 17, done = tracing::field::Empty);
            draft.in_scope(|| {
                info_span!("load", db.system = "postgresql", db.statement = "SELECT 1")
                    .in_scope(|| info!(rows = 3, "loaded"));
            });
            draft.record("done", true);
        });
        // end
    });
    let recorded = Recorded::of(&recorder);
    let start = recorded.of_event(Event::SessionStart)[0];
    assert_eq!(start.str("recount.request.id"), Some("47892"));
    let intent = recorded.of_event(Event::Intent)[0];
    assert_eq!(
        intent.attributes["recount.intent"]["inline"],
        "draft renewals"
    );
    let (draft, load) = (recorded.action("draft"), recorded.action("load"));
    assert_eq!(draft.begin.str("recount.action.kind"), Some("tool"));
    assert_eq!(draft.begin.str("recount.action.access"), Some("execute"));
    assert_eq!(draft.begin.str("recount.durability"), Some("spool"));
    assert_eq!(
        draft.begin.attributes["recount.input"]["inline"],
        r#"{"customer":17}"#
    );
    let end = draft.end.as_ref().unwrap();
    assert_eq!(
        end.attributes["recount.output"]["inline"],
        r#"{"done":true}"#
    );
    assert_eq!(draft.outcome(), Some("success"));
    assert_eq!(load.begin.str("recount.action.kind"), Some("db"));
    assert_eq!(load.begin.str("recount.action.access"), Some("read"));
    assert_eq!(
        load.begin.str("recount.action.parent"),
        draft.begin.str("recount.action.id")
    );
    let line = recorded.of_event(Event::LogLine)[0];
    assert_eq!(
        line.attributes["recount.content"]["inline"],
        "loaded rows=3"
    );
    assert_eq!(line.str("session.id"), start.str("session.id"));
    let end = recorded.of_event(Event::SessionEnd)[0];
    assert_eq!(end.str("recount.session.end_reason"), Some("completed"));
}

#[test]
fn an_error_fails_its_span_and_what_is_outside_a_session_is_not_recorded() {
    let recorder = Recorder::testing();
    watched(&recorder, || {
        info_span!("nobody's").in_scope(|| info!("unseen"));
        info_span!("run", recount.request = "1").in_scope(|| {
            error_span!("call", http.method = "DELETE", recount.target = "http:h/1")
                .in_scope(|| error!(code = 5, "it broke"));
            trace_span!("detail").in_scope(|| info_span!("inner").in_scope(|| ()));
            error!("and so did all of it");
        });
    });
    let recorded = Recorded::of(&recorder);
    let call = recorded.action("call");
    assert_eq!(call.begin.str("recount.target"), Some("http:h/1"));
    assert_eq!(call.begin.str("recount.action.access"), Some("delete"));
    assert_eq!(call.outcome(), Some("failure"));
    assert_eq!(
        call.end.unwrap().str(attribute::ERROR_MESSAGE),
        Some("it broke code=5")
    );
    let names: Vec<_> = recorded
        .actions()
        .into_iter()
        .map(|action| action.begin)
        .collect();
    assert_eq!(
        names.len(),
        2,
        "the detail and what is outside are left out"
    );
    assert_eq!(
        recorded.action("inner").begin.str("recount.action.parent"),
        None
    );
    assert!(!is_recorded(&recorder, "unseen"));
    let end = recorded.of_event(Event::SessionEnd)[0];
    assert_eq!(end.str("recount.session.end_reason"), Some("failed"));
}

#[tokio::test]
async fn captures_inside_a_span_belong_to_it_across_awaits() {
    let recorder = Recorder::testing();
    let subscriber = tracing_subscriber::registry().with(Layer::new(&recorder));
    let _default = ::tracing::subscriber::set_default(subscriber);
    let work = |name: &'static str| {
        let recorder = recorder.clone();
        async move {
            for _ in 0..3 {
                tokio::task::yield_now().await;
                let here = recorder.here();
                here.session()
                    .tool(name)
                    .reads()
                    .begin()
                    .await
                    .unwrap()
                    .end_success();
            }
        }
    };
    tokio::join!(
        work("one").instrument(info_span!("a", recount.request = "one")),
        work("two").instrument(info_span!("b", recount.request = "two")),
    );
    assert!(Ambient::current().is_none());
    let actions = Recorded::of(&recorder).actions();
    assert_eq!(actions.len(), 6);
    for action in actions {
        assert_eq!(
            action.begin.str("recount.request.id"),
            action.begin.str("recount.action.name")
        );
    }
}

#[test]
fn a_credential_in_a_field_or_a_message_is_in_no_record() {
    let recorder = Recorder::testing();
    watched(&recorder, || {
        info_span!("run", recount.request = "1", recount.intent = SECRET).in_scope(|| {
            let span = info_span!("call", key = SECRET, late = tracing::field::Empty);
            span.record("late", SECRET);
            span.in_scope(|| info!(SECRET));
            span.in_scope(|| error!(key = SECRET));
        });
    });
    assert!(!is_recorded(&recorder, SECRET));
    assert_eq!(Recorded::of(&recorder).actions().len(), 1);
}
