//! The yardstick: a loop that puts one wide row per span into SQLite, durable every 500 rows. Frozen.

use crate::device;
use crate::spans;
use prost::Message;
use rusqlite::{Connection, params};
use std::path::Path;
use std::time::{Duration, Instant};

const PER_COMMIT: usize = 500;

/// Sessions that are under way at a time: what `recount` gets in its first measurement.
const SESSIONS: u64 = 10;

/// Spans encoded before the clock starts, and written again with fresh ids, sessions and times.
const PREPARED: u64 = 20_000;

/// Rows per second, and microseconds of processor time per row.
pub(crate) fn run(path: &Path, indexed: bool, at_least: Duration) -> (f64, f64) {
    let mut database = open(path, indexed);
    let rows: Vec<Row> = (0..PREPARED).map(Row::prepare).collect();
    let used = device::processor_time(std::process::id());
    let start = Instant::now();
    let mut written = 0_u64;
    while start.elapsed() < at_least {
        let transaction = database.transaction().expect("a transaction");
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO span VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")
                .expect("a statement");
            for _ in 0..PER_COMMIT {
                let row = &rows[(written % PREPARED) as usize];
                let session = spans::session(written, SESSIONS);
                let label = spans::label(session);
                insert
                    .execute(params![
                        spans::trace_id(session),
                        spans::span_id(written),
                        label,
                        label,
                        row.name,
                        spans::start(written) as i64,
                        spans::start(written) as i64 + 400_000,
                        900,
                        200,
                        row.bytes
                    ])
                    .expect("an insert");
                written += 1;
            }
        }
        transaction.commit().expect("a commit");
    }
    let rate = written as f64 / start.elapsed().as_secs_f64();
    let used = device::processor_time(std::process::id()) - used;
    (rate, used.as_secs_f64() * 1e6 / written as f64)
}

struct Row {
    name: String,
    bytes: Vec<u8>,
}

impl Row {
    fn prepare(number: u64) -> Self {
        let span = spans::span(number, spans::session(number, SESSIONS), number);
        Self {
            name: span.name.clone(),
            bytes: span.encode_to_vec(),
        }
    }
}

fn open(path: &Path, indexed: bool) -> Connection {
    let database = Connection::open(path).expect("a database");
    database
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
             CREATE TABLE span(trace_id BLOB, span_id BLOB, session TEXT, request TEXT, name TEXT, start INTEGER,
                 end INTEGER, input_tokens INTEGER, output_tokens INTEGER, bytes BLOB) STRICT;",
        )
        .expect("a table");
    if indexed {
        database
            .execute_batch(
                "CREATE UNIQUE INDEX span_id ON span(trace_id, span_id);
                 CREATE INDEX span_session ON span(session, start);",
            )
            .expect("indexes");
    }
    database
}
