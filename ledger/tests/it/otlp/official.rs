//! Any export as the official types have it, and whether what we read of it is the same.

use ledger::otlp::{Attributes, Encoding, Item, Resource, Scope, Value};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};
use proptest::collection::vec;
use proptest::prelude::*;

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z._]{0,12}",
        "\\PC{0,8}",
        Just("say \"no\"\n\\".to_owned())
    ]
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        Just(AnyValue { value: None }),
        words().prop_map(|text| AnyValue {
            value: Some(Any::StringValue(text))
        }),
        any::<bool>().prop_map(|value| AnyValue {
            value: Some(Any::BoolValue(value))
        }),
        any::<i64>().prop_map(|value| AnyValue {
            value: Some(Any::IntValue(value))
        }),
        (-1.0e9..1.0e9).prop_map(|value: f64| AnyValue {
            value: Some(Any::DoubleValue(value))
        }),
        vec(any::<u8>(), 0..9).prop_map(|value| AnyValue {
            value: Some(Any::BytesValue(value))
        }),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| AnyValue {
                value: Some(Any::ArrayValue(ArrayValue { values }))
            }),
            vec((words(), inner), 0..4).prop_map(|pairs| AnyValue {
                value: Some(Any::KvlistValue(KeyValueList {
                    values: pairs
                        .into_iter()
                        .map(|(key, value)| pair(key, Some(value)))
                        .collect(),
                })),
            }),
        ]
    })
}

pub(super) fn pair(key: String, value: Option<AnyValue>) -> KeyValue {
    KeyValue {
        key,
        value,
        ..Default::default()
    }
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec(
        (words(), any_value()).prop_map(|(key, value)| pair(key, Some(value))),
        0..5,
    )
}

fn id(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(vec![0; len]),
        vec(any::<u8>(), len..=len)
    ]
}

prop_compose! {
    fn log_record()(
        time_unix_nano in any::<u64>(),
        observed_time_unix_nano in any::<u64>(),
        severity_text in words(),
        body in proptest::option::of(any_value()),
        attributes in attributes(),
        dropped_attributes_count in any::<u32>(),
        flags in any::<u32>(),
        trace_id in id(16),
        span_id in id(8),
        event_name in words(),
    ) -> LogRecord {
        LogRecord {
            time_unix_nano, observed_time_unix_nano, severity_number: 9, severity_text, body, attributes,
            dropped_attributes_count, flags, trace_id, span_id, event_name,
        }
    }
}

prop_compose! {
    fn a_span()(
        trace_id in id(16),
        span_id in id(8),
        parent_span_id in id(8),
        name in words(),
        kind in 0..6i32,
        times in (any::<u64>(), any::<u64>()),
        attributes in attributes(),
        counts in (any::<u32>(), any::<u32>(), any::<u32>(), any::<u32>()),
        events in vec((any::<u64>(), words(), attributes()), 0..3),
        links in vec((id(16), id(8), attributes()), 0..3),
        status in proptest::option::of((words(), 0..3i32)),
    ) -> Span {
        Span {
            trace_id, span_id, trace_state: "k=v".to_owned(), parent_span_id, flags: counts.3, name, kind,
            start_time_unix_nano: times.0, end_time_unix_nano: times.1, attributes,
            dropped_attributes_count: counts.0, dropped_events_count: counts.1, dropped_links_count: counts.2,
            events: events.into_iter().map(|(time_unix_nano, name, attributes)| span::Event {
                time_unix_nano, name, attributes, dropped_attributes_count: 3,
            }).collect(),
            links: links.into_iter().map(|(trace_id, span_id, attributes)| span::Link {
                trace_id, span_id, trace_state: String::new(), attributes, dropped_attributes_count: 1, flags: 7,
            }).collect(),
            status: status.map(|(message, code)| Status { message, code }),
        }
    }
}

fn resource() -> impl Strategy<Value = Option<ProtoResource>> {
    proptest::option::of(attributes().prop_map(|attributes| ProtoResource {
        attributes,
        dropped_attributes_count: 2,
        ..Default::default()
    }))
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    proptest::option::of((words(), words(), attributes()).prop_map(
        |(name, version, attributes)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count: 0,
        },
    ))
}

pub(super) fn logs_export() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scopes = vec((scope(), vec(log_record(), 0..4), words()), 0..3);
    vec((resource(), scopes, words()), 0..3).prop_map(|groups| ExportLogsServiceRequest {
        resource_logs: groups
            .into_iter()
            .map(|(resource, scopes, schema_url)| ResourceLogs {
                resource,
                schema_url,
                scope_logs: scopes
                    .into_iter()
                    .map(|(scope, log_records, schema_url)| ScopeLogs {
                        scope,
                        log_records,
                        schema_url,
                    })
                    .collect(),
            })
            .collect(),
    })
}

pub(super) fn traces_export() -> impl Strategy<Value = ExportTraceServiceRequest> {
    vec((resource(), scope(), vec(a_span(), 0..3)), 0..3).prop_map(|groups| {
        ExportTraceServiceRequest {
            resource_spans: groups
                .into_iter()
                .map(|(resource, scope, spans)| ResourceSpans {
                    resource,
                    schema_url: String::new(),
                    scope_spans: vec![ScopeSpans {
                        scope,
                        spans,
                        schema_url: "https://example.test/1".into(),
                    }],
                })
                .collect(),
        }
    })
}

fn same_value(ours: &Value<'_>, theirs: Option<&AnyValue>) -> bool {
    match (ours, theirs.and_then(|any| any.value.as_ref())) {
        (Value::Empty, None) => true,
        (Value::Str(a), Some(Any::StringValue(b))) => a == b,
        (Value::Bool(a), Some(Any::BoolValue(b))) => a == b,
        (Value::Int(a), Some(Any::IntValue(b))) => a == b,
        (Value::Double(a), Some(Any::DoubleValue(b))) => a == b,
        (Value::Bytes(a), Some(Any::BytesValue(b))) => a.as_ref() == b.as_slice(),
        (Value::Array(a), Some(Any::ArrayValue(b))) => {
            a.len() == b.values.len()
                && a.iter().zip(&b.values).all(|(a, b)| same_value(a, Some(b)))
        }
        (Value::Map(a), Some(Any::KvlistValue(b))) => same_attributes(a, &b.values),
        _ => false,
    }
}

fn same_attributes(ours: &Attributes<'_>, theirs: &[KeyValue]) -> bool {
    ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|((key, value), b)| key == b.key && same_value(value, b.value.as_ref()))
}

fn same_id<const N: usize>(ours: Option<[u8; N]>, theirs: &[u8]) -> bool {
    match ours {
        None => theirs.iter().all(|byte| *byte == 0),
        Some(id) => id.as_slice() == theirs,
    }
}

pub(super) fn same_log(ours: &Item<'_>, theirs: &LogRecord) -> bool {
    ours.time_unix_nano == theirs.time_unix_nano
        && ours.observed_time_unix_nano == theirs.observed_time_unix_nano
        && ours.severity_number == theirs.severity_number
        && ours.severity_text == theirs.severity_text
        && same_value(&ours.body, theirs.body.as_ref())
        && same_attributes(&ours.attributes, &theirs.attributes)
        && ours.dropped_attributes_count == theirs.dropped_attributes_count
        && ours.flags == theirs.flags
        && same_id(ours.trace_id, &theirs.trace_id)
        && same_id(ours.span_id, &theirs.span_id)
        && ours.name == theirs.event_name
}

pub(super) fn same_span(ours: &Item<'_>, theirs: &Span) -> bool {
    let status = theirs.status.clone().unwrap_or_default();
    same_id(ours.trace_id, &theirs.trace_id)
        && same_id(ours.span_id, &theirs.span_id)
        && same_id(ours.parent_span_id, &theirs.parent_span_id)
        && ours.trace_state == theirs.trace_state
        && ours.name == theirs.name
        && ours.kind == theirs.kind
        && ours.time_unix_nano == theirs.start_time_unix_nano
        && ours.end_time_unix_nano == theirs.end_time_unix_nano
        && same_attributes(&ours.attributes, &theirs.attributes)
        && ours.dropped_attributes_count == theirs.dropped_attributes_count
        && ours.dropped_events_count == theirs.dropped_events_count
        && ours.dropped_links_count == theirs.dropped_links_count
        && ours.flags == theirs.flags
        && ours.status_code == status.code
        && ours.status_message == status.message
        && ours.events.len() == theirs.events.len()
        && ours.events.iter().zip(&theirs.events).all(|(a, b)| {
            a.time_unix_nano == b.time_unix_nano
                && a.name == b.name
                && same_attributes(&a.attributes, &b.attributes)
        })
        && ours.links.len() == theirs.links.len()
        && ours.links.iter().zip(&theirs.links).all(|(a, b)| {
            same_id(a.trace_id, &b.trace_id)
                && a.flags == b.flags
                && same_attributes(&a.attributes, &b.attributes)
        })
}

/// Whether the sliced resource and scope say what the export said.
pub(super) fn same_surroundings(
    encoding: Encoding,
    slice: &ledger::otlp::Slice<'_>,
    resource: Option<&ProtoResource>,
    scope: Option<&InstrumentationScope>,
) -> bool {
    let ours = Resource::decode(encoding, slice.resource).unwrap();
    let theirs = resource.cloned().unwrap_or_default();
    let our_scope = Scope::decode(encoding, slice.scope).unwrap();
    let their_scope = scope.cloned().unwrap_or_default();
    same_attributes(&ours.attributes, &theirs.attributes)
        && ours.dropped_attributes_count == theirs.dropped_attributes_count
        && our_scope.name == their_scope.name
        && our_scope.version == their_scope.version
        && same_attributes(&our_scope.attributes, &their_scope.attributes)
}
