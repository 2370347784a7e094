//! A witness as a process: what it cosigns, what it refuses, and what it still knows after it was killed.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::{Engine, engine::general_purpose::STANDARD};
use ledger::checkpoint::Checkpoint;
use ledger::cosignature::WitnessKey;
use ledger::leaf::TreeHead;
use ledger::note::{Note, SignerKey};
use ledger::tree::{Frontier, Hash, consistency, hash_leaf};
use tempfile::TempDir;

use crate::harness::BINARY;

/// A running witness in a folder of its own. Dropping it kills it.
pub(crate) struct Witness {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The folder of a witness.
pub(crate) struct Attic {
    dir: TempDir,
    /// Its key.
    pub(crate) key: WitnessKey,
}

impl Attic {
    pub(crate) fn new(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let made = command(&["witness", "init", "--name", name], &dir.path().join("w"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let vkey = command(&["witness", "vkey"], &dir.path().join("w"))
            .output()
            .unwrap();
        let key = WitnessKey::parse(String::from_utf8(vkey.stdout).unwrap().trim()).unwrap();
        Self { dir, key }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().join("w")
    }

    pub(crate) fn serve(&self, more: &[&str]) -> Witness {
        self.serve_at("127.0.0.1:0", more)
    }

    pub(crate) fn serve_at(&self, address: &str, more: &[&str]) -> Witness {
        let mut child = command(&["witness", "--listen", address], &self.folder())
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        Witness {
            child,
            url: format!("http://{}", ready["listen"].as_str().unwrap()),
        }
    }
}

fn command(args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.args(args).arg("--store").arg(dir);
    command
}

const ORIGIN: &str = "log.example.test/it";

fn log() -> SignerKey {
    SignerKey::new(ORIGIN, &[1; 32]).unwrap()
}

fn vkey() -> String {
    log().verifier().to_string()
}

/// The leaves of a history; another `name`, another history from leaf `from` on.
fn leaves(n: u64, name: &str, from: u64) -> Vec<Hash> {
    let leaf = |i: u64| {
        if i < from {
            format!("{i}")
        } else {
            format!("{name} {i}")
        }
    };
    (0..n).map(|i| hash_leaf(leaf(i).as_bytes())).collect()
}

fn note(leaves: &[Hash], key: &SignerKey) -> Vec<u8> {
    let mut tree = Frontier::default();
    for leaf in leaves {
        tree.append(*leaf);
    }
    let head = TreeHead {
        size: tree.size(),
        root: tree.root(),
    };
    Checkpoint {
        origin: ORIGIN.to_owned(),
        head,
    }
    .sign(key)
    .unwrap()
}

fn asked(old: u64, leaves: &[Hash], key: &SignerKey) -> Vec<u8> {
    let mut body = format!("old {old}\n");
    for hash in consistency(&mut &leaves[..], old, leaves.len() as u64).unwrap() {
        body.push_str(&STANDARD.encode(hash));
        body.push('\n');
    }
    body.push('\n');
    let mut body = body.into_bytes();
    body.extend_from_slice(&note(leaves, key));
    body
}

struct Answer {
    status: u16,
    kind: String,
    text: String,
}

fn post(witness: &Witness, vkey: Option<&str>, body: &[u8]) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let mut request = agent.post(format!("{}/add-checkpoint", witness.url));
    if let Some(vkey) = vkey {
        request = request.header("recount-vkey", vkey);
    }
    let mut response = request.send(body).unwrap();
    let kind = response.headers().get("content-type");
    Answer {
        status: response.status().as_u16(),
        kind: kind
            .map(|kind| kind.to_str().unwrap().to_owned())
            .unwrap_or_default(),
        text: response.body_mut().read_to_string().unwrap(),
    }
}

/// The time of a cosignature that holds over this note.
fn cosigned(attic: &Attic, note: &[u8], answer: &Answer) -> u64 {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let note = [note, answer.text.as_bytes()].concat();
    attic
        .key
        .cosigned(&Note::parse(&note).unwrap())
        .unwrap()
        .unwrap()
}

#[test]
fn what_extends_is_cosigned_and_everything_else_is_refused_by_its_status() {
    let attic = Attic::new("witness.example.test/w1");
    let witness = attic.serve(&["--trust", &vkey()]);
    let (five, nine) = (leaves(5, "a", 0), leaves(9, "a", 0));
    let first = post(&witness, None, &asked(0, &five, &log()));
    let time = cosigned(&attic, &note(&five, &log()), &first);
    assert!(time > 1_700_000_000);

    let unknown = post(&witness, None, &asked(0, &nine, &log()));
    assert_eq!((unknown.status, unknown.text.as_str()), (409, "5\n"));
    assert_eq!(unknown.kind, "text/x.tlog.size");
    let second = post(&witness, None, &asked(5, &nine, &log()));
    assert!(cosigned(&attic, &note(&nine, &log()), &second) >= time);

    let thief = SignerKey::new(ORIGIN, &[9; 32]).unwrap();
    assert_eq!(
        post(&witness, None, &asked(9, &leaves(12, "a", 0), &thief)).status,
        403
    );
    let body = String::from_utf8(asked(9, &nine, &log())).unwrap();
    let other = body.replace(ORIGIN, "log.example.test/other");
    assert_eq!(post(&witness, None, other.as_bytes()).status, 404);
    assert_eq!(post(&witness, None, b"old 9\n\nnonsense").status, 400);
    assert_eq!(
        post(&witness, None, body.replace("old 9", "old 10").as_bytes()).status,
        400
    );
    assert_eq!(
        post(&witness, None, &asked(9, &leaves(12, "b", 6), &log())).status,
        422
    );
    assert_eq!(
        post(&witness, None, &asked(9, &leaves(9, "b", 6), &log())).status,
        409
    );
    assert_eq!(post(&witness, None, &vec![b'x'; 1 << 20]).status, 413);
    // The same again is cosigned again: the answer may have been lost.
    let again = post(&witness, None, &asked(9, &nine, &log()));
    cosigned(&attic, &note(&nine, &log()), &again);
}

/// redteam: K01, S10
#[test]
fn a_killed_witness_knows_every_checkpoint_that_it_ever_cosigned() {
    let attic = Attic::new("w");
    let mut size = 0;
    for round in 0..5 {
        let witness = attic.serve(&["--trust", &vkey()]);
        let old = leaves(size, "a", 0);
        if size > 0 {
            let shorter = leaves(size - 1, "a", 0);
            let rolled_back = post(&witness, None, &asked(size - 2, &shorter, &log()));
            assert_eq!(
                (rolled_back.status, rolled_back.text),
                (409, format!("{size}\n"))
            );
            let forked = leaves(size + 3, "fork", size - 1);
            assert_eq!(
                post(&witness, None, &asked(size, &forked, &log())).status,
                422
            );
        }
        let new = leaves(size + 4 + round, "a", 0);
        let answer = post(&witness, None, &asked(old.len() as u64, &new, &log()));
        cosigned(&attic, &note(&new, &log()), &answer);
        size = new.len() as u64;
        // Dropped: killed at once.
    }
}

/// redteam: K06. Two requests at the same moment, each fine by itself, for two histories.
#[test]
fn concurrent_requests_cannot_get_a_fork_cosigned() {
    let attic = Attic::new("w");
    let witness = attic.serve(&["--trust", &vkey()]);
    let base = leaves(3, "", 3);
    cosigned(
        &attic,
        &note(&base, &log()),
        &post(&witness, None, &asked(0, &base, &log())),
    );
    let mut size = 3;
    for round in 0..10_u64 {
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let (witness, size) = (&witness, size);
            let ask = move |name: String| {
                scope.spawn(move || {
                    post(
                        witness,
                        None,
                        &asked(size, &leaves(size + 2, &name, 3), &log()),
                    )
                    .status
                })
            };
            let both: Vec<_> = ["a", "b", "c", "d"]
                .map(|name| ask(format!("{name}{round}")))
                .into();
            both.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let granted = statuses.iter().filter(|status| **status == 200).count();
        assert!(
            statuses
                .iter()
                .all(|status| matches!(status, 200 | 409 | 422)),
            "{statuses:?}"
        );
        assert!(granted <= 1, "{statuses:?}");
        if round == 0 {
            assert_eq!(granted, 1);
            size += 2;
        }
    }
}

#[test]
fn trust_on_first_use_keeps_the_first_key_and_only_named_logs() {
    let attic = Attic::new("w");
    let (three, four) = (leaves(3, "a", 0), leaves(4, "a", 0));
    let thief = SignerKey::new(ORIGIN, &[9; 32]).unwrap();
    {
        let witness = attic.serve(&[
            "--trust-on-first-use",
            "--origin",
            "log.example.test/elsewhere",
        ]);
        assert_eq!(
            post(&witness, Some(&vkey()), &asked(0, &three, &log())).status,
            404
        );
    }
    {
        let witness = attic.serve(&["--trust-on-first-use"]);
        assert_eq!(post(&witness, None, &asked(0, &three, &log())).status, 404);
        // A key that did not sign is not kept.
        let theirs = thief.verifier().to_string();
        assert_eq!(
            post(&witness, Some(&theirs), &asked(0, &three, &log())).status,
            403
        );
        let first = post(&witness, Some(&vkey()), &asked(0, &three, &log()));
        cosigned(&attic, &note(&three, &log()), &first);
        assert_eq!(
            post(&witness, Some(&theirs), &asked(3, &four, &thief)).status,
            403
        );
    }
    let witness = attic.serve(&[]);
    let later = post(&witness, None, &asked(3, &four, &log()));
    cosigned(&attic, &note(&four, &log()), &later);
}

#[test]
fn a_witness_whose_memory_was_changed_cosigns_nothing() {
    let attic = Attic::new("w");
    let three = leaves(3, "a", 0);
    {
        let witness = attic.serve(&["--trust", &vkey()]);
        post(&witness, None, &asked(0, &three, &log()));
    }
    let held = std::fs::read_dir(attic.folder().join("checkpoints"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let text = std::fs::read_to_string(&held).unwrap();
    std::fs::write(&held, text.replace("\n3\n", "\n2\n")).unwrap();
    let witness = attic.serve(&[]);
    assert_eq!(
        post(&witness, None, &asked(2, &leaves(5, "b", 2), &log())).status,
        500
    );
    std::fs::write(&held, text).unwrap();
    assert_eq!(
        post(&witness, None, &asked(3, &leaves(5, "a", 0), &log())).status,
        200
    );
}

#[test]
fn one_folder_has_one_witness_and_is_never_made_over() {
    let attic = Attic::new("w");
    let _running = attic.serve(&["--trust", &vkey()]);
    let second = command(&["witness", "--listen", "127.0.0.1:0"], &attic.folder())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another witness runs"));
    let over = command(&["witness", "init", "--name", "x"], &attic.folder())
        .output()
        .unwrap();
    assert_eq!(over.status.code(), Some(2));
    assert_eq!(
        std::fs::read_to_string(attic.folder().join("witness.pub"))
            .unwrap()
            .trim(),
        attic.key.to_string()
    );
    let nowhere = Command::new(BINARY)
        .args(["witness", "vkey"])
        .env_remove("RECOUNT_STORE")
        .output()
        .unwrap();
    assert_eq!(nowhere.status.code(), Some(2));
}
