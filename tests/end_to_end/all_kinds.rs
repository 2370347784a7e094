//! One session across every kind of call, and its id at each counterpart that can see it.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use examples::collector::Running;
use libtest_mimic::Trial;
use recount::capture::http::{Layer, Rule};
use recount::capture::llm::Client as Llm;
use recount::{EndReason, Handle, Recorder};
use serde_json::{Value, json};
use tests::need::{Need, trial};
use tests::outcome::Outcome;
use tests::postgres::Server as Postgres;
use tests::program::Program::Recount;

type Tried<T> = Result<T, Box<dyn Error>>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(
        "one_session_is_known_at_every_counterpart_that_can_see_it",
        Some(Need::Postgres),
        || seven_kinds().map_err(|error| error.to_string().into()),
    )]
}

/// What arrived at a counterpart.
type Heard = Arc<Mutex<String>>;

/// An HTTP server that gives one answer to everybody and keeps what it was sent.
fn listen(answer: &'static str) -> Tried<(SocketAddr, Heard)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let heard = Heard::default();
    let keep = Arc::clone(&heard);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let Ok(reading) = stream.try_clone() else {
                continue;
            };
            let mut reading = BufReader::new(reading);
            let (mut head, mut length) = (String::new(), 0);
            while reading.read_line(&mut head).is_ok_and(|read| read > 2) {
                let line = head.lines().last().unwrap_or_default().to_ascii_lowercase();
                if let Some(stated) = line.strip_prefix("content-length:") {
                    length = stated.trim().parse().unwrap_or(0);
                }
            }
            let _ = reading.take(length).read_to_string(&mut head);
            if let Ok(mut heard) = keep.lock() {
                heard.push_str(&head);
            }
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{answer}",
                answer.len()
            );
        }
    });
    Ok((address, heard))
}

fn heard(by: &Heard) -> String {
    by.lock().map(|text| text.clone()).unwrap_or_default()
}

/// A reply that calls one tool.
const REPLY: &str = r#"{"choices":[{"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"rank","arguments":"{}"}}]}}]}"#;

/// A server for one message after the other on its standard input, as MCP has it; it keeps what it was sent.
const MCP: &str =
    r#"while read -r line; do printf '%s\n' "$line" >> "$0"; printf '{"content":[]}\n'; done"#;

fn seven_kinds() -> Tried<()> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let collector = Running::start(&store)?;
    let recorder = Recorder::builder("agent")
        .collector(format!("http://{}", collector.otlp_http()?))
        .spool(folder.path().join("spool"))
        .build()?;
    let postgres = Postgres::start()?;
    let (crm, crm_heard) = listen(r#"{"stage":"renewal"}"#)?;
    let (llm, llm_heard) = listen(REPLY)?;
    let session = recorder.session("47892").start_blocking();
    let id = session.id().to_string();

    let runtime = tokio::runtime::Runtime::new()?;
    let child = runtime.block_on(async {
        http(&session, crm).await?;
        model(&session, llm).await?;
        rows(&session, &postgres).await?;
        files(&session, folder.path()).await?;
        mcp(&session, folder.path())?;
        process(&session).await
    })?;
    session.end_blocking(EndReason::Completed);
    if !recorder.close_blocking(Duration::from_secs(20)).is_none() {
        return Err("not everything was delivered".into());
    }

    let mcp_heard = std::fs::read_to_string(folder.path().join("mcp.log"))?;
    for (who, heard) in [
        ("the HTTP server", heard(&crm_heard)),
        ("the LLM server", heard(&llm_heard)),
        ("PostgreSQL's log", postgres.log()),
        ("the MCP server", mcp_heard),
        ("the child process", child),
    ] {
        if !heard.contains(&id) {
            return Err(format!("{who} was not told of {id}: {heard}").into());
        }
    }
    collector.stop()?;
    is_whole(folder.path(), &store, &id)
}

async fn http(session: &Handle, address: SocketAddr) -> Tried<()> {
    // Installed before where another test did so.
    drop(rustls::crypto::ring::default_provider().install_default());
    let rule = Rule::for_writes(["PUT"], &format!("http://{address}/accounts/{{id}}"))?;
    let client = Layer::new(session.recorder())
        .session(session)
        .tell(&address.to_string())
        .rule(rule.answers_with_resource())
        .client(reqwest::Client::builder().no_proxy())?;
    let url = format!("http://{address}/accounts/17");
    client.put(url).body("{}").send().await?.bytes().await?;
    Ok(())
}

/// The model asks for a tool, which runs for that reason.
async fn model(session: &Handle, address: SocketAddr) -> Tried<()> {
    let http = reqwest::Client::builder().no_proxy().build()?;
    // region: llm
    let llm = Llm::new(
        session.recorder(),
        http,
        &format!("http://{address}/v1"),
        None,
    )?
    .tell();
    let ask = json!({"model": "small-1", "messages": [{"role": "user", "content": "which?"}]});
    let reply = llm.chat(&ask).in_session(session).await?;
    let call = reply.calls.first().ok_or("the reply calls no tool")?;
    session.tool_call(call).begin().await?.end_success();
    // end
    Ok(())
}

async fn rows(session: &Handle, server: &Postgres) -> Tried<()> {
    let config = server.config("postgres", "postgres");
    let (client, connection) = tokio_postgres::connect(&config, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    client
        .batch_execute("CREATE TABLE contracts (id int PRIMARY KEY, status text); INSERT INTO contracts VALUES (17, 'open')")
        .await?;
    let database = session.postgres(client).await.announced().await?;
    database
        .execute(
            "UPDATE contracts SET status = $1 WHERE id = 17",
            &[&"drafted"],
        )
        .await?;
    database.finish().await?;
    Ok(())
}

async fn files(session: &Handle, folder: &Path) -> Tried<()> {
    let files = session.files().root(folder);
    files.write(folder.join("draft.md"), "Dear Acme").await?;
    Ok(())
}

fn mcp(session: &Handle, folder: &Path) -> Tried<()> {
    let mut server = Command::new("sh")
        .args(["-c", MCP])
        .arg(folder.join("mcp.log"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut to = server.stdin.take().ok_or("no stdin")?;
    let mut from = BufReader::new(server.stdout.take().ok_or("no stdout")?);
    let params = json!({"name": "look_up", "arguments": {"id": 17}});
    session.mcp("directory").request_blocking(
        "tools/call",
        params,
        |params| -> std::io::Result<Value> {
            let message =
                json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
            writeln!(to, "{message}")?;
            let mut answer = String::new();
            from.read_line(&mut answer)?;
            Ok(serde_json::from_str(&answer)?)
        },
    )?;
    drop(to);
    server.wait()?;
    Ok(())
}

async fn process(session: &Handle) -> Tried<String> {
    let script = "echo \"$RECOUNT_SESSION $TRACEPARENT $BAGGAGE\"";
    let output = session.command("sh").args(["-c", script]).output().await?;
    Ok(String::from_utf8(output.stdout)?)
}

/// The account has all seven kinds in the one session, with what was there before and after.
fn is_whole(home: &Path, store: &Path, id: &str) -> Tried<()> {
    let mut command = Recount.command()?;
    command
        .args(["show", "47892", "--all", "-o", "json", "--store"])
        .arg(store)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_STATE_HOME", home.join("state"));
    let account = Outcome::of(&mut command)?.ended(0)?.json()?;
    let rows = |key: &str| -> Vec<Value> {
        let list = &account[key];
        let items = list.as_array().or_else(|| list["items"].as_array());
        items.cloned().unwrap_or_default()
    };
    let sessions = rows("sessions");
    if sessions.len() != 1 || sessions.iter().any(|session| session["id"] != id) {
        return Err(format!("more or other sessions than {id}: {sessions:?}").into());
    }
    let kinds: BTreeSet<String> = rows("actions")
        .iter()
        .filter_map(|action| Some(action["kind"].as_str()?.to_owned()))
        .collect();
    let wanted = ["db", "file", "http", "llm", "mcp", "process", "tool"];
    if kinds != wanted.map(str::to_owned).into() {
        return Err(format!("the kinds are {kinds:?}").into());
    }
    let changed: BTreeSet<String> = rows("diffs")
        .iter()
        .filter_map(|diff| Some(diff["resource"].as_str()?.split(':').next()?.to_owned()))
        .collect();
    if changed != ["db", "file", "http"].map(str::to_owned).into() {
        return Err(format!("diffs of {changed:?}").into());
    }
    match account["integrity"]["status"].as_str() {
        Some("intact") => Ok(()),
        other => Err(format!("the record is {other:?}").into()),
    }
}
