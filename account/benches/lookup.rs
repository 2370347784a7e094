//! What one request's verified account costs by the size of the ledger around it: 200 records of 10,000 or 1,000,000.
//!
//! `cargo bench -p account --bench lookup [-- RECORDS...]`. Each answer opens the folder anew, finds the request by
//! name, verifies every record of its session against the signed checkpoint and builds the account.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark may panic"
)]

#[path = "../tests/it/support.rs"]
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
mod support;

use std::time::{Duration, Instant};

use account::{Options, build};
use ledger::envelope::Encoding;
use ledger::verify::Trusted;
use serde_json::{Value, json};
use support::{START_NS, Sender, World, attributes};

/// Records of one session.
const PER_SESSION: u64 = 200;

/// Answers timed per size.
const ANSWERS: u64 = 200;

/// What stands for a session's number in the records that all sessions share.
const NUMBER: &str = "76543210";

fn main() {
    let sizes: Vec<u64> = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .collect();
    let sizes = if sizes.is_empty() {
        vec![10_000, 1_000_000]
    } else {
        sizes
    };
    for records in sizes {
        let mut world = filled(records / PER_SESSION);
        let mut times = answers(&mut world, records / PER_SESSION);
        times.sort_unstable();
        println!(
            "{records:>9} records: account of {PER_SESSION} records p50 {:.1?} p99 {:.1?}",
            times[times.len() / 2],
            times[times.len() * 99 / 100],
        );
    }
}

/// A ledger of so many finished sessions, one commit each.
fn filled(sessions: u64) -> World {
    let world = World::new();
    let items = items();
    let about = json!({ "service.name": "renewal-agent", "host.name": "host-a" });
    let resource = json!({ "attributes": attributes(&about) }).to_string();
    for n in 0..sessions {
        let number = format!("{n:08}");
        let sender = Sender::sdk(&format!("s-{number}"), &format!("r-{number}"));
        let items: Vec<Vec<u8>> = items
            .iter()
            .map(|item| item.replace(NUMBER, &number).into_bytes())
            .collect();
        world.append(&sender, Encoding::Json, resource.as_bytes(), &items, true);
    }
    world
}

/// A session of [`PER_SESSION`] records: its start, actions of two records each, its end.
fn items() -> Vec<String> {
    let mut items = vec![item(
        "agent.session.start",
        json!({ "recount.principal.kind": "person" }),
        0,
    )];
    for i in 0..(PER_SESSION - 2) / 2 {
        let begin = json!({
            "recount.action.id": format!("a-{i}"), "recount.action.kind": "http", "recount.action.access": "read",
            "recount.action.name": "http GET", "recount.action.operation": "GET", "recount.attempt": 1,
            "recount.target": format!("http:crm.example.test/accounts/{i}"), "recount.durability": "spool",
            "recount.input": { "state": "not_captured", "why": "not asked for" },
        });
        let end = json!({
            "recount.action.id": format!("a-{i}"), "recount.outcome": "success", "recount.effect": "none",
            "recount.output": { "state": "not_captured", "why": "not asked for" },
        });
        items.push(item("agent.tool.invoke", begin, 2 * i + 1));
        items.push(item("agent.tool.result", end, 2 * i + 2));
    }
    let end = json!({ "recount.session.end_reason": "completed" });
    items.push(item("agent.session.end", end, PER_SESSION - 1));
    items
}

fn item(event: &str, mut of: Value, seq: u64) -> String {
    of["session.id"] = json!(format!("s-{NUMBER}"));
    of["recount.request.id"] = json!(format!("r-{NUMBER}"));
    of["recount.seq"] = json!(seq);
    json!({
        "timeUnixNano": (START_NS + seq * 1_000_000).to_string(),
        "eventName": event,
        "attributes": attributes(&of),
    })
    .to_string()
}

fn answers(world: &mut World, sessions: u64) -> Vec<Duration> {
    // Signed and closed before the clock starts.
    drop(world.read());
    (0..ANSWERS)
        .map(|i| {
            // Spread over the whole ledger, none near the one before.
            let n = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) % sessions;
            let start = Instant::now();
            let folder = world.read();
            let query = format!("r-{n:08}");
            let account = build(&folder, &Trusted::FirstSeen, &query, &Options::default()).unwrap();
            let took = start.elapsed();
            assert_eq!(account.integrity.checked.records, PER_SESSION, "{query}");
            took
        })
        .collect()
}
