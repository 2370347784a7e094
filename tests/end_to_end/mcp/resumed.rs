//! A stream that breaks off and is taken up again where it was (`Last-Event-ID`), through `recount mcp --listen`.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use tests::models::{Server, piece, whole};

use crate::relays::Relay;
use crate::world::{World, of, same};

pub(super) fn trials() -> Vec<Trial> {
    vec![Trial::test(
        "mcp_records_an_answer_on_a_stream_that_was_taken_up_again",
        resumed,
    )]
}

const EVENTS: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nmcp-session-id: s-1\r\n\r\n";

/// A server that says that it is at work, breaks off, and answers to whoever comes back for the rest.
fn server() -> std::io::Result<Server> {
    Server::new(|asked, stream| {
        if asked.line.starts_with("POST") && asked.body.contains("initialize") {
            let hello = r#"{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-06-18","capabilities":{},"serverInfo":{"name":"slow","version":"1"}}}"#;
            whole(stream, "200 OK", "mcp-session-id: s-1\r\n", hello)?;
        } else if asked.line.starts_with("POST") {
            stream.write_all(EVENTS.as_bytes())?;
            let progress = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"at work"}}"#;
            piece(stream, &format!("id: 1\ndata: {progress}\n\n"))?;
            piece(stream, "")?;
        } else if asked.header("last-event-id") == Some("1") {
            stream.write_all(EVENTS.as_bytes())?;
            let answer = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"done at last"}]}}"#;
            piece(stream, &format!("id: 2\ndata: {answer}\n\n"))?;
            piece(stream, "")?;
        } else {
            whole(stream, "405 Method Not Allowed", "", "{}")?;
        }
        Ok(false)
    })
}

fn exchange(url: &str, head: &str, body: &str) -> Result<String, Failed> {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let request = format!(
        "{head} /mcp HTTP/1.1\r\nhost: h\r\naccept: application/json, text/event-stream\r\nconnection: close\r\n\
         mcp-session-id: s-1\r\n{}\r\n{body}",
        if body.is_empty() {
            String::new()
        } else {
            format!(
                "content-type: application/json\r\ncontent-length: {}\r\n",
                body.len()
            )
        }
    );
    // What belongs to one request only is told with its method.
    let request = match head.split_once(' ') {
        Some((method, header)) => request.replace(
            &format!("{head} /mcp HTTP/1.1\r\n"),
            &format!("{method} /mcp HTTP/1.1\r\n{header}\r\n"),
        ),
        None => request,
    };
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn resumed() -> Result<(), Failed> {
    let world = World::new()?;
    let server = server()?;
    let args = [
        "mcp",
        "--name",
        "slow",
        "--request",
        "47",
        "--upstream",
        &server.url(),
    ];
    let relay = Relay::start(world.folder.path(), &world.endpoint()?, &args)?;
    exchange(
        &relay.url,
        "POST",
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
    )?;
    let call =
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"long","arguments":{}}}"#;
    let first = exchange(&relay.url, "POST", call)?;
    same(
        (first.contains("at work"), first.contains("done at last")),
        (true, false),
    )?;
    let rest = exchange(&relay.url, "GET last-event-id: 1", "")?;
    same(rest.contains("done at last"), true)?;
    let came_back = server
        .asked()
        .iter()
        .any(|asked| asked.header("last-event-id") == Some("1"));
    same(came_back, true)?;
    relay.stop()?;
    let account = world.account()?;
    let long = of(&account["actions"], "name", "long")?;
    same(
        (
            &long["outcome"],
            long["output"].to_string().contains("done at last"),
        ),
        (&"success".into(), true),
    )
}
