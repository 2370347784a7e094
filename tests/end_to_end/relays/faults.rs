//! What a relay tells when somebody goes away midway: the server, the caller, the collector, or the relay itself.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use libtest_mimic::{Failed, Trial};
use tests::models::{Server, begin_events, piece};

use super::{LONG, World, exchange, names, post, problems, rows, same, until};

const BODY: &str = r#"{"model":"small-1","stream":true,"messages":[]}"#;
const FIRST: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n";

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("relay_tells_a_server_that_closes_midway", server_closes),
        Trial::test(
            "relay_tells_a_caller_that_goes_away",
            relay_tells_a_caller_that_goes_away,
        ),
        Trial::test("relay_that_is_killed_leaves_a_dangling_action", killed),
        Trial::test("relay_refuses_what_it_cannot_record", collector_gone),
        Trial::test(
            "relay_passes_and_spools_where_it_is_told_to",
            collector_never,
        ),
        Trial::test("relay_finishes_what_is_under_way_before_it_stops", stops),
    ]
}

/// A server that sends the first event and then does as `then` says.
fn midway(
    then: impl Fn(&mut TcpStream) -> std::io::Result<bool> + Send + Sync + 'static,
) -> Result<Server, Failed> {
    Ok(Server::new(move |_, stream| {
        begin_events(stream)?;
        piece(stream, FIRST)?;
        then(stream)
    })?)
}

/// Begins a call and reads its first event.
fn first(url: &str, request: &str) -> Result<TcpStream, Failed> {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").ok_or("a url")?)?;
    stream.set_read_timeout(Some(LONG))?;
    stream.write_all(request.as_bytes())?;
    let mut read = Vec::new();
    while !read.ends_with(b"Hel\"}}]}\n\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        read.push(byte[0]);
    }
    Ok(stream)
}

fn server_closes() -> Result<(), Failed> {
    let (world, server) = (World::new()?, midway(|_| Ok(false))?);
    let relay = world.relay(&["llm", "--request", "1", "--upstream", &server.url()])?;
    let answer = exchange(&relay.url, &post("/v1/chat/completions", "", BODY))?;
    same("what came passed", answer.contains("Hel"), true)?;
    same(
        "and no end was made up",
        answer.ends_with("0\r\n\r\n"),
        false,
    )?;
    relay.stop()?;
    let account = world.account("1")?;
    same(
        "actions",
        names(&account),
        vec!["chat small-1 failure".to_owned()],
    )?;
    let row = rows(&account, "actions").next().ok_or("an action")?;
    same("effect", row["effect"].as_str(), Some("unknown"))?;
    let output = row["output"]["inline"].as_str().unwrap_or_default();
    same("the output is what came", output, FIRST)
}

fn relay_tells_a_caller_that_goes_away() -> Result<(), Failed> {
    let gone = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&gone);
    let server = midway(move |stream| {
        // The relay lets go of a call that nobody waits for.
        let closed = matches!(stream.read(&mut [0; 1]), Ok(0) | Err(_));
        told.store(closed, Ordering::SeqCst);
        Ok(false)
    })?;
    let world = World::new()?;
    let relay = world.relay(&["llm", "--request", "2", "--upstream", &server.url()])?;
    let caller = first(&relay.url, &post("/v1/chat/completions", "", BODY))?;
    drop(caller);
    until("the server is let go", || gone.load(Ordering::SeqCst))?;
    relay.stop()?;
    let account = world.account("2")?;
    same(
        "actions",
        names(&account),
        vec!["chat small-1 cancelled".to_owned()],
    )
}

fn killed() -> Result<(), Failed> {
    let (world, server) = (
        World::new()?,
        midway(|stream| stream.read(&mut [0; 1]).map(|_| false))?,
    );
    let relay = world.relay(&["llm", "--request", "3", "--upstream", &server.url()])?;
    let caller = first(&relay.url, &post("/v1/chat/completions", "", BODY))?;
    relay.kill()?;
    drop(caller);
    let account = world.account("3")?;
    same(
        "dangling",
        problems(&account).contains("dangling_action"),
        true,
    )?;
    let row = rows(&account, "actions").next().ok_or("an action")?;
    same("outcome", row["outcome"].as_str(), Some("unknown"))
}

fn collector_gone() -> Result<(), Failed> {
    let (mut world, server) = (World::new()?, Server::of_models()?);
    let endpoint = world.endpoint()?;
    let wait = [("RECOUNT_STRICT_WAIT", "0.5")];
    let args = ["llm", "--request", "4", "--upstream", &server.url()];
    let relay = super::Relay::with(world.folder.path(), &endpoint, &args, &wait)?;
    world.collector.kill()?;
    let answer = exchange(&relay.url, &post("/v1/chat/completions", "", BODY))?;
    same(
        &format!("{answer}: refused"),
        answer.starts_with("HTTP/1.1 503"),
        true,
    )?;
    same("by whom", answer.contains("recount llm: not sent"), true)?;
    same(
        "not tried again",
        answer.contains("x-should-retry: false"),
        true,
    )?;
    same("calls that went on", server.asked().len(), 0)?;
    // What only reads passes.
    let request = "GET /v1/models HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    let answer = exchange(&relay.url, request)?;
    same("a read", answer.starts_with("HTTP/1.1 200"), true)
}

fn collector_never() -> Result<(), Failed> {
    let (folder, server) = (tempfile::tempdir()?, Server::of_models()?);
    let args = [
        "llm",
        "--on-collector-loss",
        "pass",
        "--request",
        "5",
        "--upstream",
        &server.url(),
    ];
    let relay = super::Relay::start(folder.path(), "http://127.0.0.1:9", &args)?;
    let answer = exchange(&relay.url, &post("/v1/chat/completions", "", BODY))?;
    same(
        &format!("{answer}: passed"),
        answer.starts_with("HTTP/1.1 200"),
        true,
    )?;
    relay.stop()?;
    let spooled = std::fs::read_dir(folder.path().join("relay-spool"))?.count();
    same("records wait in the spool", spooled > 0, true)
}

fn stops() -> Result<(), Failed> {
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let server = midway(move |stream| {
        let wait = wait
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = wait.recv_timeout(LONG);
        piece(stream, "data: [DONE]\n\n")?;
        piece(stream, "")?;
        Ok(false)
    })?;
    let world = World::new()?;
    let relay = world.relay(&["llm", "--request", "6", "--upstream", &server.url()])?;
    let mut caller = first(&relay.url, &post("/v1/chat/completions", "", BODY))?;
    let host = relay.host().to_owned();
    let stopping = std::thread::spawn(move || relay.stop().map_err(|error| format!("{error:?}")));
    until("nobody else is taken", || {
        TcpStream::connect(&host).is_err()
    })?;
    go_on.send(())?;
    let mut rest = String::new();
    caller.read_to_string(&mut rest)?;
    same("the rest", rest.contains("[DONE]"), true)?;
    stopping.join().map_err(|_| "the thread that stops it")??;
    let account = world.account("6")?;
    same(
        "actions",
        names(&account),
        vec!["chat small-1 success".to_owned()],
    )?;
    let ended = account["sessions"][0]["ended_at"].is_string();
    same("the session ended", ended, true)
}
