//! What is missing: holes in a numbering, declared losses, and what they mean for the scope.

use serde_json::{Value, json};
use vocabulary::problem::ProblemKind;

use crate::support::{Sender, World};

/// A session of which the third record never reached the ledger.
fn with_a_hole(world: &World) -> Sender {
    let mut sender = Sender::sdk("s-hole-0001", "r-6");
    sender.tell(
        world,
        "agent.session.start",
        json!({ "recount.principal.kind": "person" }),
    );
    sender.begin(
        world,
        "a-1",
        ["http", "read", "GET", "http:x.example/1"],
        json!({}),
    );
    sender.skip();
    sender.tell(
        world,
        "agent.session.end",
        json!({ "recount.session.end_reason": "completed" }),
    );
    sender
}

#[test]
fn a_hole_in_a_producers_numbers_is_a_gap_unless_another_session_fills_it() {
    use vocabulary::record::IntegrityStatus;
    let mut world = World::new();
    world.seal(&mut with_a_hole(&world), true);
    let account = world.account("r-6");
    assert_eq!(account.integrity.status, IntegrityStatus::Incomplete);
    assert_eq!(
        (account.integrity.gaps[0].from, account.integrity.gaps[0].to),
        (2, Some(2))
    );

    let mut world = World::new();
    world.seal(&mut with_a_hole(&world), true);
    let mut other = Sender::sdk("s-other-0001", "r-7");
    other.resource["recount.run"] = json!("r-s-hole-0001");
    other.skip().skip();
    other.tell(&world, "agent.heartbeat", json!({}));
    world.seal(&mut other, false);
    let account = world.account("r-6");
    assert_eq!(account.integrity.status, IntegrityStatus::Intact);
}

#[test]
fn a_declared_loss_makes_the_record_incomplete() {
    use vocabulary::record::IntegrityStatus;
    let mut world = World::new();
    let mut sender = Sender::sdk("s-loss-0001", "r-8");
    sender.tell(
        &world,
        "agent.session.start",
        json!({ "recount.principal.kind": "person" }),
    );
    sender.skip();
    sender.tell(&world, "agent.loss", json!({ "recount.loss.count": 1, "recount.loss.from_seq": 1, "recount.loss.cause": "spool_full" }));
    sender.tell(
        &world,
        "agent.session.end",
        json!({ "recount.session.end_reason": "completed", "recount.loss.count": 1 }),
    );
    world.seal(&mut sender, true);
    let account = world.account("r-8");
    assert_eq!(account.integrity.status, IntegrityStatus::Incomplete);
    assert_eq!(account.integrity.losses.len(), 1);
    assert_eq!(account.problems[0].kind, ProblemKind::LossDeclared);
}

#[test]
fn within_a_scope_only_when_nothing_could_hide() {
    use vocabulary::verdict::ScopeVerdict;
    let verdict = |process: bool, widen: bool| {
        let mut world = World::new();
        let mut sender = Sender::sdk("s-scope-001", "r-9");
        let scope = |version: u64, entries: Value| json!({ "recount.scope.version": version, "recount.scope.declared_by": "x", "recount.scope.entries": entries });
        let narrow = json!(["read http:x.example/**", "execute process:spell"]);
        sender.tell(&world, "agent.scope", scope(1, narrow));
        sender.begin(
            &world,
            "a-1",
            ["http", "read", "GET", "http:x.example/1"],
            json!({}),
        );
        sender.end(&world, "a-1", "success", "none", json!({}));
        if process {
            sender.begin(
                &world,
                "a-2",
                ["process", "execute", "run", "process:spell"],
                json!({}),
            );
            sender.end(&world, "a-2", "success", "none", json!({}));
        }
        if widen {
            sender.tell(
                &world,
                "agent.scope",
                scope(
                    2,
                    json!(["read http:x.example/**", "write http:x.example/**"]),
                ),
            );
        }
        world.seal(&mut sender, false);
        let account = world.account("r-9");
        (
            account.scope[0].verdict,
            account
                .problems
                .iter()
                .map(|row| row.kind)
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(verdict(false, false), (ScopeVerdict::Within, vec![]));
    assert_eq!(verdict(true, false).0, ScopeVerdict::Unknown);
    assert_eq!(
        verdict(false, true),
        (ScopeVerdict::Within, vec![ProblemKind::ScopeWidened])
    );
}
