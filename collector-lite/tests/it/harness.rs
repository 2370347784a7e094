//! A collector in a folder of its own, and what is needed to talk to it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use collector_lite::Hidden;
use ledger::reader::{Find, Reader, StoredRecord};
use ledger::store::Folder;
use tempfile::TempDir;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_recount-collector");

/// A folder for one test, and a collector on a store in it.
pub(crate) struct Lab {
    pub(crate) dir: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.dir.path().join("reader.sock")
    }

    /// Starts a collector on free ports.
    pub(crate) fn serve(&self) -> Hidden {
        self.serve_with(&[])
    }

    pub(crate) fn serve_with(&self, more: &[&str]) -> Hidden {
        let mut command = self.command();
        if !more.contains(&"--reader") {
            command.arg("--reader").arg(self.socket());
        }
        Hidden::spawn(command.args(more), true).unwrap()
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(BINARY);
        command.args([
            "serve",
            "--init",
            "--otlp-http",
            "127.0.0.1:0",
            "--otlp-grpc",
            "127.0.0.1:0",
            "--store",
        ]);
        command.arg(self.store());
        clean(&mut command);
        command
    }

    /// Runs another command of the collector on the store.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.run_on(&self.store(), args)
    }

    /// Runs a command of the collector on another store.
    pub(crate) fn run_on(&self, store: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.args(args).arg("--store").arg(store);
        clean(&mut command);
        command.output().unwrap()
    }

    /// Another command of the collector on the store, to be started.
    pub(crate) fn command_of(&self, args: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(args).arg("--store").arg(self.store());
        clean(&mut command);
        command
    }

    /// Every record of every stream, read from the folder of a collector that has stopped.
    pub(crate) fn records(&self) -> Vec<StoredRecord> {
        records(&self.store())
    }
}

/// Nothing of the developer's own settings reaches a test.
fn clean(command: &mut Command) {
    for (name, _) in std::env::vars() {
        if name.starts_with("RECOUNT_") || name.starts_with("XDG_") {
            command.env_remove(name);
        }
    }
    command.env("HOME", "/nonexistent");
    // How full the developer's disk is, is no part of a test.
    for stage in ["RECOUNT_DISK_SOFT_BYTES", "RECOUNT_DISK_HARD_BYTES"] {
        command.env(stage, "0");
    }
}

pub(crate) fn records(store: &Path) -> Vec<StoredRecord> {
    let folder = Folder::open(store).unwrap();
    let streams = folder.find(&Find::All).unwrap();
    streams
        .iter()
        .flat_map(|hint| folder.records(&hint.stream, 0, u64::MAX).unwrap())
        .collect()
}

/// The most memory that a process had resident, in kB.
pub(crate) fn peak_kb(pid: u32) -> u64 {
    status_kb(pid, "VmHWM:")
}

/// The memory that a process has resident, in kB.
pub(crate) fn resident_kb(pid: u32) -> u64 {
    status_kb(pid, "VmRSS:")
}

fn status_kb(pid: u32, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .unwrap();
    value.trim().trim_end_matches(" kB").parse().unwrap()
}

/// An answer over HTTP.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Posts to the agent door.
pub(crate) fn post(
    collector: &Hidden,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let address = collector.ready().otlp_http.clone().unwrap();
    try_post(&address, path, headers, body).unwrap()
}

pub(crate) fn try_post(
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, ureq::Error> {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build();
    let mut request = ureq::Agent::new_with_config(config).post(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.send(body)?;
    let body = response
        .body_mut()
        .with_config()
        .limit(1 << 30)
        .read_to_vec()?;
    Ok(Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body,
    })
}

pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");
pub(crate) const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

/// An export of log records in JSON; each is the text of one record.
pub(crate) fn logs_json(records: &[&str]) -> String {
    format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"agent"}}}}]}},"scopeLogs":[{{"scope":{{"name":"test"}},"logRecords":[{}]}}]}}]}}"#,
        records.join(",")
    )
}

/// A log record in JSON with string attributes.
pub(crate) fn record_json(body: &str, attributes: &[(&str, &str)]) -> String {
    let attributes: Vec<String> = attributes
        .iter()
        .map(|(key, value)| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#))
        .collect();
    format!(
        r#"{{"body":{{"stringValue":"{body}"}},"attributes":[{}]}}"#,
        attributes.join(",")
    )
}
