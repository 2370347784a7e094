//! Anchors that other people's programs are: an object store that enforces its locks, and a time-stamping authority.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use ledger::checkpoint::Checkpoint;
use ledger::leaf::{ControlBody, ControlLeaf, Private, Receipt};
use ledger::note::VerifierKey;
use ledger::reader::Reader;
use ledger::store::Folder;
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use tests::authority::Authority;
use tests::need::{Need, python, trial};
use tests::outcome::Outcome;
use tests::program::Program::Collector;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_locked_checkpoint_cannot_be_removed_and_a_rolled_back_ledger_meets_it",
            Some(Need::ObjectStore),
            object_lock,
        ),
        trial(
            "a_time_stamp_holds_for_openssl_too_and_another_answer_is_refused",
            Some(Need::OpenSsl),
            time_stamp,
        ),
    ]
}

type Tried<T> = Result<T, Failed>;

pub(crate) fn ensure(what: bool, why: impl Into<String>) -> Tried<()> {
    if what { Ok(()) } else { Err(why.into().into()) }
}

/// A ledger with anchors, used without a running collector.
pub(crate) struct Lab {
    dir: tempfile::TempDir,
}

impl Lab {
    pub(crate) fn new() -> Tried<Self> {
        let lab = Self {
            dir: tempfile::tempdir()?,
        };
        lab.configure("")?;
        lab.collector(&["init"])?.ended(0)?;
        Ok(lab)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn configure(&self, text: &str) -> Tried<()> {
        Ok(std::fs::write(self.path("collector.toml"), text)?)
    }

    fn collector(&self, args: &[&str]) -> Tried<Outcome> {
        let mut command = Collector.command()?;
        command.args(args).arg("--store").arg(self.path("store"));
        command
            .arg("--config")
            .arg(self.path("collector.toml"))
            .args(["--log", "error"]);
        Ok(Outcome::of(&mut command)?)
    }

    /// Asks the anchors once more, in a run of its own, and returns how they stand.
    pub(crate) fn anchor(&self, code: i32) -> Tried<Value> {
        self.collector(&["anchor", "now"])?.ended(code)?;
        Ok(serde_json::from_str(
            &self.collector(&["anchor", "status", "-o", "json"])?.out,
        )?)
    }

    pub(crate) fn copy(&self, from: &str, to: &str) -> Tried<()> {
        let done = Command::new("cp")
            .arg("-a")
            .arg(self.path(from))
            .arg(self.path(to))
            .status()?;
        ensure(done.success(), "cp")
    }

    /// The newest receipt, with the head that it is for.
    fn receipt(&self) -> Tried<(Receipt, ledger::leaf::TreeHead, u64)> {
        let folder = Folder::open(&self.path("store"))?;
        for stored in folder.control(0, u64::MAX)?.iter().rev() {
            let leaf = ControlLeaf::decode(&stored.leaf)?;
            if let (ControlBody::AnchorReceipt { head, .. }, Some(private)) =
                (leaf.body, &stored.private)
            {
                return Ok((Receipt::decode(&private.body)?, head, leaf.index));
            }
        }
        Err("no receipt".into())
    }
}

/// A process that is killed when it is dropped.
struct Server {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start() -> Tried<(Self, Value)> {
        let mut child = Command::new(python())
            .arg(tests::root().join("tests/python/object_store.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            return Err("no pipes".into());
        };
        let mut server = Self {
            child,
            stdin,
            stdout: BufReader::new(stdout),
        };
        let ready = server.line()?;
        Ok((server, ready))
    }

    fn line(&mut self) -> Tried<Value> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        Ok(serde_json::from_str(&line).map_err(|error| format!("{line:?}: {error}"))?)
    }

    fn ask(&mut self, what: &Value) -> Tried<Value> {
        writeln!(self.stdin, "{what}")?;
        self.line()
    }
}

/// redteam: K10, S10
fn object_lock() -> Tried<()> {
    let (mut server, ready) = Server::start()?;
    let lab = Lab::new()?;
    let text = |name: &str| ready[name].as_str().unwrap_or_default().to_owned();
    let credentials = lab.path("credentials");
    std::fs::write(
        &credentials,
        format!("{}\n{}\n", text("access"), text("secret")),
    )?;
    let config = |bucket: &str, credentials: &Path| {
        format!(
            "[[anchor]]\nkind = \"s3\"\nendpoint = \"{}\"\nbucket = \"{bucket}\"\ndays = 30\ncredentials = {credentials:?}\n",
            text("endpoint")
        )
    };
    lab.configure(&config("checkpoints", &credentials))?;
    let told = lab.anchor(0)?;
    ensure(told["anchors"][0]["error"].is_null(), told.to_string())?;

    // What an attacker with the collector's own keys may try.
    let listed = server.ask(&json!({ "do": "list" }))?;
    let (key, version) = (
        &listed["ok"]["versions"][0][0],
        &listed["ok"]["versions"][0][1],
    );
    let named = key
        .as_str()
        .unwrap_or_default()
        .rsplit('/')
        .next()
        .unwrap_or_default();
    ensure(
        named.len() == 20 && named.starts_with("000000"),
        listed.to_string(),
    )?;
    for attack in [
        json!({ "do": "delete", "key": key, "version": version }),
        json!({ "do": "delete", "key": key, "version": version, "bypass": true }),
        json!({ "do": "put", "key": key, "body": "forged" }),
    ] {
        let answer = server.ask(&attack)?;
        ensure(
            answer["refused"].is_string(),
            format!("{attack} was answered {answer}"),
        )?;
    }
    let (receipt, head, _) = lab.receipt()?;
    let receipt = String::from_utf8(receipt.receipt)?;
    let expected = format!(
        "key {}\nversion {}\nmode COMPLIANCE\nuntil ",
        key.as_str().unwrap_or_default(),
        version.as_str().unwrap_or_default()
    );
    ensure(receipt.starts_with(&expected) && head.size > 0, receipt)?;

    // A snapshot of the whole machine is put back.
    lab.copy("store", "snapshot")?;
    // The first of them hands over what the snapshot holds signed; the second, what it does not hold.
    for _ in 0..2 {
        lab.anchor(0)?;
    }
    std::fs::remove_dir_all(lab.path("store"))?;
    lab.copy("snapshot", "store")?;
    let told = lab.anchor(3)?;
    let why = told["signing_held"].as_str().unwrap_or_default();
    ensure(why.contains("holds a checkpoint of"), told.to_string())?;

    // Keys that do not fit, and a bucket that locks nothing, are told and hold nothing.
    let other = Lab::new()?;
    let wrong = other.path("wrong");
    std::fs::write(&wrong, format!("{}\nwrong\n", text("access")))?;
    other.configure(&config("checkpoints", &wrong))?;
    let told = other.anchor(5)?;
    ensure(
        told["anchors"][0]["error"]
            .as_str()
            .is_some_and(|why| why.contains("SignatureDoesNotMatch")),
        told.to_string(),
    )?;
    other.configure(&config("plain", &credentials))?;
    let told = other.anchor(5)?;
    ensure(told["signing_held"].is_null(), told.to_string())?;
    let plain = told["anchors"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|anchor| {
            anchor["holder"]
                .as_str()
                .is_some_and(|holder| holder.contains("plain"))
        });
    ensure(
        plain.is_some_and(|anchor| anchor["error"].is_string()),
        told.to_string(),
    )
}

/// redteam: K14, O10
fn time_stamp() -> Tried<()> {
    let rsa = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    for key in [&rsa, &curve] {
        let lab = Lab::new()?;
        let authority = Authority::start(&lab.path("tsa"), key)?;
        let config = |ca: &str| {
            format!(
                "[[anchor]]\nkind = \"rfc3161\"\nurl = \"http://{}\"\nca = {:?}\n",
                authority.address,
                authority.dir.join(ca)
            )
        };
        lab.configure(&config("ca.pem"))?;
        let told = lab.anchor(0)?;
        ensure(told["anchors"][0]["error"].is_null(), told.to_string())?;
        holds_for_openssl(&lab, &authority)?;

        // An answer to an earlier question, and one by somebody whom the CA did not certify.
        authority.replay.store(true, Ordering::SeqCst);
        let told = lab.anchor(5)?;
        let why = told["anchors"][0]["error"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        ensure(
            why.contains("stamps something else") || why.contains("nonce"),
            why,
        )?;
        authority.replay.store(false, Ordering::SeqCst);
        Authority::start(&lab.path("other"), key)?;
        lab.configure(&config("../other/ca.pem"))?;
        let told = lab.anchor(5)?;
        let why = told["anchors"][0]["error"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        ensure(why.contains("not certified by the configured CA"), why)?;
        lab.configure(&config("ca.pem"))?;
        lab.anchor(0)?;
    }
    Ok(())
}

fn holds_for_openssl(lab: &Lab, authority: &Authority) -> Tried<()> {
    let (receipt, head, index) = lab.receipt()?;
    ensure(
        receipt.holder == format!("rfc3161:http://{}", authority.address),
        receipt.holder.clone(),
    )?;
    // The text is made again from the leaf alone; the token carries the certificates that it needs.
    let vkey = std::fs::read_to_string(lab.path("store").join("ledger.pub"))?;
    let origin = VerifierKey::parse(vkey.trim())?.name().to_owned();
    let text = Checkpoint { origin, head }.text();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    authority.verify(&text, &receipt.receipt, now)?.ended(0)?;
    // The beacon right behind it is the same token, in the open.
    let folder = Folder::open(&lab.path("store"))?;
    let stored = folder.control(index + 1, index + 2)?;
    let beacon = stored.first().ok_or("no leaf behind the receipt")?;
    match ControlLeaf::decode(&beacon.leaf)?.body {
        ControlBody::Beacon { kind: 1, value } => ensure(value == receipt.receipt, "another token"),
        other => Err(format!("not a beacon: {other:?}").into()),
    }
}
