//! The borrowed OTLP reader against the official protobuf types, in both encodings.

use ledger::otlp::{Encoding, Item, Resource, Scope, Signal, Value, slice_export};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use proptest::prelude::*;
use prost::Message;

mod official;

use official::{logs_export, pair, same_log, same_span, same_surroundings, traces_export};

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
