//! GenAI spans of about 650 bytes, as a stock exporter encodes them.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

/// Records per session.
pub(crate) const PER_SESSION: u64 = 200;

/// Distinct texts; more than any segment holds, so that repeating them does not flatter the compression.
const TEXTS: u64 = 6_400;

/// Exports encoded before the clock starts.
const TEMPLATES: u64 = 64;

/// What stands in a template where a number is written later.
const NUMBER: u64 = 76_543_210;
const SESSION: u64 = 98_765_432;

/// The session of record `number` when each export touches `sessions` of them.
pub(crate) fn session(number: u64, sessions: u64) -> u64 {
    let round = number / (sessions * PER_SESSION);
    round * sessions + number % sessions
}

/// The trace of a session.
pub(crate) fn trace_id(session: u64) -> [u8; 16] {
    let mut id = [0x5a; 16];
    id[8..].copy_from_slice(&scatter(session).to_be_bytes());
    id
}

/// The id of span `number`; no two are the same.
pub(crate) fn span_id(number: u64) -> [u8; 8] {
    scatter(number + 1).to_be_bytes()
}

pub(crate) fn start(number: u64) -> u64 {
    1_780_000_000_000_000_000 + number * 1_000
}

fn end(number: u64) -> u64 {
    start(number) + 400_000
}

pub(crate) fn label(session: u64) -> String {
    format!("session-{session:08}")
}

/// Span `number` of a session, with text number `text`.
pub(crate) fn span(number: u64, session: u64, text: u64) -> Span {
    Span {
        trace_id: trace_id(session).to_vec(),
        span_id: span_id(number).to_vec(),
        name: "chat local-writer-1".into(),
        kind: 3,
        start_time_unix_nano: start(number),
        end_time_unix_nano: end(number),
        attributes: vec![
            text_of("gen_ai.operation.name", "chat"),
            text_of("gen_ai.provider.name", "openai"),
            text_of("gen_ai.request.model", "local-writer-1"),
            text_of("gen_ai.response.id", &format!("chatcmpl-{number:08}")),
            text_of("session.id", &label(session)),
            text_of("gen_ai.agent.name", "renewal-agent"),
            int_of("gen_ai.usage.input_tokens", 900 + text as i64 % 512),
            int_of("gen_ai.usage.output_tokens", 200 + text as i64 % 128),
            text_of("gen_ai.output.messages", &words(text % TEXTS)),
        ],
        status: Some(Status::default()),
        ..Span::default()
    }
}

/// Exports that are encoded once and then only get their numbers, so that making the load costs next to nothing of
/// the two cores.
pub(crate) struct Exports {
    templates: Vec<Template>,
    records: u64,
    sessions: u64,
}

struct Template {
    bytes: Vec<u8>,
    /// Offsets in the order of the records: per record one of each, of `digits` one.
    digits: Vec<usize>,
    labels: Vec<usize>,
    traces: Vec<usize>,
    spans: Vec<usize>,
    starts: Vec<usize>,
    ends: Vec<usize>,
}

impl Exports {
    /// Exports of `records` spans that touch `sessions` sessions each.
    pub(crate) fn new(records: u64, sessions: u64) -> Self {
        let templates: Vec<Template> = (0..TEMPLATES)
            .map(|n| Template::new(n * records, records))
            .collect();
        assert!(
            templates
                .iter()
                .all(|template| template.bytes.len() == templates[0].bytes.len()),
            "one length for all"
        );
        Self {
            templates,
            records,
            sessions,
        }
    }

    /// Length of every export, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.templates[0].bytes.len()
    }

    /// Appends export number `n`.
    pub(crate) fn put(&self, n: u64, out: &mut Vec<u8>) {
        let template = &self.templates[(n % TEMPLATES) as usize];
        let base = out.len();
        out.extend_from_slice(&template.bytes);
        let body = &mut out[base..];
        for at in 0..self.records as usize {
            let number = n * self.records + at as u64;
            let session = session(number, self.sessions);
            put(body, template.digits[at], &digits(number));
            put(body, template.labels[at], &digits(session));
            put(body, template.traces[at], &trace_id(session));
            put(body, template.spans[at], &span_id(number));
            put(body, template.starts[at], &start(number).to_le_bytes());
            put(body, template.ends[at], &end(number).to_le_bytes());
        }
    }
}

impl Template {
    fn new(first_text: u64, records: u64) -> Self {
        let spans = (0..records).map(|at| span(NUMBER, SESSION, first_text + at));
        let bytes = export(spans.collect());
        let all = |needle: &[u8]| -> Vec<usize> {
            let found: Vec<usize> = (0..bytes.len())
                .filter(|at| bytes[*at..].starts_with(needle))
                .collect();
            assert_eq!(
                found.len() as u64,
                records,
                "each record holds each number once"
            );
            found
        };
        Self {
            digits: all(&digits(NUMBER)),
            labels: all(&digits(SESSION)),
            traces: all(&trace_id(SESSION)),
            spans: all(&span_id(NUMBER)),
            starts: all(&start(NUMBER).to_le_bytes()),
            ends: all(&end(NUMBER).to_le_bytes()),
            bytes,
        }
    }
}

fn export(spans: Vec<Span>) -> Vec<u8> {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![
                    text_of("service.name", "renewal-agent"),
                    text_of("host.name", "host-a"),
                ],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "bench".into(),
                    ..Default::default()
                }),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec()
}

fn put(body: &mut [u8], at: usize, bytes: &[u8]) {
    body[at..at + bytes.len()].copy_from_slice(bytes);
}

fn digits(mut number: u64) -> [u8; 8] {
    let mut out = [b'0'; 8];
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    out
}

/// Prose of 296 bytes, different for each number.
fn words(number: u64) -> String {
    const WORDS: [&str; 64] = [
        "account", "agreed", "annual", "answer", "asked", "because", "before", "budget", "call",
        "changed", "client", "clause", "contract", "customer", "date", "decision", "discount",
        "draft", "during", "email", "expires", "extended", "first", "from", "growth", "have",
        "however", "invoice", "later", "legal", "letter", "license", "manager", "meeting", "month",
        "more", "next", "notice", "offer", "open", "option", "order", "partner", "payment",
        "period", "price", "quarter", "question", "quote", "reason", "renewal", "report", "review",
        "seats", "signed", "support", "team", "terms", "their", "ticket", "under", "usage",
        "weeks", "year",
    ];
    let mut text = String::with_capacity(320);
    let mut state = scatter(number + 1_000_003);
    while text.len() < 296 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.push_str(WORDS[(state >> 58) as usize]);
        text.push(' ');
    }
    text.truncate(296);
    text
}

/// Spreads a counter over 64 bits, one to one, so that ids are as random as real ones.
fn scatter(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

fn text_of(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.into()))
}

fn int_of(key: &str, value: i64) -> KeyValue {
    pair(key, Value::IntValue(value))
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
