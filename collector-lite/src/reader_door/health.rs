//! Whether the collector records, and its numbers in the text format of Prometheus.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use ::http::StatusCode;
use axum::extract::State;
use axum::response::Response;
use ledger::reader::Reader;
use ledger::store::space_of;

use super::Door;
use super::answer::{bytes, json, read};

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
    json(&serde_json::json!({
        "state": "recording",
        "pid": std::process::id(),
        "store": door.ledger.dir(),
        "ledger": door.ledger.id().to_string(),
        "key": door.ledger.key().to_string(),
        "commit": state.commit,
        "size": state.size,
        "waiting": door.ledger.waiting(),
        "disk": door.ledger.disk().name(),
    }))
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
    bytes(text.into_bytes(), "text/plain; version=0.0.4")
}
