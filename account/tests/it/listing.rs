//! Many accounts of one ledger: what one of them proved is not asked for again.

use std::cell::Cell;

use account::model::Account;
use account::{Options, build, build_with};
use ledger::leaf::StreamId;
use ledger::reader::{
    Find, Log, ReadError, Reader, State, StoredControl, StoredRecord, StreamHint,
};
use ledger::store::Folder;
use ledger::verify::{Kept, Trusted, Verifier};
use serde_json::json;

use crate::support::{Sender, World};

/// Sessions that are listed.
const SESSIONS: usize = 40;

/// A store that counts what is asked of it.
struct Counting {
    folder: Folder,
    questions: Cell<u64>,
    leaves: Cell<u64>,
}

impl Counting {
    fn new(folder: Folder) -> Self {
        Self {
            folder,
            questions: Cell::new(0),
            leaves: Cell::new(0),
        }
    }

    fn asked(&self) {
        self.questions.set(self.questions.get() + 1);
    }

    /// Questions, and leaves of the ledger log in the answers, since the last call.
    fn counts(&self) -> (u64, u64) {
        (self.questions.take(), self.leaves.take())
    }
}

impl Reader for Counting {
    fn place(&self) -> String {
        self.folder.place()
    }

    fn state(&self) -> Result<State, ReadError> {
        self.asked();
        self.folder.state()
    }

    fn checkpoint(&self) -> Result<Option<Vec<u8>>, ReadError> {
        self.asked();
        self.folder.checkpoint()
    }

    fn control(&self, from: u64, to: u64) -> Result<Vec<StoredControl>, ReadError> {
        self.asked();
        let leaves = self.folder.control(from, to)?;
        self.leaves.set(self.leaves.get() + leaves.len() as u64);
        Ok(leaves)
    }

    fn tile(&self, log: Log, level: u8, n: u64) -> Result<Option<Vec<u8>>, ReadError> {
        self.asked();
        self.folder.tile(log, level, n)
    }

    fn find(&self, wanted: &Find) -> Result<Vec<StreamHint>, ReadError> {
        self.asked();
        self.folder.find(wanted)
    }

    fn records(
        &self,
        stream: &StreamId,
        from: u64,
        to: u64,
    ) -> Result<Vec<StoredRecord>, ReadError> {
        self.asked();
        self.folder.records(stream, from, to)
    }
}

/// A ledger of finished sessions, each of a request of its own, and the requests, newest first.
fn filled() -> (World, Vec<String>) {
    let world = World::new();
    let mut requests = Vec::new();
    for n in 0..SESSIONS {
        let request = format!("r-{n:04}");
        let mut sender = Sender::sdk(&format!("s-listed-{n:04}"), &request);
        sender.tell(&world, "agent.session.start", json!({}));
        sender.tell(&world, "agent.session.end", json!({}));
        world.seal(&mut sender, true);
        requests.insert(0, request);
    }
    (world, requests)
}

fn each_anew(reader: &dyn Reader, requests: &[String]) -> Vec<Account> {
    let of = |request: &String| build(reader, &Trusted::FirstSeen, request, &Options::default());
    requests
        .iter()
        .map(|request| of(request).unwrap())
        .collect()
}

/// As a program does that cannot hold a verifier between two questions.
fn one_after_the_other(reader: &dyn Reader, requests: &[String]) -> Vec<Account> {
    let mut kept: Option<Kept> = None;
    let mut accounts = Vec::new();
    for request in requests {
        let trusted = Trusted::FirstSeen;
        let mut verifier = Verifier::resume(reader, &trusted, kept.take()).unwrap();
        let account = build_with(reader, &mut verifier, request, &Options::default());
        accounts.push(account.unwrap());
        kept = verifier.keep(&trusted);
        assert!(kept.is_some());
    }
    accounts
}

#[test]
fn a_list_of_accounts_is_the_same_and_reads_the_ledger_log_once() {
    let (mut world, requests) = filled();
    let reader = Counting::new(world.read());
    let anew = each_anew(&reader, &requests);
    let before = reader.counts();
    let shared = one_after_the_other(&reader, &requests);
    let after = reader.counts();
    assert_eq!(shared, anew);
    println!(
        "{SESSIONS} sessions: questions and leaves {before:?} anew, {after:?} one after the other"
    );
    assert!(after.1 * 10 < before.1, "{before:?} {after:?}");
    assert!(after.0 * 3 < before.0 * 2, "{before:?} {after:?}");
}

#[test]
fn a_trace_is_one_question_however_many_streams_there_are() {
    let (mut world, _) = filled();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut sender = Sender::sdk("s-traced", "r-traced");
    sender.raw(json!({
        "timeUnixNano": world.tick().to_string(), "eventName": "agent.session.start",
        "traceId": trace.to_uppercase(), "attributes": [],
    }));
    world.seal(&mut sender, false);
    let reader = Counting::new(world.read());
    let account = build(&reader, &Trusted::FirstSeen, trace, &Options::default()).unwrap();
    assert_eq!(account.sessions[0].id, "s-traced");
    let (questions, _) = reader.counts();
    println!("{questions} questions for a trace among {SESSIONS} streams");
    assert!(questions < SESSIONS as u64, "{questions}");
    let unknown = "5bf92f3577b34da6a3ce929d0e0e4736";
    assert!(build(&reader, &Trusted::FirstSeen, unknown, &Options::default()).is_err());
}

#[test]
fn what_is_appended_meanwhile_is_seen() {
    let (mut world, requests) = filled();
    let trusted = Trusted::FirstSeen;
    let folder = world.read();
    let verifier = Verifier::open(&folder, &trusted).unwrap();
    let kept = verifier.keep(&trusted);
    drop(folder);
    world.open();
    let mut sender = Sender::sdk("s-listed-late", "r-late");
    sender.tell(&world, "agent.session.start", json!({}));
    sender.tell(&world, "agent.session.end", json!({}));
    world.seal(&mut sender, true);
    let folder = world.read();
    let mut verifier = Verifier::resume(&folder, &trusted, kept).unwrap();
    let account = build_with(&folder, &mut verifier, "r-late", &Options::default()).unwrap();
    assert_eq!(
        account,
        build(&folder, &trusted, "r-late", &Options::default()).unwrap()
    );
    assert_eq!(requests.len(), SESSIONS);
}

#[test]
fn another_key_is_never_believed_because_of_what_was_kept() {
    let (mut world, _) = filled();
    let (mut other, _) = filled();
    let key = |world: &mut World| {
        let folder = world.read();
        let verifier = Verifier::open(&folder, &Trusted::FirstSeen).unwrap();
        verifier.ledger().key.clone().unwrap()
    };
    let pinned = Trusted::Pinned(key(&mut other));
    let folder = world.read();
    let verifier = Verifier::open(&folder, &Trusted::FirstSeen).unwrap();
    let kept = verifier.keep(&Trusted::FirstSeen);
    let verifier = Verifier::resume(&folder, &pinned, kept).unwrap();
    assert!(!verifier.ledger().findings.is_empty());
}
