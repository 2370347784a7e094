//! What the ledger log says beside the records: refused payloads, numbers that never came, the checkpoint's time.

use account::model::Account;
use account::{Options, build, render};
use ledger::leaf::{
    ControlBody, ControlLeaf, GapNote, Private as _, RefusedPayload, StreamId, control_commitment,
};
use ledger::reader::{
    Find, Log, ReadError, Reader, State, StoredControl, StoredPrivate, StoredRecord, StreamHint,
};
use ledger::store::Folder;
use ledger::verify::Trusted;
use serde_json::json;
use vocabulary::problem::{ProblemKind, Severity};
use vocabulary::record::IntegrityStatus;

use crate::support::{START_NS, Sender, World};

fn sender() -> Sender {
    let mut sender = Sender::sdk("s-meanwhile-01", "47892");
    sender.producer = "unauthenticated:otlp-http".to_owned();
    sender
}

fn refused(door: u8, why: &str) -> RefusedPayload {
    RefusedPayload {
        door,
        why: why.to_owned(),
        digest: [7; 32],
        size: 12,
        peer: "127.0.0.1:40001".to_owned(),
    }
}

/// A session with a start in one export and an end in a later one; `between` is refused in between.
fn with_refused(between: &[RefusedPayload]) -> Account {
    let mut world = World::new();
    let mut sender = sender();
    sender.tell(&world, "agent.session.start", json!({}));
    world.seal(&mut sender, false);
    for payload in between {
        world.refuse(payload.clone());
    }
    let end = json!({ "recount.session.end_reason": "completed" });
    sender.tell(&world, "agent.session.end", end);
    world.seal(&mut sender, true);
    // Long after the session.
    world.wait(60);
    world.refuse(refused(1, "much later"));
    world.account("47892")
}

fn input_refused(account: &Account) -> Vec<(&str, &str)> {
    let of = account
        .problems
        .iter()
        .filter(|row| row.kind == ProblemKind::InputRefused);
    of.map(|row| (row.what.as_str(), row.why.as_str()))
        .collect()
}

#[test]
fn a_payload_refused_at_the_same_door_during_the_session_is_a_low_problem() {
    let account = with_refused(&[refused(1, "not protobuf"), refused(2, "other door")]);
    let told = input_refused(&account);
    assert_eq!(told.len(), 1, "{told:?}");
    let (what, why) = told[0];
    assert_eq!(what, "OTLP/HTTP payload of 12 bytes from 127.0.0.1:40001");
    assert!(why.contains("not protobuf"), "{why}");
    assert!(why.contains("cannot be known"), "{why}");
    let row = account.problems.last().unwrap();
    assert_eq!(row.severity, Severity::Low);
    assert!(row.evidence.refs.is_empty());
    assert_eq!(account.integrity.status, IntegrityStatus::Intact);
    let text = render::text(&account, false);
    assert!(text.contains("low input_refused  OTLP/HTTP"), "{text}");
}

#[test]
fn many_payloads_refused_for_one_reason_are_one_problem() {
    let account = with_refused(&[refused(1, "not protobuf"), refused(1, "not protobuf")]);
    let told = input_refused(&account);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, "2 OTLP/HTTP payloads, 24 bytes");
}

#[test]
fn the_reason_of_a_part_refused_is_told_with_the_records_that_were_kept() {
    let mut world = World::new();
    let mut sender = sender();
    sender.tell(&world, "agent.session.start", json!({}));
    let end = json!({ "recount.session.end_reason": "completed" });
    sender.tell(&world, "agent.session.end", end);
    world.flags = ledger::leaf::flag::PARTLY_REFUSED;
    world.seal(&mut sender, true);
    world.refuse(refused(1, "a record is malformed: no time"));
    let account = world.account("47892");
    let told = input_refused(&account);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        told[0].0,
        "part of an export was refused: a record is malformed: no time"
    );
    let refs = &account.problems.last().unwrap().evidence.refs;
    assert_eq!(refs.len(), 2);
}

#[test]
fn reading_every_leaf_finds_the_same() {
    let mut world = World::new();
    let mut sender = sender();
    sender.tell(&world, "agent.session.start", json!({}));
    world.seal(&mut sender, false);
    world.refuse(refused(1, "not protobuf"));
    sender.tell(&world, "agent.session.end", json!({}));
    world.seal(&mut sender, true);
    let reader = world.read();
    let all = Options {
        all_bindings: true,
        ..Options::default()
    };
    let some = build(&reader, &Trusted::FirstSeen, "47892", &Options::default()).unwrap();
    let every = build(&reader, &Trusted::FirstSeen, "47892", &all).unwrap();
    assert_eq!(input_refused(&some).len(), 1);
    assert_eq!(input_refused(&some), input_refused(&every));
}

#[test]
fn a_refused_payload_whose_words_were_changed_breaks_the_record() {
    let mut world = World::new();
    let mut sender = sender();
    sender.tell(&world, "agent.session.start", json!({}));
    world.seal(&mut sender, false);
    world.refuse(refused(1, "not protobuf"));
    sender.tell(&world, "agent.session.end", json!({}));
    world.seal(&mut sender, true);
    for what in [Change::Words, Change::Kind, Change::Gone] {
        let reader = Changed {
            folder: world.read(),
            what,
        };
        let account = build(&reader, &Trusted::FirstSeen, "47892", &Options::default()).unwrap();
        assert_eq!(
            account.integrity.status,
            IntegrityStatus::Broken,
            "{what:?}"
        );
    }
}

#[test]
fn a_gap_that_the_ledger_noted_makes_the_record_incomplete() {
    let account = noted(1);
    assert_eq!(account.integrity.status, IntegrityStatus::Incomplete);
    let gap = &account.integrity.gaps[0];
    assert_eq!((gap.from, gap.to), (5, Some(8)));
    assert_eq!(gap.stream.unwrap().to_string(), "s1a");
    assert!(gap.why.contains("run r-s-meanwhile-01"), "{}", gap.why);
    let missing: Vec<&str> = account
        .problems
        .iter()
        .filter(|row| row.kind == ProblemKind::RecordMissing)
        .map(|row| row.what.as_str())
        .collect();
    assert_eq!(missing, ["4 of s1a's records from number 5"]);
}

#[test]
fn a_gap_that_a_real_ledger_noted_is_told_once() {
    let mut world = World::new();
    world.numbered = true;
    let mut sender = sender();
    sender.tell(&world, "agent.session.start", json!({}));
    sender.skip().skip();
    let end = json!({ "recount.session.end_reason": "completed" });
    sender.tell(&world, "agent.session.end", end);
    world.seal(&mut sender, true);
    let account = world.account("47892");
    assert_eq!(account.integrity.status, IntegrityStatus::Incomplete);
    let gaps: Vec<_> = account
        .integrity
        .gaps
        .iter()
        .map(|gap| (gap.from, gap.to, gap.why.contains("ledger leaf")))
        .collect();
    assert_eq!(gaps, [(1, Some(2), true)]);
}

#[test]
fn a_noted_gap_that_was_filled_later_is_none() {
    let account = noted(0);
    assert_eq!(account.integrity.status, IntegrityStatus::Intact);
    assert!(account.integrity.gaps.is_empty());
}

#[test]
fn the_checkpoint_says_since_when_by_the_collectors_clock() {
    let account = with_refused(&[]);
    let checkpoint = account.integrity.ledgers[0].checkpoint.as_ref().unwrap();
    let at = checkpoint.at.expect("the newest leaf is proven");
    assert!(at.unix_ns() >= START_NS, "{at}");
    let text = render::text(&account, false);
    assert!(
        text.contains(&format!("at {at} by the collector's clock")),
        "{text}"
    );
    let unknown = account.unknown.iter().map(|row| row.fact.as_str());
    assert!(!unknown.collect::<String>().contains("checkpoint"));
}

/// The account of a session of two records, numbers 0 and 1, beside which the ledger log says that numbers are
/// missing: 5 to 8, or 0 to 1 where `first` is 0.
fn noted(first: u64) -> Account {
    let mut world = World::new();
    let mut sender = sender();
    sender.tell(&world, "agent.session.start", json!({}));
    let end = json!({ "recount.session.end_reason": "completed" });
    sender.tell(&world, "agent.session.end", end);
    world.seal(&mut sender, true);
    let folder = world.read();
    let stream = folder.find(&Find::All).unwrap()[0].stream;
    let (first, last) = if first == 0 { (0, 1) } else { (5, 8) };
    let note = GapNote {
        producer: "p-s-meanwhile-01".to_owned(),
        run: "r-s-meanwhile-01".to_owned(),
        first,
        last,
        why: 1,
    };
    let reader = Noting {
        leaf: leaf(&folder, stream, &note),
        folder,
    };
    build(&reader, &Trusted::FirstSeen, "47892", &Options::default()).unwrap()
}

/// A gap leaf as the collector would append it next.
fn leaf(folder: &Folder, stream: StreamId, note: &GapNote) -> StoredControl {
    let body = note.encode().unwrap();
    let salt = [3; 32];
    let index = folder.state().unwrap().size;
    let leaf = ControlLeaf {
        index,
        unix_ns: START_NS,
        body: ControlBody::Gap {
            stream,
            commitment: control_commitment(&salt, &body),
        },
    };
    StoredControl {
        index,
        leaf: leaf.encode().unwrap(),
        private: Some(StoredPrivate { salt, body }),
    }
}

/// A store with one more leaf, which no checkpoint covers yet.
struct Noting {
    folder: Folder,
    leaf: StoredControl,
}

/// What is changed about a refused payload's leaf.
#[derive(Debug, Clone, Copy)]
enum Change {
    Words,
    Kind,
    Gone,
}

/// A store in which somebody changed what was refused.
struct Changed {
    folder: Folder,
    what: Change,
}

/// Everything as the folder says, but for the leaves.
macro_rules! reader {
    ($type:ident, $size:expr, $control:expr) => {
        impl Reader for $type {
            fn place(&self) -> String {
                self.folder.place()
            }
            fn state(&self) -> Result<State, ReadError> {
                let mut state = self.folder.state()?;
                state.size += $size;
                Ok(state)
            }
            fn checkpoint(&self) -> Result<Option<Vec<u8>>, ReadError> {
                self.folder.checkpoint()
            }
            fn control(&self, from: u64, to: u64) -> Result<Vec<StoredControl>, ReadError> {
                let mut leaves = self.folder.control(from, to)?;
                let change: fn(&Self, &mut Vec<StoredControl>, u64, u64) = $control;
                change(self, &mut leaves, from, to);
                Ok(leaves)
            }
            fn tile(&self, log: Log, level: u8, n: u64) -> Result<Option<Vec<u8>>, ReadError> {
                self.folder.tile(log, level, n)
            }
            fn find(&self, wanted: &Find) -> Result<Vec<StreamHint>, ReadError> {
                self.folder.find(wanted)
            }
            fn records(
                &self,
                stream: &StreamId,
                from: u64,
                to: u64,
            ) -> Result<Vec<StoredRecord>, ReadError> {
                self.folder.records(stream, from, to)
            }
        }
    };
}

reader!(Noting, 1, |this, leaves, from, to| {
    if from <= this.leaf.index && this.leaf.index < to {
        leaves.push(this.leaf.clone());
    }
});

reader!(Changed, 0, |this, leaves, _, _| {
    let kind = |stored: &StoredControl| stored.leaf.get(1).copied();
    match this.what {
        Change::Gone => {
            if let Some(at) = leaves.iter().position(|stored| kind(stored) == Some(8)) {
                leaves[at].leaf = leaves[at].leaf[..2].to_vec();
                leaves[at].leaf[1] = 4;
            }
        }
        Change::Kind => {
            for stored in leaves.iter_mut().filter(|stored| kind(stored) == Some(8)) {
                stored.leaf[1] = 20;
            }
        }
        Change::Words => {
            for stored in leaves.iter_mut().filter(|stored| kind(stored) == Some(8)) {
                if let Some(private) = &mut stored.private {
                    *private.body.last_mut().unwrap() ^= 1;
                }
            }
        }
    }
});
