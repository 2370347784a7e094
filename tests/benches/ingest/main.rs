//! Ingest: durable, sealed records per second through OTLP/HTTP, beside two plain SQLite loops in the same run.
//!
//! `cargo bench -p tests --bench ingest [-- --seconds 10 --folder DIR --program RECOUNT-COLLECTOR --only rate|pace]`.
//! The collector is a process of its own, on the same cores as the load: this program again, or another build of it.
//! The loops get the same spans without HTTP, without decoding and without proof: one wide row each, 500 per commit,
//! `synchronous=FULL`; once with the indexes that answer the same questions (`UNIQUE(trace_id, span_id)`, session and
//! start), once bare.
#![expect(
    clippy::expect_used,
    reason = "a benchmark may panic: that is how it fails"
)]

mod device;
mod load;
mod plain;
mod spans;

use load::{Load, Measured};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    if let Some(code) = collector_lite::run_if_hidden(std::env::args_os()) {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let settings = Settings {
        seconds: Duration::from_secs(
            value(&arguments, "--seconds")
                .and_then(|s| s.parse().ok())
                .unwrap_or(8),
        ),
        program: value(&arguments, "--program").map(PathBuf::from),
    };
    let folder = tempfile::Builder::new()
        .prefix("recount-bench")
        .tempdir_in(value(&arguments, "--folder").map_or_else(std::env::temp_dir, PathBuf::from))
        .expect("a folder for the benchmark");
    println!(
        "device: fdatasync p50 {:?}",
        device::fdatasync_p50(folder.path())
    );
    let only = value(&arguments, "--only");
    if only.as_deref() != Some("pace") {
        rate(folder.path(), &settings);
    }
    if only.as_deref() != Some("rate") {
        pace(folder.path(), &settings);
    }
    ExitCode::SUCCESS
}

struct Settings {
    seconds: Duration,
    program: Option<PathBuf>,
}

/// As fast as it goes.
fn rate(folder: &Path, settings: &Settings) {
    let (indexed, cost) = plain::run(&folder.join("indexed.db"), true, settings.seconds);
    println!(
        "plain SQLite loop, indexed:  {indexed:>9.0} records/s  processor {cost:.1} us/record"
    );
    let (bare, cost) = plain::run(&folder.join("bare.db"), false, settings.seconds);
    println!("plain SQLite loop, bare:     {bare:>9.0} records/s  processor {cost:.1} us/record");
    for (sessions, connections) in [(10, 4), (10, 16), (1, 4), (100, 4)] {
        let store = folder.join(format!("store-{sessions}-{connections}"));
        let load = Load {
            connections,
            records_per_export: 100,
            sessions_per_export: sessions,
            pace: None,
        };
        let result = load::run(&store, load, settings.seconds, settings.program.as_ref());
        println!(
            "recount, {sessions:>3} sessions/request, {connections:>2} connections: {:>9.0} records/s  \
             {:.2} x indexed  {}",
            result.rate,
            result.rate / indexed,
            rest(&result),
        );
        let _cleared = std::fs::remove_dir_all(store);
    }
}

/// Sixteen producers that together send 5,000 records a second, ten per export.
fn pace(folder: &Path, settings: &Settings) {
    let load = Load {
        connections: 16,
        records_per_export: 10,
        sessions_per_export: 1,
        pace: Some(5_000),
    };
    let store = folder.join("store-paced");
    let result = load::run(&store, load, settings.seconds, settings.program.as_ref());
    println!(
        "recount, 16 producers, 5,000 records/s wanted: {:>6.0} records/s  {}",
        result.rate,
        rest(&result),
    );
}

fn rest(result: &Measured) -> String {
    format!(
        "ack p50 {:.1?} p99 {:.1?}  resident at most {} MB  {:.0} B/record on disk  \
         processor {:.1} us/record + {:.1} for the load",
        result.p50,
        result.p99,
        result.resident / 1_000_000,
        result.bytes_per_record,
        result.collector_us,
        result.load_us,
    )
}

fn value(arguments: &[String], flag: &str) -> Option<String> {
    let at = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(at + 1).cloned()
}
