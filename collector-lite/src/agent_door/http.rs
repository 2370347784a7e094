//! OTLP over HTTP: protobuf and JSON, gzip and zstd.

use std::sync::Arc;

use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use ledger::envelope::{Delivery, Encoding, Signal};
use ledger::store::Receipt;
use ledger::verify::Extension;
use vocabulary::wire;

use super::answer::{self, Partial, Service};
use super::body::Compression;
use super::door::{AgentDoor, add};
use super::receipt;
use super::refusal::{Refusal, UNIMPLEMENTED};
use crate::clock;
use crate::doorway::Peer;
use crate::intake::{Door, Export, Sent};
use crate::producers::sender::Sender;

/// What is told to a sender of metrics.
pub(super) const METRICS_MESSAGE: &str = "recount counts metrics and does not keep them";

/// The routes of OTLP/HTTP. Needs `ConnectInfo<Peer>`.
pub(crate) fn router(door: Arc<AgentDoor>) -> Router {
    Router::new()
        .route("/v1/logs", post(logs))
        .route("/v1/traces", post(traces))
        .route("/v1/metrics", post(metrics))
        .fallback(elsewhere)
        .method_not_allowed_fallback(only_post)
        .with_state(door)
}

/// A path that a mistyped endpoint leads to: an exporter shows its user what the answer says, if anything.
async fn elsewhere(
    State(door): State<Arc<AgentDoor>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let refusal = Refusal::Path {
        path: head.uri.path().chars().take(200).collect(),
        instead: "OTLP/HTTP is taken at /v1/logs, /v1/traces and /v1/metrics",
    };
    let encoding = encoding(&head.headers).unwrap_or(Encoding::Json);
    if head.method == Method::POST {
        unread(&door, peer, &head.headers, body, &refusal).await;
    }
    refused(encoding, &refusal)
}

async fn only_post(uri: Uri) -> Response {
    let message = format!("{} takes POST only", uri.path());
    reply(
        StatusCode::METHOD_NOT_ALLOWED,
        Encoding::Json,
        answer::status(Encoding::Json, UNIMPLEMENTED, &message, None),
    )
}

/// An export is refused before its body is read: counts it, and lets the sender finish so that it sees the answer.
async fn unread(door: &AgentDoor, peer: Peer, headers: &HeaderMap, body: Body, refusal: &Refusal) {
    let sent = Sent::Unread(announced(headers).unwrap_or(0) as u64);
    door.turned_away(through(peer), &peer.to_string(), refusal, sent);
    door.forget(body).await;
}

async fn logs(
    State(door): State<Arc<AgentDoor>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    export(&door, Service::Logs, Signal::Logs, peer, &headers, body).await
}

async fn traces(
    State(door): State<Arc<AgentDoor>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    export(&door, Service::Traces, Signal::Traces, peer, &headers, body).await
}

async fn metrics(
    State(door): State<Arc<AgentDoor>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let encoding = match encoding(&headers) {
        Ok(encoding) => encoding,
        Err(refusal) => {
            unread(&door, peer, &headers, body, &refusal).await;
            return refused(Encoding::Json, &refusal);
        }
    };
    let announced = announced(&headers);
    if let Err(refusal) = door.sender(through(peer), &headers, peer) {
        unread(&door, peer, &headers, body, &refusal).await;
        return refused(encoding, &refusal);
    }
    if let Err(refusal) = door.receive(body, announced, 0).await {
        let sent = Sent::Unread(announced.unwrap_or(0) as u64);
        door.turned_away(through(peer), &peer.to_string(), &refusal, sent);
        return refused(encoding, &refusal);
    }
    add(&door.counters.metrics_exports, 1);
    let partial = Partial {
        rejected: 0,
        message: METRICS_MESSAGE.to_owned(),
    };
    reply(
        StatusCode::OK,
        encoding,
        answer::success(encoding, Service::Metrics, &partial),
    )
}

async fn export(
    door: &AgentDoor,
    service: Service,
    signal: Signal,
    peer: Peer,
    headers: &HeaderMap,
    body: Body,
) -> Response {
    let encoding = match encoding(headers) {
        Ok(encoding) => encoding,
        Err(refusal) => {
            unread(door, peer, headers, body, &refusal).await;
            return refused(Encoding::Json, &refusal);
        }
    };
    let compression = match Compression::from_header(text(headers, &header::CONTENT_ENCODING)) {
        Ok(compression) => compression,
        Err(refusal) => {
            unread(door, peer, headers, body, &refusal).await;
            return refused(encoding, &refusal);
        }
    };
    // Before anything is read: whoever may not send takes no memory.
    let sender = match door.sender(through(peer), headers, peer) {
        Ok(sender) => sender,
        Err(refusal) => {
            unread(door, peer, headers, body, &refusal).await;
            return refused(encoding, &refusal);
        }
    };
    let form = Form {
        signal,
        encoding,
        compression,
    };
    match taken(door, form, sender, peer, headers, body).await {
        Ok((receipt, partial)) => {
            let seen = text(headers, &HeaderName::from_static(wire::SEEN_HEADER));
            let seen = seen.and_then(|size| size.parse().ok());
            let seen = seen.and_then(|size| door.goes_on_from(size));
            accepted(encoding, service, &receipt, seen.as_ref(), &partial)
        }
        Err(refusal) => refused(encoding, &refusal),
    }
}

/// What the headers say that the body is.
#[derive(Debug, Clone, Copy)]
struct Form {
    signal: Signal,
    encoding: Encoding,
    compression: Compression,
}

/// The door that a connection came through.
fn through(peer: Peer) -> Door {
    match peer {
        Peer::User { .. } | Peer::Unknown => Door::Socket,
        Peer::Address(_) | Peer::Tls { .. } => Door::Http,
    }
}

async fn taken(
    door: &AgentDoor,
    form: Form,
    sender: Sender,
    peer: Peer,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Receipt, Partial), Refusal> {
    let (through, peer) = (through(peer), peer.to_string());
    let announced = announced(headers);
    let unread = Sent::Unread(announced.unwrap_or(0) as u64);
    let turned_away = |refusal: Refusal, sent: Sent<'_>| {
        door.turned_away(through, &peer, &refusal, sent);
        refusal
    };
    let received = door.receive(body, announced, 0).await;
    let (sent, room) = received.map_err(|refusal| turned_away(refusal, unread))?;
    let plain = door.decompress(sent.clone(), form.compression, room).await;
    let (plain, _room) = plain.map_err(|refusal| turned_away(refusal, Sent::Whole(&sent)))?;
    drop(sent);
    let export = Export {
        door: through,
        sender: as_importer(sender, headers),
        encoding: form.encoding,
        signal: form.signal,
        delivery: delivery(text(
            headers,
            &HeaderName::from_static(wire::DELIVERY_HEADER),
        )),
        peer,
        received_ns: clock::now_ns(),
    };
    door.take(export, plain).await
}

/// The sender, as it says of itself: one who brings in what was written elsewhere, or who speaks for itself.
pub(super) fn as_importer(sender: Sender, headers: &HeaderMap) -> Sender {
    match text(headers, &HeaderName::from_static(wire::RECORDING_HEADER)) {
        Some(wire::IMPORTED) => sender.importing(),
        _ => sender,
    }
}

/// What the sender says about how it delivers; anything unknown is plain.
pub(super) fn delivery(header: Option<&str>) -> Delivery {
    match header {
        Some("strict") => Delivery::Strict,
        Some("spooled") => Delivery::Spooled,
        Some("adopted") => Delivery::Adopted,
        _ => Delivery::Plain,
    }
}

/// The length that the sender announced.
pub(super) fn announced(headers: &HeaderMap) -> Option<usize> {
    text(headers, &header::CONTENT_LENGTH)?.parse().ok()
}

pub(super) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// A page in a browser on this machine can reach loopback, by its own name even; a browser always says where from.
pub(super) fn no_web_page(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.contains_key(header::ORIGIN) {
        Err(Refusal::WebPage)
    } else {
        Ok(())
    }
}

pub(super) fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    no_web_page(headers)?;
    let given = text(headers, &header::CONTENT_TYPE).unwrap_or_default();
    match given
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
        .as_str()
    {
        "application/x-protobuf" => Ok(Encoding::Protobuf),
        "application/json" => Ok(Encoding::Json),
        _ => Err(Refusal::Type(given.to_owned())),
    }
}

fn accepted(
    encoding: Encoding,
    service: Service,
    receipt: &Receipt,
    seen: Option<&Extension>,
    partial: &Partial,
) -> Response {
    let mut response = reply(
        StatusCode::OK,
        encoding,
        answer::success(encoding, service, partial),
    );
    if let Ok(value) = HeaderValue::from_str(&receipt::json(receipt, seen)) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(wire::RECEIPT_HEADER), value);
    }
    response
}

pub(super) fn refused(encoding: Encoding, refusal: &Refusal) -> Response {
    let body = answer::status(
        encoding,
        refusal.code(),
        &refusal.to_string(),
        refusal.retry_after_s(),
    );
    let mut response = reply(refusal.status(), encoding, body);
    if let Some(seconds) = refusal.retry_after_s() {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if refusal.status() == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn reply(status: StatusCode, encoding: Encoding, body: Vec<u8>) -> Response {
    let content_type = match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    (status, [(header::CONTENT_TYPE, content_type)], body).into_response()
}
