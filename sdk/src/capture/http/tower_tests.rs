//! A `tower` client and a service that receives its sessions, over real connections.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower_layer::Layer as _;
use tower_service::Service as _;
use vocabulary::attribute;

use super::*;
use crate::{
    Access, EndReason, Kind, Principal,
    capture::testing::{diffs, session, sides},
    testing::{Record, Recorded as All},
};

type Seen = Arc<Mutex<Vec<(String, HeaderMap)>>>;

/// Items by path; `POST` makes one, `PATCH /batch` changes many.
#[derive(Clone, Default)]
struct Shop {
    items: Arc<Mutex<BTreeMap<String, String>>>,
    seen: Seen,
}

async fn shop(State(shop): State<Shop>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let line = format!("{} {path}", parts.method);
    shop.seen.lock().unwrap().push((line, parts.headers));
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let mut items = shop.items.lock().unwrap();
    let dated = [(header::LAST_MODIFIED, "Sat, 21 Nov 2026 20:00:00 GMT")];
    match (parts.method.as_str(), path.as_str()) {
        ("GET", path) => match items.get(path) {
            Some(item) => (dated, item.clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        ("POST", "/items") => {
            items.insert("/items/1".to_owned(), text.clone());
            (StatusCode::CREATED, [(header::LOCATION, "/items/1")], text).into_response()
        }
        ("POST", "/silent") => {
            items.insert("/items/2".to_owned(), text);
            (StatusCode::CREATED, r#"{"made":{"id":2}}"#).into_response()
        }
        ("PATCH", "/batch") => {
            let rows: Value = serde_json::from_str(&text).unwrap();
            for row in rows["rows"].as_array().unwrap() {
                items.insert(format!("/items/{}", row["id"]), row.to_string());
            }
            StatusCode::OK.into_response()
        }
        (_, path) => {
            items.insert(path.to_owned(), text.clone());
            (dated, text).into_response()
        }
    }
}

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn open() -> (Shop, SocketAddr) {
    let shop = Shop::default();
    let app = Router::new().fallback(self::shop).with_state(shop.clone());
    (shop, serve(app).await)
}

/// Sends one request through a layer around a real client; gives the status and the body.
async fn send(layer: &TowerLayer, method: &str, url: &str, body: &str) -> (u16, String) {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut client = layer.layer(client);
    let request = http::Request::builder().method(method).uri(url);
    let request = request.body(Full::new(bytes::Bytes::from(body.to_owned())));
    let response = client.call(request.unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn all_sides(recorder: &Recorder, name: &str) -> Vec<(String, Value, Value, String, String)> {
    let action = All::of(recorder).action(name);
    let own = |diff: &Record| {
        let (resource, before, after, how_before, how_after) = sides(diff);
        let resource = resource.rsplit_once("/").unwrap().1.to_owned();
        (
            resource,
            before,
            after,
            how_before.to_owned(),
            how_after.to_owned(),
        )
    };
    diffs(&action).into_iter().map(own).collect()
}

#[tokio::test]
async fn a_tower_client_is_recorded_and_changes_nothing_else() {
    let (shop, address) = open().await;
    let (recorder, session) = session();
    let url = format!("http://{address}/items/{{id}}");
    let layer = TowerLayer::new(&recorder)
        .session(&session)
        .tell(&address.to_string())
        .rule(
            Rule::for_writes(["PUT"], &url)
                .unwrap()
                .if_unmodified_since()
                .answers_with_resource(),
        );
    let url = format!("http://{address}/items/7");
    assert_eq!(
        send(&layer, "PUT", &url, "one").await,
        (200, "one".to_owned())
    );
    assert_eq!(
        send(&layer, "PUT", &url, "two").await,
        (200, "two".to_owned())
    );
    let all = All::of(&recorder);
    let written: Vec<_> = all
        .actions()
        .into_iter()
        .filter(|action| action.begin.str(attribute::HTTP_METHOD) == Some("PUT"))
        .collect();
    let (_, before, after, how, _) = sides(diffs(&written[0])[0]);
    assert_eq!(
        (before, after, how),
        (json!("absent"), json!("one"), "unlocked")
    );
    let (_, before, after, how, _) = sides(diffs(&written[1])[0]);
    assert_eq!(
        (before, after, how),
        (json!("one"), json!("two"), "unlocked")
    );
    assert_eq!(
        written[1].begin.attributes[attribute::INPUT]["inline"],
        "two"
    );
    assert_eq!(written[1].outcome(), Some("success"));
    let seen = shop.seen.lock().unwrap().clone();
    let lines: Vec<&str> = seen.iter().map(|(line, _)| line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "GET /items/7",
            "PUT /items/7",
            "GET /items/7",
            "PUT /items/7"
        ]
    );
    assert!(!seen[1].1.contains_key(header::IF_UNMODIFIED_SINCE));
    assert_eq!(
        seen[3].1[header::IF_UNMODIFIED_SINCE],
        "Sat, 21 Nov 2026 20:00:00 GMT"
    );
    assert!(
        seen[3].1["baggage"]
            .to_str()
            .unwrap()
            .contains(session.id().as_str())
    );
    assert!(!seen[2].1.contains_key("baggage"), "own reads tell nobody");
}

#[tokio::test]
async fn what_a_post_made_is_found_by_location_or_by_its_id() {
    let (_, address) = open().await;
    let (recorder, session) = session();
    let at = |path: &str| format!("http://{address}{path}");
    let layer = TowerLayer::new(&recorder)
        .session(&session)
        .rule(
            Rule::for_creations(&at("/items"))
                .unwrap()
                .answers_with_resource(),
        )
        .rule(
            Rule::for_creations(&at("/silent"))
                .unwrap()
                .located_by("/made/id", &at("/items/{item}"))
                .unwrap(),
        );
    send(&layer, "POST", &at("/items"), "new").await;
    send(&layer, "POST", &at("/silent"), "other").await;
    let text = |text: &str| text.to_owned();
    assert_eq!(
        all_sides(&recorder, "POST /items"),
        [(
            text("1"),
            json!("absent"),
            json!("new"),
            text("not_read"),
            text("response_body")
        )]
    );
    assert_eq!(
        all_sides(&recorder, "POST /silent"),
        [(
            text("2"),
            json!("absent"),
            json!("not_captured"),
            text("not_read"),
            text("not_read")
        )]
    );
}

#[tokio::test]
async fn a_bulk_write_is_a_diff_per_item_within_the_budget() {
    let (shop, address) = open().await;
    shop.items
        .lock()
        .unwrap()
        .insert("/items/1".to_owned(), "old".to_owned());
    let (recorder, session) = session();
    let at = |path: &str| format!("http://{address}{path}");
    let rule = Rule::for_writes(["PATCH"], &at("/batch")).unwrap();
    let rule = rule.bulk("/rows", "/id", &at("/items/{item}")).unwrap();
    let budget = Budget {
        per_minute: 3,
        ..Budget::default()
    };
    let layer = TowerLayer::new(&recorder)
        .session(&session)
        .rule(rule.read_again())
        .budget(budget);
    let body = json!({"rows": [{"id": 1}, {"id": 2}, {"no": "id"}]}).to_string();
    assert_eq!(send(&layer, "PATCH", &at("/batch"), &body).await.0, 200);
    let sides = all_sides(&recorder, "PATCH /batch");
    let states: Vec<_> = sides
        .iter()
        .map(|(at, before, after, ..)| (at.as_str(), before.clone(), after.clone()))
        .collect();
    assert_eq!(
        states,
        [
            ("1", json!("old"), json!(r#"{"id":1}"#)),
            ("2", json!("absent"), json!("not_captured")),
            ("batch", json!("not_captured"), json!("not_captured")),
        ],
        "the fourth read was beyond the budget, and one item has no id"
    );
}

#[tokio::test]
async fn a_known_caller_is_joined_and_any_other_is_only_linked() {
    let (recorder, session) = session();
    let service = Recorder::testing();
    let inside = service.clone();
    let handler = axum::routing::any(move |request: Request| {
        let inside = inside.clone();
        async move {
            assert!(request.extensions().get::<Ambient>().is_some());
            let here = inside.here();
            let action = here.session().action(Kind::Db, "look up", Access::Read);
            action.begin().await.unwrap().end_success();
            Body::from("done")
        }
    });
    // region: inbound
    let inbound = Inbound::new(&service, |parts| {
        match parts
            .headers
            .get("authorization")
            .map(|token| token.as_bytes())
        {
            Some(b"Bearer of-a-friend") => Caller::Known(Principal::agent("friend")),
            _ => Caller::Unknown,
        }
    });
    let address = serve(Router::new().route("/", handler).layer(inbound)).await;
    // end
    // region: tower
    let layer = TowerLayer::new(&recorder)
        .session(&session)
        .tell(&address.to_string());
    let client = layer.layer(Client::builder(TokioExecutor::new()).build_http());
    // end
    for token in ["Bearer of-a-friend", "Bearer of-a-stranger"] {
        let mut client = client.clone();
        let request = http::Request::builder()
            .uri(format!("http://{address}/"))
            .header("authorization", token)
            .body(Full::<bytes::Bytes>::default())
            .unwrap();
        let response = client.call(request).await.unwrap();
        response.into_body().collect().await.unwrap();
    }
    let all = All::of(&service);
    let actions = all.actions();
    assert_eq!(
        actions[0].begin.str("session.id"),
        Some(session.id().as_str())
    );
    assert_eq!(actions[0].begin.str("recount.request.id"), Some("47892"));
    assert_eq!(actions[0].begin.trace_id, Some(session.trace_id()));
    let [start] = &all.of_event(crate::Event::SessionStart)[..] else {
        panic!("a joined session is started by its owner only");
    };
    assert_ne!(start.str("session.id"), Some(session.id().as_str()));
    assert_ne!(start.str("recount.request.id"), Some("47892"));
    assert_eq!(start.str("recount.session.parent"), None);
    assert_eq!(start.str("recount.trigger.kind"), Some("api"));
    let origin = start.str("recount.trigger.origin").unwrap();
    assert!(
        origin.contains(session.id().as_str()) && origin.contains("47892"),
        "{origin}"
    );
    assert_eq!(actions[1].begin.str("session.id"), start.str("session.id"));
    let ends = all.of_event(crate::Event::SessionEnd);
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0].str("session.id"), start.str("session.id"));
    session.end(EndReason::Completed).await;
}

#[tokio::test]
async fn a_refused_request_is_not_sent_by_a_tower_client() {
    let (shop, address) = open().await;
    let (recorder, session) = session();
    crate::testing::refuse_begins(&recorder, true);
    let layer = TowerLayer::new(&recorder).session(&session);
    let mut client = layer.layer(Client::builder(TokioExecutor::new()).build_http());
    let request = http::Request::put(format!("http://{address}/items/1"));
    let request = request.body(Full::<bytes::Bytes>::default()).unwrap();
    let error = client.call(request).await.unwrap_err();
    assert!(matches!(error, TowerError::Refused(_)), "{error}");
    assert!(shop.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_error_of_a_tower_client_leaves_the_effect_unknown() {
    let (recorder, session) = session();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(stream)
        }
    });
    let layer = TowerLayer::new(&recorder).session(&session);
    let mut client = layer.layer(Client::builder(TokioExecutor::new()).build_http());
    let request = http::Request::put(format!("http://{address}/items/1"));
    let request = request.body(Full::<bytes::Bytes>::default()).unwrap();
    assert!(matches!(
        client.call(request).await,
        Err(TowerError::Inner(_))
    ));
    let put = All::of(&recorder).action("PUT /items/1");
    assert_eq!(put.outcome(), Some("failure"));
    let end = put.end.unwrap();
    assert_eq!(end.str(attribute::EFFECT), Some("unknown"));
}

proptest! {
    #[test]
    fn a_body_that_was_looked_at_is_sent_as_it_was(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..6), cut in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let whole = chunks.concat();
        let size = whole.len() as u64;
        let mut frames: std::collections::VecDeque<_> = chunks
            .into_iter()
            .map(|chunk| Ok(http_body::Frame::data(bytes::Bytes::from(chunk))))
            .collect();
        if cut {
            frames.push_back(Err(std::io::Error::other("cut")));
        }
        let body = Frames(frames, size);
        let (sent, ended, known) = runtime.block_on(async {
            let (mut replay, known) = Replay::of(body).await;
            let mut sent = Vec::new();
            loop {
                match replay.frame().await {
                    None => break (sent, true, known),
                    Some(Ok(frame)) => sent.extend_from_slice(frame.data_ref().unwrap()),
                    Some(Err(_)) => break (sent, false, known),
                }
            }
        });
        prop_assert_eq!(&sent, &whole);
        prop_assert_eq!(ended, !cut);
        prop_assert_eq!(known, (!cut).then_some(whole));
    }
}

struct Frames(
    std::collections::VecDeque<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>,
    u64,
);

impl http_body::Body for Frames {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, std::io::Error>>> {
        std::task::Poll::Ready(self.0.pop_front())
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.1)
    }
}
