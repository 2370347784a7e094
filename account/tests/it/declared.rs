//! What the end of a session says it wrote, and what is here.

use account::model::Account;
use account::render;
use serde_json::json;
use vocabulary::problem::ProblemKind;
use vocabulary::record::IntegrityStatus;
use vocabulary::verdict::ScopeVerdict;

use crate::support::{Sender, World};

/// A session of three records whose end says that they are `stated`, and whose close repeats `closed`.
pub(crate) fn session(stated: Option<u64>, closed: u64) -> Account {
    let mut world = World::new();
    world.declared = closed;
    let mut sender = Sender::sdk("s-declared-01", "47892");
    sender.tell(&world, "agent.session.start", json!({}));
    let scope = json!({ "recount.scope.entries": ["read http:a.example.test/**"] });
    sender.tell(&world, "agent.scope", scope);
    let mut end = json!({ "recount.session.end_reason": "completed" });
    if let Some(stated) = stated {
        end["recount.session.records"] = json!(stated);
    }
    sender.tell(&world, "agent.session.end", end);
    world.seal(&mut sender, true);
    world.account("47892")
}

fn missing(account: &Account) -> Vec<(&str, &str)> {
    let rows = account.problems.iter();
    let rows = rows.filter(|row| row.kind == ProblemKind::RecordMissing);
    rows.map(|row| (row.what.as_str(), row.why.as_str()))
        .collect()
}

#[test]
fn what_was_declared_and_is_here_is_told_and_no_problem() {
    let account = session(Some(3), 3);
    assert_eq!(account.integrity.status, IntegrityStatus::Intact);
    assert!(missing(&account).is_empty());
    let row = &account.integrity.declared[0];
    assert_eq!((row.declared, row.here, row.unreadable), (3, 3, 0));
    assert_eq!(row.refs[0].to_string(), "s1a#2");
    let text = render::text(&account, false);
    assert!(
        text.contains("s1a: its end says 3 records, 3 are here"),
        "{text}"
    );
}

#[test]
fn fewer_records_than_declared_are_a_gap_with_both_numbers() {
    let account = session(Some(5), 5);
    assert_eq!(account.integrity.status, IntegrityStatus::Incomplete);
    let told = missing(&account);
    assert_eq!(told.len(), 1, "{told:?}");
    let leaf = account.integrity.declared[0].leaf.unwrap();
    let why = format!("its end says that it wrote 5 records and 3 are here (ledger leaf {leaf})");
    assert_eq!(told[0], ("2 records of s1", why.as_str()));
    assert_eq!(account.integrity.gaps[0].why, why);
    // What is missing may have been outside the scope.
    assert_eq!(account.scope[0].verdict, ScopeVerdict::Unknown);
    assert_eq!(session(Some(3), 3).scope[0].verdict, ScopeVerdict::Within);
}

#[test]
fn the_sealed_close_counts_where_the_end_says_nothing() {
    assert_eq!(missing(&session(None, 4)).len(), 1);
    assert!(missing(&session(None, u64::MAX)).is_empty());
}

#[test]
fn the_end_counts_where_its_close_says_nothing() {
    let account = session(Some(4), u64::MAX);
    assert_eq!(missing(&account).len(), 1);
    assert_eq!(account.integrity.declared[0].leaf, None);
}

#[test]
fn what_a_gap_tells_already_is_not_told_twice() {
    let mut world = World::new();
    world.declared = 4;
    let mut sender = Sender::sdk("s-declared-01", "47892");
    sender.tell(&world, "agent.session.start", json!({}));
    sender.skip().skip();
    let end = json!({ "recount.session.records": 4 });
    sender.tell(&world, "agent.session.end", end);
    world.seal(&mut sender, true);
    let account = world.account("47892");
    let told = missing(&account);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, "2 of s1a's records from number 1");
    assert_eq!(account.integrity.declared[0].here, 2);
}

#[test]
fn records_that_the_recorder_writes_by_itself_are_not_counted() {
    let mut world = World::new();
    world.declared = 3;
    let mut sender = Sender::sdk("s-declared-01", "47892");
    sender.tell(&world, "agent.session.start", json!({}));
    let loss = json!({ "recount.loss.cause": "spool_full" });
    sender.tell(&world, "agent.loss", loss);
    sender.tell(&world, "agent.session.end", json!({}));
    world.seal(&mut sender, true);
    let account = world.account("47892");
    assert_eq!(account.integrity.declared[0].here, 2);
    assert_eq!(missing(&account).len(), 1);
}

#[test]
fn another_producer_cannot_declare_for_a_session() {
    let mut world = World::new();
    let mut sender = Sender::sdk("s-declared-01", "47892");
    sender.tell(&world, "agent.session.start", json!({}));
    sender.tell(&world, "agent.session.end", json!({}));
    world.seal(&mut sender, true);
    let mut other = Sender::sdk("s-declared-01", "47892");
    other.producer = "agent:other".to_owned();
    world.declared = 1_000;
    let end = json!({ "recount.session.records": 1_000 });
    other.tell(&world, "agent.session.end", end);
    world.seal(&mut other, true);
    let account = world.account("47892");
    assert!(missing(&account).is_empty(), "{:?}", missing(&account));
    assert!(account.integrity.declared.is_empty());
}
