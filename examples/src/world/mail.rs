//! The mail gateway: it would send, and counts what it was asked to.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The gateway's state.
#[derive(Clone, Debug, Default)]
pub struct Mail {
    sent: Arc<AtomicUsize>,
}

impl Mail {
    /// The service's routes: `POST /send`.
    pub fn routes(&self) -> Router {
        Router::new()
            .route("/send", post(send))
            .with_state(self.clone())
    }

    /// How many mails went out.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

async fn send(State(mail): State<Mail>, Json(_message): Json<Value>) -> (StatusCode, Json<Value>) {
    let number = mail.sent.fetch_add(1, Ordering::SeqCst) + 1;
    (StatusCode::ACCEPTED, Json(json!({"queued": number})))
}
