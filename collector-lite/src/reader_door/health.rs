//! Whether the collector records, and its numbers in the text format of Prometheus.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use ::http::StatusCode;
use axum::extract::State;
use axum::response::Response;
use ledger::checkpoint::Checkpoint;
use ledger::note::Note;
use ledger::reader::{ReadError, Reader};
use ledger::store::{Folder, space_of};

use super::answer::{bytes, json, read};
use super::{Door, ReaderDoor};
use crate::anchor::board::Standing;
use crate::anchor::told::Told;
use crate::clock;

pub(super) async fn healthz(State(door): Door) -> Response {
    if let Some(fatal) = door.ledger.fatal() {
        let mut response =
            json(&serde_json::json!({ "state": "halted", "why": fatal.to_string() }));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return response;
    }
    let state = match read(&door, |folder| folder.state()).await {
        Ok(state) => state,
        Err(response) => return response,
    };
    let held = door.ledger.signing_held();
    let standings = door.anchors.standings();
    let told = told(&door, &standings, state.size, None);
    json(&serde_json::json!({
        "state": "recording",
        "signing_held": held,
        "last_anchored": told.last().map(|(holder, _, age_s)| serde_json::json!({ "holder": holder, "age_s": age_s })),
        "anchors_failing": standings.iter().filter(|(_, standing)| standing.failing.is_some()).count(),
        "pid": std::process::id(),
        "store": door.ledger.dir(),
        "ledger": door.ledger.id().to_string(),
        "key": door.ledger.key().to_string(),
        "commit": state.commit,
        "size": state.size,
        "waiting": door.ledger.waiting(),
        "disk": door.ledger.disk().name(),
        "producers": producers(&door),
        "tls": tls(&door),
    }))
}

/// How the handshakes before the agent doors went since the start; `null` where they speak no TLS.
fn tls(door: &ReaderDoor) -> serde_json::Value {
    let standings: Vec<_> = door.gates.iter().map(|gate| gate.standing()).collect();
    let Some(first) = standings.first() else {
        return serde_json::Value::Null;
    };
    let sum = |of: fn(&crate::tls::Standing) -> u64| standings.iter().map(of).sum::<u64>();
    serde_json::json!({
        "asks_clients": first.asks_clients,
        "failed_handshakes": sum(|standing| standing.failed),
        "refused_certificates": sum(|standing| standing.refused),
        "trouble": standings.iter().find_map(|standing| standing.trouble.clone()),
    })
}

/// Who may send, and what was turned away for its credential since the start.
fn producers(door: &ReaderDoor) -> serde_json::Value {
    let Some(producers) = door.agent.producers() else {
        return serde_json::Value::Null;
    };
    let (enrolled, revoked, trouble) = producers.counts();
    let counters = &door.agent.counters;
    serde_json::json!({
        "enrolled": enrolled,
        "revoked": revoked,
        "required": producers.required,
        "refused_exports": counters.refused_credentials.load(Ordering::Relaxed),
        "foreign_records": counters.foreign_records.load(Ordering::Relaxed),
        "trouble": trouble,
    })
}

fn told<'a>(
    door: &'a ReaderDoor,
    standings: &'a [(String, Standing)],
    size: u64,
    witnessed: Option<u64>,
) -> Told<'a> {
    Told {
        standings,
        size,
        quorum: door.anchors.quorum(),
        witnessed,
        held: door.ledger.signing_held(),
        now_ns: clock::now_ns(),
    }
}

/// Size of the newest checkpoint that a quorum of witnesses cosigned.
fn witnessed(folder: &Folder) -> Result<Option<u64>, ReadError> {
    let note = folder.witnessed()?;
    let note = note.as_deref().and_then(|note| Note::parse(note).ok());
    let checkpoint = note.and_then(|note| Checkpoint::parse(note.text).ok());
    Ok(checkpoint.map(|checkpoint| checkpoint.head.size))
}

pub(super) async fn anchors(State(door): Door) -> Response {
    match read(&door, |folder| {
        Ok((folder.state()?.size, witnessed(folder)?))
    })
    .await
    {
        Ok((size, witnessed)) => {
            json(&told(&door, &door.anchors.standings(), size, witnessed).json())
        }
        Err(response) => response,
    }
}

pub(super) async fn metrics(State(door): Door) -> Response {
    let state = match read(&door, |folder| folder.state()).await {
        Ok(state) => state,
        Err(response) => return response,
    };
    let counters = &door.agent.counters;
    let mut text = String::new();
    let mut line = |name: &str, kind: &str, help: &str, value: u64| {
        let _ = writeln!(
            text,
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
        );
    };
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
    line(
        "recount_exports_total",
        "counter",
        "Exports committed.",
        count(&counters.exports),
    );
    line(
        "recount_records_total",
        "counter",
        "Records sealed.",
        count(&counters.records),
    );
    line(
        "recount_duplicates_total",
        "counter",
        "Records sealed before.",
        count(&counters.duplicates),
    );
    line(
        "recount_received_bytes_total",
        "counter",
        "Bytes of committed exports.",
        count(&counters.bytes),
    );
    line(
        "recount_rejected_records_total",
        "counter",
        "Records never acceptable.",
        count(&counters.rejected_records),
    );
    line(
        "recount_refused_exports_total",
        "counter",
        "Exports refused for good.",
        count(&counters.refused_exports),
    );
    line(
        "recount_retryable_total",
        "counter",
        "Exports asked to come again.",
        count(&counters.retryable),
    );
    line(
        "recount_metrics_exports_total",
        "counter",
        "Exports of metrics, not kept.",
        count(&counters.metrics_exports),
    );
    line(
        "recount_refused_credentials_total",
        "counter",
        "Exports refused because nobody enrolled sent them.",
        count(&counters.refused_credentials),
    );
    line(
        "recount_foreign_records_total",
        "counter",
        "Records refused because their session is another producer's.",
        count(&counters.foreign_records),
    );
    let standings: Vec<_> = door.gates.iter().map(|gate| gate.standing()).collect();
    line(
        "recount_failed_handshakes_total",
        "counter",
        "TLS handshakes of the agent doors that failed.",
        standings.iter().map(|standing| standing.failed).sum(),
    );
    line(
        "recount_refused_certificates_total",
        "counter",
        "TLS handshakes that failed because a client's certificate does not count.",
        standings.iter().map(|standing| standing.refused).sum(),
    );
    line(
        "recount_tls_trouble",
        "gauge",
        "1 when certificate files changed and cannot be used.",
        u64::from(standings.iter().any(|standing| standing.trouble.is_some())),
    );
    let enrolled = door.agent.producers().map_or(0, |all| all.counts().0);
    line(
        "recount_enrolled_producers",
        "gauge",
        "Producers whose credentials are in force.",
        enrolled as u64,
    );
    line(
        "recount_waiting_records",
        "gauge",
        "Records before the writer.",
        door.ledger.waiting() as u64,
    );
    line(
        "recount_ledger_commit",
        "gauge",
        "Number of the last commit.",
        state.commit,
    );
    line(
        "recount_ledger_size",
        "gauge",
        "Leaves in the ledger log.",
        state.size,
    );
    let space = space_of(door.ledger.dir());
    line(
        "recount_disk_stage",
        "gauge",
        "0 room, 1 make room, 2 no new session, 3 nothing is taken.",
        door.ledger.disk() as u64,
    );
    line(
        "recount_disk_free_bytes",
        "gauge",
        "Room on the store's disk.",
        space.map_or(0, |space| space.free),
    );
    line(
        "recount_halted",
        "gauge",
        "1 when the ledger stopped for good.",
        u64::from(door.ledger.fatal().is_some()),
    );
    let witnessed = read(&door, witnessed).await.unwrap_or_default();
    let standings = door.anchors.standings();
    told(&door, &standings, state.size, witnessed).metrics(&mut text);
    bytes(text.into_bytes(), "text/plain; version=0.0.4")
}
