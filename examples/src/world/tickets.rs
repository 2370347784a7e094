//! The support desk: tickets by account; one account's list fails once, as overloaded services do.

use super::customers::{SEVERITY_ONE, TICKETS_FAIL_ONCE};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The service's routes: `GET /accounts/{id}/tickets`.
pub fn routes() -> Router {
    Router::new()
        .route("/accounts/{id}/tickets", get(tickets))
        .with_state(Arc::new(AtomicBool::new(false)))
}

async fn tickets(State(has_failed): State<Arc<AtomicBool>>, Path(id): Path<u32>) -> Response {
    if id == TICKETS_FAIL_ONCE && !has_failed.swap(true, Ordering::SeqCst) {
        let retry = [(header::RETRY_AFTER, HeaderValue::from_static("0"))];
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            retry,
            Json(json!({"error": "overloaded"})),
        )
            .into_response();
    }
    Json(json!({"account": id, "tickets": of(id)})).into_response()
}

fn of(id: u32) -> Vec<Value> {
    let mut tickets = vec![json!({
        "id": id * 10 + 1, "severity": 3, "state": "closed", "title": "How do we add a seat?"
    })];
    if id == SEVERITY_ONE {
        tickets.push(json!({
            "id": id * 10 + 2, "severity": 1, "state": "open", "title": "Calls drop since Tuesday"
        }));
    } else if id.is_multiple_of(3) {
        tickets.push(json!({
            "id": id * 10 + 2, "severity": 4, "state": "open", "title": "Invoice shows the old address"
        }));
    }
    tickets
}
