//! One request with a child session and one of each thing that can go wrong.

use account::model::Account;
use ledger::envelope::PrincipalProof;
use serde_json::json;

use crate::support::{Sender, World, content};

const CRM: &str = "http:crm.example.test/accounts";

/// Seals the story of request 47892 and reads it back.
pub(crate) fn told() -> Account {
    let mut world = World::new();
    let mut main = Sender::sdk("s-main-0001", "47892");
    main.principal = PrincipalProof::VerifiedByAgent;
    main.tell(&world, "agent.session.start", json!({
        "recount.trigger.kind": "chat", "recount.trigger.origin": "#renewals",
        "recount.principal.kind": "person", "recount.principal.issuer": "https://idp.example.test",
        "recount.principal.subject": "u-104", "recount.principal.display": "user@example.test",
        "recount.request.aliases": ["REN-7"],
    }));
    main.tell(
        &world,
        "agent.intent",
        json!({
            "recount.intent": content("draft a renewal email \u{1b}[31m", "text/plain"),
        }),
    );
    main.tell(&world, "agent.scope", json!({
        "recount.scope.version": 1, "recount.scope.declared_by": "renewal-agent",
        "recount.scope.entries": [
            "read http:crm.example.test/**", "write http:crm.example.test/accounts/*", "read db:contracts/**",
            "write db:contracts/**", "write file:pending-review/**", "send llm:local/**", "send agent:helper",
        ],
    }));
    main.tell(&world, "agent.authorization", json!({
        "recount.authorization.id": "az-1", "recount.authorization.policy": "crm-agents",
        "recount.authorization.version": "v7", "recount.authorization.granted_by": "ops@example.test",
        "recount.authorization.permissions": ["read", "stage:write"],
    }));
    reads(&world, &mut main);
    world.seal(&mut main, false);
    writes(&world, &mut main);
    refusals(&world, &mut main);
    main.tell(
        &world,
        "agent.delegate",
        json!({
            "recount.delegate.agent": "helper", "recount.delegate.session": "s-child-0001",
        }),
    );
    main.tell(&world, "agent.session.end", json!({
        "recount.session.end_reason": "partial", "recount.session.summary": "one account was not updated",
    }));
    world.seal(&mut main, true);
    let mut child = Sender::sdk("s-child-0001", "47892");
    child.tell(
        &world,
        "agent.session.start",
        json!({
            "recount.session.parent": "s-main-0001", "recount.trigger.kind": "delegation",
            "recount.principal.kind": "agent", "recount.principal.subject": "renewal-agent",
        }),
    );
    child.begin(
        &world,
        "a-child",
        ["http", "write", "PATCH", &format!("{CRM}/9")],
        json!({}),
    );
    child.tell(
        &world,
        "agent.session.abandoned",
        json!({ "recount.session.note": "its process was killed" }),
    );
    world.seal(&mut child, true);
    world.account("47892")
}

fn reads(world: &World, main: &mut Sender) {
    main.begin(world, "a-list", ["http", "read", "GET", CRM], json!({}));
    main.end(
        world,
        "a-list",
        "success",
        "none",
        json!({ "recount.result": "200 OK" }),
    );
    // The ticket service fails once.
    main.begin(
        world,
        "a-tick1",
        ["http", "read", "GET", &format!("{CRM}/1/tickets")],
        json!({}),
    );
    main.end(
        world,
        "a-tick1",
        "failure",
        "none",
        json!({
            "recount.result": "503", "error.type": "503", "http.response.status_code": 503,
        }),
    );
    main.begin(
        world,
        "a-tick2",
        ["http", "read", "GET", &format!("{CRM}/1/tickets")],
        json!({ "recount.retry_of": "a-tick1", "recount.attempt": 2 }),
    );
    main.end(
        world,
        "a-tick2",
        "success",
        "none",
        json!({ "recount.result": "200 OK" }),
    );
    main.tell(world, "agent.decision.log", json!({
        "recount.decision.id": "d-1", "recount.decision.point": "rank", "recount.decision.made_by": "code",
        "recount.decision.question": "who gets a draft?", "recount.decision.chosen": ["Acme"],
        "recount.decision.considered": ["Acme", "Orbit"],
        "recount.candidates": { "count": 2, "digest": "sha256:00" },
        "recount.discarded": [{ "option": "Orbit", "reason": "open sev-1 ticket" }],
        "recount.decision.rationale": "highest contract value",
    }));
    // The model limits the rate once.
    let model = json!({ "recount.decision.id": "d-1", "gen_ai.request.model": "small-1" });
    main.begin(
        world,
        "a-llm1",
        ["llm", "send", "chat", "llm:local/small-1"],
        model.clone(),
    );
    main.end(
        world,
        "a-llm1",
        "failure",
        "none",
        json!({ "error.type": "429", "recount.result": "429" }),
    );
    let mut again = model;
    again["recount.retry_of"] = json!("a-llm1");
    main.begin(
        world,
        "a-llm2",
        ["llm", "send", "chat", "llm:local/small-1"],
        again,
    );
    main.end(
        world,
        "a-llm2",
        "success",
        "none",
        json!({
            "gen_ai.usage.input_tokens": 812, "gen_ai.usage.output_tokens": 240,
            "recount.output": { "state": "present", "inline": "Dear …", "redactions": [
                { "path": "/x", "rule": "openai_key", "len": 35 }] },
        }),
    );
}

fn writes(world: &World, main: &mut Sender) {
    let by = json!({ "recount.decision.id": "d-1" });
    main.begin(
        world,
        "a-file",
        ["file", "write", "create", "file:pending-review/acme.md"],
        by.clone(),
    );
    main.diff(
        world,
        "x-file",
        "a-file",
        "file:pending-review/acme.md",
        [
            json!({ "state": "absent" }),
            content("Dear Acme\n", "text/markdown"),
        ],
        json!({ "recount.read_before": "unlocked", "recount.read_after": "later_read" }),
    );
    main.end(
        world,
        "a-file",
        "success",
        "committed",
        json!({ "recount.diffs": 1 }),
    );
    // One transaction is rolled back, the next one stands.
    for (n, outcome) in [("1", "rolled_back"), ("2", "committed")] {
        let (action, transaction) = (format!("a-row{n}"), format!("t-{n}"));
        let row = |status: &str| {
            content(
                &format!(
                    r#"{{"row":"recount.row/1","table":"main.contracts","key":["id"],"cells":{{"id":{{"int":"17"}},"renewal_status":{{"text":"{status}"}}}}}}"#
                ),
                "application/vnd.recount.row+json",
            )
        };
        main.begin(
            world,
            &action,
            ["db", "write", "UPDATE", "db:contracts/main.contracts"],
            json!({ "recount.transaction.id": transaction }),
        );
        main.diff(
            world,
            &format!("x-row{n}"),
            &action,
            "db:contracts/main.contracts/17",
            [row("open"), row("drafted")],
            json!({ "recount.transaction.id": transaction, "recount.effect": "pending",
                "recount.read_before": "in_transaction", "recount.read_after": "in_transaction" }),
        );
        main.end(
            world,
            &action,
            "success",
            "pending",
            json!({ "recount.diffs": 1, "recount.result": "1 row" }),
        );
        main.tell(
            world,
            "agent.transaction",
            json!({
            "recount.transaction.id": transaction, "recount.transaction.outcome": outcome }),
        );
    }
    // Inside the scope, then a field beside it.
    main.begin(
        world,
        "a-stage",
        ["http", "write", "PATCH", &format!("{CRM}/1")],
        by.clone(),
    );
    main.diff(
        world,
        "x-stage",
        "a-stage",
        &format!("{CRM}/1"),
        [
            content(r#"{"stage":"open"}"#, "application/json"),
            content(r#"{"stage":"renewal"}"#, "application/json"),
        ],
        json!({}),
    );
    main.end(
        world,
        "a-stage",
        "success",
        "committed",
        json!({ "recount.diffs": 1 }),
    );
    main.begin(
        world,
        "a-disc",
        ["http", "write", "PATCH", &format!("{CRM}/1/discount")],
        by,
    );
    main.diff(
        world,
        "x-disc",
        "a-disc",
        &format!("{CRM}/1/discount"),
        [
            content("0", "application/json"),
            content("10", "application/json"),
        ],
        json!({}),
    );
    main.end(
        world,
        "a-disc",
        "success",
        "committed",
        json!({ "recount.diffs": 1 }),
    );
}

fn refusals(world: &World, main: &mut Sender) {
    // Somebody else edits the account in between.
    main.begin(
        world,
        "a-412",
        ["http", "write", "PATCH", &format!("{CRM}/2")],
        json!({}),
    );
    main.end(
        world,
        "a-412",
        "failure",
        "none",
        json!({ "error.type": "412", "recount.result": "412 Precondition Failed" }),
    );
    main.begin(
        world,
        "a-413",
        ["http", "write", "PATCH", &format!("{CRM}/2")],
        json!({ "recount.retry_of": "a-412" }),
    );
    main.end(world, "a-413", "success", "committed", json!({}));
    // The permission is reduced midway.
    main.tell(world, "agent.authorization", json!({
        "recount.authorization.id": "az-2", "recount.authorization.policy": "crm-agents",
        "recount.authorization.version": "v7", "recount.authorization.granted_by": "ops@example.test",
        "recount.authorization.permissions": ["read"],
    }));
    main.begin(
        world,
        "a-403",
        ["http", "write", "PATCH", &format!("{CRM}/3")],
        json!({}),
    );
    main.end(
        world,
        "a-403",
        "failure",
        "none",
        json!({ "error.type": "403", "recount.result": "403 Forbidden" }),
    );
    main.begin(
        world,
        "a-mail",
        ["http", "send", "POST", "http:mail.example.test/send"],
        json!({}),
    );
    main.tell(world, "agent.verdict", json!({
        "recount.action.id": "a-mail", "recount.verdict": "deny", "recount.rule": "R-7 drafts-only",
        "recount.policy.version": "3",
    }));
    main.end(world, "a-mail", "denied", "none", json!({}));
    // The recorder looks by itself: no action of the agent.
    main.begin(
        world,
        "a-own",
        ["http", "read", "GET", "http:elsewhere.example.test/x"],
        json!({ "recount.recorder_own": true }),
    );
    main.end(
        world,
        "a-own",
        "success",
        "none",
        json!({ "recount.recorder_own": true }),
    );
}
