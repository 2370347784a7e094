//! `recount mcp`: real clients and servers of both generations, and nothing changed between them.

mod declared;
mod resumed;

use crate::world::{World, is, of, same};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tests::need::{Need, node_module, python, trial};
use tests::outcome::Outcome;

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = vec![
        trial("mcp_passes_every_byte_as_it_came", None, every_byte),
        trial(
            "mcp_records_a_call_before_the_server_sees_it",
            None,
            refused,
        ),
        trial("mcp_tells_of_calls_that_nobody_answered", None, unanswered),
        trial(
            "mcp_does_not_see_what_a_server_does_beside_its_answers",
            None,
            what_a_server_does_beside_its_answers_is_not_seen,
        ),
        trial(
            "mcp_shows_what_file_tools_changed",
            Some(Need::McpServers),
            files,
        ),
        trial(
            "mcp_does_as_the_page_says",
            Some(Need::McpServers),
            as_the_page_says,
        ),
        trial(
            "mcp_is_unseen_by_clients_and_servers",
            Some(Need::McpServers),
            unseen,
        ),
        trial(
            "mcp_joins_the_session_that_it_was_started_in",
            None,
            joins_around,
        ),
        trial(
            "mcp_over_http_is_unseen_and_recorded",
            Some(Need::McpServers),
            over_http,
        ),
        trial(
            "mcp_joins_the_session_that_a_call_names",
            Some(Need::McpServers),
            joins,
        ),
    ];
    all.extend(declared::trials());
    all.extend(resumed::trials());
    all
}

/// `recount mcp FLAGS -- SERVER`.
fn proxy(world: &World, flags: &[&str], server: &[&str]) -> Result<Command, Failed> {
    let mut command = world.recount()?;
    command.args(["mcp", "-q", "--endpoint", &world.endpoint()?]);
    command.args(flags).arg("--").args(server);
    Ok(command)
}

fn text(path: PathBuf) -> Result<String, Failed> {
    Ok(path
        .into_os_string()
        .into_string()
        .map_err(|_| "a path that is no text")?)
}

fn every_byte() -> Result<(), Failed> {
    let world = World::new()?;
    let mut stream = Vec::new();
    for line in [
        &b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"arguments\":{ \"n\" : 1e400 }}}\r\n"[..],
        b"\n",
        b"not json at all\n",
        b"{\"id\":\xff}\n",
        b"[{\"jsonrpc\":\"2.0\",\"id\":\"2\",\"method\":\"ping\"},{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}]\n",
        b"{\"id\":3,\"method\":\"ping\",\"method\":\"tools/call\",\"params\":{\"name\":\"twice\"}}\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":{}}\n",
    ] {
        stream.extend_from_slice(line);
    }
    let long = "y".repeat(8 << 20);
    stream.extend_from_slice(
        format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/long\",\"params\":\"{long}\"}}\n"
        )
        .as_bytes(),
    );
    stream.extend_from_slice(b"{\"no\":\"end\"");
    let received = world.folder.path().join("received");
    let given = world.folder.path().join("given");
    std::fs::write(&given, &stream)?;
    let mut tee = proxy(
        &world,
        &["--request", "47"],
        &["tee", &text(received.clone())?],
    )?;
    tee.stdin(std::fs::File::open(&given)?);
    let output = tee.stdout(Stdio::piped()).spawn()?.wait_with_output()?;
    same(output.status.code(), Some(0))?;
    same(std::fs::read(&received)? == stream, true)?;
    same(output.stdout == stream, true)?;
    let account = world.account()?;
    of(&account["actions"], "name", "a")?;
    of(&account["actions"], "name", "twice")?;
    let server = of(&account["actions"], "kind", "process")?;
    is(&server["result"], "lines that are no JSON")?;
    is(&server["result"], "notifications/x")
}

/// A call whose begin the collector did not take never reaches the server; the client is told why.
fn refused() -> Result<(), Failed> {
    let mut world = World::new()?;
    let received = world.folder.path().join("received");
    let mut tee = proxy(
        &world,
        &["--request", "47"],
        &["tee", &text(received.clone())?],
    )?;
    tee.env("RECOUNT_STRICT_WAIT", "1");
    let mut tee = tee.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = tee.stdin.take().ok_or("no stdin")?;
    let mut output = BufReader::new(tee.stdout.take().ok_or("no stdout")?);
    let mut line = String::new();
    writeln!(
        input,
        r#"{{"jsonrpc":"2.0","method":"notifications/first"}}"#
    )?;
    output.read_line(&mut line)?;
    is(&Value::from(line.clone()), "notifications/first")?;
    world.collector.kill()?;
    line.clear();
    writeln!(
        input,
        r#"{{"jsonrpc":"2.0","id":"x","method":"tools/call","params":{{"name":"danger"}}}}"#
    )?;
    output.read_line(&mut line)?;
    let answer: Value = serde_json::from_str(&line)?;
    same(
        (&answer["id"], answer["error"]["code"].as_i64()),
        (&Value::from("x"), Some(-32000)),
    )?;
    is(&answer["error"]["message"], "could not be recorded")?;
    drop(input);
    same(tee.wait()?.code(), Some(0))?;
    same(
        std::fs::read_to_string(&received)?.contains("danger"),
        false,
    )?;
    let away = [
        "mcp",
        "--endpoint",
        "http://127.0.0.1:1",
        "--",
        "touch",
        "started",
    ];
    let ended = Outcome::of(world.recount()?.args(away))?.ended(5)?;
    same(ended.err.contains("serve --init"), true)?;
    same(world.work().join("started").exists(), false)
}

/// A server that dies midway, a call that is cancelled, an id that is used twice.
fn unanswered() -> Result<(), Failed> {
    let world = World::new()?;
    let script = "for i in 1 2 3 4; do read line; done; kill -9 $$";
    let mut server = proxy(
        &world,
        &["--request", "47", "--name", "s"],
        &["sh", "-c", script],
    )?;
    let call = |id: u32, name: &str| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"{name}\"}}}}\n"
        )
    };
    let cancel = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1,\"reason\":\"enough\"}}\n";
    let input = [
        call(1, "cancelled"),
        cancel.to_owned(),
        call(2, "replaced"),
        call(2, "lost"),
    ]
    .concat();
    let ended = Outcome::fed(&mut server, &input)?;
    same(ended.code, None)?;
    let account = world.account()?;
    for (name, outcome) in [
        ("cancelled", "cancelled"),
        ("replaced", "unknown"),
        ("lost", "unknown"),
    ] {
        let action = of(&account["actions"], "name", name)?;
        same(&action["outcome"], &Value::from(outcome))?;
    }
    let lost = of(&account["actions"], "name", "lost")?;
    is(&lost["error"]["message"], "the server ended")?;
    is(&lost["target"]["resource"], "mcp:s/lost")
}

fn what_a_server_does_beside_its_answers_is_not_seen() -> Result<(), Failed> {
    let world = World::new()?;
    let script = "read line; echo x > beside; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}'";
    let mut server = proxy(
        &world,
        &["--request", "47", "--root", "."],
        &["sh", "-c", script],
    )?;
    let call = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"arguments\":{\"path\":\"other\"}}}\n";
    Outcome::fed(&mut server, call)?.ended(0)?;
    same(world.work().join("beside").exists(), true)?;
    let account = world.account()?;
    same(&account["diffs"], &Value::Array(Vec::new()))?;
    same(
        &of(&account["actions"], "name", "t")?["effect"],
        &Value::from("unknown"),
    )
}

fn files() -> Result<(), Failed> {
    let world = World::new()?;
    let folder = text(world.work().canonicalize()?)?;
    let index = text(node_module("server-filesystem"))?;
    let flags = ["--request", "47", "--root", "."];
    let proxied = proxy(&world, &flags, &["node", &index, &folder])?;
    let script = tests::root().join("examples/python/mcp_files.py");
    let recorded = client(&script, &[&folder, "--"], &proxied)?.ended(0)?;
    std::fs::remove_file(world.work().join("sent.md"))?;
    let mut plain = Command::new("node");
    plain.args([&index, &folder]);
    let bare = client(&script, &[&folder, "--"], &plain)?.ended(0)?;
    same(&recorded.out, &bare.out)?;
    let account = world.settled()?;
    let write = of(&account["actions"], "name", "write_file")?;
    same(
        (&write["kind"], &write["outcome"], &write["effect"]),
        (&"mcp".into(), &"success".into(), &"committed".into()),
    )?;
    is(&write["target"]["resource"], "mcp:index/write_file")?;
    let diff = |action: &str, resource: &str| -> Result<Value, Failed> {
        let action = of(&account["actions"], "name", action)?;
        let rows = account["diffs"].as_array().into_iter().flatten();
        let found = rows
            .filter(|row| row["action"] == action["id"])
            .find(|row| row["resource"] == resource);
        Ok(found
            .ok_or_else(|| format!("no {resource} in {:#}", account["diffs"]))?
            .clone())
    };
    let written = diff("write_file", "file:draft.md")?;
    same(
        (&written["before"]["state"], &written["after"]["inline"]),
        (&"absent".into(), &"Dear Acme,\n".into()),
    )?;
    let edited = diff("edit_file", "file:draft.md")?;
    same(
        (&edited["before"]["inline"], &edited["after"]["inline"]),
        (&"Dear Acme,\n".into(), &"Dear Globex,\n".into()),
    )?;
    same(
        &diff("move_file", "file:sent.md")?["after"]["inline"],
        &"Dear Globex,\n".into(),
    )?;
    let read = of(&account["actions"], "name", "read_text_file")?;
    same(
        (&read["access"], &read["durability"]),
        (&"read".into(), &"spool".into()),
    )?;
    let denied = account["actions"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|action| {
            action["name"] == "read_text_file"
                && action["outcome"] == "failure"
                && action["error"]["class"] == "tool_error"
        });
    same(denied, true)?;
    of(&account["context"], "kind", "tools")?;
    same(&account["integrity"]["status"], &Value::from("intact"))
}

/// The command that the page on instrumenting shows, with `npx` finding its package without a network.
fn as_the_page_says() -> Result<(), Failed> {
    let world = World::new()?;
    let index = text(node_module("server-filesystem"))?;
    let npx = format!("#!/bin/sh\nshift 2\nexec node '{index}' \"$@\"\n");
    world.program("npx", &npx)?;
    let script = world.script(&tests::root().join("examples/sh/mcp_server.sh"))?;
    let agent = tests::root().join("examples/python/mcp_files.py");
    let folder = text(world.work().canonicalize()?.join("notes"))?;
    client(&agent, &[&folder, "--"], &script)?.ended(0)?;
    let mut show = world.recount()?;
    show.args(["show", "47895", "-o", "json", "--collector"])
        .arg(world.collector.reader());
    let account = Outcome::of(&mut show)?.ended(0)?.json()?;
    let write = of(&account["actions"], "name", "write_file")?;
    is(
        &write["target"]["resource"],
        "mcp:server-filesystem/write_file",
    )?;
    of(&account["diffs"], "resource", "file:notes/sent.md").map(drop)
}

/// Runs a Python client on what a command is.
fn client(script: &std::path::Path, before: &[&str], command: &Command) -> Result<Outcome, Failed> {
    let mut client = Command::new(python());
    client
        .arg(script)
        .args(before)
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        client.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => client.env(name, value),
            None => client.env_remove(name),
        };
    }
    Ok(Outcome::of(&mut client)?)
}

/// What a client prints is the same with and without the proxy; sampling, elicitation, prompts and resources are told.
fn unseen() -> Result<(), Failed> {
    let world = World::new()?;
    let index = text(node_module("server-everything"))?;
    let script = tests::root().join("tests/python/mcp_client.py");
    let mut plain = Command::new("node");
    plain.args([&index, "stdio"]);
    let bare = client(&script, &["old"], &plain)?.ended(0)?;
    let proxied = proxy(&world, &["--request", "47"], &["node", &index, "stdio"])?;
    let recorded = client(&script, &["old"], &proxied)?.ended(0)?;
    same(&recorded.out, &bare.out)?;
    let account = world.account()?;
    for name in [
        "echo",
        "get-sum",
        "simple-prompt",
        "no-such-tool",
        "sampling/createMessage",
        "elicitation/create",
    ] {
        let action = of(&account["actions"], "name", name)?;
        same(&action["kind"], &Value::from("mcp"))?;
    }
    let echo = of(&account["actions"], "name", "echo")?;
    is(&echo["input"]["inline"], "hello")?;
    is(&echo["output"]["inline"], "Echo: hello")?;
    let server = of(&account["actions"], "kind", "process")?;
    is(&server["result"], "notifications/initialized 1")
}

/// The generation without `initialize`; one call is somebody's who opened a session, the others are of the proxy's own.
fn joins() -> Result<(), Failed> {
    let world = World::new()?;
    let python = text(python())?;
    let server = text(tests::root().join("tests/python/mcp_server.py"))?;
    let script = tests::root().join("tests/python/mcp_client.py");
    let mut proxied = proxy(&world, &["--request", "47"], &[&python, &server])?;
    proxied.env(
        "TEST_BAGGAGE",
        "recount.session.id=opened-elsewhere,recount.request.id=47",
    );
    let ended = client(&script, &["new"], &proxied)?.ended(0)?;
    is(&Value::from(ended.out), "noted hello")?;
    let account = world.account()?;
    let session = of(&account["sessions"], "id", "opened-elsewhere")?;
    let note = of(&account["actions"], "name", "note")?;
    same(&note["session"], &session["ref"])?;
    let look = of(&account["actions"], "name", "look")?;
    same(
        (look["session"] == session["ref"], &look["access"]),
        (false, &"read".into()),
    )?;
    // What the server would have the agent told.
    let instructions = account["context"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|row| {
            row["name"]
                .as_str()
                .is_some_and(|name| name.starts_with("instructions of"))
        });
    same(instructions, true)?;
    Ok(())
}

/// An agent in `recount run` starts a server behind `recount mcp`: one session.
fn joins_around() -> Result<(), Failed> {
    let world = World::new()?;
    let script = "echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"inside\"}}' | \
        \"$RECOUNT_PROGRAM\" --as-program recount mcp -q -- sh -c 'read line; echo \"{\\\"jsonrpc\\\":\\\"2.0\\\",\\\"id\\\":1,\\\"result\\\":{}}\"'";
    let mut run = world.run(&["-q"], script)?;
    let own = run.get_program().to_owned();
    Outcome::of(run.env("RECOUNT_PROGRAM", own))?.ended(0)?;
    let account = world.account()?;
    same(account["sessions"].as_array().map(Vec::len), Some(1))?;
    let inside = of(&account["actions"], "name", "inside")?;
    same(&inside["outcome"], &Value::from("success"))
}

/// A process that is killed when the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _gone_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// Streamable HTTP: the generation with protocol sessions and event streams, and the one without.
fn over_http() -> Result<(), Failed> {
    let world = World::new()?;
    let script = tests::root().join("tests/python/mcp_client.py");
    let mut everything = Command::new("node");
    everything.args([&text(node_module("server-everything"))?, "streamableHttp"]);
    let mut notes = Command::new(python());
    notes.arg(tests::root().join("tests/python/mcp_server.py"));
    for (generation, server) in [("old", &mut everything), ("new", &mut notes)] {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        server.env("PORT", port.to_string());
        server.stdout(Stdio::null()).stderr(Stdio::null());
        let _server = Killed(server.spawn()?);
        let began = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > std::time::Duration::from_secs(60) {
                return Err(format!("nobody listens on {port}").into());
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let upstream = format!("http://127.0.0.1:{port}");
        let mut relay = world.recount()?;
        relay.args([
            "mcp",
            "--endpoint",
            &world.endpoint()?,
            "--name",
            generation,
        ]);
        relay.args([
            "--request",
            "47",
            "--listen",
            "127.0.0.1:0",
            "--upstream",
            &upstream,
        ]);
        let mut relay = Killed(relay.stderr(Stdio::piped()).spawn()?);
        let mut said = String::new();
        BufReader::new(relay.0.stderr.take().ok_or("no stderr")?).read_line(&mut said)?;
        let at = said
            .split("listening on ")
            .nth(1)
            .and_then(|rest| rest.split(',').next());
        let at = at.ok_or_else(|| format!("no address in {said:?}"))?;
        let printed = |url: &str| -> Result<String, Failed> {
            let mut run = Command::new(python());
            run.arg(&script).args([generation, &format!("{url}/mcp")]);
            Ok(Outcome::of(&mut run)?.ended(0)?.out)
        };
        same(printed(at)?, printed(&upstream)?)?;
        crate::world::signal("-TERM", relay.0.id())?;
        same(relay.0.wait()?.code(), Some(0))?;
    }
    let account = world.account()?;
    for name in [
        "echo",
        "simple-prompt",
        "sampling/createMessage",
        "note",
        "look",
    ] {
        let action = of(&account["actions"], "name", name)?;
        same(&action["outcome"], &Value::from("success"))?;
    }
    let note = of(&account["actions"], "name", "note")?;
    is(&note["target"]["resource"], "mcp:new/note")?;
    is(&note["output"]["inline"], "noted hello")
}
