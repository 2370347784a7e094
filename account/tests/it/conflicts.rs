//! What the collector saw that cannot be true beside what is sealed.

use account::model::Account;
use account::{Options, build, render};
use ledger::leaf::{ConflictNote, StreamId};
use ledger::reader::{Find, Reader};
use ledger::store::Statement;
use ledger::verify::Trusted;
use serde_json::json;
use vocabulary::problem::ProblemKind;
use vocabulary::record::{ConflictKind, IntegrityStatus};

use crate::support::{Sender, World};

fn sender(label: &str) -> Sender {
    Sender::sdk(label, "47892")
}

/// A world with one session that has ended, and its stream.
fn ended() -> (World, StreamId) {
    let mut world = World::new();
    let mut one = sender("s-conflict-01");
    one.tell(&world, "agent.session.start", json!({}));
    one.tell(&world, "agent.session.end", json!({}));
    world.seal(&mut one, true);
    let stream = world.read().find(&Find::All).unwrap()[0].stream;
    world.open();
    (world, stream)
}

fn conflict(kind: u8, stream: StreamId, what: &str) -> Statement {
    Statement::Conflict {
        kind,
        stream,
        note: ConflictNote {
            what: what.to_owned(),
            first: [1; 32],
            second: [2; 32],
        },
    }
}

/// An account with a conflict of every kind.
pub(crate) fn every_kind() -> Account {
    let (mut world, stream) = ended();
    world.state(conflict(1, stream, "number 3 came with other bytes"));
    world.state(conflict(2, stream, "two heads of size 2"));
    world.state(conflict(3, stream, "agent:b named the session"));
    let whole = "witness.example.test knows another history";
    world.state(conflict(4, StreamId([0; 32]), whole));
    world.account("47892")
}

fn problems(account: &Account) -> Vec<ProblemKind> {
    let rows = account.problems.iter().filter(|row| {
        matches!(
            row.kind,
            ProblemKind::Contradiction | ProblemKind::IdentityClaimed
        )
    });
    rows.map(|row| row.kind).collect()
}

#[test]
fn each_kind_is_told_with_the_leaf_that_says_so() {
    let account = every_kind();
    let rows: Vec<(ConflictKind, Option<String>)> = account
        .integrity
        .conflicts
        .iter()
        .map(|row| (row.kind, row.stream.map(|stream| stream.to_string())))
        .collect();
    let here = Some("s1a".to_owned());
    assert_eq!(
        rows,
        [
            (ConflictKind::NumberReused, here.clone()),
            (ConflictKind::Fork, here.clone()),
            (ConflictKind::SessionClaimed, here),
            (ConflictKind::Other, None),
        ]
    );
    assert_eq!(
        problems(&account),
        [
            ProblemKind::Contradiction,
            ProblemKind::Contradiction,
            ProblemKind::Contradiction,
            ProblemKind::IdentityClaimed,
        ]
    );
    for row in &account.integrity.conflicts {
        let leaf = format!("(ledger leaf {})", row.leaf);
        let told = account.problems.iter().find(|one| one.why.contains(&leaf));
        let told = told.unwrap_or_else(|| panic!("no problem names {leaf}"));
        assert!(told.why.contains(&row.what), "{}", told.why);
        assert_eq!(told.session.is_some(), row.stream.is_some());
        assert!(row.first.as_ref().unwrap().starts_with("sha256:0101"));
    }
    // What was sealed is as whole as before.
    assert_eq!(account.integrity.status, IntegrityStatus::Intact);
}

#[test]
fn a_number_that_a_real_ledger_refused_is_told() {
    let mut world = World::new();
    world.numbered = true;
    let mut one = sender("s-conflict-01");
    one.tell(&world, "agent.session.start", json!({}));
    world.seal(&mut one, false);
    one.again();
    one.tell(
        &world,
        "agent.intent",
        json!({ "recount.intent": "another story" }),
    );
    world.seal(&mut one, false);
    one.tell(&world, "agent.session.end", json!({}));
    world.seal(&mut one, true);
    let account = world.account("47892");
    let rows = &account.integrity.conflicts;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].kind, ConflictKind::NumberReused);
    assert_eq!(rows[0].stream.unwrap().to_string(), "s1a");
    let what = "number 0 of run r-s-conflict-01 of producer p-s-conflict-01 came with other bytes";
    assert_eq!(rows[0].what, what);
    let text = render::text(&account, false);
    assert!(text.contains("high contradiction"), "{text}");
}

#[test]
fn a_number_under_another_label_is_told_by_its_run() {
    let (mut world, _) = ended();
    let nowhere = StreamId([0; 32]);
    world.state(conflict(
        1,
        nowhere,
        "number 1 of run r-s-conflict-01 of producer p-1 came with other bytes",
    ));
    world.state(conflict(
        1,
        nowhere,
        "number 1 of run r-s-conflict-012 of producer p-2 came with other bytes",
    ));
    world.state(conflict(3, nowhere, "agent:b named session s-conflict-01"));
    let account = world.account("47892");
    let rows = &account.integrity.conflicts;
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0].stream.unwrap().to_string(), "s1a");
    assert_eq!(rows[1].session.unwrap().to_string(), "s1");
}

#[test]
fn what_concerns_another_session_is_not_told() {
    let (mut world, _) = ended();
    let mut other = Sender::sdk("s-other-0001", "other");
    other.tell(&world, "agent.session.start", json!({}));
    world.seal(&mut other, false);
    let folder = world.read();
    let hints = folder.find(&Find::Session("s-other-0001".to_owned()));
    let theirs = hints.unwrap()[0].stream;
    world.open();
    world.state(conflict(1, theirs, "number 3 came with other bytes"));
    let account = world.account("47892");
    assert!(account.integrity.conflicts.is_empty());
    assert_eq!(world.account("other").integrity.conflicts.len(), 1);
}

#[test]
fn what_was_noted_long_after_is_told_where_every_leaf_is_read() {
    let (mut world, stream) = ended();
    let elsewhere = StreamId([9; 32]);
    for _ in 0..600 {
        world.state(conflict(4, elsewhere, "filler"));
    }
    world.state(conflict(1, stream, "number 3 came with other bytes"));
    let reader = world.read();
    let some = build(&reader, &Trusted::FirstSeen, "47892", &Options::default()).unwrap();
    assert!(some.integrity.conflicts.is_empty());
    let all = Options {
        all_bindings: true,
        ..Options::default()
    };
    let every = build(&reader, &Trusted::FirstSeen, "47892", &all).unwrap();
    assert_eq!(every.integrity.conflicts.len(), 1);
}
