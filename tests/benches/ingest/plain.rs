//! The yardstick: a loop that puts one wide row per span into SQLite, durable every 500 rows. Frozen.

use crate::spans;
use prost::Message;
use rusqlite::{Connection, params};
use std::path::Path;
use std::time::{Duration, Instant};

const PER_COMMIT: usize = 500;

/// Rows made before the clock starts, and written again with fresh ids.
const PREPARED: u64 = 20_000;

pub(crate) fn run(path: &Path, indexed: bool, at_least: Duration) -> f64 {
    let mut database = open(path, indexed);
    let rows: Vec<Row> = (0..PREPARED).map(Row::prepare).collect();
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
                let round = written / PREPARED;
                let mut span_id = row.span_id;
                span_id[..2].copy_from_slice(&(round as u16).to_be_bytes());
                insert
                    .execute(params![
                        row.trace_id,
                        span_id,
                        row.session,
                        row.session,
                        row.name,
                        row.start,
                        row.end,
                        row.input,
                        row.output,
                        row.bytes
                    ])
                    .expect("an insert");
                written += 1;
            }
        }
        transaction.commit().expect("a commit");
    }
    written as f64 / start.elapsed().as_secs_f64()
}

struct Row {
    trace_id: [u8; 16],
    span_id: [u8; 8],
    session: String,
    name: String,
    start: i64,
    end: i64,
    input: i64,
    output: i64,
    bytes: Vec<u8>,
}

impl Row {
    fn prepare(number: u64) -> Self {
        let span = spans::span(number, 10);
        Self {
            trace_id: span.trace_id.as_slice().try_into().expect("16 bytes"),
            span_id: span.span_id.as_slice().try_into().expect("8 bytes"),
            session: format!("session-{:08}", spans::session(number, 10)),
            name: span.name.clone(),
            start: span.start_time_unix_nano as i64,
            end: span.end_time_unix_nano as i64,
            input: 900,
            output: 100,
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
