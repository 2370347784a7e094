//! Recorded requests against real servers on this machine.

mod blocking;
mod requests;
mod rules;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use serde_json::json;
use vocabulary::attribute;

use super::*;
use crate::{
    capture::testing::{SECRET, diffs, is_recorded, session, sides},
    testing::{ActionRecords, Recorded as All, refuse_begins},
};

/// One account, and every request as it arrived.
#[derive(Debug, Default, Clone)]
struct Crm {
    account: Arc<Mutex<(u32, String)>>,
    log: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    reads_fail: bool,
    /// Somebody else writes between any read and the next write.
    contended: bool,
}

impl Crm {
    fn seen(&self) -> Vec<(String, HeaderMap)> {
        self.log.lock().unwrap().clone()
    }
}

async fn account(
    State(crm): State<Crm>,
    Path(_id): Path<u32>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    crm.log
        .lock()
        .unwrap()
        .push((parts.method.to_string(), parts.headers.clone()));
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let mut account = crm.account.lock().unwrap();
    let tag = |version: u32| format!("\"v{version}\"");
    let wanted = parts
        .headers
        .get(header::IF_MATCH)
        .map(|tag| tag.to_str().unwrap().to_owned());
    match parts.method.as_str() {
        "GET" if crm.reads_fail => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        "GET" => {
            let answer = ([(header::ETAG, tag(account.0))], account.1.clone()).into_response();
            if crm.contended {
                *account = (account.0 + 1, "theirs".to_owned());
            }
            answer
        }
        _ if wanted.is_some_and(|wanted| wanted != tag(account.0)) => {
            StatusCode::PRECONDITION_FAILED.into_response()
        }
        "DELETE" => StatusCode::NO_CONTENT.into_response(),
        _ => {
            *account = (account.0 + 1, String::from_utf8(body.to_vec()).unwrap());
            ([(header::ETAG, tag(account.0))], account.1.clone()).into_response()
        }
    }
}

async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn crm(crm: &Crm) -> SocketAddr {
    *crm.account.lock().unwrap() = (1, "old".to_owned());
    serve(
        Router::new()
            .route("/accounts/{id}", any(account))
            .with_state(crm.clone()),
    )
    .await
}

fn builder() -> reqwest::ClientBuilder {
    // The second test to come here finds it installed.
    drop(rustls::crypto::ring::default_provider().install_default());
    reqwest::Client::builder().no_proxy()
}

fn rule(address: SocketAddr) -> Rule {
    Rule::for_writes(
        ["PUT", "DELETE"],
        &format!("http://{address}/accounts/{{id}}"),
    )
    .unwrap()
}

fn only_own_to(all: &All, own: bool) -> Vec<ActionRecords> {
    let is_own = |action: &ActionRecords| {
        action.begin.attributes.get(attribute::RECORDER_OWN) == Some(&json!(true))
    };
    all.actions()
        .into_iter()
        .filter(|action| is_own(action) == own)
        .collect()
}
