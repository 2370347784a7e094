//! A language model that is none: the OpenAI chat-completions shape, with answers that follow from the question.
//!
//! The first call is refused for its rate. A conversation that offers tools and names the first customer asks for
//! `contract_terms` before it writes.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Name of the model in requests and answers.
pub const MODEL: &str = "local-writer-1";

/// The service's routes: `POST /v1/chat/completions`.
pub fn routes() -> Router {
    Router::new()
        .route("/v1/chat/completions", post(complete))
        .with_state(Arc::new(AtomicU64::new(0)))
}

async fn complete(State(calls): State<Arc<AtomicU64>>, Json(request): Json<Value>) -> Response {
    let number = calls.fetch_add(1, Ordering::SeqCst);
    if number == 0 {
        let retry = [(header::RETRY_AFTER, HeaderValue::from_static("0"))];
        let error = json!({"error": {"type": "rate_limit_exceeded", "message": "slow down", "code": "rate_limit_exceeded"}});
        return (StatusCode::TOO_MANY_REQUESTS, retry, Json(error)).into_response();
    }
    let Some(messages) = request.get("messages").and_then(Value::as_array) else {
        let error =
            json!({"error": {"type": "invalid_request_error", "message": "messages is missing"}});
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    };
    Json(answer(number, &request, messages)).into_response()
}

fn answer(number: u64, request: &Value, messages: &[Value]) -> Value {
    let account = messages
        .iter()
        .rev()
        .filter(|m| m["role"] == "user")
        .find_map(account_of);
    let asked_tool = messages.iter().any(|message| message["role"] == "tool");
    let has_tools = request["tools"]
        .as_array()
        .is_some_and(|tools| !tools.is_empty());
    let (message, reason) = match account {
        Some((id, _)) if has_tools && !asked_tool => (tool_call(number, id), "tool_calls"),
        Some((_, name)) => (email(&name), "stop"),
        None => (
            json!({"role": "assistant", "content": "Which customer is it for?"}),
            "stop",
        ),
    };
    let output = message.to_string().len() / 4;
    let input = messages
        .iter()
        .map(|message| message.to_string().len())
        .sum::<usize>()
        / 4;
    json!({
        "id": format!("chatcmpl-{number:04}"),
        "object": "chat.completion",
        "model": request["model"].as_str().unwrap_or(MODEL),
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output}
    })
}

/// The customer that a message names as `account 1003 (Aster Freight)`.
fn account_of(message: &Value) -> Option<(u32, String)> {
    let text = message["content"].as_str()?;
    let (id, rest) = text.split_once("account ")?.1.split_once(" (")?;
    Some((id.parse().ok()?, rest.split_once(')')?.0.to_owned()))
}

fn tool_call(number: u64, id: u32) -> Value {
    let arguments = json!({"account": id}).to_string();
    json!({
        "role": "assistant",
        "content": null,
        "tool_calls": [{
            "id": format!("call_{number:04}"),
            "type": "function",
            "function": {"name": "contract_terms", "arguments": arguments}
        }]
    })
}

fn email(name: &str) -> Value {
    let text = format!(
        "Subject: Renewing with us, {name}\n\nDear {name} team,\n\nyour contract ends soon. We would like to keep working \
         with you, and attach terms for the coming year.\n\nWould a call this week suit you?\n\nKind regards\n"
    );
    json!({"role": "assistant", "content": text})
}
