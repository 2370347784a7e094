//! OTLP over gRPC: one unary call, its frame read by hand, so that size, memory and refusals are ours to decide.
//!
//! Protocol: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>. A frame is a byte that says whether the
//! message is compressed, its length in four bytes, and the message.

use std::sync::Arc;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use ledger::envelope::{Encoding, Signal};
use ledger::store::Receipt;
use vocabulary::wire;

use super::answer::{self, Partial, Service};
use super::body::Compression;
use super::door::{AgentDoor, add};
use super::http::{self, METRICS_MESSAGE, as_importer, delivery, no_web_page, text};
use super::receipt;
use super::refusal::Refusal;
use super::room::Room;
use crate::clock;
use crate::doorway::Peer;
use crate::intake::{Door, Export, Sent};
use crate::producers::sender::Sender;

/// Bytes before the message in a frame.
const PREFIX: usize = 5;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// What is told to whoever comes to this door with something else.
const INSTEAD: &str = "this is OTLP/gRPC, services LogsService, TraceService and MetricsService; OTLP/HTTP has a port \
                       of its own";

const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");

/// The routes of OTLP/gRPC. Needs `ConnectInfo<Peer>`.
pub(crate) fn router(door: Arc<AgentDoor>) -> Router {
    Router::new()
        .route(
            "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            post(logs),
        )
        .route(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            post(traces),
        )
        .route(
            "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            post(metrics),
        )
        .fallback(unimplemented)
        .with_state(door)
}

/// A method that this door does not have, or an exporter that speaks HTTP to it.
async fn unimplemented(
    State(door): State<Arc<AgentDoor>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let refusal = Refusal::Path {
        path: head.uri.path().chars().take(200).collect(),
        instead: INSTEAD,
    };
    if head.method == Method::POST {
        let sent = Sent::Unread(http::announced(&head.headers).unwrap_or(0) as u64);
        door.turned_away(Door::Grpc, &peer.to_string(), &refusal, sent);
        door.forget(body).await;
    }
    refused(&head.headers, &refusal)
}

async fn logs(
    State(door): State<Arc<AgentDoor>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let outcome = export(&door, Signal::Logs, peer, &headers, body).await;
    answered(Service::Logs, &headers, outcome)
}

async fn traces(
    State(door): State<Arc<AgentDoor>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let outcome = export(&door, Signal::Traces, peer, &headers, body).await;
    answered(Service::Traces, &headers, outcome)
}

async fn metrics(
    State(door): State<Arc<AgentDoor>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match message(&door, peer, &headers, body).await {
        Ok(_) => {
            add(&door.counters.metrics_exports, 1);
            let partial = Partial {
                rejected: 0,
                message: METRICS_MESSAGE.to_owned(),
            };
            succeeded(
                answer::success(Encoding::Protobuf, Service::Metrics, &partial),
                None,
            )
        }
        Err(refusal) => refused(&headers, &refusal),
    }
}

async fn export(
    door: &AgentDoor,
    signal: Signal,
    peer: Peer,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Receipt, Partial), Refusal> {
    let (sender, message, _room) = message(door, peer, headers, body).await?;
    let export = Export {
        door: Door::Grpc,
        sender: as_importer(sender, headers),
        encoding: Encoding::Protobuf,
        signal,
        delivery: delivery(text(
            headers,
            &HeaderName::from_static(wire::DELIVERY_HEADER),
        )),
        peer: peer.to_string(),
        received_ns: clock::now_ns(),
    };
    door.take(export, message).await
}

/// Who calls, the one message of the call, decompressed, and the room it takes.
async fn message(
    door: &AgentDoor,
    peer: Peer,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Sender, Bytes, Room), Refusal> {
    let mut sent = None;
    let read = async {
        no_web_page(headers)?;
        // A page could send a simpler type without asking first.
        if !is_grpc(headers) {
            let content_type = text(headers, &header::CONTENT_TYPE).unwrap_or_default();
            return Err(Refusal::Type(content_type.to_owned()));
        }
        let sender = door.sender(Door::Grpc, headers, peer)?;
        let compression = Compression::from_header(text(headers, &ENCODING))?;
        let (frame, room) = door.receive(body, None, PREFIX).await?;
        sent = Some(frame.clone());
        let (message, compressed) = unframe(frame)?;
        let (message, room) = match (compressed, compression) {
            (false, _) => (message, room),
            (true, Compression::Identity) => {
                let what = "a compressed message without grpc-encoding";
                return Err(Refusal::Malformed(what.to_owned()));
            }
            (true, _) => door.decompress(message, compression, room).await?,
        };
        Ok((sender, message, room))
    };
    let outcome = read.await;
    if let Err(refusal) = &outcome {
        let sent = sent.as_deref().map_or(Sent::Unread(0), Sent::Whole);
        door.turned_away(Door::Grpc, &peer.to_string(), refusal, sent);
    }
    outcome
}

/// Takes the message out of its frame; whether it is compressed.
fn unframe(mut frame: Bytes) -> Result<(Bytes, bool), Refusal> {
    let malformed = |what: &str| Refusal::Malformed(what.to_owned());
    let [compressed, length @ ..]: [u8; PREFIX] = frame
        .get(..PREFIX)
        .and_then(|prefix| prefix.try_into().ok())
        .ok_or_else(|| malformed("no gRPC frame"))?;
    let message = frame.split_off(PREFIX);
    if message.len() as u64 != u64::from(u32::from_be_bytes(length)) {
        return Err(malformed("not exactly one whole gRPC frame"));
    }
    match compressed {
        0 => Ok((message, false)),
        1 => Ok((message, true)),
        _ => Err(malformed(
            "a gRPC frame whose first byte is neither 0 nor 1",
        )),
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    text(headers, &header::CONTENT_TYPE).is_some_and(|given| given.starts_with("application/grpc"))
}

fn answered(
    service: Service,
    headers: &HeaderMap,
    outcome: Result<(Receipt, Partial), Refusal>,
) -> Response {
    match outcome {
        Ok((receipt, partial)) => {
            let receipt = HeaderValue::from_str(&receipt::json(&receipt, None)).ok();
            succeeded(
                answer::success(Encoding::Protobuf, service, &partial),
                receipt,
            )
        }
        Err(refusal) => refused(headers, &refusal),
    }
}

fn succeeded(message: Vec<u8>, receipt: Option<HeaderValue>) -> Response {
    let mut frame = BytesMut::with_capacity(PREFIX + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.extend_from_slice(&message);
    let trailers = async {
        Some(Ok(HeaderMap::from_iter([(
            STATUS,
            HeaderValue::from_static("0"),
        )])))
    };
    let mut response = Response::new(Body::new(Full::new(frame.freeze()).with_trailers(trailers)));
    about(response.headers_mut());
    if let Some(receipt) = receipt {
        response
            .headers_mut()
            .insert(HeaderName::from_static(wire::RECEIPT_HEADER), receipt);
    }
    response
}

/// In gRPC every answer has the HTTP status 200. To a sender that does not speak it, that would be success.
fn refused(headers: &HeaderMap, refusal: &Refusal) -> Response {
    if !is_grpc(headers) {
        let encoding = http::encoding(headers).unwrap_or(Encoding::Json);
        return http::refused(encoding, refusal);
    }
    failed(
        refusal.code(),
        &refusal.to_string(),
        refusal.retry_after_s(),
    )
}

/// An answer without a message: the status stands in the headers. What may be retried carries a `RetryInfo`.
fn failed(code: i32, message: &str, retry_after_s: Option<u32>) -> Response {
    let mut response = StatusCode::OK.into_response();
    let headers = response.headers_mut();
    about(headers);
    headers.insert(STATUS, HeaderValue::from(code));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(message)) {
        headers.insert(MESSAGE, message);
    }
    if retry_after_s.is_some() {
        let details = answer::status(Encoding::Protobuf, code, message, retry_after_s);
        if let Ok(details) = HeaderValue::from_str(&STANDARD_NO_PAD.encode(details)) {
            headers.insert(DETAILS, details);
        }
    }
    response
}

fn about(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers.insert(
        ACCEPT_ENCODING,
        HeaderValue::from_static("gzip,zstd,identity"),
    );
}

/// `grpc-message`: printable ASCII except `%` as it is, every other byte as `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_gives_its_message() {
        let frame = Bytes::from_static(&[1, 0, 0, 0, 2, 7, 8]);
        assert_eq!(unframe(frame).unwrap(), (Bytes::from_static(&[7, 8]), true));
    }

    #[test]
    fn half_a_frame_and_two_frames_are_malformed() {
        for frame in [
            &[0, 0, 0][..],
            &[0, 0, 0, 0, 2, 7],
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[2, 0, 0, 0, 0],
        ] {
            assert!(unframe(Bytes::copy_from_slice(frame)).is_err(), "{frame:?}");
        }
    }

    #[test]
    fn a_message_survives_as_a_header() {
        assert_eq!(
            percent_encoded("50 % größer\n"),
            "50 %25 gr%C3%B6%C3%9Fer%0A"
        );
    }
}
