//! Answers of the reader door, and reading off the executor.

use std::sync::Arc;

use ::http::request::Parts;
use ::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::extract::{FromRequestParts, Query};
use axum::response::{IntoResponse, Response};
use ledger::reader::ReadError;
use ledger::store::Folder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ReaderDoor;

/// The query of a request. What does not fit is told as JSON, as everything else is.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(asked)) => Ok(Self(asked)),
            Err(error) => Err(bad_request(&error.body_text())),
        }
    }
}

/// Runs one read where it may block.
pub(super) async fn read<T: Send + 'static>(
    door: &Arc<ReaderDoor>,
    work: impl FnOnce(&Folder) -> Result<T, ReadError> + Send + 'static,
) -> Result<T, Response> {
    let folder = Arc::clone(&door.folder);
    match tokio::task::spawn_blocking(move || work(&folder)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(error)),
        Err(error) => Err(problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            &error.to_string(),
        )),
    }
}

/// A value as JSON that a terminal may show.
pub(super) fn json<T: Serialize>(value: &T) -> Response {
    match serde_json::to_string(value).map(account::shown::json) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// A part of a range as JSON, and where the rest begins.
pub(super) fn part<T: Serialize>(value: &T, next: Option<u64>) -> Response {
    let mut response = json(value);
    if let Some(next) = next {
        response.headers_mut().insert(
            HeaderName::from_static(ledger::door::NEXT),
            HeaderValue::from(next),
        );
    }
    response
}

/// Exact bytes.
pub(super) fn bytes(body: Vec<u8>, content_type: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type)], body).into_response()
}

pub(super) fn not_found(what: &str) -> Response {
    problem(StatusCode::NOT_FOUND, &format!("there is no {what}"))
}

pub(super) fn bad_request(what: &str) -> Response {
    problem(StatusCode::BAD_REQUEST, what)
}

/// A question that cannot be answered, with what is wrong with it.
pub(super) fn refused(what: &serde_json::Value) -> Response {
    let mut response = json(what);
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// Why the store could not be read, in a form from which the far end makes the same error again.
pub(super) fn failed(error: ReadError) -> Response {
    let mut response = json(&error);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

pub(super) fn problem(status: StatusCode, what: &str) -> Response {
    let mut response = json(&serde_json::json!({ "error": what }));
    *response.status_mut() = status;
    response
}
