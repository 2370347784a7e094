//! Requests without rules: outcomes, redirects, bodies, sessions, secrets.

use super::*;
use crate::InContext as _;

#[tokio::test]
async fn only_listed_hosts_are_told_of_the_session_also_behind_redirects() {
    let (recorder, session) = session();
    let log: Arc<Mutex<Vec<HeaderMap>>> = Arc::default();
    let keep = |log: Arc<Mutex<Vec<HeaderMap>>>| {
        get(move |headers: HeaderMap| async move {
            log.lock().unwrap().push(headers);
            "here"
        })
    };
    let elsewhere = serve(Router::new().route("/final", keep(Arc::clone(&log)))).await;
    let target = format!("http://{elsewhere}/final");
    let hop = {
        let log = Arc::clone(&log);
        get(move |headers: HeaderMap| async move {
            log.lock().unwrap().push(headers);
            (StatusCode::FOUND, [(header::LOCATION, target)])
        })
    };
    let peer = serve(Router::new().route("/start", hop)).await;
    let client = Layer::new(&recorder)
        .session(&session)
        .tell(&peer.to_string())
        .client(builder())
        .unwrap();
    let request = client
        .get(format!("http://{peer}/start"))
        .bearer_auth("tok");
    let response = request.send().await.unwrap();
    assert_eq!(response.url().as_str(), format!("http://{elsewhere}/final"));
    assert_eq!(response.text().await.unwrap(), "here");
    let seen = log.lock().unwrap().clone();
    let trace: String = session
        .trace_id()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert!(seen[0]["traceparent"].to_str().unwrap().contains(&trace));
    assert!(
        seen[0]["baggage"]
            .to_str()
            .unwrap()
            .contains(session.id().as_str())
    );
    for name in ["traceparent", "tracestate", "baggage", "authorization"] {
        assert!(!seen[1].contains_key(name), "{name} went to another host");
    }
    let actions = All::of(&recorder).actions();
    assert_eq!(actions.len(), 2);
    assert!(
        actions
            .iter()
            .all(|action| action.outcome() == Some("success") && action.effect() == Some("none"))
    );
}

#[tokio::test]
async fn through_a_client_that_follows_by_itself_nobody_is_told() {
    let (recorder, session) = session();
    let world = Crm::default();
    let address = crm(&world).await;
    let layer = Layer::new(&recorder).session(&session).tell("127.0.0.1");
    let client = reqwest_middleware::ClientBuilder::new(builder().build().unwrap())
        .with(layer)
        .build();
    client
        .get(format!("http://{address}/accounts/1"))
        .send()
        .await
        .unwrap();
    let (_, headers) = &world.seen()[0];
    assert!(!headers.contains_key("traceparent") && !headers.contains_key("baggage"));
    assert_eq!(All::of(&recorder).actions().len(), 1);
}

#[tokio::test]
async fn redirects_without_end_stop() {
    let (recorder, session) = session();
    let app = Router::new().route(
        "/",
        get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/")]) }),
    );
    let address = serve(app).await;
    let client = Layer::new(&recorder)
        .session(&session)
        .redirects(3)
        .client(builder())
        .unwrap();
    let error = client
        .get(format!("http://{address}/"))
        .send()
        .await
        .unwrap_err();
    assert!(error.is_middleware(), "{error:?}");
    assert_eq!(All::of(&recorder).actions().len(), 4);
}

#[tokio::test]
async fn attempts_are_numbered_and_statuses_become_outcomes_and_security_events() {
    let (recorder, session) = session();
    let count = Arc::new(AtomicU32::new(0));
    let answer = move || {
        let at = count.fetch_add(1, Ordering::SeqCst);
        async move {
            match at {
                0 => (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "3")]).into_response(),
                1 => StatusCode::UNAUTHORIZED.into_response(),
                2 => StatusCode::FORBIDDEN.into_response(),
                3 => StatusCode::BAD_GATEWAY.into_response(),
                _ => "done".into_response(),
            }
        }
    };
    let address = serve(Router::new().route("/", any(answer))).await;
    let client = Layer::new(&recorder)
        .session(&session)
        .client(builder())
        .unwrap();
    let retries = Retries::new();
    for _ in 0..5 {
        client
            .post(format!("http://{address}/"))
            .with_extension(retries.clone())
            .send()
            .await
            .unwrap();
    }
    let all = All::of(&recorder);
    let actions = all.actions();
    let ends: Vec<_> = actions
        .iter()
        .map(|action| (action.outcome().unwrap(), action.effect().unwrap()))
        .collect();
    let failed = ("failure", "none");
    assert_eq!(
        ends,
        [
            failed,
            failed,
            failed,
            ("failure", "unknown"),
            ("success", "committed")
        ]
    );
    for (at, pair) in actions.windows(2).enumerate() {
        assert_eq!(pair[1].begin.int(attribute::ATTEMPT), Some(at as i64 + 2));
        assert_eq!(
            pair[1].begin.str(attribute::RETRY_OF),
            pair[0].begin.str(attribute::ACTION_ID)
        );
    }
    let names: Vec<_> = all
        .names()
        .filter(|name| name.starts_with("agent.security"))
        .collect();
    assert_eq!(
        names,
        [
            "agent.security.rate_limited",
            "agent.security.auth_failed",
            "agent.security.access_unauthorized"
        ]
    );
    let limited = all.of_event(vocabulary::Event::SecurityRateLimited)[0];
    assert_eq!(limited.int(attribute::RETRY_AFTER_S), Some(3));
}

#[tokio::test]
async fn a_streamed_body_passes_unchanged_and_the_action_ends_with_it() {
    let (recorder, session) = session();
    let size = 400 * 1024;
    let address = serve(Router::new().route(
        "/",
        get(move || async move { Body::from(vec![b'x'; size]) }),
    ))
    .await;
    let client = Layer::new(&recorder)
        .session(&session)
        .client(builder())
        .unwrap();
    let whole = client
        .get(format!("http://{address}/"))
        .send()
        .await
        .unwrap();
    assert!(All::of(&recorder).actions()[0].end.is_none());
    assert_eq!(whole.bytes().await.unwrap().len(), size);
    let mut part = client
        .get(format!("http://{address}/"))
        .send()
        .await
        .unwrap();
    part.chunk().await.unwrap().unwrap();
    drop(part);
    let actions = All::of(&recorder).actions();
    let outputs: Vec<_> = actions
        .iter()
        .map(|action| &action.end.as_ref().unwrap().attributes[attribute::OUTPUT])
        .collect();
    assert_eq!(
        (outputs[0]["state"].as_str(), outputs[0]["size"].as_u64()),
        (Some("truncated"), Some(size as u64))
    );
    assert!(outputs[0]["digest"].is_string());
    assert_eq!(outputs[1]["why"], "not read any further");
    assert_eq!(actions[1].outcome(), Some("success"));
}

#[tokio::test]
async fn no_answer_is_a_failure_whose_effect_depends_on_what_was_sent() {
    let (recorder, session) = session();
    let slow = serve(Router::new().route(
        "/",
        any(|| async { tokio::time::sleep(Duration::from_secs(60)).await }),
    ))
    .await;
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let client = Layer::new(&recorder)
        .session(&session)
        .client(builder())
        .unwrap();
    let put = |address: SocketAddr| {
        client
            .put(format!("http://{address}/"))
            .timeout(Duration::from_millis(100))
            .body("x")
            .send()
    };
    assert!(put(slow).await.unwrap_err().is_timeout());
    assert!(put(closed).await.unwrap_err().is_connect());
    let dropped = tokio::time::timeout(
        Duration::from_millis(100),
        client.put(format!("http://{slow}/")).send(),
    )
    .await;
    assert!(dropped.is_err());
    let ends: Vec<_> = All::of(&recorder)
        .actions()
        .iter()
        .map(|action| format!("{:?} {:?}", action.outcome(), action.effect()))
        .collect();
    let end = |outcome: &str, effect: &str| format!("{:?} {:?}", Some(outcome), Some(effect));
    assert_eq!(
        ends,
        [
            end("timeout", "unknown"),
            end("failure", "none"),
            end("cancelled", "unknown")
        ]
    );
}

#[tokio::test]
async fn a_refused_request_is_not_sent_and_unrecorded_ones_leave_no_record() {
    let (recorder, session) = session();
    let world = Crm::default();
    let address = crm(&world).await;
    let client = Layer::new(&recorder)
        .session(&session)
        .client(builder())
        .unwrap();
    client
        .get(format!("http://{address}/accounts/1"))
        .with_extension(Unrecorded)
        .send()
        .await
        .unwrap();
    assert!(All::of(&recorder).actions().is_empty());
    refuse_begins(&recorder, true);
    let error = client
        .delete(format!("http://{address}/accounts/1"))
        .send()
        .await
        .unwrap_err();
    let reqwest_middleware::Error::Middleware(error) = error else {
        panic!("{error}")
    };
    assert!(error.downcast_ref::<crate::Refused>().is_some());
    assert_eq!(world.seen().len(), 1);
}

#[tokio::test]
async fn a_request_can_name_its_own_session_and_access() {
    let (recorder, session) = session();
    let other = recorder.session("47893").start().await;
    let world = Crm::default();
    let address = crm(&world).await;
    let client = Layer::new(&recorder)
        .session(&session)
        .client(builder())
        .unwrap();
    let request = client
        .post(format!("http://{address}/accounts/1"))
        .with_extension(other.handle());
    request
        .with_extension(vocabulary::action::Access::Send)
        .send()
        .await
        .unwrap();
    let outside = Layer::new(&recorder).client(builder()).unwrap();
    outside
        .get(format!("http://{address}/accounts/1"))
        .send()
        .await
        .unwrap();
    let actions = All::of(&recorder).actions();
    assert_eq!(
        actions[0].begin.str(attribute::SESSION_ID),
        Some(other.id().as_str())
    );
    assert_eq!(actions[0].begin.str(attribute::ACTION_ACCESS), Some("send"));
    assert_ne!(
        actions[1].begin.str(attribute::SESSION_ID),
        Some(session.id().as_str())
    );
}

#[tokio::test]
async fn secrets_in_bodies_headers_and_urls_are_in_no_record() {
    let (recorder, session) = session();
    let answer = || async {
        (
            [(header::SET_COOKIE, "sid=cookie-secret")],
            format!("your key is {SECRET}"),
        )
    };
    let address = serve(Router::new().route("/", any(answer))).await;
    let client = Layer::new(&recorder)
        .session(&session)
        .client(builder())
        .unwrap();
    let url = format!("http://ann:hunter2@{address}/?api_key=query-secret");
    let request = client
        .post(url)
        .header("x-api-key", "header-secret")
        .body(format!(r#"{{"a":"{SECRET}"}}"#));
    assert!(
        request
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .contains(SECRET)
    );
    for secret in [
        SECRET,
        "hunter2",
        "query-secret",
        "header-secret",
        "cookie-secret",
    ] {
        assert!(!is_recorded(&recorder, secret), "{secret}");
    }
}

#[tokio::test]
async fn a_client_without_the_layer_is_not_seen() {
    let (recorder, session) = session();
    let crm = Crm::default();
    let url = format!("http://{}/accounts/17", super::crm(&crm).await);
    let before = All::of(&recorder).records().len();
    let plain = builder().build().unwrap();
    let asked = async { plain.put(url).body("new").send().await.unwrap().status() };
    assert!(asked.in_session(&session).await.is_success());
    assert_eq!(
        crm.seen().len(),
        1,
        "the server saw it, and the record does not"
    );
    assert_eq!(All::of(&recorder).records().len(), before);
    session.end(crate::EndReason::Completed).await;
}
