//! What capturing a one-row update costs beside the bare update, on one real server in one run.
//!
//! Both clients run turn by turn, so that whatever else the machine does falls on both. The server does not sync and,
//! as installed, logs no statements; the recorder spools: what is measured is the statement and the recording, neither
//! a disk nor a collector.
//! `cargo bench -p recount --features postgres --bench postgres`

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    dead_code,
    unreachable_pub,
    reason = "a benchmark that cannot be set up has nothing to measure; the server's file is shared with tests"
)]

#[path = "../../tests/src/postgres.rs"]
mod server;

use std::future::Future;
use std::time::{Duration, Instant};

use recount::{DurabilityRule, Recorder};
use server::Server;
use tokio_postgres::{Client, NoTls};

/// Pairs of updates per way.
const ROUNDS: usize = 1_000;

fn main() {
    if server::programs().is_none() {
        println!("needs the package postgresql: scripts/install-test-packages");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let server = Server::start().expect("a server");
    println!("{}, {ROUNDS} rounds", server.version());
    runtime.block_on(measure(&server));
}

async fn connect(server: &Server) -> Client {
    let config = server.config("postgres", "postgres");
    let (client, connection) = tokio_postgres::connect(&config, NoTls)
        .await
        .expect("a connection");
    tokio::spawn(connection);
    client
        .batch_execute("SET log_statement = none")
        .await
        .expect("a setting");
    client
}

async fn measure(server: &Server) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let recorder = Recorder::builder("bench")
        .collector("http://127.0.0.1:9")
        .spool(folder.path())
        .spool_limit(8 << 30)
        .durability(DurabilityRule::AlwaysSpool)
        .build()
        .expect("a recorder");
    let session = recorder.session("47892").start().await;
    let mut bare = connect(server).await;
    bare.batch_execute(
        "CREATE TABLE t (id int PRIMARY KEY, status text, price numeric, at timestamptz DEFAULT now());
         INSERT INTO t SELECT n, 'open', n * 1.5 FROM generate_series(1, 10000) n; ANALYZE t;",
    )
    .await
    .expect("a table");
    let mut seen = session.postgres(connect(server).await).await;
    let sql = "UPDATE t SET status = $1, price = price + 0.5 WHERE id = $2";
    let id = |round: usize| i32::try_from(round % 10_000).unwrap_or(0) + 1;
    let (mut alone, mut recorded) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        alone.push(
            time(async {
                bare.execute(sql, &[&"sent", &id(round)])
                    .await
                    .expect("an update")
            })
            .await,
        );
        recorded.push(
            time(async {
                seen.execute(sql, &[&"sent", &id(round + 5000)])
                    .await
                    .expect("an update")
            })
            .await,
        );
    }
    tell("autocommit", alone, recorded);
    let (mut alone, mut recorded) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let one = time(async {
            let transaction = bare.transaction().await.expect("a transaction");
            transaction
                .execute(sql, &[&"sent", &id(round)])
                .await
                .expect("an update");
            transaction.commit().await.expect("a commit");
        });
        alone.push(one.await);
        let one = time(async {
            let transaction = seen.transaction().await.expect("a transaction");
            transaction
                .execute(sql, &[&"sent", &id(round + 5000)])
                .await
                .expect("an update");
            transaction.commit().await.expect("a commit");
        });
        recorded.push(one.await);
    }
    tell("in a transaction", alone, recorded);
}

async fn time<T>(work: impl Future<Output = T>) -> Duration {
    let begun = Instant::now();
    work.await;
    begun.elapsed()
}

fn tell(way: &str, mut alone: Vec<Duration>, mut recorded: Vec<Duration>) {
    alone.sort_unstable();
    recorded.sort_unstable();
    for (name, at) in [("p50", ROUNDS / 2), ("p99", ROUNDS * 99 / 100)] {
        let (alone, recorded) = (alone[at], recorded[at]);
        println!(
            "{way}, {name}: bare {alone:?}, recorded {recorded:?}, {:.2} x",
            recorded.as_secs_f64() / alone.as_secs_f64()
        );
    }
}
