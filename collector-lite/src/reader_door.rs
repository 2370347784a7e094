//! The reader door: what people and programs may look at. Nothing behind it can change the ledger.
//!
//! Everything that [`ledger::reader::Reader`] offers goes out exactly ([`evidence`]), so that the far end verifies it
//! by itself; what is put together here for convenience ([`views`]) says that it was.

mod answer;
mod evidence;
mod health;
mod kept;
pub(crate) mod listen;
mod proofs;
mod tail;
mod tiles;
mod views;

use std::sync::Arc;

use ::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use ledger::store::{Folder, Ledger};

use tokio::sync::Semaphore;

use crate::agent_door::door::AgentDoor;
use crate::anchor::lane::Shared;
use crate::tls::Gate;

/// Readers that may follow live at once.
const TAILS: usize = 64;

/// What every answer is made from.
#[derive(Debug)]
pub(crate) struct ReaderDoor {
    /// The ledger, for how it stands; never to append.
    ledger: Arc<Ledger>,
    folder: Arc<Folder>,
    agent: Arc<AgentDoor>,
    /// One for each reader that may follow live.
    tails: Arc<Semaphore>,
    anchors: Arc<Shared>,
    /// The handshakes before the agent doors, for how they stand.
    gates: Vec<Arc<Gate>>,
    /// Needed over TCP; a socket is guarded by its permissions.
    token: Option<String>,
}

impl ReaderDoor {
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        folder: Folder,
        agent: Arc<AgentDoor>,
        anchors: Arc<Shared>,
        gates: Vec<Arc<Gate>>,
        token: Option<String>,
    ) -> Self {
        Self {
            ledger,
            folder: Arc::new(folder),
            agent,
            tails: Arc::new(Semaphore::new(TAILS)),
            anchors,
            gates,
            token,
        }
    }
}

type Door = State<Arc<ReaderDoor>>;

/// The routes of the reader door.
pub(crate) fn router(door: ReaderDoor) -> Router {
    let door = Arc::new(door);
    Router::new()
        .route("/v1/state", get(evidence::state))
        .route("/checkpoint", get(evidence::checkpoint))
        .route("/checkpoint/witnessed", get(evidence::witnessed))
        .route("/v1/control", get(evidence::control))
        .route("/v1/tile", get(evidence::tile))
        .route("/v1/streams", get(evidence::streams))
        .route("/v1/streams/{id}", get(evidence::stream))
        .route("/v1/streams/{id}/records", get(evidence::records))
        .route("/tile/{*path}", get(tiles::ledger))
        .route("/stream/{id}/tile/{*path}", get(tiles::stream))
        .route("/v1/sessions", get(views::sessions))
        .route("/v1/sessions/{id}/records", get(views::session_records))
        .route("/v1/bindings/{request}", get(views::bindings))
        .route("/v1/account/{request}", get(views::account))
        .route("/v1/account/{request}/actions", get(kept::actions))
        .route("/v1/proof/{record}", get(proofs::proof))
        .route("/v1/tail", get(tail::tail))
        .route("/v1/anchors", get(health::anchors))
        .route("/healthz", get(health::healthz))
        .route("/metrics", get(health::metrics))
        .fallback(nothing_there)
        .method_not_allowed_fallback(only_get)
        .layer(from_fn_with_state(Arc::clone(&door), guard))
        .with_state(door)
}

async fn nothing_there(uri: Uri) -> Response {
    answer::not_found(&format!(
        "{}; docs/collector.md lists what there is",
        uri.path()
    ))
}

async fn only_get() -> Response {
    let what = "nothing can be changed through this door: it takes GET only";
    answer::problem(StatusCode::METHOD_NOT_ALLOWED, what)
}

/// Asks for the token where there is one, and names the store in every answer.
async fn guard(State(door): Door, request: Request, next: Next) -> Response {
    if let Some(token) = &door.token {
        let given = request
            .headers()
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok());
        let given = given
            .and_then(|value| value.strip_prefix("Bearer "))
            .unwrap_or_default();
        if !crate::producers::same(given.as_bytes(), token.as_bytes()) {
            return answer::problem(StatusCode::UNAUTHORIZED, "a bearer token is needed");
        }
    }
    let mut response = next.run(request).await;
    if let Ok(place) = HeaderValue::from_str(&door.ledger.dir().display().to_string()) {
        response
            .headers_mut()
            .insert(HeaderName::from_static(ledger::door::PLACE), place);
    }
    response
}
