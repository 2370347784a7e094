//! OTLP over gRPC as a stock exporter speaks it: real HTTP/2, compression, statuses.

use std::io::Write;

use collector_lite::Hidden;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::{HeaderMap, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ledger::envelope::{CollectorPart, Envelope, Signal};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use crate::harness::{Lab, PROTOBUF, try_post};

pub(crate) const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

pub(crate) struct Called {
    pub(crate) status: String,
    pub(crate) headers: HeaderMap,
    pub(crate) message: Vec<u8>,
}

/// One unary call; `compressed` names the encoding of an already compressed message.
pub(crate) fn call(
    collector: &Hidden,
    path: &str,
    compressed: Option<&str>,
    message: &[u8],
) -> Called {
    let mut frame = vec![u8::from(compressed.is_some())];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    let encoding = compressed.map(|encoding| ("grpc-encoding", encoding));
    call_framed(collector, path, encoding.as_slice(), frame)
}

/// One unary call with headers of its own.
pub(crate) fn call_with(
    collector: &Hidden,
    path: &str,
    headers: &[(&str, &str)],
    message: &[u8],
) -> Called {
    let mut frame = vec![0];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    call_framed(collector, path, headers, frame)
}

/// An export of one log record of a session.
pub(crate) fn one_log(session: &str) -> Vec<u8> {
    let attribute = KeyValue {
        key: "session.id".to_owned(),
        value: Some(AnyValue {
            value: Some(any_value::Value::StringValue(session.to_owned())),
        }),
        ..KeyValue::default()
    };
    let record = LogRecord {
        attributes: vec![attribute],
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs {
        log_records: vec![record],
        ..ScopeLogs::default()
    }];
    let resource_logs = vec![ResourceLogs {
        scope_logs,
        ..ResourceLogs::default()
    }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn call_framed(collector: &Hidden, path: &str, headers: &[(&str, &str)], frame: Vec<u8>) -> Called {
    let address = collector.ready().otlp_grpc.clone().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        let mut request = Request::post(format!("http://{address}{path}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(frame))).unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(
            (
                response.status().as_u16(),
                &response.headers()["content-type"]
            ),
            (200, &"application/grpc".parse().unwrap())
        );
        let headers = response.headers().clone();
        let body = response.into_body().collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        let status = trailers
            .get("grpc-status")
            .or(headers.get("grpc-status"))
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let bytes = body.to_bytes();
        Called {
            status,
            headers,
            message: bytes.get(5..).unwrap_or_default().to_vec(),
        }
    })
}

pub(crate) fn logs(records: usize) -> Vec<u8> {
    let log_records = vec![
        LogRecord {
            severity_text: "x".repeat(100),
            ..Default::default()
        };
        records
    ];
    let scope_logs = vec![ScopeLogs {
        log_records,
        ..Default::default()
    }];
    let resource_logs = vec![ResourceLogs {
        scope_logs,
        ..Default::default()
    }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap()
}

#[test]
fn logs_and_spans_are_sealed_plain_gzipped_and_zstandard() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let span = Span {
        trace_id: vec![3; 16],
        span_id: vec![4; 8],
        name: "chat".into(),
        ..Default::default()
    };
    let traces = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans: vec![span.clone()],
                ..Default::default()
            }],
            ..Default::default()
        }],
    };
    for (path, compressed, message) in [
        (LOGS, None, logs(1)),
        (LOGS, Some("gzip"), gzip(&logs(2))),
        (
            LOGS,
            Some("zstd"),
            zstd::encode_all(&logs(3)[..], 1).unwrap(),
        ),
        (TRACES, None, traces.encode_to_vec()),
    ] {
        let called = call(&collector, path, compressed, &message);
        assert_eq!(
            (called.status.as_str(), called.message.as_slice()),
            ("0", &b""[..])
        );
        assert!(called.headers.contains_key("recount-receipt"));
    }
    collector.stop().unwrap();
    let records = lab.records();
    assert_eq!(records.len(), 7);
    let envelopes = records
        .iter()
        .map(|record| Envelope::decode(&record.body.as_ref().unwrap().envelope).unwrap());
    let spans: Vec<_> = envelopes
        .filter(|envelope| envelope.signal == Signal::Traces)
        .collect();
    assert_eq!(spans[0].item, span.encode_to_vec());
    assert_eq!(
        CollectorPart::decode(spans[0].collector).unwrap().producer,
        "unauthenticated:otlp-grpc"
    );
}

#[test]
fn what_will_never_be_taken_gets_a_final_status() {
    let lab = Lab::new();
    let collector = lab.serve_with(&["--max-body-bytes", "100000"]);
    let refused = |compressed, message: &[u8]| call(&collector, LOGS, compressed, message).status;
    assert_eq!(refused(None, b"\x0a\xff"), "3", "malformed");
    assert_eq!(refused(None, &logs(1000)), "8", "too big");
    let bomb = zstd::encode_all(&vec![0u8; 50 << 20][..], 1).unwrap();
    assert!(bomb.len() < 10_000);
    assert_eq!(refused(Some("zstd"), &bomb), "8", "a bomb");
    assert_eq!(refused(Some("snappy"), b"x"), "12", "unknown compression");
    assert_eq!(
        call(&collector, "/grpc.health.v1.Health/Check", None, b"").status,
        "12"
    );
    assert_eq!(refused(None, &logs(1)), "0", "and it still works");
}

#[test]
fn metrics_are_counted_and_the_reply_says_that_they_are_not_kept() {
    let lab = Lab::new();
    let collector = lab.serve();
    let called = call(&collector, METRICS, None, b"");
    assert_eq!(called.status, "0");
    // The answers of all signals have the same shape.
    let answer = ExportLogsServiceResponse::decode(called.message.as_slice()).unwrap();
    assert!(
        answer
            .partial_success
            .unwrap()
            .error_message
            .contains("does not keep")
    );
}

#[test]
fn an_exporter_that_speaks_http_to_this_port_is_not_told_that_it_succeeded() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let address = collector.ready().otlp_grpc.clone().unwrap();
    for (path, status) in [("/v1/logs", 404), (LOGS, 415)] {
        let answer = try_post(&address, path, &[PROTOBUF], &logs(1)).unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert!(answer.headers.get("grpc-status").is_none());
        let said = String::from_utf8_lossy(&answer.body);
        assert!(
            said.contains("OTLP/gRPC") || said.contains("content type"),
            "{said}"
        );
    }
    collector.stop().unwrap();
    assert!(lab.records().is_empty());
}
