//! What an account costs: lookup, verification, fold and rendering of one session, by its number of records.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark may panic"
)]

#[path = "../tests/it/support.rs"]
#[expect(dead_code, reason = "shared with the tests, which use all of it")]
mod support;

use account::{Options, build, render};
use ledger::store::Folder;
use ledger::verify::Trusted;
use serde_json::json;
use support::{Sender, World, content};

fn main() {
    divan::main();
}

/// Actions of one session; three records each.
const ACTIONS: [u64; 3] = [66, 3_333, 33_333];

/// A sealed session in which every action changes a resource and some fail.
fn world(actions: u64) -> (World, Folder) {
    let mut world = World::new();
    let mut sender = Sender::sdk("s-large-001", "47892");
    sender.tell(
        &world,
        "agent.session.start",
        json!({ "recount.principal.kind": "person" }),
    );
    let entries = ["write http:crm.example.test/accounts/*", "read file:x/**"];
    let scope = json!({ "recount.scope.version": 1, "recount.scope.entries": entries });
    sender.tell(&world, "agent.scope", scope);
    for i in 0..actions {
        let (id, account) = (format!("a-{i}"), i % 1_000);
        let resource = format!("http:crm.example.test/accounts/{account}");
        sender.begin(
            &world,
            &id,
            ["http", "write", "PATCH", &resource],
            json!({}),
        );
        let side = |n: u64| content(&format!(r#"{{"v":{n},"name":"abc"}}"#), "application/json");
        let sides = [side(i / 1_000), side(i / 1_000 + 1)];
        sender.diff(&world, &format!("x-{i}"), &id, &resource, sides, json!({}));
        let outcome = if i % 17 == 0 { "failure" } else { "success" };
        sender.end(
            &world,
            &id,
            outcome,
            "committed",
            json!({ "recount.diffs": 1 }),
        );
        if i % 1_000 == 999 {
            world.seal(&mut sender, false);
        }
    }
    let end = json!({ "recount.session.end_reason": "completed" });
    sender.tell(&world, "agent.session.end", end);
    world.seal(&mut sender, true);
    let folder = world.read();
    (world, folder)
}

#[divan::bench(args = ACTIONS, sample_count = 20, sample_size = 1)]
fn account_of_a_request(bencher: divan::Bencher<'_, '_>, actions: u64) {
    let (_world, folder) = world(actions);
    bencher.bench(|| build(&folder, &Trusted::FirstSeen, "47892", &Options::default()).unwrap());
}

#[divan::bench(args = ACTIONS, sample_count = 20, sample_size = 1)]
fn text_of_an_account(bencher: divan::Bencher<'_, '_>, actions: u64) {
    let (_world, folder) = world(actions);
    let account = build(&folder, &Trusted::FirstSeen, "47892", &Options::default()).unwrap();
    bencher.bench(|| render::text(&account, false));
}
