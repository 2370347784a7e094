//! The borrowed OTLP reader against the official protobuf types, in both encodings.

use ledger::otlp::{Attributes, Encoding, Item, Resource, Scope, Signal, Value, slice_export};
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
use prost::Message;

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

fn pair(key: String, value: Option<AnyValue>) -> KeyValue {
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

fn logs_export() -> impl Strategy<Value = ExportLogsServiceRequest> {
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

fn traces_export() -> impl Strategy<Value = ExportTraceServiceRequest> {
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

fn same_log(ours: &Item<'_>, theirs: &LogRecord) -> bool {
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

fn same_span(ours: &Item<'_>, theirs: &Span) -> bool {
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
fn same_surroundings(
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

fn check_logs(encoding: Encoding, body: &[u8], export: &ExportLogsServiceRequest) {
    let slices = slice_export(encoding, Signal::Logs, body).unwrap();
    let mut slices = slices.iter();
    for group in &export.resource_logs {
        for scope in &group.scope_logs {
            for record in &scope.log_records {
                let slice = slices.next().unwrap();
                let item = Item::decode(encoding, Signal::Logs, slice.item).unwrap();
                assert!(same_log(&item, record), "{item:?}\n{record:?}");
                assert!(same_surroundings(
                    encoding,
                    slice,
                    group.resource.as_ref(),
                    scope.scope.as_ref()
                ));
                let url = ledger::otlp::schema_url(encoding, slice.resource_schema_url).unwrap();
                assert_eq!(url, group.schema_url);
                if encoding == Encoding::Protobuf {
                    assert_eq!(
                        slice.item,
                        record.encode_to_vec(),
                        "the slice is the exact wire bytes"
                    );
                }
            }
        }
    }
    assert!(slices.next().is_none());
}

fn check_traces(encoding: Encoding, body: &[u8], export: &ExportTraceServiceRequest) {
    let slices = slice_export(encoding, Signal::Traces, body).unwrap();
    let mut slices = slices.iter();
    for group in &export.resource_spans {
        for scope in &group.scope_spans {
            for span in &scope.spans {
                let slice = slices.next().unwrap();
                let item = Item::decode(encoding, Signal::Traces, slice.item).unwrap();
                assert!(same_span(&item, span), "{item:?}\n{span:?}");
                assert!(same_surroundings(
                    encoding,
                    slice,
                    group.resource.as_ref(),
                    scope.scope.as_ref()
                ));
            }
        }
    }
    assert!(slices.next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn logs_read_as_the_official_types_read_them(export in logs_export()) {
        check_logs(Encoding::Protobuf, &export.encode_to_vec(), &export);
        check_logs(Encoding::Json, &serde_json::to_vec_pretty(&export).unwrap(), &export);
    }

    #[test]
    fn spans_read_as_the_official_types_read_them(export in traces_export()) {
        check_traces(Encoding::Protobuf, &export.encode_to_vec(), &export);
        check_traces(Encoding::Json, &serde_json::to_vec(&export).unwrap(), &export);
    }

    #[test]
    fn damaged_protobuf_never_panics_and_is_never_read_more_leniently_than_prost(
        export in logs_export(), at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut body = export.encode_to_vec();
        if !body.is_empty() {
            let at = at.index(body.len());
            if cut { body.truncate(at) } else { body[at] = with }
        }
        let ours = slice_export(Encoding::Protobuf, Signal::Logs, &body);
        let all_read = ours.as_ref().is_ok_and(|slices| slices.iter().all(|slice| {
            Item::decode(Encoding::Protobuf, Signal::Logs, slice.item).is_ok()
                && Resource::decode(Encoding::Protobuf, slice.resource).is_ok()
                && Scope::decode(Encoding::Protobuf, slice.scope).is_ok()
        }));
        if all_read && ours.is_ok_and(|slices| !slices.is_empty()) {
            let theirs = ExportLogsServiceRequest::decode(body.as_slice());
            // Groups without records are not looked into here, so only exports of one group compare exactly.
            if export.resource_logs.len() == 1 && export.resource_logs[0].scope_logs.len() == 1 {
                prop_assert!(theirs.is_ok(), "prost refuses: {:?}", theirs);
            }
        }
    }

    #[test]
    fn damaged_json_never_panics(
        export in logs_export(), at in any::<prop::sample::Index>(), with in any::<u8>(),
    ) {
        let mut body = serde_json::to_vec(&export).unwrap();
        let at = at.index(body.len());
        body[at] = with;
        match slice_export(Encoding::Json, Signal::Logs, &body) {
            Ok(slices) => for slice in slices {
                let _ = Item::decode(Encoding::Json, Signal::Logs, slice.item);
            },
            Err(error) => prop_assert!(error.offset <= body.len()),
        }
    }
}

fn one_log(record: &[u8]) -> Vec<u8> {
    let field = |number: u8, body: &[u8]| {
        assert!(body.len() < 128);
        [&[number << 3 | 2, body.len() as u8], body].concat()
    };
    field(1, &field(2, &field(2, record)))
}

#[test]
fn a_length_beyond_the_end_is_named_with_its_offset() {
    let mut body = one_log(&[0x09, 1, 2, 3, 4, 5, 6, 7, 8]);
    body[1] += 1;
    let error = slice_export(Encoding::Protobuf, Signal::Logs, &body).unwrap_err();
    assert_eq!(error.to_string(), "a length goes beyond the end at byte 2");
}

#[test]
fn a_field_that_says_two_things_is_refused() {
    let record = [0x10, 9, 0x10, 10];
    let body = one_log(&record);
    let slices = slice_export(Encoding::Protobuf, Signal::Logs, &body).unwrap();
    let error = Item::decode(Encoding::Protobuf, Signal::Logs, slices[0].item).unwrap_err();
    assert_eq!(error.to_string(), "field 2 occurs twice at byte 2");
}

#[test]
fn values_nest_to_a_limit_in_both_encodings() {
    let nested = |depth: usize| {
        let mut value = AnyValue {
            value: Some(Any::IntValue(1)),
        };
        for _ in 1..depth {
            value = AnyValue {
                value: Some(Any::ArrayValue(ArrayValue {
                    values: vec![value],
                })),
            };
        }
        LogRecord {
            body: Some(value),
            ..Default::default()
        }
    };
    let limit = ledger::otlp::MAX_DEPTH as usize;
    for (depth, fits) in [(limit, true), (limit + 1, false)] {
        let record = nested(depth);
        let protobuf = record.encode_to_vec();
        assert_eq!(
            Item::decode(Encoding::Protobuf, Signal::Logs, &protobuf).is_ok(),
            fits
        );
        let json = serde_json::to_vec(&record).unwrap();
        let read = Item::decode(Encoding::Json, Signal::Logs, &json);
        assert_eq!(read.is_ok(), fits, "{read:?}");
    }
}

#[test]
fn deeply_nested_json_is_refused_without_exhausting_the_stack() {
    let body = format!("{{\"resourceLogs\":{}", "[".repeat(1_000_000));
    assert!(slice_export(Encoding::Json, Signal::Logs, body.as_bytes()).is_err());
    let raw = format!("{{\"x\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let body = format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{raw}]}}]}}]}}");
    if let Ok(slices) = slice_export(Encoding::Json, Signal::Logs, body.as_bytes()) {
        let _ = Item::decode(Encoding::Json, Signal::Logs, slices[0].item);
    }
}

#[test]
fn json_of_other_senders_is_read() {
    let body = br#" {"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"x"}}],
      "novel":[1,{"a":null}]},"scopeLogs":[{"scope":null,"logRecords":[
      {"timeUnixNano":1700000000000000001,"traceId":"5B8EFFF798038103D269B633813FC60C","spanId":"",
       "body":{"kvlistValue":{"values":[{"key":"n","value":{"intValue":7}},{"key":"b","value":{"bytesValue":"-_8"}}]}},
       "attributes":[{"key":"big","value":{"intValue":"9007199254740993"}},{"key":"none"}],"unheard":"of"}
      ]}]}]} "#;
    let slices = slice_export(Encoding::Json, Signal::Logs, body).unwrap();
    let item = Item::decode(Encoding::Json, Signal::Logs, slices[0].item).unwrap();
    assert!(
        slices[0].item.starts_with(b"{\"timeUnixNano\"") && slices[0].item.ends_with(b"\"of\"}")
    );
    assert_eq!(item.time_unix_nano, 1_700_000_000_000_000_001);
    assert_eq!(item.trace_id.unwrap()[..2], [0x5b, 0x8e]);
    assert_eq!(item.span_id, None);
    assert_eq!(item.attributes.int("big"), Some(9_007_199_254_740_993));
    assert_eq!(item.attributes.get("none"), Some(&Value::Empty));
    let Value::Map(map) = &item.body else {
        panic!("{:?}", item.body)
    };
    assert_eq!(
        (map.int("n"), map.bytes("b")),
        (Some(7), Some(&[0xfb, 0xff][..]))
    );
    let resource = Resource::decode(Encoding::Json, slices[0].resource).unwrap();
    assert_eq!(resource.attributes.str("service.name"), Some("x"));
}

#[test]
fn a_json_mistake_is_named_with_its_offset() {
    let body = b"{\"resourceLogs\":\n[{\"scopeLogs\":[{\"logRecords\":[7]}]}]}";
    let error = slice_export(Encoding::Json, Signal::Logs, body).unwrap_err();
    assert_eq!((error.offset, body[error.offset]), (47, b'7'));
    let record = br#"{"attributes":[{"key":"a","value":{"intValue":"12x"}}]}"#;
    let error = Item::decode(Encoding::Json, Signal::Logs, record).unwrap_err();
    assert!(
        error.to_string().contains("12x") && (40..56).contains(&error.offset),
        "{error}"
    );
}

#[test]
fn a_duplicate_key_is_kept_and_told() {
    let record = LogRecord {
        attributes: vec![
            pair(
                "k".into(),
                Some(AnyValue {
                    value: Some(Any::IntValue(1)),
                }),
            ),
            pair(
                "k".into(),
                Some(AnyValue {
                    value: Some(Any::IntValue(2)),
                }),
            ),
        ],
        ..Default::default()
    };
    let bytes = record.encode_to_vec();
    let item = Item::decode(Encoding::Protobuf, Signal::Logs, &bytes).unwrap();
    assert_eq!(item.attributes.int("k"), Some(1));
    assert_eq!(item.attributes.last("k"), Some(&Value::Int(2)));
    assert!(item.attributes.is_ambiguous("k"));
}
