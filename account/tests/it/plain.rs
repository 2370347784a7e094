//! Plain OpenTelemetry, lines from outside, and other producers' claims.

use ledger::envelope::SessionRule;
use ledger::otlp::Signal;
use serde_json::{Value, json};
use vocabulary::action::{Access, Kind, Outcome};
use vocabulary::session::{OutcomeStatus, SessionSource};

use crate::support::{Sender, World, attributes};

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
