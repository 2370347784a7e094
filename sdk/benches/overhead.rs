//! What one spooled action costs its caller, beside a span of the `opentelemetry` SDK in the same run.
//!
//! Both carry 14 attributes of the same keys and values. An action is two
//! records, its begin and its end, 14 attributes each; a span is one record.
//! The span goes through a BatchSpanProcessor whose queue is never full and
//! whose exporter does nothing.

#![allow(
    clippy::expect_used,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

use std::time::Duration;

use divan::{Bencher, black_box};
use opentelemetry::trace::{Span, SpanBuilder, Tracer, TracerProvider};
use opentelemetry::{KeyValue, Value as OtelValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SdkTracer, SdkTracerProvider, SpanData, SpanExporter,
};
use recount::{Attributes, EndReason, Event, Recorder, Session};

const PAIRS: [(&str, &str); 14] = [
    ("recount.action.id", "01a1fdf2-e424-75e2-b666-e33b22ca4543"),
    ("recount.action.kind", "http"),
    ("recount.action.access", "read"),
    ("recount.action.name", "accounts"),
    ("recount.action.operation", "GET"),
    ("recount.target", "http:crm.example.test/accounts/17"),
    (
        "recount.decision.id",
        "01a1fdf2-dc2d-7b5b-825b-57a6a100c0b6",
    ),
    ("recount.authorization.id", "grant-7"),
    ("recount.durability", "spool"),
    ("gen_ai.tool.call.id", "call_0123456789"),
    ("http.request.method", "GET"),
    ("url.full", "http://crm.example.test/accounts/17"),
    ("server.address", "crm.example.test"),
    ("recount.result", "200 OK"),
];

/// Actions or spans of one sample.
const SAMPLE: usize = 1000;

fn main() {
    divan::main();
}

struct World {
    recorder: Recorder,
    session: Option<Session>,
    _folder: tempfile::TempDir,
}

impl World {
    /// Records go to a spool; the collector is not there, as in the worst case.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let recorder = Recorder::builder("bench")
            .collector("http://127.0.0.1:9")
            .spool(folder.path())
            .spool_limit(8 << 30)
            .build()
            .expect("a recorder");
        let session = Some(recorder.session("47892").start_blocking());
        Self {
            recorder,
            session,
            _folder: folder,
        }
    }

    fn session(&self) -> &Session {
        self.session.as_ref().expect("a session")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            session.end_blocking(EndReason::Completed);
        }
        self.recorder.close_blocking(Duration::ZERO);
    }
}

/// A pause of 20 ms in front of each sample, outside its time: an agent acts in
/// bursts, and the flushing thread makes the next files between them.
fn bursts() -> impl FnMut() {
    let mut count = 0_usize;
    move || {
        if count.is_multiple_of(SAMPLE) {
            std::thread::sleep(Duration::from_millis(20));
        }
        count += 1;
    }
}

fn two_records(session: &Session) {
    for event in [Event::ToolInvoke, Event::ToolResult] {
        let mut attributes = Attributes::new();
        for (key, value) in black_box(PAIRS) {
            attributes.str(key, value);
        }
        session.record(event, &attributes);
    }
}

/// Two records with 14 attributes each, written by the low-level call.
#[divan::bench(sample_size = SAMPLE as u32, sample_count = 100)]
fn recount_two_records(bencher: Bencher<'_, '_>) {
    let world = World::new();
    let session = world.session();
    bencher
        .with_inputs(bursts())
        .bench_local_values(|()| two_records(session));
}

/// The same without pauses: the caller also pays for making files.
#[divan::bench(sample_size = SAMPLE as u32, sample_count = 100)]
fn recount_two_records_without_pause(bencher: Bencher<'_, '_>) {
    let world = World::new();
    let session = world.session();
    bencher.bench_local(|| two_records(session));
}

/// A whole action through the builder: ids, redaction, context, end.
#[divan::bench(sample_size = SAMPLE as u32, sample_count = 100)]
fn recount_action(bencher: Bencher<'_, '_>) {
    let world = World::new();
    let session = world.session();
    bencher.with_inputs(bursts()).bench_local_values(|()| {
        let action = session
            .tool(black_box("accounts"))
            .reads()
            .operation("GET")
            .target("http:crm.example.test/accounts/17")
            .call_id("call_0123456789")
            .attempt(1)
            .attribute("http.request.method", "GET".into())
            .attribute("server.address", "crm.example.test".into())
            .begin_blocking();
        if let Ok(action) = action {
            action.result("200 OK").usage(100, 20);
            for (key, value) in PAIRS.iter().take(7) {
                action.attribute(key, (*value).into());
            }
            action.end_success();
        }
    });
}

/// The same with an input of 500 bytes, whose digest is recorded with it.
#[divan::bench(sample_size = SAMPLE as u32, sample_count = 100)]
fn recount_action_with_input(bencher: Bencher<'_, '_>) {
    let world = World::new();
    let session = world.session();
    let input = "x".repeat(500);
    bencher.bench_local(|| {
        let action = session
            .tool("accounts")
            .reads()
            .input(black_box(input.as_str()))
            .begin_blocking();
        if let Ok(action) = action {
            action.end_success();
        }
    });
}

#[derive(Debug)]
struct Nothing;

impl SpanExporter for Nothing {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        black_box(batch);
        Ok(())
    }
}

fn provider() -> SdkTracerProvider {
    let config = BatchConfigBuilder::default()
        .with_max_queue_size(1 << 20)
        .with_max_export_batch_size(512)
        .with_scheduled_delay(Duration::from_millis(5))
        .build();
    let processor = BatchSpanProcessor::builder(Nothing)
        .with_batch_config(config)
        .build();
    SdkTracerProvider::builder()
        .with_span_processor(processor)
        .build()
}

fn span(tracer: &SdkTracer, value: impl Fn(&'static str) -> OtelValue) {
    let attributes: Vec<KeyValue> = black_box(PAIRS)
        .iter()
        .map(|(key, text)| KeyValue::new(*key, value(text)))
        .collect();
    let mut span = tracer.build(SpanBuilder::from_name("accounts").with_attributes(attributes));
    span.end();
}

/// One span, values static.
#[divan::bench(sample_size = SAMPLE as u32, sample_count = 100)]
fn opentelemetry_span(bencher: Bencher<'_, '_>) {
    let provider = provider();
    let tracer = provider.tracer("bench");
    bencher
        .with_inputs(bursts())
        .bench_local_values(|()| span(&tracer, OtelValue::from));
}

/// One span, values owned, as they are where they come from outside.
#[divan::bench(sample_size = SAMPLE as u32, sample_count = 100)]
fn opentelemetry_span_owned_values(bencher: Bencher<'_, '_>) {
    let provider = provider();
    let tracer = provider.tracer("bench");
    bencher
        .with_inputs(bursts())
        .bench_local_values(|()| span(&tracer, |text| OtelValue::from(text.to_owned())));
}
