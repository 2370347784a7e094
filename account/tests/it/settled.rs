//! What came of actions: ends before begins, denials tried again, reconciliations, diffs that do not fit.

use serde_json::json;
use vocabulary::action::Outcome;
use vocabulary::problem::ProblemKind;
use vocabulary::verdict::Verdict;

use crate::support::{Sender, World};

#[test]
fn a_late_begin_of_what_did_not_run_does_not_dangle() {
    let mut world = World::new();
    let mut sender = Sender::sdk("s-late-0001", "r-2");
    sender.end(&world, "a-1", "not_executed", "none", json!({}));
    sender.begin(
        &world,
        "a-1",
        ["http", "write", "POST", "http:x.example/1"],
        json!({}),
    );
    world.seal(&mut sender, false);
    let account = world.account("r-2");
    assert_eq!(account.actions[0].outcome, Outcome::NotExecuted);
    assert!(account.problems.is_empty(), "{:?}", account.problems);
}

#[test]
fn a_denied_action_that_is_tried_again_is_worse_than_a_denied_one() {
    let mut world = World::new();
    let mut sender = Sender::sdk("s-again-0001", "r-3");
    sender.begin(
        &world,
        "a-1",
        ["http", "send", "POST", "http:mail.example/send"],
        json!({}),
    );
    sender.end(&world, "a-1", "denied", "none", json!({}));
    sender.begin(
        &world,
        "a-2",
        ["http", "send", "POST", "http:mail.example/send"],
        json!({}),
    );
    sender.end(&world, "a-2", "success", "committed", json!({}));
    world.seal(&mut sender, false);
    let account = world.account("r-3");
    assert_eq!(account.problems[0].kind, ProblemKind::DeniedThenRetried);
}

#[test]
fn an_agent_that_allows_what_it_denied_lifts_nothing_and_somebody_who_approves_does() {
    for (request, approved) in [("r-31", false), ("r-32", true)] {
        let mut world = World::new();
        let mut sender = Sender::sdk(&format!("s-lift-{request}"), request);
        let verdict = |said: &str, rule: &str| json!({ "recount.action.id": "a-1", "recount.verdict": said, "recount.rule": rule });
        sender.tell(&world, "agent.verdict", verdict("deny", "R-7"));
        if approved {
            let approval = json!({ "recount.action.id": "a-1", "recount.approval": "approved", "recount.approved_by": "user@example.test" });
            sender.tell(&world, "agent.approval", approval);
        }
        sender.tell(&world, "agent.verdict", verdict("allow", "R-0"));
        sender.begin(
            &world,
            "a-1",
            ["http", "send", "POST", "http:mail.example/send"],
            json!({}),
        );
        sender.end(&world, "a-1", "success", "committed", json!({}));
        world.seal(&mut sender, false);
        let account = world.account(request);
        let action = &account.actions[0];
        assert_eq!(action.verdict, Some(Verdict::Deny));
        assert_eq!(action.rule.as_deref(), Some("R-7"));
        let wanted = match approved {
            true => ProblemKind::ApprovedException,
            false => ProblemKind::DeniedThenRetried,
        };
        let told: Vec<_> = account.problems.iter().map(|row| row.kind).collect();
        assert!(told.contains(&wanted), "{told:?}");
    }
}

#[test]
fn a_reconciliation_settles_what_was_dangling() {
    let mut world = World::new();
    let mut sender = Sender::sdk("s-settle-001", "r-4");
    sender.begin(
        &world,
        "a-1",
        ["http", "write", "POST", "http:x.example/1"],
        json!({}),
    );
    sender.tell(&world, "agent.tool.reconcile", json!({
        "recount.action.id": "a-1", "recount.outcome": "success", "recount.effect": "committed", "recount.reason": "looked",
    }));
    world.seal(&mut sender, false);
    let account = world.account("r-4");
    assert_eq!(account.actions[0].outcome, Outcome::Success);
    assert_eq!(account.actions[0].ended_at, None);
    assert!(
        account
            .problems
            .iter()
            .all(|row| row.kind != ProblemKind::DanglingAction)
    );
}

#[test]
fn a_reconciliation_takes_nothing_back_that_it_does_not_speak_of() {
    let mut world = World::new();
    let mut sender = Sender::sdk("s-settle-0002", "r-41");
    let what = ["http", "write", "POST", "http:x.example/1"];
    sender.begin(&world, "a-1", what, json!({}));
    sender.end(&world, "a-1", "timeout", "unknown", json!({}));
    let looked = json!({ "recount.action.id": "a-1", "recount.effect": "committed" });
    sender.tell(&world, "agent.tool.reconcile", looked);
    world.seal(&mut sender, false);
    let account = world.account("r-41");
    let row = &account.actions[0];
    assert_eq!(row.outcome, Outcome::Timeout);
    assert_eq!(row.effect, vocabulary::action::Effect::Committed);
}

#[test]
fn diffs_that_do_not_fit_together_are_a_problem() {
    let mut world = World::new();
    let mut sender = Sender::sdk("s-gap-00001", "r-5");
    for (n, before, after) in [("1", "a", "b"), ("2", "c", "d")] {
        let action = format!("a-{n}");
        sender.begin(
            &world,
            &action,
            ["file", "write", "edit", "file:x"],
            json!({}),
        );
        let side = |text: &str| crate::support::content(text, "text/plain");
        sender.diff(
            &world,
            &format!("x-{n}"),
            &action,
            "file:x",
            [side(before), side(after)],
            json!({}),
        );
        sender.end(
            &world,
            &action,
            "success",
            "committed",
            json!({ "recount.diffs": 1 }),
        );
    }
    world.seal(&mut sender, false);
    let account = world.account("r-5");
    assert_eq!(account.problems[0].kind, ProblemKind::WriteConflict);
    assert_eq!(account::replay::check(account.diffs.iter()).len(), 1);
}
