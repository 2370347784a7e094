//! What is put together here for convenience. It comes from the index and from bytes that nobody verified, and says so
//! (`checked_by`); the evidence behind it is under `/v1/streams`.

use std::collections::BTreeMap;

use ::http::StatusCode;
use account::model::Account;
use account::{AccountError, Options};
use axum::extract::{Path, State};
use axum::response::Response;
use ledger::door::wire::{ControlAnswer, HintAnswer, RecordAnswer};
use ledger::leaf::{ControlBody, ControlLeaf, Private, RequestBinding};
use ledger::note::VerifierKey;
use ledger::reader::{Find, Reader, StreamHint};
use ledger::verify::Trusted;
use serde::{Deserialize, Serialize};
use vocabulary::record::CheckedBy;

use super::Door;
use super::answer::{Asked, bad_request, failed, json, not_found, problem, read};
use super::evidence::some_records;

/// Sessions in one answer, unless asked otherwise.
const SESSIONS: usize = 100;

/// Most sessions in one answer.
const MOST_SESSIONS: usize = 1000;

/// Records of each stream in one answer; the others are under `/v1/streams/{id}/records`.
const RECORDS: u64 = 1000;

#[derive(Debug, Deserialize)]
pub(super) struct Limit {
    limit: Option<usize>,
    /// Only what a filter keeps of them.
    #[serde(rename = "where", default)]
    filter: String,
}

/// A session as the index describes it.
#[derive(Serialize)]
pub(super) struct SessionView {
    pub(super) session: String,
    pub(super) requests: Vec<String>,
    records: u64,
    pub(super) first_ns: u64,
    pub(super) last_ns: u64,
    pub(super) closed: bool,
    streams: Vec<String>,
}

/// The sessions that received a record last, newest first.
pub(super) async fn sessions(State(door): Door, Asked(asked): Asked<Limit>) -> Response {
    let limit = asked.limit.unwrap_or(SESSIONS).min(MOST_SESSIONS);
    let filter = match super::kept::filter(&asked.filter) {
        Ok(filter) => filter,
        Err(response) => return *response,
    };
    match read(&door, move |folder| folder.find(&Find::Recent(limit))).await {
        Ok(hints) => {
            let mut sessions = grouped(hints);
            sessions.retain(|session| filter.keeps(session));
            json(&serde_json::json!({ "checked_by": "nobody", "sessions": sessions }))
        }
        Err(response) => response,
    }
}

/// Streams joined by their sessions: those they are linked to, else their own label.
fn grouped(hints: Vec<StreamHint>) -> Vec<SessionView> {
    let mut sessions: BTreeMap<String, SessionView> = BTreeMap::new();
    for hint in hints {
        let names = if hint.sessions.is_empty() {
            vec![hint.label.clone()]
        } else {
            hint.sessions.clone()
        };
        for name in names {
            let view = sessions.entry(name.clone()).or_insert_with(|| SessionView {
                session: name,
                requests: Vec::new(),
                records: 0,
                first_ns: u64::MAX,
                last_ns: 0,
                closed: false,
                streams: Vec::new(),
            });
            view.requests.extend(hint.requests.iter().cloned());
            view.requests.sort_unstable();
            view.requests.dedup();
            view.records += hint.records;
            view.first_ns = view.first_ns.min(hint.first_ns);
            view.last_ns = view.last_ns.max(hint.last_ns);
            view.closed |= hint.closed;
            view.streams.push(hint.stream.to_string());
        }
    }
    let mut sessions: Vec<SessionView> = sessions.into_values().collect();
    sessions.sort_by_key(|view| std::cmp::Reverse(view.last_ns));
    sessions
}

#[derive(Debug, Deserialize)]
pub(super) struct Most {
    most: Option<u64>,
}

/// The first records of every stream of a session, with their exact bytes.
pub(super) async fn session_records(
    State(door): Door,
    Path(session): Path<String>,
    Asked(most): Asked<Most>,
) -> Response {
    let most = most.most.unwrap_or(RECORDS).min(RECORDS);
    let found = read(&door, move |folder| {
        let mut streams = Vec::new();
        for hint in folder.find(&Find::Session(session))? {
            let (records, _) = some_records(folder, &hint.stream, 0, most)?;
            let records: Vec<_> = records.iter().map(RecordAnswer::from).collect();
            streams
                .push(serde_json::json!({ "stream": HintAnswer::from(&hint), "records": records }));
        }
        Ok(streams)
    });
    match found.await {
        Ok(streams) if streams.is_empty() => not_found("such session"),
        Ok(streams) => json(&serde_json::json!({ "checked_by": "nobody", "streams": streams })),
        Err(response) => response,
    }
}

/// A control leaf that binds a stream to the request, exact, and what it says.
#[derive(Serialize)]
struct BindingView {
    stream: String,
    request: String,
    rule: u8,
    evidence: u64,
    #[serde(flatten)]
    leaf: ControlAnswer,
}

/// The sealed leaves that bind streams to a request.
pub(super) async fn bindings(State(door): Door, Path(request): Path<String>) -> Response {
    let found = read(&door, move |folder| {
        let mut bindings = Vec::new();
        for hint in folder.find(&Find::Request(request.clone()))? {
            for index in &hint.link_indexes {
                let leaves = folder.control(*index, index + 1)?;
                bindings.extend(leaves.iter().filter_map(|leaf| binding(leaf, &request)));
            }
        }
        Ok(bindings)
    });
    match found.await {
        Ok(bindings) if bindings.is_empty() => not_found("such request"),
        Ok(bindings) => json(&serde_json::json!({ "checked_by": "nobody", "bindings": bindings })),
        Err(response) => response,
    }
}

fn binding(stored: &ledger::reader::StoredControl, request: &str) -> Option<BindingView> {
    let leaf = ControlLeaf::decode(&stored.leaf).ok()?;
    let ControlBody::RequestBinding { stream, .. } = leaf.body else {
        return None;
    };
    let private = RequestBinding::decode(&stored.private.as_ref()?.body).ok()?;
    (private.request == request).then(|| BindingView {
        stream: stream.to_string(),
        request: private.request,
        rule: private.rule,
        evidence: private.evidence,
        leaf: stored.into(),
    })
}

/// The account of a request as this collector computes it: `checked_by: collector`.
pub(super) async fn account(State(door): Door, Path(request): Path<String>) -> Response {
    let key = door.ledger.key().clone();
    match read(&door, move |folder| Ok(account_of(folder, key, &request))).await {
        Ok(Ok(account)) => json(&account),
        Ok(Err(error)) => no_account(error),
        Err(response) => response,
    }
}

/// Why there is no account.
pub(super) fn no_account(error: AccountError) -> Response {
    match error {
        AccountError::Read(error) => failed(error),
        error @ AccountError::NotFound { .. } => problem(StatusCode::NOT_FOUND, &error.to_string()),
        error => bad_request(&error.to_string()),
    }
}

pub(super) fn account_of(
    reader: &dyn Reader,
    key: VerifierKey,
    request: &str,
) -> Result<Account, AccountError> {
    let options = Options {
        checked_by: CheckedBy::Collector,
        ..Options::default()
    };
    account::build(reader, &Trusted::Pinned(key), request, &options)
}
