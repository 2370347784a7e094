//! Other producers that name a session, and records that use the name of a run.

use serde_json::json;
use vocabulary::action::Outcome;
use vocabulary::problem::ProblemKind;
use vocabulary::session::OutcomeStatus;

use crate::support::{Sender, World};
use account::model::Standing;

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
fn another_producer_can_neither_explain_a_gap_nor_accuse() {
    let mut world = World::new();
    let mut own = Sender::sdk("s-claimed-2", "r-2");
    own.tell(&world, "agent.session.start", json!({}));
    own.skip().skip();
    let end = json!({ "recount.session.records": 4 });
    own.tell(&world, "agent.session.end", end);
    world.seal(&mut own, true);
    let mut other = Sender::sdk("s-claimed-2", "r-2");
    other.producer = "unauthenticated:grpc".to_owned();
    let loss = json!({ "recount.loss.count": 9, "recount.loss.cause": "spool_full" });
    other.tell(&world, "agent.loss", loss);
    let bypass = json!({ "recount.reason": "it went around the proxy" });
    other.tell(&world, "agent.security.bypass", bypass);
    world.seal(&mut other, false);
    let account = world.account("r-2");
    let mut kinds: Vec<ProblemKind> = account.problems.iter().map(|row| row.kind).collect();
    kinds.dedup();
    assert_eq!(
        kinds,
        [ProblemKind::IdentityClaimed, ProblemKind::RecordMissing]
    );
    assert!(account.integrity.losses.is_empty());
    assert_eq!(account.integrity.gaps.len(), 1);
}

#[test]
fn what_comes_late_of_another_producer_is_not_late_of_the_session() {
    let late = |of_another: bool| {
        let mut world = World::new();
        let mut own = Sender::sdk("s-late-1", "r-late");
        own.tell(&world, "agent.session.start", json!({}));
        world.seal(&mut own, false);
        let mut sender = Sender::sdk("s-late-1", "r-late");
        if of_another {
            sender.producer = "unauthenticated:grpc".to_owned();
        } else {
            sender = own;
        }
        let end = json!({ "recount.session.end_reason": "completed" });
        sender.tell(&world, "agent.session.end", end);
        world.seal(&mut sender, true);
        sender.tell(&world, "agent.heartbeat", json!({}));
        world.seal(&mut sender, false);
        let account = world.account("r-late");
        let kinds = account.problems.iter().map(|row| row.kind);
        kinds
            .filter(|kind| *kind == ProblemKind::LateRecord)
            .count()
    };
    assert_eq!((late(false), late(true)), (1, 0));
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
