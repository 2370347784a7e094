//! The ground that is fought over: a small store made once by a real collector, collectors, and what agents send.

use collector_lite::Hidden;
use ledger::envelope::Envelope;
use ledger::leaf::{ControlBody, ControlLeaf};
use ledger::reader::{Find, Reader as _};
use ledger::store::{Folder, Ledger, Options};
use ledger::tree::{Hash, consistency, hash_leaf};
use libtest_mimic::Failed;
use recount::Recorder;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::outcome::Outcome;
use tests::program::Program::Collector;

/// A store that a collector made and closed, once for all attacks.
pub(crate) struct Base {
    folder: tempfile::TempDir,
    /// The verifier key that signed it.
    pub(crate) key: String,
}

impl Base {
    /// The store as it is.
    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// The store as it was before its last three exports, a clean stop in between.
    pub(crate) fn early(&self) -> PathBuf {
        self.folder.path().join("early")
    }

    /// The store three epochs later: sealed four times, nothing else added but starts and stops.
    pub(crate) fn epochs(&self) -> PathBuf {
        self.folder.path().join("epochs")
    }

    /// Another collector's store, with sessions of the same names.
    pub(crate) fn other(&self) -> PathBuf {
        self.folder.path().join("other")
    }

    fn make() -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let store = folder.path().join("store");
        let mut collector = serve(&store, &["--init"])?;
        for (session, count) in [("s-a", 260), ("s-b", 5)] {
            sealed(&collector, &export(session, 0..count))?;
        }
        collector.stop()?;
        copy(&store, &folder.path().join("early"))?;
        let mut collector = serve(&store, &[])?;
        for (session, records) in [("s-a", 260..290), ("s-b", 5..9), ("s-c", 0..7)] {
            sealed(&collector, &export(session, records))?;
        }
        collector.stop()?;
        let other = folder.path().join("other");
        let mut collector = serve(&other, &["--init"])?;
        sealed(&collector, &export("s-a", 0..20))?;
        collector.stop()?;
        let epochs = folder.path().join("epochs");
        copy(&store, &epochs)?;
        rotate(&epochs, 3)?;
        let key = read(&store.join("ledger.pub"))?;
        Ok(Self {
            key: String::from_utf8(key)?.trim().to_owned(),
            folder,
        })
    }
}

static BASE: Mutex<Option<&'static Base>> = Mutex::new(None);

/// The store that all attacks start from.
pub(crate) fn base() -> Result<&'static Base, Failed> {
    let mut base = BASE.lock().unwrap_or_else(PoisonError::into_inner);
    match *base {
        Some(base) => Ok(base),
        None => Ok(base.insert(Box::leak(Box::new(Base::make()?)))),
    }
}

/// Removes what [`base`] left.
pub(crate) fn clear() {
    let base = BASE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(base) = base {
        let _ = std::fs::remove_dir_all(base.folder.path());
    }
}

/// Opens and closes a ledger so many times, each time an epoch later.
pub(crate) fn rotate(store: &Path, times: u64) -> Result<(), Failed> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    for round in 1..=times {
        let at = u64::try_from((now + Duration::from_secs(1000 * round)).as_nanos())?;
        let mut options = Options::new(Arc::new(move || at));
        options.disk.reserve = Some(0);
        options.space_of = Arc::new(|_| None);
        let ledger = Ledger::open(store, options)?;
        ledger.close()?;
    }
    Ok(())
}

/// `recount-collector`. Stores are copied by the dozen here: no room is set aside in them for a full disk.
pub(crate) fn collector() -> Result<Command, Failed> {
    let mut command = Collector.command()?;
    command.env("RECOUNT_DISK_RESERVE_BYTES", "0");
    Ok(command)
}

/// `recount-collector serve` on a store, on free ports, without a reader door.
pub(crate) fn serve_command(store: &Path, more: &[&str]) -> Result<Command, Failed> {
    let mut command = collector()?;
    command
        .args(["serve", "--otlp-http", "127.0.0.1:0"])
        .arg("--store")
        .arg(store)
        .args(more);
    for (door, default) in [("--reader", "none"), ("--otlp-grpc", "127.0.0.1:0")] {
        if !more.contains(&door) {
            command.args([door, default]);
        }
    }
    Ok(command)
}

/// A collector that serves a store.
pub(crate) fn serve(store: &Path, more: &[&str]) -> Result<Hidden, Failed> {
    Ok(Hidden::spawn(&mut serve_command(store, more)?, true)?)
}

/// A string attribute in OTLP/JSON.
pub(crate) fn text(key: &str, value: &str) -> String {
    format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#)
}

/// The attribute that numbers an SDK's record.
pub(crate) fn number(n: u64) -> String {
    format!(r#",{{"key":"recount.seq","value":{{"intValue":"{n}"}}}}"#)
}

/// Records of one run of an SDK as an OTLP/JSON export.
pub(crate) fn run(run: &str, records: &[String]) -> String {
    let producer = [text("recount.producer", "p"), text("recount.run", run)];
    wrapped(&format!(",{}", producer.join(",")), records)
}

/// An SDK's numbered records of one run as an OTLP/JSON export; `mark` makes their bytes different from others'.
pub(crate) fn numbered(session: &str, of: &str, numbers: &[u64], mark: &str) -> String {
    let records: Vec<String> = numbers
        .iter()
        .map(|n| {
            record(
                session,
                *n,
                &format!("{},{}", number(*n), text("mark", mark)),
            )
        })
        .collect();
    run(of, &records)
}

/// An SDK recorder of an agent that sends to this collector and spools below this folder.
pub(crate) fn recorder(
    collector: &Hidden,
    spool: &Path,
) -> Result<recount::RecorderBuilder, Failed> {
    let address = collector.ready().otlp_http.clone().ok_or("a door")?;
    Ok(Recorder::builder("redteam")
        .collector(format!("http://{address}"))
        .spool(spool))
}

/// Sends a signal by its name to a process that this test started.
pub(crate) fn signal(collector: &Hidden, name: &str) -> Result<(), Failed> {
    let pid = collector.ready().pid.to_string();
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid])
        .status()?;
    sent.success()
        .then_some(())
        .ok_or_else(|| "no such process".into())
}

/// A witness of ledgers in a process of its own. Dropping it kills it.
pub(crate) struct Witness {
    child: Child,
    url: String,
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Witness {
    /// A new witness that knows one log.
    pub(crate) fn start(folder: &Path, log: &str) -> Result<Self, Failed> {
        let mut init = Collector.command()?;
        init.args([
            "witness",
            "init",
            "--name",
            "witness.example.test/w",
            "--store",
        ]);
        Outcome::of(init.arg(folder))?.ended(0)?;
        let mut command = Collector.command()?;
        command.args([
            "witness",
            "--listen",
            "127.0.0.1:0",
            "--trust",
            log,
            "--store",
        ]);
        let command = command
            .arg(folder)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("its output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let ready: serde_json::Value = serde_json::from_str(&line)?;
        let url = format!("http://{}", ready["listen"].as_str().ok_or("an address")?);
        Ok(Self { child, url })
    }

    /// Asks it to cosign what a store signed last, with the proof from `old`. Gives the size and the status.
    pub(crate) fn cosign(&self, old: u64, store: &Path) -> Result<(u64, u16), Failed> {
        let note = read(&store.join("last_signed"))?;
        let text = String::from_utf8(note)?;
        let size: u64 = text.lines().nth(1).ok_or("a size")?.parse()?;
        let mut hashes: Vec<Hash> = Vec::new();
        for stored in Folder::open(store)?.control(0, size)? {
            hashes.push(hash_leaf(&stored.leaf));
        }
        let mut body = format!("old {old}\n");
        if old > 0 {
            for hash in consistency(&mut hashes.as_slice(), old, size).map_err(|_| "a proof")? {
                body.push_str(&base64(&hash));
                body.push('\n');
            }
        }
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .build();
        let agent = ureq::Agent::new_with_config(config);
        let url = format!("{}/add-checkpoint", self.url);
        let answer = agent.post(url).send(format!("{body}\n{text}"))?;
        Ok((size, answer.status().as_u16()))
    }
}

/// Records of one session as an OTLP/JSON export; every record names request `47892`.
pub(crate) fn export(session: &str, records: std::ops::Range<u64>) -> String {
    let records: Vec<String> = records.map(|i| record(session, i, "")).collect();
    wrapped("", &records)
}

/// One log record in OTLP/JSON, with further attributes.
pub(crate) fn record(session: &str, i: u64, attributes: &str) -> String {
    let body = format!("step {i} of {session}: paid 17.00 EUR to account 4711");
    let (session, request) = (
        text("session.id", session),
        text("recount.request.id", "47892"),
    );
    format!(
        r#"{{"body":{{"stringValue":"{body}"}},"attributes":[{session},{request}{attributes}]}}"#
    )
}

/// Log records under one Resource with further attributes.
pub(crate) fn wrapped(resource: &str, records: &[String]) -> String {
    let service = text("service.name", "agent");
    let records = records.join(",");
    format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{service}{resource}]}},"scopeLogs":[{{"scope":{{"name":"redteam"}},"logRecords":[{records}]}}]}}]}}"#
    )
}

/// An answer of the agent door.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    /// Zero where the connection broke before one came.
    pub(crate) status: u16,
    pub(crate) body: String,
    /// What stands in `recount-receipt`.
    pub(crate) receipt: Option<serde_json::Value>,
    pub(crate) retry_after: bool,
}

/// Sends a body to the agent door.
pub(crate) fn send(
    collector: &Hidden,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, Failed> {
    let address = collector.ready().otlp_http.clone().ok_or("a door")?;
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build();
    let agent = ureq::Agent::new_with_config(config);
    let mut request = agent.post(format!("http://{address}/v1/logs"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let Ok(mut response) = request.send(body) else {
        return Ok(Answer::default());
    };
    let receipt = response.headers().get("recount-receipt");
    Ok(Answer {
        status: response.status().as_u16(),
        receipt: receipt.and_then(|value| serde_json::from_slice(value.as_bytes()).ok()),
        retry_after: response.headers().contains_key("retry-after"),
        body: response.body_mut().read_to_string().unwrap_or_default(),
    })
}

/// Sends an OTLP/JSON export.
pub(crate) fn post(collector: &Hidden, body: &str) -> Result<Answer, Failed> {
    send(
        collector,
        &[("content-type", "application/json")],
        body.as_bytes(),
    )
}

/// Sends an OTLP/JSON export that must be sealed.
pub(crate) fn sealed(collector: &Hidden, body: &str) -> Result<Answer, Failed> {
    let answer = post(collector, body)?;
    match answer.status {
        200 => Ok(answer),
        status => Err(format!("{status}: {}", answer.body).into()),
    }
}

/// The bytes of every record whose session label is this, as they lie in a store that no collector has open.
pub(crate) fn items(store: &Path, label: &str) -> Result<Vec<Vec<u8>>, Failed> {
    let folder = Folder::open(store)?;
    let mut items = Vec::new();
    for hint in folder.find(&Find::All)? {
        if hint.label != label {
            continue;
        }
        for stored in folder.records(&hint.stream, 0, u64::MAX)? {
            let body = stored.body.ok_or("a whole record")?;
            items.push(Envelope::decode(&body.envelope)?.item.to_vec());
        }
    }
    Ok(items)
}

/// Every leaf of the ledger log of a store that no collector has open, with its private part.
pub(crate) fn leaves(store: &Path) -> Result<Vec<(ControlBody, Vec<u8>)>, Failed> {
    let mut leaves = Vec::new();
    for stored in Folder::open(store)?.control(0, u64::MAX)? {
        let private = stored.private.map(|private| private.body);
        leaves.push((
            ControlLeaf::decode(&stored.leaf)?.body,
            private.unwrap_or_default(),
        ));
    }
    Ok(leaves)
}

/// Standard base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for n in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * n)) as usize & 63];
            text.push(if n > three.len() {
                '='
            } else {
                char::from(digit)
            });
        }
    }
    text
}

/// Copies a folder with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), Failed> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}

/// Puts these files of one store over those of another.
pub(crate) fn replace<S: AsRef<OsStr>>(from: &Path, to: &Path, names: &[S]) -> Result<(), Failed> {
    for name in names.iter().map(AsRef::as_ref) {
        std::fs::copy(from.join(name), to.join(name))?;
    }
    Ok(())
}

/// Flips the lowest bit of one byte of a file.
pub(crate) fn flip(file: &Path, at: impl Fn(usize) -> usize) -> Result<(), Failed> {
    let mut bytes = read(file)?;
    let at = at(bytes.len());
    *bytes.get_mut(at).ok_or("a byte")? ^= 1;
    Ok(std::fs::write(file, bytes)?)
}

pub(crate) fn read(file: &Path) -> Result<Vec<u8>, Failed> {
    std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()).into())
}
