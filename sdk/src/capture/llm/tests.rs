//! Recorded model calls.

use serde_json::{Value, json};
use vocabulary::{Event, attribute};

use super::*;
use crate::{
    capture::testing::{SECRET, is_recorded, session},
    testing::Recorded,
};

const LOCAL: Endpoint<'static> = Endpoint {
    provider: "openai",
    host: "llm.example.test",
};

fn request(messages: &[Value]) -> String {
    json!({
        "model": "small-1",
        "messages": messages,
        "tools": [{"type": "function", "function": {"name": "lookup", "parameters": {}}}],
        "temperature": 0.5,
    })
    .to_string()
}

fn calls_a_tool() -> String {
    json!({
        "id": "r1", "model": "small-1-2026",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": null,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "lookup", "arguments": "{\"id\":7}"}}]}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    })
    .to_string()
}

#[test]
fn a_history_that_is_sent_again_is_recorded_once() {
    let (recorder, session) = session();
    let mut messages = vec![
        json!({"role": "system", "content": "be brief"}),
        json!({"role": "user", "content": "hello"}),
    ];
    for _ in 0..3 {
        let call = session
            .chat_blocking(LOCAL, &request(&messages), None)
            .unwrap();
        let reply = call.answered(200, None, r#"{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":"hi"}}]}"#);
        messages.push(reply.message().unwrap());
    }
    let recorded = Recorded::of(&recorder);
    let told: Vec<_> = recorded.of_event(Event::Context);
    let names: Vec<_> = told
        .iter()
        .map(|record| record.str(attribute::CONTEXT_NAME).unwrap())
        .collect();
    assert_eq!(names, ["lookup", "system", "user", "assistant"]);
    let trust: Vec<_> = told
        .iter()
        .map(|record| record.str(attribute::CONTEXT_TRUST).unwrap())
        .collect();
    assert_eq!(trust, ["instruction", "instruction", "instruction", "data"]);
    let digest = |at: usize| told[at].attributes[attribute::CONTENT]["digest"].clone();
    assert!(digest(1).as_str().unwrap().starts_with("hmac-sha256:"));
    let last = recorded.actions().pop().unwrap();
    assert_eq!(
        last.begin.attributes[attribute::GEN_AI_MESSAGES],
        json!([digest(1), digest(2), digest(3), digest(3)])
    );
    let input: Value = serde_json::from_str(last.begin.text(attribute::INPUT).unwrap()).unwrap();
    assert_eq!(
        input,
        json!({"model": "small-1", "temperature": 0.5, "tools": [digest(0)], "messages": [digest(1), digest(2), digest(3), digest(3)]})
    );
}

#[test]
fn every_tool_call_is_a_decision_that_its_execution_cites() {
    let (recorder, session) = session();
    let call = session
        .chat_blocking(
            LOCAL,
            &request(&[json!({"role": "user", "content": "q"})]),
            None,
        )
        .unwrap();
    let reply = call.answered(200, None, &calls_a_tool());
    assert_eq!(reply.calls.len(), 1);
    session
        .tool_call(&reply.calls[0])
        .begin_blocking()
        .unwrap()
        .end_success();
    let recorded = Recorded::of(&recorder);
    let decision = recorded.of_event(Event::DecisionLog)[0];
    let text = |key| decision.str(key).unwrap();
    assert_eq!(
        (
            text(attribute::DECISION_POINT),
            text(attribute::DECISION_MADE_BY)
        ),
        ("tool_select", "model")
    );
    assert_eq!(
        (
            text(attribute::TOOL_CALL_ID),
            decision.text(attribute::INPUT).unwrap()
        ),
        ("call_1", "{\"id\":7}")
    );
    assert_eq!(
        decision.attributes[attribute::DECISION_CHOSEN],
        json!(["lookup"])
    );
    assert_eq!(text(attribute::ACTION_ID), reply.action.to_string());
    let tool = recorded.action("lookup");
    assert_eq!(
        tool.begin.str(attribute::DECISION_ID),
        Some(text(attribute::DECISION_ID))
    );
    assert_eq!(tool.begin.str(attribute::TOOL_CALL_ID), Some("call_1"));
    let chat = recorded.action("chat small-1");
    assert_eq!(
        chat.begin.str(attribute::TARGET),
        Some("llm:llm.example.test/small-1")
    );
    let end = chat.end.unwrap();
    assert_eq!(
        (
            end.int(attribute::GEN_AI_INPUT_TOKENS),
            end.int(attribute::GEN_AI_OUTPUT_TOKENS)
        ),
        (Some(12), Some(3))
    );
    assert_eq!(
        end.str(attribute::GEN_AI_RESPONSE_MODEL),
        Some("small-1-2026")
    );
}

#[test]
fn refusals_and_limits_are_security_events() {
    let (recorder, session) = session();
    let retries = Retries::new();
    let begin = || {
        session
            .chat_blocking(LOCAL, &request(&[]), Some(&retries))
            .unwrap()
    };
    begin().answered(
        429,
        Some(2),
        r#"{"error":{"code":"rate_limit_exceeded","message":"slow down"}}"#,
    );
    begin().answered(
        400,
        None,
        r#"{"error":{"code":"content_filter","message":"no"}}"#,
    );
    let refused = r#"{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":null,"refusal":"I will not"}}]}"#;
    assert_eq!(
        begin().answered(200, None, refused).refused.as_deref(),
        Some("I will not")
    );
    begin().failed("timeout", "no answer in 5 s", true);
    drop(begin());
    let recorded = Recorded::of(&recorder);
    let names: Vec<_> = recorded
        .names()
        .filter(|name| name.starts_with("agent.security"))
        .collect();
    assert_eq!(
        names,
        [
            "agent.security.rate_limited",
            "agent.security.output_filtered",
            "agent.security.output_filtered"
        ]
    );
    assert_eq!(
        recorded.of_event(Event::SecurityRateLimited)[0].int(attribute::RETRY_AFTER_S),
        Some(2)
    );
    let actions = recorded.actions();
    let outcomes: Vec<_> = actions
        .iter()
        .map(|action| action.outcome().unwrap())
        .collect();
    assert_eq!(
        outcomes,
        ["failure", "failure", "success", "timeout", "cancelled"]
    );
    assert_eq!(
        actions[1].begin.str(attribute::RETRY_OF),
        actions[0].begin.str(attribute::ACTION_ID)
    );
}

#[test]
fn a_credential_in_a_prompt_is_in_no_record_and_no_digest() {
    let (recorder, session) = session();
    let message = json!({"role": "user", "content": format!("use {SECRET} please")});
    let call = session
        .chat_blocking(LOCAL, &request(std::slice::from_ref(&message)), None)
        .unwrap();
    call.answered(
        200,
        None,
        &format!(r#"{{"choices":[{{"message":{{"content":"got {SECRET}"}}}}]}}"#),
    );
    assert!(!is_recorded(&recorder, SECRET));
    let recorded = Recorded::of(&recorder);
    let told = recorded
        .of_event(Event::Context)
        .into_iter()
        .find(|told| told.str(attribute::CONTEXT_NAME) == Some("user"))
        .unwrap();
    let raw = vocabulary::digest::Digest::keyed(message.to_string().as_bytes(), session.key())
        .to_string();
    assert_ne!(told.attributes[attribute::CONTENT]["digest"], json!(raw));
    assert_eq!(
        told.attributes[attribute::CONTENT]["redactions"][0]["rule"],
        "openai_key"
    );
}

#[test]
fn a_request_of_another_shape_is_recorded_as_it_is() {
    let (recorder, session) = session();
    session
        .chat_blocking(LOCAL, "not json", None)
        .unwrap()
        .answered(200, None, "not json either");
    let chat = Recorded::of(&recorder).action("chat unknown");
    assert_eq!(chat.begin.text(attribute::INPUT), Some("not json"));
    assert_eq!(chat.outcome(), Some("failure"));
}

#[cfg(feature = "http")]
#[tokio::test]
async fn the_client_sends_what_it_records_and_its_key_goes_into_no_record() {
    use std::sync::{Arc, Mutex};
    drop(rustls::crypto::ring::default_provider().install_default());
    let seen: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
    let log = Arc::clone(&seen);
    let answer = move |headers: axum::http::HeaderMap, body: String| async move {
        let mut log = log.lock().unwrap();
        log.push((headers["authorization"].to_str().unwrap().to_owned(), body));
        match log.len() {
            1 => (axum::http::StatusCode::TOO_MANY_REQUESTS, "{}".to_owned()),
            _ => (axum::http::StatusCode::OK, calls_a_tool()),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let app = axum::Router::new().route("/v1/chat/completions", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (recorder, session) = session();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = Client::new(&recorder, http, &base, Some("the-providers-key")).unwrap();
    let ask = json!({"model": "small-1", "messages": [{"role": "user", "content": "q"}]});
    let retries = Retries::new();
    let limited = client
        .chat(&ask)
        .in_session(&session)
        .attempt_of(&retries)
        .await;
    assert!(matches!(
        limited,
        Err(ChatError::Status { status: 429, .. })
    ));
    let reply = client
        .chat(&ask)
        .in_session(&session)
        .attempt_of(&retries)
        .await
        .unwrap();
    assert_eq!(reply.calls[0].name, "lookup");
    let seen = seen.lock().unwrap().clone();
    assert_eq!(
        seen[1],
        ("Bearer the-providers-key".to_owned(), ask.to_string())
    );
    assert!(!is_recorded(&recorder, "the-providers-key"));
    let actions = Recorded::of(&recorder).actions();
    assert_eq!(actions[1].begin.int(attribute::ATTEMPT), Some(2));
}

#[cfg(feature = "http")]
#[tokio::test]
async fn the_client_speaks_responses_and_messages_too() {
    use std::sync::{Arc, Mutex};
    drop(rustls::crypto::ring::default_provider().install_default());
    let seen: Arc<Mutex<Vec<axum::http::HeaderMap>>> = Arc::default();
    let answers = |body: &'static str| {
        let log = Arc::clone(&seen);
        axum::routing::post(move |headers: axum::http::HeaderMap| async move {
            log.lock().unwrap().push(headers);
            body
        })
    };
    let response = r#"{"id":"resp_1","object":"response","status":"completed","model":"m-2026","output":[
        {"type":"function_call","id":"fc_1","call_id":"call_1","name":"lookup","arguments":"{}"}],
        "usage":{"input_tokens":3,"output_tokens":2}}"#;
    let message = r#"{"id":"msg_1","type":"message","role":"assistant","model":"c-2026","stop_reason":"tool_use",
        "content":[{"type":"text","text":"so"},{"type":"tool_use","id":"tu_1","name":"search","input":{}}],
        "usage":{"input_tokens":5,"output_tokens":4}}"#;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1/", listener.local_addr().unwrap());
    let app = axum::Router::new()
        .route("/v1/responses", answers(response))
        .route("/v1/messages", answers(message));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (recorder, session) = session();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let client = Client::new(&recorder, http, &base, Some("the-providers-key")).unwrap();
    let ask = json!({"model": "m", "input": "which?"});
    let reply = client.responses(&ask).in_session(&session).await.unwrap();
    assert_eq!(
        (reply.calls[0].name.as_str(), reply.message()),
        ("lookup", None)
    );
    let ask =
        json!({"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": "which?"}]});
    let reply = client.messages(&ask).in_session(&session).await.unwrap();
    assert_eq!(reply.calls[0].name, "search");
    let message = reply.message().unwrap();
    assert_eq!(
        (
            &message["role"],
            message["content"].as_array().map(Vec::len)
        ),
        (&json!("assistant"), Some(2))
    );
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0]["authorization"], "Bearer the-providers-key");
    assert_eq!(
        (&seen[1]["x-api-key"], &seen[1]["anthropic-version"]),
        (
            &axum::http::HeaderValue::from_static("the-providers-key"),
            &axum::http::HeaderValue::from_static("2023-06-01")
        )
    );
    assert!(!seen[1].contains_key("authorization"));
    assert!(!is_recorded(&recorder, "the-providers-key"));
    let actions = Recorded::of(&recorder).actions();
    let providers: Vec<_> = actions
        .iter()
        .map(|action| action.begin.str(attribute::GEN_AI_PROVIDER))
        .collect();
    assert_eq!(providers, [Some("openai"), Some("anthropic")]);
}

#[cfg(feature = "http")]
#[test]
fn the_client_calls_without_a_runtime_too() {
    use crate::capture::driver::Driver;
    let server = Driver::start().unwrap();
    let address = server.wait(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = axum::routing::post(|| async { calls_a_tool() });
        let app = axum::Router::new().route("/v1/chat/completions", answer);
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    });
    let (recorder, session) = session();
    drop(rustls::crypto::ring::default_provider().install_default());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let base = format!("http://{}/v1", address.unwrap());
    let client = Client::new(&recorder, http, &base, None).unwrap();
    let ask = json!({"model": "small-1", "messages": [{"role": "user", "content": "q"}]});
    let reply = session.run(|| client.chat(&ask).send_blocking()).unwrap();
    assert_eq!(reply.calls[0].name, "lookup");
    let chat = Recorded::of(&recorder).action("chat small-1");
    assert_eq!(chat.outcome(), Some("success"));
    assert_eq!(
        chat.begin.str(attribute::SESSION_ID),
        Some(session.id().as_str())
    );
    drop(server);
    let gone = client.chat(&ask).in_session(&session).send_blocking();
    assert!(matches!(gone, Err(ChatError::NoAnswer(_))), "{gone:?}");
}
