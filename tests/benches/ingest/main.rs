//! Ingest: durable, sealed records per second through OTLP/HTTP, beside two plain SQLite loops in the same run.
//!
//! `cargo bench -p tests --bench ingest [-- --seconds 10 --folder DIR]`. The collector is a process of its own, on the
//! same two cores as the load. The loops get the same spans without HTTP, without decoding and without proof: one wide
//! row each, 500 per commit, `synchronous=FULL`; once with the indexes that answer the same questions
//! (`UNIQUE(trace_id, span_id)`, session and start), once bare.
#![expect(
    clippy::expect_used,
    reason = "a benchmark may panic: that is how it fails"
)]

mod device;
mod load;
mod plain;
mod spans;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

fn main() -> ExitCode {
    if let Some(code) = collector_lite::run_if_hidden(std::env::args_os()) {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = Duration::from_secs(
        value(&arguments, "--seconds")
            .and_then(|s| s.parse().ok())
            .unwrap_or(8),
    );
    let folder = tempfile::Builder::new()
        .prefix("recount-bench")
        .tempdir_in(value(&arguments, "--folder").map_or_else(std::env::temp_dir, PathBuf::from))
        .expect("a folder for the benchmark");

    println!(
        "device: fdatasync p50 {:?}",
        device::fdatasync_p50(folder.path())
    );
    let indexed = plain::run(&folder.path().join("indexed.db"), true, seconds);
    println!("plain SQLite loop, indexed:  {indexed:>9.0} records/s");
    let bare = plain::run(&folder.path().join("bare.db"), false, seconds);
    println!("plain SQLite loop, bare:     {bare:>9.0} records/s");
    for (sessions, connections) in [(10, 4), (10, 16), (1, 4), (100, 4)] {
        let store = folder
            .path()
            .join(format!("store-{sessions}-{connections}"));
        let result = load::run(&store, sessions, connections, seconds);
        println!(
            "recount, {sessions:>3} sessions/request, {connections:>2} connections: {:>9.0} records/s  \
             {:.2} x indexed  ack p50 {:?} p99 {:?}  resident {} MB  {:.0} B/record on disk",
            result.rate,
            result.rate / indexed,
            result.p50,
            result.p99,
            result.resident / 1_000_000,
            result.bytes_per_record,
        );
    }
    ExitCode::SUCCESS
}

fn value(arguments: &[String], flag: &str) -> Option<String> {
    let at = arguments.iter().position(|argument| argument == flag)?;
    arguments.get(at + 1).cloned()
}
