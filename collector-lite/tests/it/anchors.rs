//! Anchors and witnesses of a running collector: what they get, what comes of it, and what happens when they know
//! more than the ledger does.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use collector_lite::Hidden;
use ledger::checkpoint::Checkpoint;
use ledger::door::Door;
use ledger::leaf::{ConflictNote, ControlLeaf, Private as _, Receipt};
use ledger::note::{Note, SignerKey, VerifierKey};
use ledger::reader::{Reader, StoredControl};
use ledger::store::Folder;
use ledger::verify::{Trusted, Verifier, verify_all};
use serde_json::Value;

use crate::harness::{JSON, Lab, logs_json, post, record_json};
use crate::witness::Attic;

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

fn file_anchor(path: &Path) -> String {
    format!("[[anchor]]\nkind = \"file\"\npath = {path:?}\nevery = 3600\n")
}

#[test]
fn a_file_holds_checkpoints_that_the_ledger_extends_and_each_has_a_receipt() {
    let anchored = Anchored::new("");
    let elsewhere = anchored.path("elsewhere");
    anchored.configure(&file_anchor(&elsewhere));
    let mut collector = anchored.serve();
    record(&collector, 3);
    signed(&anchored);
    let status = anchored.anchor();
    assert_eq!(anchors(&status)[0]["error"], Value::Null, "{status}");
    record(&collector, 300);
    signed(&anchored);
    let status = anchored.anchor();
    let held = notes(&elsewhere);
    assert!(held.len() >= 2, "{status}");
    let newest = Checkpoint::open(held.last().unwrap(), &anchored.key()).unwrap();
    assert_eq!(anchors(&status)[0]["size"], newest.head.size);
    // Once nothing but its own receipts is new, an idle ledger is left alone.
    wait_for("rest", || {
        let before = notes(&elsewhere).len();
        std::thread::sleep(Duration::from_secs(1));
        signed(&anchored);
        anchored.anchor();
        notes(&elsewhere).len() == before
    });
    let held = notes(&elsewhere);

    let (code, text) = anchored.run(&["status"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("last anchored") && text.contains("elsewhere"),
        "{text}"
    );
    let metrics = String::from_utf8(anchored.door().get("/metrics").unwrap()).unwrap();
    assert!(
        metrics.contains("recount_anchor_age_seconds{kind=\"file\""),
        "{metrics}"
    );
    assert!(metrics.contains("recount_signing_held 0"), "{metrics}");
    let health = String::from_utf8(anchored.door().get("/healthz").unwrap()).unwrap();
    assert!(health.contains("last_anchored"), "{health}");
    collector.stop().unwrap();

    let folder = Folder::open(&anchored.lab.store()).unwrap();
    let receipts = leaves(&folder, 12);
    assert_eq!(receipts.len(), held.len());
    for (receipt, note) in receipts.iter().zip(&held) {
        let private = Receipt::decode(&receipt.private.as_ref().unwrap().body).unwrap();
        assert_eq!(private.holder, format!("file:{}", elsewhere.display()));
        let text = String::from_utf8(private.receipt).unwrap();
        let offset: usize = text
            .strip_prefix("offset ")
            .unwrap()
            .trim_end()
            .parse()
            .unwrap();
        assert!(std::fs::read(&elsewhere).unwrap()[offset..].starts_with(note));
    }
    let mut verifier = Verifier::open(&folder, &Trusted::FirstSeen).unwrap();
    for note in &held {
        assert_eq!(verifier.known_checkpoint(note), []);
    }
    assert_eq!(
        verify_all(&folder, &Trusted::FirstSeen, &mut |_| {})
            .unwrap()
            .findings,
        []
    );
}

/// Takes a snapshot, lets the anchor hold more than it, puts the snapshot back, and expects the alarm.
fn rolled_back(anchored: &Anchored) -> String {
    let mut collector = anchored.serve();
    record(&collector, 3);
    signed(anchored);
    anchored.anchor();
    collector.stop().unwrap();
    anchored.snapshot();
    let mut collector = anchored.serve();
    record(&collector, 5);
    signed(anchored);
    let status = anchored.anchor();
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

/// redteam: S10, S09, O08
#[test]
fn a_rolled_back_ledger_is_caught_by_its_file_anchor() {
    let anchored = Anchored::new("");
    anchored.configure(&file_anchor(&anchored.path("elsewhere")));
    let what = rolled_back(&anchored);
    // The other checkpoint is in the leaf: with ours it proves to anybody that the key signed two histories.
    assert!(
        what.contains("holds a checkpoint of") && what.contains('\u{2014}'),
        "{what}"
    );
}

fn git(dir: &Path, args: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(args)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A bare repository, and the anchor that pushes to it.
fn repository(anchored: &Anchored) -> PathBuf {
    let bare = anchored.path("bare.git");
    std::fs::create_dir(&bare).unwrap();
    git(&bare, &["init", "--quiet", "--bare"]);
    anchored.configure(&format!(
        "[[anchor]]\nkind = \"git\"\nremote = \"file://{}\"\nbranch = \"checkpoints\"\nevery = 3600\n",
        bare.display()
    ));
    bare
}

/// redteam: S10, K10
#[test]
fn a_rolled_back_ledger_is_caught_by_its_git_anchor() {
    let anchored = Anchored::new("");
    repository(&anchored);
    let what = rolled_back(&anchored);
    assert!(
        what.contains("git:file://") && what.contains("holds a checkpoint of"),
        "{what}"
    );
}

/// redteam: K10
#[test]
fn a_branch_gets_one_commit_per_checkpoint_and_what_is_removed_is_pushed_again_and_told() {
    let anchored = Anchored::new("");
    let bare = repository(&anchored);
    let mut collector = anchored.serve();
    record(&collector, 1);
    signed(&anchored);
    anchored.anchor();
    record(&collector, 1);
    signed(&anchored);
    anchored.anchor();
    let log = git(&bare, &["log", "--format=%H %s", "checkpoints"]);
    assert!(log.lines().count() >= 2, "{log}");
    let note = git(&bare, &["show", "checkpoints:checkpoint"]);
    Checkpoint::open(note.as_bytes(), &anchored.key()).unwrap();
    let tip = git(&bare, &["rev-parse", "checkpoints"]);
    assert_eq!(anchors(&anchored.status())[0]["handle"], tip.trim());

    git(&bare, &["update-ref", "-d", "refs/heads/checkpoints"]);
    record(&collector, 1);
    signed(&anchored);
    let status = anchored.anchor();
    assert!(
        anchors(&status)[0]["remark"]
            .as_str()
            .unwrap()
            .contains("was removed"),
        "{status}"
    );
    assert_eq!(leaves(&anchored.door(), 20).len(), 1);
    let again = git(&bare, &["log", "--format=%H %s", "checkpoints"]);
    assert!(again.ends_with(&log), "{again}");

    // Somebody else's commit is not ours to push over: it is shown, and signing goes on.
    let blob = git(&bare, &["hash-object", "-w", "--stdin"]);
    let tree = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "printf '100644 blob {}\tother\n' | git -C {} mktree",
            blob.trim(),
            bare.display()
        ))
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    let foreign = git(
        &bare,
        &[
            "-c",
            "user.name=x",
            "-c",
            "user.email=x",
            "commit-tree",
            tree.trim(),
            "-p",
            "checkpoints",
            "-m",
            "x",
        ],
    );
    git(
        &bare,
        &["update-ref", "refs/heads/checkpoints", foreign.trim()],
    );
    record(&collector, 1);
    signed(&anchored);
    let status = anchored.anchor();
    assert!(
        anchors(&status)[0]["error"]
            .as_str()
            .unwrap()
            .contains("somebody else"),
        "{status}"
    );
    assert_eq!(status["signing_held"], Value::Null);
    assert_eq!(git(&bare, &["rev-parse", "checkpoints"]), foreign);
    collector.stop().unwrap();
}

fn witness_table(attic: &Attic, url: &str) -> String {
    format!(
        "[[witness]]\nurl = \"{url}\"\nvkey = \"{}\"\nevery = 3600\ntimeout = 5\n",
        attic.key
    )
}

/// redteam: S10, O08. The witness answers 409 with a larger size.
#[test]
fn a_rolled_back_ledger_is_caught_by_its_witness() {
    let attic = Attic::new("w1");
    let witness = attic.serve(&["--trust-on-first-use"]);
    let anchored = Anchored::new("");
    anchored.configure(&witness_table(&attic, &witness.url));
    let what = rolled_back(&anchored);
    assert!(what.contains("it cosigned"), "{what}");
}

/// redteam: S08. The whole folder is gone and a new ledger has its name and key.
#[test]
fn a_ledger_begun_again_under_its_old_key_is_caught_by_its_witness() {
    let attic = Attic::new("w1");
    let witness = attic.serve(&["--trust-on-first-use"]);
    let anchored = Anchored::new("");
    anchored.configure(&format!(
        "origin = \"lab.example.test\"\n{}",
        witness_table(&attic, &witness.url)
    ));
    let mut collector = anchored.serve();
    record(&collector, 3);
    signed(&anchored);
    assert_eq!(anchors(&anchored.anchor())[0]["error"], Value::Null);
    collector.stop().unwrap();
    let seed = std::fs::read(anchored.lab.store().join("keys/identity")).unwrap();
    std::fs::remove_dir_all(anchored.lab.store()).unwrap();

    // With another key, the witness refuses the name.
    let mut collector = anchored.serve();
    record(&collector, 30);
    signed(&anchored);
    let status = anchored.anchor();
    assert!(
        anchors(&status)[0]["error"]
            .as_str()
            .unwrap()
            .contains("another key"),
        "{status}"
    );
    collector.stop().unwrap();

    // With the stolen key and a history of one's own, it knows that it is another one.
    let thief = SignerKey::new("lab.example.test", &seed.try_into().unwrap()).unwrap();
    let root = [7; 32];
    let forged = Checkpoint {
        origin: "lab.example.test".to_owned(),
        head: ledger::leaf::TreeHead { size: 4, root },
    };
    let body = [b"old 4\n\n", &forged.sign(&thief).unwrap()[..]].concat();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let answer = agent
        .post(format!("{}/add-checkpoint", witness.url))
        .send(&body[..])
        .unwrap();
    assert_eq!(answer.status(), 409);
}

/// redteam: K06, O07
#[test]
fn a_quorum_of_witnesses_cosigns_one_checkpoint_and_one_that_is_down_holds_up_nothing() {
    let attics = [Attic::new("w1"), Attic::new("w2"), Attic::new("w3")];
    let mut witnesses: Vec<_> = attics
        .iter()
        .map(|attic| attic.serve(&["--trust-on-first-use"]))
        .collect();
    let anchored = Anchored::new("");
    let tables: String = attics
        .iter()
        .zip(&witnesses)
        .map(|(attic, witness)| witness_table(attic, &witness.url))
        .collect();
    anchored.configure(&tables);
    let collector = anchored.serve();
    record(&collector, 3);
    signed(&anchored);
    let quorum = |want: usize| {
        let note = anchored.door().witnessed().unwrap().unwrap();
        let parsed = Note::parse(&note).unwrap();
        let cosigned = attics
            .iter()
            .filter(|attic| attic.key.cosigned(&parsed).unwrap().is_some())
            .count();
        assert!(cosigned >= want, "{}", String::from_utf8_lossy(&note));
        Checkpoint::open(&note, &anchored.key()).unwrap().head.size
    };
    anchored.anchor();
    let first = quorum(3);

    drop(witnesses.pop());
    let started = Instant::now();
    record(&collector, 20);
    assert!(started.elapsed() < Duration::from_secs(10));
    signed(&anchored);
    let status = anchored.anchor();
    assert!(quorum(2) > first);
    let failing: Vec<_> = anchors(&status)
        .iter()
        .filter(|anchor| anchor["error"].is_string())
        .collect();
    assert_eq!(
        (failing.len(), failing[0]["holder"].as_str().unwrap()),
        (1, attics[2].key.to_string().as_str())
    );
    assert!(failing[0]["behind"].as_u64().unwrap() > 0);
    let (_, text) = anchored.run(&["status"]);
    assert!(
        text.contains("2 must cosign") && text.contains("fails since"),
        "{text}"
    );

    drop(witnesses.pop());
    record(&collector, 1);
    signed(&anchored);
    let before = anchored.door().witnessed().unwrap();
    anchored.anchor();
    assert_eq!(
        anchored.door().witnessed().unwrap(),
        before,
        "one of three is no quorum"
    );
    // The checkpoint that readers get carries the lines of its witnesses, and verifies like any other.
    let door = anchored.door();
    let verifier = Verifier::open(&door, &Trusted::FirstSeen).unwrap();
    assert!(verifier.ledger().findings.is_empty());
}

/// redteam: O07. Whoever accepts a connection and says nothing is the worst that can be down.
#[test]
fn an_anchor_that_never_answers_blocks_no_record_and_no_stop() {
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let attic = Attic::new("w1");
    let anchored = Anchored::new("");
    anchored.configure(&format!(
        "{}[[anchor]]\nkind = \"rfc3161\"\nurl = \"http://{1}\"\nevery = 1\ntimeout = 20\n",
        witness_table(&attic, &format!("http://{}", deaf.local_addr().unwrap()))
            .replace("timeout = 5", "timeout = 20"),
        deaf.local_addr().unwrap()
    ));
    let mut collector = anchored.serve();
    std::thread::sleep(Duration::from_secs(1));
    let started = Instant::now();
    record(&collector, 50);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    let started = Instant::now();
    collector.stop().unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "{:?}",
        started.elapsed()
    );
}

/// redteam: K11
#[test]
fn a_changed_destination_is_in_the_ledger_and_the_old_anchor_gets_a_last_checkpoint_that_covers_it()
{
    let anchored = Anchored::new("");
    let (old, new) = (anchored.path("old"), anchored.path("new"));
    anchored.configure(&file_anchor(&old));
    let mut collector = anchored.serve();
    record(&collector, 2);
    signed(&anchored);
    anchored.anchor();
    collector.stop().unwrap();
    let before = notes(&old).len();

    anchored.configure(&file_anchor(&new));
    let mut collector = anchored.serve();
    signed(&anchored);
    anchored.anchor();
    wait_for("a last checkpoint for the old anchor", || {
        anchored.anchor();
        notes(&old).len() > before && anchors(&anchored.status()).len() == 1
    });
    collector.stop().unwrap();
    let folder = Folder::open(&anchored.lab.store()).unwrap();
    let changes = leaves(&folder, 17);
    let texts: Vec<_> = changes
        .iter()
        .map(|leaf| {
            ledger::leaf::ConfigChange::decode(&leaf.private.as_ref().unwrap().body).unwrap()
        })
        .collect();
    let last = texts.last().unwrap();
    assert!(
        last.from.ends_with("/old") && last.to.ends_with("/new"),
        "{texts:?}"
    );
    let farewell = Checkpoint::open(notes(&old).last().unwrap(), &anchored.key()).unwrap();
    assert!(farewell.head.size > changes.last().unwrap().index);
}

/// redteam: K10
#[test]
fn a_file_that_was_taken_away_is_begun_again_and_told() {
    let anchored = Anchored::new("");
    let elsewhere = anchored.path("elsewhere");
    anchored.configure(&file_anchor(&elsewhere));
    let mut collector = anchored.serve();
    for _ in 0..2 {
        record(&collector, 1);
        signed(&anchored);
        anchored.anchor();
    }
    std::fs::remove_file(&elsewhere).unwrap();
    record(&collector, 1);
    signed(&anchored);
    let status = anchored.anchor();
    assert!(
        anchors(&status)[0]["remark"]
            .as_str()
            .unwrap()
            .contains("taken away"),
        "{status}"
    );
    assert_eq!(leaves(&anchored.door(), 20).len(), 1);
    // What somebody else put there is not written over.
    std::fs::write(&elsewhere, "mine now\n").unwrap();
    record(&collector, 1);
    signed(&anchored);
    let status = anchored.anchor();
    assert!(
        anchors(&status)[0]["error"]
            .as_str()
            .unwrap()
            .contains("does not end in a checkpoint"),
        "{status}"
    );
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "mine now\n");
    collector.stop().unwrap();
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
