//! One diff of each kind that the SDK sees by itself: a file, database rows in a transaction, an HTTP resource.
//!
//! `cargo run -p examples --example diff_of_each_kind` starts a collector of its own, records one session against real
//! files, a real SQLite database and a real HTTP server, and prints what `recount diff` says of it.

use std::{
    error::Error,
    path::Path,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Json, Router, extract::State, routing::get};
use examples::collector::Running;
use recount::{
    EndReason, Handle, Principal, Recorder,
    capture::http::{Layer, Rule},
};
use rusqlite::Connection;
use serde_json::{Value, json};

fn main() -> ExitCode {
    if let Some(code) = collector_lite::run_if_hidden(std::env::args_os()) {
        return code;
    }
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("diff_of_each_kind: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode, Box<dyn Error>> {
    let folder =
        std::env::temp_dir().join(format!("recount-diff-of-each-kind-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let store = folder.join("store");
    let collector = Running::start(&store)?;
    let recorder = Recorder::builder("diff-of-each-kind")
        .collector(format!("http://{}", collector.otlp_http()?))
        .spool(folder.join("spool"))
        .build()?;
    tokio::runtime::Runtime::new()?.block_on(record(&recorder, &folder))?;
    collector.stop()?;
    let show = ["recount", "diff", "47892", "--store"].map(Into::into);
    let shown = tui::run(show.into_iter().chain([store.into_os_string()]));
    std::fs::remove_dir_all(&folder)?;
    Ok(shown)
}

async fn record(recorder: &Recorder, folder: &Path) -> Result<(), Box<dyn Error>> {
    let session = recorder
        .session("47892")
        .intent("show one diff of each kind")
        .asked_by(Principal::user("https://idp.example.test", "u-104"))
        .scope([
            "write file:draft.md",
            "write db:contracts/**",
            "delete db:contracts/**",
            "write http:127.0.0.1*/**",
        ])
        .start()
        .await;
    file(&session, folder).await?;
    rows(&session, folder)?;
    resource(&session).await?;
    session.end(EndReason::Completed).await;
    recorder.close(Duration::from_secs(5)).await;
    Ok(())
}

/// A file: written, then edited.
async fn file(session: &Handle, folder: &Path) -> Result<(), Box<dyn Error>> {
    // region: files
    let files = session.files().root(folder);
    files.write(folder.join("draft.md"), "Dear Acme,\n").await?;
    files
        .edit(folder.join("draft.md"), |text| {
            text + "your contract ends soon.\n"
        })
        .await?;
    // end
    Ok(())
}

/// Rows: one transaction is rolled back, one committed.
fn rows(session: &Handle, folder: &Path) -> Result<(), Box<dyn Error>> {
    let conn = Connection::open(folder.join("contracts.db"))?;
    conn.execute_batch(
        "CREATE TABLE contracts (id INTEGER PRIMARY KEY, status TEXT, price REAL);
         INSERT INTO contracts VALUES (17, 'open', 1200.5), (18, 'open', 99);",
    )?;
    // region: sqlite
    let mut database = session.sqlite(conn);
    let undone = database.transaction()?;
    undone.execute("DELETE FROM contracts", [])?;
    undone.rollback()?;
    let kept = database.transaction()?;
    kept.execute(
        "UPDATE contracts SET status = ?1 WHERE id = ?2",
        ("drafted", 17),
    )?;
    kept.commit()?;
    // end
    Ok(())
}

/// A resource behind HTTP: a rule says how to read it, and that the write must not overtake somebody else's.
async fn resource(session: &Handle) -> Result<(), Box<dyn Error>> {
    let address = serve().await?;
    let account = format!("http://{address}/accounts/17");
    // Installed before where another part of the program did so.
    drop(rustls::crypto::ring::default_provider().install_default());
    let body = json!({"name": "Acme", "stage": "renewal"}).to_string();
    // region: reqwest
    let rule = Rule::for_writes(["PUT"], &format!("http://{address}/accounts/{{id}}"))?;
    let layer = Layer::new(session.recorder())
        .session(session)
        .rule(rule.if_match().answers_with_resource());
    let client = layer.client(reqwest::Client::builder().no_proxy())?;
    client
        .put(account)
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await?
        .bytes()
        .await?;
    // end
    Ok(())
}

/// A server with one account.
async fn serve() -> std::io::Result<std::net::SocketAddr> {
    type Account = Arc<Mutex<Value>>;
    let account: Account = Arc::new(Mutex::new(json!({"name": "Acme", "stage": "customer"})));
    let read = |State(account): State<Account>| async move {
        ([("etag", "\"1\"")], Json(locked(&account).clone()))
    };
    let write = |State(account): State<Account>, Json(new): Json<Value>| async move {
        locked(&account).clone_from(&new);
        Json(new)
    };
    let app = Router::new()
        .route("/accounts/{id}", get(read).put(write))
        .with_state(account);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

fn locked(account: &Mutex<Value>) -> std::sync::MutexGuard<'_, Value> {
    account
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
