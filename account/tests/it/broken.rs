//! Stores that lie: facts come from verified bytes or not at all.

use account::{Options, build};
use ledger::leaf::StreamId;
use ledger::reader::{
    Find, Log, ReadError, Reader, State, StoredControl, StoredRecord, StreamHint,
};
use ledger::store::Folder;
use ledger::verify::Trusted;
use serde_json::json;
use vocabulary::problem::ProblemKind;
use vocabulary::record::IntegrityStatus;

use crate::support::{Sender, World};

/// A store that changes what it hands out.
struct Lying {
    folder: Folder,
    record: fn(Vec<StoredRecord>) -> Vec<StoredRecord>,
    control: fn(&mut StoredControl),
    hides: bool,
    _world: World,
}

impl Reader for Lying {
    fn place(&self) -> String {
        self.folder.place()
    }

    fn state(&self) -> Result<State, ReadError> {
        self.folder.state()
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, ReadError> {
        self.folder.checkpoint()
    }

    fn control(&self, from: u64, to: u64) -> Result<Vec<StoredControl>, ReadError> {
        let mut leaves = self.folder.control(from, to)?;
        leaves.iter_mut().for_each(self.control);
        Ok(leaves)
    }

    fn tile(&self, log: Log, level: u8, n: u64) -> Result<Option<Vec<u8>>, ReadError> {
        self.folder.tile(log, level, n)
    }

    fn find(&self, wanted: &Find) -> Result<Vec<StreamHint>, ReadError> {
        let request = matches!(wanted, Find::Request(_));
        if self.hides && request {
            Ok(Vec::new())
        } else {
            self.folder.find(wanted)
        }
    }

    fn records(
        &self,
        stream: &StreamId,
        from: u64,
        to: u64,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        Ok((self.record)(self.folder.records(stream, from, to)?))
    }
}

fn lying(
    record: fn(Vec<StoredRecord>) -> Vec<StoredRecord>,
    hides: bool,
) -> account::model::Account {
    build(
        &store(record, |_| {}, hides),
        &Trusted::FirstSeen,
        "47892",
        &Options::default(),
    )
    .unwrap()
}

fn store(
    record: fn(Vec<StoredRecord>) -> Vec<StoredRecord>,
    control: fn(&mut StoredControl),
    hides: bool,
) -> Lying {
    let mut world = World::new();
    let mut sender = Sender::sdk("s-whole-0001", "47892");
    sender.tell(
        &world,
        "agent.session.start",
        json!({ "recount.principal.kind": "person" }),
    );
    sender.begin(
        &world,
        "a-1",
        ["http", "write", "POST", "http:x.example/1"],
        json!({}),
    );
    sender.end(&world, "a-1", "success", "committed", json!({}));
    sender.tell(
        &world,
        "agent.session.end",
        json!({ "recount.session.end_reason": "completed" }),
    );
    world.seal(&mut sender, true);
    let folder = world.read();
    Lying {
        folder,
        record,
        control,
        hides,
        _world: world,
    }
}

#[test]
fn an_honest_store_is_intact() {
    assert_eq!(
        lying(|records| records, false).integrity.status,
        IntegrityStatus::Intact
    );
}

#[test]
fn a_flipped_payload_byte_is_named_and_its_record_is_no_fact() {
    let account = lying(
        |mut records| {
            let body = records[2].body.as_mut().unwrap();
            let last = body.envelope.len() - 3;
            body.envelope[last] ^= 1;
            records
        },
        false,
    );
    assert_eq!(account.integrity.status, IntegrityStatus::Broken);
    assert_eq!(account.problems[0].kind, ProblemKind::RecordBroken);
    assert!(
        account.problems[0].what.contains("s1a#2"),
        "{}",
        account.problems[0].what
    );
    assert_eq!(account.actions[0].ended_at, None);
}

#[test]
fn a_missing_record_is_a_gap() {
    let account = lying(
        |mut records| {
            records.remove(2);
            records
        },
        false,
    );
    assert!(matches!(
        account.integrity.status,
        IntegrityStatus::Incomplete | IntegrityStatus::Broken
    ));
    assert!(!account.integrity.gaps.is_empty());
    assert!(
        account
            .problems
            .iter()
            .any(|row| row.kind == ProblemKind::RecordMissing)
    );
}

#[test]
fn an_index_that_hides_a_request_is_found_out() {
    let account = lying(|records| records, true);
    assert_eq!(account.sessions.len(), 1);
    assert_eq!(account.integrity.status, IntegrityStatus::Broken);
}

/// Changes a byte of the private part of every request binding.
fn flip_binding(stored: &mut StoredControl) {
    use ledger::leaf::{ControlBody, ControlLeaf};
    let leaf = ControlLeaf::decode(&stored.leaf).unwrap();
    if let (ControlBody::RequestBinding { .. }, Some(private)) = (&leaf.body, &mut stored.private) {
        *private.body.last_mut().unwrap() ^= 1;
    }
}

#[test]
fn a_flipped_binding_is_not_taken_for_a_request_that_does_not_exist() {
    let reader = store(|records| records, flip_binding, false);
    let account = build(&reader, &Trusted::FirstSeen, "47892", &Options::default()).unwrap();
    assert_eq!(account.integrity.status, IntegrityStatus::Broken);
    let reader = store(|records| records, flip_binding, true);
    let error = build(&reader, &Trusted::FirstSeen, "47892", &Options::default()).unwrap_err();
    assert!(
        matches!(error, account::AccountError::Damaged { .. }),
        "{error}"
    );
}
