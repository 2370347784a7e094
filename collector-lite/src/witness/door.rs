//! The witness over HTTP: `POST /add-checkpoint`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http_body_util::BodyExt;
use ledger::note::VerifierKey;
use tokio::net::TcpListener;

use super::judge::Refusal;
use super::request::{MAX_BODY, Request};
use super::shelf::{Shelf, Verdict};
use crate::clock;

/// The header in which a collector says which key is its own, for witnesses that trust on first use. Others pass over
/// it.
pub(crate) const VKEY: &str = "recount-vkey";

/// How much of a body that is too big is read all the same, in bytes.
const FORGOTTEN: usize = 64 * MAX_BODY;

/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers until the end of `until`.
pub(crate) async fn serve(
    listener: TcpListener,
    shelf: Arc<Shelf>,
    until: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .with_state(shelf)
        .into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, router)
        .with_graceful_shutdown(until)
        .await
}

async fn add_checkpoint(
    State(shelf): State<Arc<Shelf>>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let say = |status: StatusCode, what: &dyn std::fmt::Display| {
        (status, format!("{what}\n")).into_response()
    };
    let body = match tokio::time::timeout(PATIENCE, whole(body)).await {
        Ok(Some(body)) => body,
        Ok(None) => {
            let what = format!("a request has at most {MAX_BODY} bytes");
            return say(StatusCode::PAYLOAD_TOO_LARGE, &what);
        }
        Err(_) => return say(StatusCode::REQUEST_TIMEOUT, &"the body took too long"),
    };
    let request = match Request::parse(&body) {
        Ok(request) => request,
        Err(error) => return say(StatusCode::BAD_REQUEST, &error),
    };
    let offered = headers.get(VKEY).and_then(|value| value.to_str().ok());
    let offered = offered.and_then(|vkey| VerifierKey::parse(vkey).ok());
    let origin = &request.checkpoint.origin;
    let now_s = clock::now_ns() / 1_000_000_000;
    match shelf.answer(&request, offered.as_ref(), now_s) {
        Ok(Verdict::Cosigned(line)) => {
            tracing::info!(origin, size = request.checkpoint.head.size, "cosigned");
            (StatusCode::OK, line).into_response()
        }
        Ok(Verdict::Refused(refusal)) => {
            tracing::warn!(origin, size = request.checkpoint.head.size, %refusal, "not cosigned");
            refused(&refusal)
        }
        Err(error) => {
            tracing::error!(%error, "nothing is cosigned for {origin} until this is mended");
            say(
                StatusCode::INTERNAL_SERVER_ERROR,
                &"the witness cannot use its own folder",
            )
        }
    }
}

/// A body of at most [`MAX_BODY`] bytes. What is too much is read and forgotten, up to [`FORGOTTEN`]: who is still
/// writing when the connection closes sees a broken connection instead of the answer.
async fn whole(mut body: Body) -> Option<Vec<u8>> {
    let (mut kept, mut total) = (Vec::new(), 0usize);
    while let Some(frame) = body.frame().await {
        let data = frame.ok()?.into_data().unwrap_or_else(|_| Bytes::new());
        total = total.saturating_add(data.len());
        if total > FORGOTTEN {
            return None;
        }
        if total <= MAX_BODY {
            kept.extend_from_slice(&data);
        }
    }
    (total <= MAX_BODY).then_some(kept)
}

fn refused(refusal: &Refusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let (Refusal::OtherSize { held, .. } | Refusal::OtherRoot { held }) = refusal else {
        return (status, format!("{refusal}\n")).into_response();
    };
    let mut response = (status, format!("{held}\n")).into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/x.tlog.size"),
    );
    response
}
