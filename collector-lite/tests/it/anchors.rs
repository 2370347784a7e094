//! Anchors and witnesses of a running collector: what they get, what comes of it, and what happens when they know
//! more than the ledger does.

mod file;
mod git;
mod witness;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use collector_lite::Hidden;
use ledger::checkpoint::Checkpoint;
use ledger::door::Door;
use ledger::leaf::{ConflictNote, ControlLeaf, Private as _, Receipt};
use ledger::note::{Note, VerifierKey};
use ledger::reader::{Reader, StoredControl};
use ledger::store::Folder;
use ledger::verify::{Trusted, Verifier, verify_all};
use serde_json::Value;

use crate::harness::{JSON, Lab, logs_json, post, record_json};

/// A lab whose collector has this configuration file.
struct Anchored {
    lab: Lab,
}

impl Anchored {
    fn new(config: &str) -> Self {
        let this = Self { lab: Lab::new() };
        this.configure(config);
        this
    }

    fn configure(&self, config: &str) {
        std::fs::write(self.config(), config).unwrap();
    }

    fn config(&self) -> PathBuf {
        self.lab.dir.path().join("collector.toml")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.lab.dir.path().join(name)
    }

    fn serve(&self) -> Hidden {
        self.lab
            .serve_with(&["--config", self.config().to_str().unwrap()])
    }

    fn run(&self, args: &[&str]) -> (i32, String) {
        let socket = self.lab.socket();
        let config = self.config();
        let common = [
            "--config",
            config.to_str().unwrap(),
            "--reader",
            socket.to_str().unwrap(),
        ];
        let output = self.lab.run(&[args, &common[..]].concat());
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(text).unwrap(),
        )
    }

    /// Asks every anchor now; the status as JSON.
    fn anchor(&self) -> Value {
        self.run(&["anchor", "now"]);
        self.status()
    }

    fn status(&self) -> Value {
        let (_, text) = self.run(&["anchor", "status", "-o", "json"]);
        serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"))
    }

    fn door(&self) -> Door {
        Door::socket(&self.lab.socket())
    }

    fn key(&self) -> VerifierKey {
        let text = std::fs::read_to_string(self.lab.store().join("ledger.pub")).unwrap();
        VerifierKey::parse(text.trim()).unwrap()
    }

    /// A copy of the whole store, as a snapshot of the machine takes it.
    fn snapshot(&self) {
        copy(&self.lab.store(), &self.path("snapshot"));
    }

    /// Puts the copy back: database, `last_signed`, `acked` and keys, all of one moment.
    fn roll_back(&self) {
        std::fs::remove_dir_all(self.lab.store()).unwrap();
        copy(&self.path("snapshot"), &self.lab.store());
    }
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp")
        .arg("-a")
        .arg(from)
        .arg(to)
        .status()
        .unwrap();
    assert!(done.success());
}

/// Seals records, each of a session of its own: its opening is a leaf at once.
fn record(collector: &Hidden, n: usize) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    for _ in 0..n {
        let text = format!("session-{}", NEXT.fetch_add(1, Ordering::SeqCst));
        let body = logs_json(&[&record_json(&text, &[("session.id", &text)])]);
        assert_eq!(
            post(collector, "/v1/logs", &[JSON], body.as_bytes()).status,
            200
        );
    }
}

fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(40);
    while !happened() {
        assert!(Instant::now() < until, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until what was recorded before is signed.
fn signed(anchored: &Anchored) {
    let door = anchored.door();
    let (size, key) = (door.state().unwrap().size, anchored.key());
    wait_for("a signature", || {
        let note = door.checkpoint().unwrap().unwrap();
        Checkpoint::open(&note, &key).unwrap().head.size >= size
    });
}

fn leaves(reader: &dyn Reader, kind: u8) -> Vec<StoredControl> {
    let all = reader.control(0, u64::MAX).unwrap();
    all.into_iter()
        .filter(|stored| stored.leaf[1] == kind)
        .collect()
}

fn anchors(status: &Value) -> &Vec<Value> {
    status["anchors"].as_array().unwrap()
}

/// The notes in a file that an anchor appended to.
fn notes(path: &Path) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut notes = Vec::new();
    let mut parts = text.split("\n\n");
    while let (Some(text), Some(lines)) = (parts.next(), parts.next()) {
        notes.push(format!("{text}\n\n{lines}\n").into_bytes());
    }
    notes
}

/// Records, waits for the signature over it, and asks every anchor; the status.
fn taken(anchored: &Anchored, collector: &Hidden, records: usize) -> Value {
    record(collector, records);
    signed(anchored);
    anchored.anchor()
}

/// Expects the first anchor's field to hold these words.
fn tells(status: &Value, field: &str, words: &str) {
    let said = anchors(status)[0][field].as_str().unwrap_or_default();
    assert!(said.contains(words), "{status}");
}

fn file_anchor(path: &Path) -> String {
    format!("[[anchor]]\nkind = \"file\"\npath = {path:?}\nevery = 3600\n")
}

/// Takes a snapshot, lets the anchor hold more than it, puts the snapshot back, and expects the alarm.
fn rolled_back(anchored: &Anchored) -> String {
    let mut collector = anchored.serve();
    taken(anchored, &collector, 3);
    collector.stop().unwrap();
    anchored.snapshot();
    let mut collector = anchored.serve();
    let status = taken(anchored, &collector, 5);
    assert!(
        anchors(&status)
            .iter()
            .all(|anchor| anchor["error"] == Value::Null),
        "{status}"
    );
    collector.stop().unwrap();
    anchored.roll_back();

    // It starts: nothing in the folder says that anything is missing. Only someone outside knows.
    let mut collector = anchored.serve();
    record(&collector, 1);
    let status = anchored.anchor();
    let why = status["signing_held"]
        .as_str()
        .unwrap_or_else(|| panic!("{status}"))
        .to_owned();
    // Recording goes on, signing does not.
    let before = anchored.door().checkpoint().unwrap();
    record(&collector, 260);
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(anchored.door().checkpoint().unwrap(), before);
    let (code, text) = anchored.run(&["status"]);
    assert!(
        code == 0 && text.contains("ALARM") && text.contains("anchor release"),
        "{text}"
    );
    assert_eq!(anchored.run(&["anchor", "status"]).0, 3);
    let metrics = String::from_utf8(anchored.door().get("/metrics").unwrap()).unwrap();
    assert!(metrics.contains("recount_signing_held 1"), "{metrics}");
    let conflicts = leaves(&anchored.door(), 20);
    let note = ConflictNote::decode(&conflicts[0].private.as_ref().unwrap().body).unwrap();
    assert!(matches!(
        ControlLeaf::decode(&conflicts[0].leaf).unwrap().body,
        ledger::leaf::ControlBody::Conflict { kind: 4, .. }
    ));
    collector.stop().unwrap();

    // A restart changes nothing; a person does.
    let mut collector = anchored.serve();
    assert!(anchored.status()["signing_held"].is_string());
    assert_eq!(
        anchored.run(&["anchor", "release"]).0,
        5,
        "a collector runs"
    );
    collector.stop().unwrap();
    let (code, text) = anchored.run(&["anchor", "release"]);
    assert!(code == 0 && text.contains(&why), "{text}");
    note.what
}

#[test]
fn anchors_are_asked_without_a_running_collector_too_and_config_shows_them() {
    let anchored = Anchored::new("");
    let elsewhere = anchored.path("elsewhere");
    anchored.configure(&file_anchor(&elsewhere));
    let mut collector = anchored.serve();
    record(&collector, 1);
    collector.stop().unwrap();
    let _ = std::fs::remove_file(&elsewhere);
    let (code, text) = anchored.run(&["anchor", "now"]);
    assert!(code == 0 && text.contains("last anchored"), "{text}");
    assert!(!notes(&elsewhere).is_empty());
    let (_, text) = anchored.run(&["config"]);
    assert!(
        text.contains("anchor[0]")
            && text.contains("every 3600 s")
            && text.contains("collector.toml"),
        "{text}"
    );
    let none = Anchored::new("");
    none.serve().stop().unwrap();
    let (_, text) = none.run(&["status"]);
    assert!(
        text.contains("none: whoever controls this machine"),
        "{text}"
    );
}
