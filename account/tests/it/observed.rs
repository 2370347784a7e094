//! What an agent told of and a recorder beside it saw is one action, told once.

use account::model::{Account, Standing};
use ledger::envelope::RecordingMode;
use serde_json::{Value, json};
use vocabulary::action::{Effect, Outcome};
use vocabulary::problem::ProblemKind;

use crate::support::{Sender, World, content};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";
const AGENTS: &str = "http:127.0.0.1:9000/accounts/17";
const REAL: &str = "http:crm.example.test/v1/accounts/17";

/// An agent that has told of the begin of a write, and what is told of it so far.
fn agent(world: &World, label: &str, kind: &str) -> Sender {
    let mut own = Sender::sdk(label, label);
    own.producer = "agent".to_owned();
    own.tell(world, "agent.session.start", json!({}));
    own.span = Some([TRACE.to_owned(), SPAN.to_owned()]);
    own.begin(world, "a-1", [kind, "write", "PATCH", AGENTS], json!({}));
    own
}

/// A recorder beside it that has no session of its own.
fn relay(label: &str) -> Sender {
    let mut relay = Sender::sdk(label, label);
    relay.request = None;
    relay.producer = "crm-relay".to_owned();
    relay.mode = RecordingMode::Independent;
    relay.resource = json!({ "service.name": "crm-relay", "recount.run": "r-relay" });
    relay
}

/// What it saw: a call with this status, and what it left.
fn saw(relay: &mut Sender, world: &World, id: &str, status: u64, after: &str) {
    relay.span = Some([TRACE.to_owned(), format!("{:0>16}", id.len())]);
    let observed = json!({
        "recount.observed.span": format!("{TRACE}-{SPAN}"),
        "recount.observed.target": AGENTS,
    });
    relay.begin(world, id, ["http", "write", "PATCH", REAL], observed);
    let sides = [content("old", "text/plain"), content(after, "text/plain")];
    relay.diff(world, &format!("d-{id}"), id, REAL, sides, json!({}));
    let end = json!({ "http.response.status_code": status, "recount.diffs": 1 });
    relay.end(world, id, "success", "committed", end);
}

fn told(own: &mut Sender, world: &World, status: u64, after: Option<&str>) {
    if let Some(after) = after {
        let sides = [content("old", "text/plain"), content(after, "text/plain")];
        own.diff(world, "d-1", "a-1", AGENTS, sides, json!({}));
    }
    let end =
        json!({ "http.response.status_code": status, "recount.diffs": u64::from(after.is_some()) });
    own.end(world, "a-1", "success", "committed", end);
    let end = json!({ "recount.session.end_reason": "completed" });
    own.span = None;
    own.tell(world, "agent.session.end", end);
}

fn kinds(account: &Account) -> Vec<ProblemKind> {
    account.problems.iter().map(|row| row.kind).collect()
}

#[test]
fn a_call_that_the_agent_told_of_and_a_relay_saw_is_one_action_with_one_diff() {
    let mut world = World::new();
    let mut own = agent(&world, "s-observed-1", "http");
    let mut beside = relay("s-observed-1");
    saw(&mut beside, &world, "relay-1", 200, "new");
    told(&mut own, &world, 200, Some("new"));
    // What the relay saw is sealed first: the agent's records waited in its spool.
    world.seal(&mut beside, false);
    world.seal(&mut own, true);
    let account = world.account("s-observed-1");
    let session = &account.sessions[0];
    let standings: Vec<_> = session.streams.iter().map(|row| row.standing).collect();
    assert_eq!(standings, [Standing::Own, Standing::Own]);
    assert_eq!(session.streams[0].producer, "agent");
    assert_eq!(session.agent.name.as_deref(), Some("renewal-agent"));
    assert_eq!(session.recording_mode.as_str(), "self");
    assert_eq!(account.actions.len(), 1);
    let row = &account.actions[0];
    assert_eq!(row.id, "a-1");
    let refs: Vec<String> = row
        .corroborated_by
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(refs, ["s1b#0", "s1b#2"]);
    assert_eq!(row.target.detail["recount.target"], REAL);
    assert_eq!(account.diffs.len(), 1);
    let refs: Vec<String> = account.diffs[0]
        .evidence
        .refs
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(refs, ["s1a#2", "s1b#1"]);
    assert_eq!(account.diffs[0].resource, AGENTS);
    assert_eq!(kinds(&account), []);
}

#[test]
fn a_message_that_an_agent_and_a_relay_both_tell_is_in_the_context_once() {
    let mut world = World::new();
    let mut own = agent(&world, "s-observed-9", "http");
    let mut beside = relay("s-observed-9");
    let message = |text: &str| {
        json!({
            "recount.context.kind": "message",
            "recount.context.name": "user",
            "recount.context.trust": "instruction",
            "recount.content": content(text, "application/json"),
        })
    };
    own.tell(&world, "agent.context", message("which?"));
    own.tell(&world, "agent.context", message("and then?"));
    beside.tell(&world, "agent.context", message("which?"));
    saw(&mut beside, &world, "relay-1", 200, "new");
    // Told twice by one of them, it was loaded twice.
    own.tell(&world, "agent.context", message("and then?"));
    told(&mut own, &world, 200, None);
    world.seal(&mut own, true);
    world.seal(&mut beside, true);
    let account = world.account("s-observed-9");
    let refs: Vec<usize> = account
        .context
        .iter()
        .map(|row| row.evidence.refs.len())
        .collect();
    assert_eq!(refs, [2, 1, 1], "{:#?}", account.context);
}

#[test]
fn where_two_recorders_of_one_call_differ_it_is_a_contradiction() {
    let mut world = World::new();
    let mut own = agent(&world, "s-observed-2", "http");
    let mut beside = relay("s-observed-2");
    saw(&mut beside, &world, "relay-1", 201, "other");
    told(&mut own, &world, 200, Some("new"));
    world.seal(&mut own, true);
    world.seal(&mut beside, false);
    let account = world.account("s-observed-2");
    assert_eq!((account.actions.len(), account.diffs.len()), (1, 1));
    assert_eq!(
        kinds(&account),
        [ProblemKind::Contradiction, ProblemKind::Contradiction]
    );
    let why: Vec<&str> = account
        .problems
        .iter()
        .map(|row| row.why.as_str())
        .collect();
    assert!(why[0].contains("status 200, seen 201"), "{why:?}");
    assert!(why[1].contains("another state after"), "{why:?}");
}

#[test]
fn what_the_agent_did_not_live_to_tell_is_taken_from_who_saw_it() {
    let mut world = World::new();
    let mut own = agent(&world, "s-observed-3", "http");
    let mut beside = relay("s-observed-3");
    saw(&mut beside, &world, "relay-1", 200, "new");
    world.seal(&mut own, false);
    world.seal(&mut beside, false);
    let account = world.account("s-observed-3");
    let row = &account.actions[0];
    assert_eq!(
        (row.outcome, row.effect),
        (Outcome::Success, Effect::Committed)
    );
    assert_eq!(account.diffs[0].action.as_deref(), Some("a-1"));
    assert!(!kinds(&account).contains(&ProblemKind::DanglingAction));
}

#[test]
fn two_effects_under_one_span_are_two_actions() {
    let mut world = World::new();
    let mut own = agent(&world, "s-observed-4", "http");
    let mut beside = relay("s-observed-4");
    saw(&mut beside, &world, "relay-1", 200, "new");
    saw(&mut beside, &world, "relay-22", 200, "newer");
    told(&mut own, &world, 200, None);
    world.seal(&mut own, true);
    world.seal(&mut beside, false);
    let account = world.account("s-observed-4");
    assert_eq!((account.actions.len(), account.diffs.len()), (2, 2));
    assert_eq!(account.actions[1].parent.as_deref(), Some("a-1"));
    assert_eq!(account.diffs[0].action.as_deref(), Some("a-1"));
}

#[test]
fn what_is_seen_while_a_command_runs_is_part_of_it() {
    let mut world = World::new();
    let mut own = agent(&world, "s-observed-5", "process");
    let mut beside = relay("s-observed-5");
    saw(&mut beside, &world, "relay-1", 200, "new");
    told(&mut own, &world, 0, None);
    world.seal(&mut own, true);
    world.seal(&mut beside, false);
    let account = world.account("s-observed-5");
    assert_eq!(account.actions.len(), 2);
    assert_eq!(account.actions[1].parent.as_deref(), Some("a-1"));
    assert!(account.actions[0].corroborated_by.is_empty());
}

#[test]
fn who_is_no_enrolled_recorder_corroborates_nothing() {
    let mut world = World::new();
    let mut own = agent(&world, "s-observed-6", "http");
    let mut other = relay("s-observed-6");
    other.mode = RecordingMode::SelfRecorded;
    saw(&mut other, &world, "relay-1", 500, "forged");
    told(&mut own, &world, 200, Some("new"));
    world.seal(&mut own, true);
    world.seal(&mut other, false);
    let account = world.account("s-observed-6");
    assert!(account.actions[0].corroborated_by.is_empty());
    assert_eq!(account.actions.len(), 2);
    assert!(kinds(&account).contains(&ProblemKind::IdentityClaimed));
    assert!(!kinds(&account).contains(&ProblemKind::Contradiction));
}

#[test]
fn one_tool_call_read_by_two_recorders_is_one_decision() {
    let mut world = World::new();
    let mut own = agent(&world, "s-observed-7", "llm");
    let decision = |id: &str, action: &str| -> Value {
        json!({
            "recount.decision.id": id, "recount.action.id": action, "gen_ai.tool.call.id": "call_1",
            "recount.decision.point": "tool_select", "recount.decision.made_by": "model",
            "recount.decision.question": "which?", "recount.decision.chosen": ["lookup"],
        })
    };
    own.tell(&world, "agent.decision.log", decision("c-1", "a-1"));
    let tool = json!({ "recount.decision.id": "c-1" });
    let mut beside = relay("s-observed-7");
    beside.span = Some([TRACE.to_owned(), "00000000000000aa".to_owned()]);
    let observed = json!({ "recount.observed.span": format!("{TRACE}-{SPAN}") });
    beside.begin(
        &world,
        "r-1",
        ["llm", "send", "chat", "llm:api/m"],
        observed,
    );
    beside.tell(&world, "agent.decision.log", decision("c-2", "r-1"));
    beside.end(&world, "r-1", "success", "committed", json!({}));
    own.end(&world, "a-1", "success", "committed", json!({}));
    own.span = None;
    own.begin(
        &world,
        "a-2",
        ["tool", "execute", "lookup", "tool:lookup"],
        tool,
    );
    own.end(&world, "a-2", "success", "none", json!({}));
    world.seal(&mut own, true);
    world.seal(&mut beside, false);
    let account = world.account("s-observed-7");
    let decisions: Vec<_> = account.decisions.iter().collect();
    assert_eq!(decisions.len(), 1);
    assert_eq!(decisions[0].led_to, ["a-2"]);
    assert_eq!(decisions[0].evidence.refs.len(), 2);
}
