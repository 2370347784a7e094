//! Plain OpenTelemetry, lines from outside, and other producers' claims.

use ledger::envelope::SessionRule;
use ledger::otlp::Signal;
use serde_json::{Value, json};
use vocabulary::action::{Access, Kind, Outcome};
use vocabulary::problem::ProblemKind;
use vocabulary::session::{OutcomeStatus, SessionSource};

use crate::support::{Sender, World, attributes};
use account::model::Standing;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn span(id: u64, parent: Option<u64>, name: &str, of: Value) -> Value {
    let start = crate::support::START_NS + id * 1_000_000;
    let mut span = json!({
        "traceId": TRACE, "spanId": format!("{id:016x}"), "name": name, "kind": 3,
        "startTimeUnixNano": start.to_string(), "endTimeUnixNano": (start + 500_000).to_string(),
        "attributes": attributes(&of),
    });
    if let Some(parent) = parent {
        span["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    span
}

fn spans() -> Sender {
    let mut sender = Sender::sdk(&format!("trace:{TRACE}"), "req-otel");
    sender.rule = SessionRule::Trace;
    sender.signal = Signal::Traces;
    sender.resource = json!({ "service.name": "py-agent", "user.id": "u-7" });
    sender.raw(span(
        1,
        None,
        "invoke_agent py",
        json!({ "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "py" }),
    ));
    sender.raw(span(2, Some(1), "chat m", json!({
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 11,
    })));
    sender.raw(span(3, Some(1), "execute_tool search", json!({
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search", "gen_ai.tool.call.id": "c1",
        "gen_ai.tool.call.arguments": "{\"q\":1}",
    })));
    sender.raw(span(
        4,
        Some(3),
        "GET",
        json!({
            "http.request.method": "GET", "url.full": "https://u:p@API.example.test/x?token=1#f",
            "http.response.status_code": 404,
        }),
    ));
    sender.raw(span(5, Some(3), "INSERT t", json!({
        "db.system.name": "sqlite", "db.namespace": "app", "db.collection.name": "t", "db.operation.name": "INSERT",
    })));
    sender
}

/// The account of a few spans.
pub(crate) fn otel() -> account::model::Account {
    let mut world = World::new();
    world.seal(&mut spans(), false);
    world.account("req-otel")
}

/// The account of one line.
pub(crate) fn lines() -> account::model::Account {
    let mut world = World::new();
    let mut sender = Sender::sdk("lines-0001", "backup-1");
    let line = crate::support::content("backup done", "text/plain");
    sender.tell(&world, "agent.log.line", json!({ "recount.content": line }));
    world.seal(&mut sender, false);
    world.account("backup-1")
}

#[test]
fn spans_become_actions_and_what_they_lack_is_listed() {
    let account = otel();
    let seen: Vec<(&Kind, Option<Access>, Outcome, Option<&str>)> = account
        .actions
        .iter()
        .map(|row| {
            (
                &row.kind,
                row.access,
                row.outcome,
                row.target.resource.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            (
                &Kind::Agent,
                Some(Access::Send),
                Outcome::Success,
                Some("agent:py")
            ),
            (
                &Kind::Llm,
                Some(Access::Send),
                Outcome::Success,
                Some("llm:openai/m")
            ),
            (
                &Kind::Tool,
                Some(Access::Execute),
                Outcome::Success,
                Some("tool:search")
            ),
            (
                &Kind::Http,
                Some(Access::Read),
                Outcome::Failure,
                Some("http:api.example.test/x")
            ),
            (
                &Kind::Db,
                Some(Access::Write),
                Outcome::Success,
                Some("db:app/t")
            ),
        ]
    );
    assert_eq!(
        account.actions[3].parent.as_deref(),
        Some("span:0000000000000003")
    );
    assert_eq!(account.sessions[0].session_source, SessionSource::Derived);
    assert_eq!(account.asked[0].principal.subject.as_deref(), Some("u-7"));
    assert_eq!(account.outcome.status, OutcomeStatus::Unknown);
    for fact in [
        "/actions/4/effect",
        "/actions/4/authorization",
        "/actions/4/decision",
        "/scope",
        "/outcome/status",
    ] {
        assert!(account.unknown.iter().any(|row| row.fact == fact), "{fact}");
    }
}

#[test]
fn a_span_that_arrives_twice_is_one_action() {
    let mut world = World::new();
    let mut sender = spans();
    world.seal(&mut sender, false);
    sender.raw(span(
        2,
        Some(1),
        "chat m",
        json!({ "gen_ai.operation.name": "chat" }),
    ));
    world.seal(&mut sender, false);
    let account = world.account("req-otel");
    assert_eq!(account.actions.len(), 5);
    assert_eq!(account.actions[1].evidence.refs.len(), 2);
    assert_eq!(account.actions[1].received, 2);
}

#[test]
fn a_line_from_outside_is_said_and_not_attempted() {
    let account = lines();
    assert_eq!(account.actions[0].result.as_deref(), Some("backup done"));
    assert_eq!(account.outcome.counts.actions, 0);
    assert_eq!(account.outcome.summary, "1 line");
    assert!(account.problems.is_empty(), "{:?}", account.problems);
}

#[test]
fn another_producer_that_names_a_session_only_claims() {
    let mut world = World::new();
    let mut own = Sender::sdk("s-claimed-1", "r-1");
    own.tell(
        &world,
        "agent.session.start",
        json!({ "recount.principal.kind": "person", "recount.principal.subject": "u-1" }),
    );
    own.begin(
        &world,
        "a-1",
        ["http", "write", "POST", "http:x.example/1"],
        json!({}),
    );
    own.end(&world, "a-1", "success", "committed", json!({}));
    world.seal(&mut own, false);
    let mut other = Sender::sdk("s-claimed-1", "r-1");
    other.producer = "unauthenticated:grpc".to_owned();
    other.tell(
        &world,
        "agent.tool.result",
        json!({ "recount.action.id": "a-1", "recount.outcome": "failure" }),
    );
    other.tell(
        &world,
        "agent.session.end",
        json!({ "recount.session.end_reason": "completed" }),
    );
    world.seal(&mut other, false);
    let account = world.account("r-1");
    assert_eq!(account.sessions.len(), 1);
    let standings: Vec<Standing> = account.sessions[0]
        .streams
        .iter()
        .map(|row| row.standing)
        .collect();
    assert_eq!(standings, [Standing::Own, Standing::Claims]);
    let own: Vec<Outcome> = account.actions.iter().map(|row| row.outcome).collect();
    assert_eq!(own, [Outcome::Success, Outcome::Failure]);
    assert_eq!(
        account.actions[1].evidence.source,
        vocabulary::Source::Stated
    );
    assert_eq!(account.outcome.status, OutcomeStatus::Running);
    assert_eq!(account.problems[0].kind, ProblemKind::IdentityClaimed);
}

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

/// One protobuf field with a length.
fn field(number: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = body.len();
    while length > 0x7f {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(body);
    out
}

fn attribute(key: &str, value: &[u8]) -> Vec<u8> {
    [field(1, key.as_bytes()), field(2, value)].concat()
}

/// A record of a run as the SDK encodes it, its chain last.
fn chained(event: &str, number: u8, before: &mut [u8; 32]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let mut item = field(12, event.as_bytes());
    item.extend(field(6, &attribute("recount.seq", &[3 << 3, number])));
    item.extend(field(6, &attribute("recount.chain", &field(7, &[0; 32]))));
    let mut tag = [0; 32];
    tag[..19].copy_from_slice(b"recount/producer/v1");
    let mut hasher = Sha256::new();
    hasher.update(tag);
    hasher.update(*before);
    hasher.update(u64::from(number).to_be_bytes());
    hasher.update(Sha256::digest(&item));
    *before = hasher.finalize().into();
    let length = item.len();
    item[length - 32..].copy_from_slice(before);
    item
}

#[test]
fn an_adopted_spool_goes_on_with_its_session_and_a_copy_of_its_ids_does_not() {
    let standing = |forged: bool| {
        use ledger::envelope::Encoding;
        let mut world = World::new();
        let mut sender = Sender::sdk("s-adopt-0001", "r-adopt");
        let resource = field(1, &attribute("recount.run", &field(1, b"run-1")));
        let mut chain = [0; 32];
        let first = chained("agent.session.start", 0, &mut chain);
        world.append(&sender, Encoding::Protobuf, &resource, &[first], false);
        if forged {
            chain = [9; 32];
        }
        let last = chained("agent.session.end", 1, &mut chain);
        sender.producer = "unauthenticated:adopt".to_owned();
        world.append(&sender, Encoding::Protobuf, &resource, &[last], true);
        let account = world.account("r-adopt");
        (
            account.sessions[0].streams[1].standing,
            account.sessions[0].ended_at.is_some(),
        )
    };
    assert_eq!(standing(false), (Standing::Own, true));
    assert_eq!(standing(true), (Standing::Claims, false));
}

#[test]
fn a_record_that_does_not_go_on_its_runs_chain_is_somebody_elses() {
    use ledger::envelope::Encoding;
    let mut world = World::new();
    let sender = Sender::sdk("s-chain-0001", "r-chain");
    let resource = field(1, &attribute("recount.run", &field(1, b"run-1")));
    let mut chain = [0; 32];
    let mut items = vec![chained("agent.session.start", 0, &mut chain)];
    items.push(chained("agent.heartbeat", 1, &mut chain));
    items.push(chained("agent.session.end", 2, &mut [7; 32]));
    world.append(&sender, Encoding::Protobuf, &resource, &items, true);
    let account = world.account("r-chain");
    let row = &account.problems[0];
    assert_eq!(row.kind, ProblemKind::IdentityClaimed);
    assert_eq!(
        row.what,
        "s1a#2 does not follow s1a#1 on the chain of run run-1"
    );
    assert_eq!(account.problems.len(), 1);
}
