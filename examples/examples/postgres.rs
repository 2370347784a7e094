//! Rows of a PostgreSQL database before and after, in transactions that commit and that do not.
//!
//! `cargo run -p examples --example postgres -- "host=/run/postgresql user=me dbname=test"` starts a collector of its
//! own, records one session in a table that lives as long as the connection, and prints what `recount diff` says of it.

use std::{error::Error, path::Path, process::ExitCode, time::Duration};

use examples::collector::Running;
use recount::{EndReason, Handle, Principal, Recorder};
use tokio_postgres::{Client, NoTls};

fn main() -> ExitCode {
    if let Some(code) = collector_lite::run_if_hidden(std::env::args_os()) {
        return code;
    }
    let Some(config) = std::env::args().nth(1) else {
        eprintln!("usage: postgres \"host=… user=… dbname=…\"");
        return ExitCode::from(2);
    };
    let folder = std::env::temp_dir().join(format!("recount-postgres-{}", std::process::id()));
    let done = run(&config, &folder);
    drop(std::fs::remove_dir_all(&folder));
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("postgres: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: &str, folder: &Path) -> Result<ExitCode, Box<dyn Error>> {
    std::fs::create_dir_all(folder)?;
    let store = folder.join("store");
    let collector = Running::start(&store)?;
    let recorder = Recorder::builder("renewal-agent")
        .collector(format!("http://{}", collector.otlp_http()?))
        .spool(folder.join("spool"))
        .build()?;
    tokio::runtime::Runtime::new()?.block_on(record(&recorder, config))?;
    collector.stop()?;
    let show = ["recount", "diff", "47892", "--store"].map(Into::into);
    Ok(tui::run(show.into_iter().chain([store.into_os_string()])))
}

async fn record(recorder: &Recorder, config: &str) -> Result<(), Box<dyn Error>> {
    let (client, connection) = tokio_postgres::connect(config, NoTls).await?;
    tokio::spawn(connection);
    client
        .batch_execute(
            "CREATE TEMP TABLE contracts (id bigint PRIMARY KEY, status text, price numeric(12,2), due timestamptz, tags text[]);
             INSERT INTO contracts VALUES (17, 'open', 12.50, '2026-03-14 09:12:04.123456+00', '{gold}'), (18, 'open', 99, NULL, NULL)",
        )
        .await?;
    let session = recorder
        .session("47892")
        .intent("mark the contract of Acme as sent")
        .asked_by(Principal::user("https://idp.example.test", "u-104"))
        .scope(["write db:**", "delete db:**", "read db:**"])
        .start()
        .await;
    rows(&session, client).await?;
    session.end(EndReason::Completed).await;
    recorder.close(Duration::from_secs(5)).await;
    Ok(())
}

/// One transaction is rolled back, one committed.
async fn rows(session: &Handle, client: Client) -> Result<(), Box<dyn Error>> {
    // region: rows
    let mut database = session.postgres(client).await;
    let undone = database.transaction().await?;
    undone.execute("DELETE FROM contracts", &[]).await?;
    undone.rollback().await?;
    let kept = database.transaction().await?;
    let sql = "UPDATE contracts SET status = $1, price = price * 2 WHERE id = $2";
    kept.execute(sql, &[&"sent", &17_i64]).await?;
    kept.commit().await?;
    // end
    Ok(())
}
