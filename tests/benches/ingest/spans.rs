//! GenAI spans of about 650 bytes, as a stock exporter encodes them.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, InstrumentationScope, KeyValue, any_value::Value,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

/// Records per export.
pub(crate) const PER_REQUEST: u64 = 100;

/// Records per session.
pub(crate) const PER_SESSION: u64 = 200;

/// The session of record `number` when each export touches `sessions` of them.
pub(crate) fn session(number: u64, sessions: u64) -> u64 {
    let round = number / (sessions * PER_SESSION);
    round * sessions + number % sessions
}

/// Span `number`, with ids that no other number has.
pub(crate) fn span(number: u64, sessions: u64) -> Span {
    let session = session(number, sessions);
    let mut trace_id = vec![0x5a; 16];
    trace_id[8..].copy_from_slice(&scatter(session).to_be_bytes());
    let text = format!(
        "Customer {number} asked about the terms of their renewal; the reply names three options. "
    );
    Span {
        trace_id,
        span_id: scatter(number + 1).to_be_bytes().to_vec(),
        name: "chat local-writer-1".into(),
        kind: 3,
        start_time_unix_nano: 1_780_000_000_000_000_000 + number * 1_000,
        end_time_unix_nano: 1_780_000_000_000_400_000 + number * 1_000,
        attributes: vec![
            text_of("gen_ai.operation.name", "chat"),
            text_of("gen_ai.provider.name", "openai"),
            text_of("gen_ai.request.model", "local-writer-1"),
            text_of("gen_ai.response.id", &format!("chatcmpl-{number:08}")),
            text_of("session.id", &format!("session-{session:08}")),
            text_of("gen_ai.agent.name", "renewal-agent"),
            int_of("gen_ai.usage.input_tokens", 900 + number as i64 % 512),
            int_of("gen_ai.usage.output_tokens", 100 + number as i64 % 128),
            text_of("gen_ai.output.messages", &text.repeat(2)),
        ],
        status: Some(Status::default()),
        ..Span::default()
    }
}

/// One export of [`PER_REQUEST`] spans from `first` on, in protobuf.
pub(crate) fn export(first: u64, sessions: u64) -> Vec<u8> {
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
                spans: (first..first + PER_REQUEST)
                    .map(|number| span(number, sessions))
                    .collect(),
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
    .encode_to_vec()
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
