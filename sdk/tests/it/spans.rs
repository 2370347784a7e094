//! The actions of a session, as spans at an OpenTelemetry backend.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::trace::{Status, TracerProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use recount::redaction::{Operator, Personal, Policy};
use recount::{Access, EndReason, Kind, Recorder};

#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

#[test]
fn actions_are_spans_of_the_sessions_trace_after_redaction() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Kept::default();
    // region: otel
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(kept.clone())
        .build();
    let recorder = Recorder::builder("renewal-agent")
        .spans(provider.tracer("recount"))
        // end
        .collector("http://127.0.0.1:9")
        .durability(recount::DurabilityRule::AlwaysSpool)
        .redaction(Policy::new().personal(Personal::Email, Operator::Remove))
        .spool(folder.path())
        .build()
        .unwrap();
    let session = recorder.session("47892").start_blocking();
    let outer = session.tool("outer").begin_blocking().unwrap();
    let (id, inside) = (outer.id().to_string(), session.handle());
    outer.run_value_blocking(|| {
        let name = "GET ann@example.test?token=abcdefgh1";
        let action = inside
            .action(Kind::Http, name, Access::Read)
            .input("ann's letter");
        action
            .begin_blocking()
            .unwrap()
            .end_failure("500", None, "it broke");
    });
    let (trace, of_session) = (session.trace_id(), session.id().to_string());
    session.end_blocking(EndReason::Completed);
    drop(recorder);
    provider
        .shutdown_with_timeout(Duration::from_secs(1))
        .unwrap();

    let spans = kept.0.lock().unwrap();
    let [inner, outer] = &spans[..] else {
        panic!("{spans:?}");
    };
    for span in [inner, outer] {
        assert_eq!(span.span_context.trace_id().to_bytes(), trace);
        let session = |pair: &&opentelemetry::KeyValue| pair.key.as_str() == "session.id";
        let named = span.attributes.iter().find(session).unwrap();
        assert_eq!(named.value.as_str(), of_session);
    }
    assert_eq!(inner.parent_span_id, outer.span_context.span_id());
    assert_eq!(outer.status, Status::Ok);
    assert_eq!(inner.status, Status::error("it broke"));
    let told = |key: &str| {
        let found = outer
            .attributes
            .iter()
            .find(|pair| pair.key.as_str() == key);
        found.map(|pair| pair.value.to_string())
    };
    assert_eq!(told("recount.action.id"), Some(id));
    assert_eq!(told("recount.outcome").as_deref(), Some("success"));
    let all = format!("{spans:?}");
    for hidden in ["ann@", "abcdefgh1", "letter"] {
        assert!(!all.contains(hidden), "{hidden}");
    }
}
