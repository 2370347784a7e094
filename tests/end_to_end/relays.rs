//! Relays between programs that nobody changed and the servers they call.

mod faults;
mod secure;
mod seen_twice;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use examples::collector::Running;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tests::models::{Server, whole};
use tests::need::{Need, python, trial};
use tests::outcome::Outcome;
use tests::program::Program::Recount;

/// Longer than any of this takes.
const LONG: Duration = Duration::from_secs(30);
/// A key that must be in no record.
const KEY: &str = "a-key-that-no-record-may-hold";

pub(crate) fn trials() -> Vec<Trial> {
    let mut all = vec![
        trial(
            "relay_records_an_unchanged_openai_client",
            Some(Need::ModelClients),
            relay_records_an_unchanged_openai_client,
        ),
        trial(
            "relay_records_an_unchanged_anthropic_client",
            Some(Need::ModelClients),
            anthropic,
        ),
        Trial::test("relay_hands_on_every_byte", every_byte),
        Trial::test(
            "relay_keeps_no_content_where_digests_are_asked_for",
            digests_only,
        ),
        Trial::test("relay_shows_what_a_write_changed", changes),
        Trial::test(
            "relay_records_a_write_without_a_rule_without_its_state",
            relay_records_a_write_without_a_rule_without_its_state,
        ),
        Trial::test("relay_refuses_rules_that_say_nothing", bad_rules),
    ];
    all.extend(faults::trials());
    all.extend(secure::trials());
    all.extend(seen_twice::trials());
    all
}

/// A relay as a process; ended by its own id.
pub(crate) struct Relay {
    child: Child,
    pub(crate) url: String,
}

impl Relay {
    pub(crate) fn start(home: &Path, collector: &str, args: &[&str]) -> Result<Self, Failed> {
        Self::with(home, collector, args, &[])
    }

    pub(crate) fn with(
        home: &Path,
        collector: &str,
        args: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, Failed> {
        let mut command = Recount.command()?;
        command
            .args(args)
            .args(["--listen", "127.0.0.1:0", "--endpoint", collector])
            .env("RECOUNT_SPOOL", home.join("relay-spool"))
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let mut said = BufReader::new(child.stderr.take().ok_or("no stderr")?);
        let mut line = String::new();
        said.read_line(&mut line)?;
        let url = line
            .split_once("listening on ")
            .and_then(|(_, rest)| rest.split_once(','))
            .map(|(url, _)| url.to_owned());
        // What it says later must not fill the pipe.
        std::thread::spawn(move || {
            let mut rest = Vec::new();
            let _ = said.read_to_end(&mut rest);
        });
        match url {
            Some(url) => Ok(Self { child, url }),
            None => {
                child.wait()?;
                Err(format!("the relay said {line:?}").into())
            }
        }
    }

    pub(crate) fn host(&self) -> &str {
        self.url.strip_prefix("http://").unwrap_or_default()
    }

    /// Asks it to stop in order, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<(), Failed> {
        let id = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status()?;
        let status = self.child.wait()?;
        match status.success() {
            true => Ok(()),
            false => Err(format!("the relay stopped with {status}").into()),
        }
    }

    /// Kills it without warning.
    pub(crate) fn kill(mut self) -> Result<(), Failed> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Gone already where it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A collector, a folder for everything, and what the account says afterwards.
pub(crate) struct World {
    pub(crate) collector: Running,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let collector = Running::start(&folder.path().join("store"))?;
        Ok(Self { collector, folder })
    }

    pub(crate) fn endpoint(&self) -> Result<String, Failed> {
        Ok(format!("http://{}", self.collector.otlp_http()?))
    }

    pub(crate) fn relay(&self, args: &[&str]) -> Result<Relay, Failed> {
        Relay::start(self.folder.path(), &self.endpoint()?, args)
    }

    /// The account of a request, after an orderly stop.
    pub(crate) fn account(self, query: &str) -> Result<Value, Failed> {
        let home = self.folder.path().to_owned();
        self.collector.stop()?;
        account(&home, query)
    }
}

pub(crate) fn account(home: &Path, query: &str) -> Result<Value, Failed> {
    let mut command = Recount.command()?;
    command
        .args(["show", query, "--all", "-o", "json", "--store"])
        .arg(home.join("store"))
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_STATE_HOME", home.join("state"));
    Ok(Outcome::of(&mut command)?.ended(0)?.json()?)
}

pub(crate) use crate::producers::{problems, rows, same};

/// A whole exchange over a connection of its own, as bytes.
pub(crate) fn exchange(url: &str, request: &str) -> Result<String, Failed> {
    let host = url.strip_prefix("http://").ok_or("a url")?;
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(LONG))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

pub(crate) fn post(path: &str, more: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n\
         connection: close\r\n{more}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Runs a Python agent against this server; gives what it printed.
fn agent(script: &str, request: &str, url: &str) -> Result<String, Failed> {
    let mut command = Command::new(python());
    command
        .arg(tests::root().join("examples/python").join(script))
        .arg(request)
        .env("OPENAI_BASE_URL", format!("{url}/v1"))
        .env("OPENAI_API_KEY", KEY)
        .env("ANTHROPIC_BASE_URL", url)
        .env("ANTHROPIC_API_KEY", KEY)
        .env("NO_PROXY", "127.0.0.1");
    Ok(Outcome::of(&mut command)?.ended(0)?.out)
}

/// No file below `folder` holds `text`.
pub(crate) fn holds_not(folder: &Path, text: &str) -> Result<(), Failed> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            holds_not(&path, text)?;
            continue;
        }
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        let there = bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes());
        same(&format!("{text} in {}", path.display()), there, false)?;
    }
    Ok(())
}

fn names(account: &Value) -> Vec<String> {
    rows(account, "actions")
        .map(|row| {
            let of = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
            format!("{} {}", of("name"), of("outcome"))
        })
        .collect()
}

fn relay_records_an_unchanged_openai_client() -> Result<(), Failed> {
    let (world, server) = (World::new()?, Server::of_models()?);
    let direct = agent("openai_agent.py", "47894", &server.url())?;
    let relay = world.relay(&["llm", "--upstream", &server.url()])?;
    let relayed = agent("openai_agent.py", "47894", &relay.url)?;
    same("what the agent got", relayed, direct)?;
    relay.stop()?;
    let through: Vec<_> = server.asked().split_off(7);
    same("calls", through.len(), 7)?;
    let key = format!("Bearer {KEY}");
    same(
        "the key",
        through[0].header("authorization"),
        Some(key.as_str()),
    )?;
    same("our header", through[0].header("x-recount-request"), None)?;
    holds_not(world.folder.path(), KEY)?;
    let account = world.account("47894")?;
    same(
        "actions",
        names(&account),
        [
            "chat small-1 success",
            "chat small-1 success",
            "chat small-1 success",
            "chat small-1 success",
            "embeddings embed-1 success",
            "GET /v1/models success",
            "chat limited failure",
        ]
        .map(str::to_owned)
        .to_vec(),
    )?;
    let decisions: Vec<&Value> = rows(&account, "decisions").collect();
    same("decisions", decisions.len(), 3)?;
    same("made by", decisions[0]["made_by"].as_str(), Some("model"))?;
    same("chosen", decisions[0]["chosen"][0].as_str(), Some("lookup"))?;
    same(
        "because",
        decisions[0]["rationale"].as_str(),
        Some("Let me look."),
    )?;
    let calls: Vec<&Value> = rows(&account, "actions").collect();
    same(
        "tokens",
        calls[1]["usage"]["input_tokens"].as_u64(),
        Some(9),
    )?;
    let agent = account["sessions"][0]["agent"]["name"].as_str();
    same("agent", agent, Some("OpenAI/Python"))?;
    same("limited", problems(&account).contains("rate_limited"), true)
}

fn anthropic() -> Result<(), Failed> {
    let (world, server) = (World::new()?, Server::of_models()?);
    let direct = agent("anthropic_agent.py", "47895", &server.url())?;
    let relay = world.relay(&["llm", "--upstream", &server.url()])?;
    let relayed = agent("anthropic_agent.py", "47895", &relay.url)?;
    same("what the agent got", relayed, direct)?;
    relay.stop()?;
    holds_not(world.folder.path(), KEY)?;
    let account = world.account("47895")?;
    let wanted = ["chat claude-small success", "chat claude-small success"];
    same(
        "actions",
        names(&account),
        wanted.map(str::to_owned).to_vec(),
    )?;
    let decision = rows(&account, "decisions").next().ok_or("a decision")?;
    same("chosen", decision["chosen"][0].as_str(), Some("lookup"))?;
    let told: Vec<_> = rows(&account, "context")
        .map(|row| {
            (
                row["name"].as_str().unwrap_or_default(),
                row["trust"].as_str(),
            )
        })
        .collect();
    let of_tool = ("tool:toolu_1", Some("data"));
    same("what a tool said is data", told.contains(&of_tool), true)
}

/// Everything but what belongs to one connection, in some order, and the body as it came.
fn comparable(answer: &str) -> (Vec<&str>, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    let mut lines: Vec<&str> = head
        .split("\r\n")
        .filter(|line| !line.starts_with("connection:") && !line.starts_with("transfer-encoding:"))
        .collect();
    lines.sort_unstable();
    (lines, body)
}

fn every_byte() -> Result<(), Failed> {
    let (world, server) = (World::new()?, Server::of_models()?);
    let relay = world.relay(&["llm", "--upstream", &server.url()])?;
    for (path, body) in [
        (
            "/v1/chat/completions",
            r#"{"model":"small-1","stream":true,"messages":[]}"#,
        ),
        (
            "/v1/chat/completions",
            r#"{"model":"small-1","messages":[]}"#,
        ),
        (
            "/v1/messages",
            r#"{"model":"c","stream":true,"messages":[]}"#,
        ),
        (
            "/v1/responses",
            r#"{"model":"g","stream":true,"input":"x"}"#,
        ),
        ("/v1/chat/completions", r#"{"model":"limited"}"#),
        ("/v1/files", "not json at all"),
        ("/v1/chat/completions", "no json either"),
    ] {
        let host = server.url();
        let request = post(path, "x-own: 1\r\n", body);
        let direct = {
            let host = host.strip_prefix("http://").ok_or("a url")?.to_owned();
            let mut stream = TcpStream::connect(host)?;
            stream.write_all(request.as_bytes())?;
            stream.shutdown(std::net::Shutdown::Write)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            answer
        };
        let relayed = exchange(&relay.url, &request)?;
        let what = format!("the answer to {body} at {path}");
        same(&what, comparable(&relayed), comparable(&direct))?;
        let asked = server.asked();
        let [.., one, other] = asked.as_slice() else {
            return Err("two requests".into());
        };
        same(
            "the request",
            (&one.line, &one.body),
            (&other.line, &other.body),
        )?;
        let own = |asked: &tests::models::Asked| {
            let mut all = asked.headers.clone();
            all.retain(|(name, _)| !matches!(name.as_str(), "host" | "connection"));
            all.retain(|(name, value)| !(name == "accept" && value == "*/*"));
            all.sort();
            all
        };
        same("its headers", own(one), own(other))?;
    }
    relay.stop()
}

fn digests_only() -> Result<(), Failed> {
    let (world, server) = (World::new()?, Server::of_models()?);
    let args = [
        "llm",
        "--content",
        "digest",
        "--request",
        "47896",
        "--upstream",
        &server.url(),
    ];
    let relay = world.relay(&args)?;
    let body =
        r#"{"model":"small-1","messages":[{"role":"user","content":"the word is swordfish"}]}"#;
    exchange(&relay.url, &post("/v1/chat/completions", "", body))?;
    relay.stop()?;
    holds_not(world.folder.path(), "swordfish")?;
    let account = world.account("47896")?;
    let digest = rows(&account, "context").find_map(|row| row["digest"].as_str());
    same(
        "a digest",
        digest.is_some_and(|digest| digest.starts_with("hmac-sha256:")),
        true,
    )
}

/// A server with one account that can be read and written.
fn crm() -> Result<Server, Failed> {
    let state = std::sync::Mutex::new(r#"{"stage":"new"}"#.to_owned());
    Ok(Server::new(move |asked, stream| {
        let mut state = state
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if asked.line.starts_with("PATCH") {
            state.clone_from(&asked.body);
        }
        whole(stream, "200 OK", "", &state).map(|()| true)
    })?)
}

/// The rules that the page on instrumenting shows.
pub(crate) fn rules() -> String {
    let file = tests::root().join("examples/crm-rules.toml");
    file.to_string_lossy().into_owned()
}

fn changes() -> Result<(), Failed> {
    let (world, server) = (World::new()?, crm()?);
    let rules = rules();
    let url = server.url();
    let relay = world.relay(&["http", "--upstream", &url, "--rules", &rules])?;
    let request = post(
        "/accounts/17",
        "x-recount-request: 47897\r\n",
        r#"{"stage":"won"}"#,
    )
    .replacen("POST", "PATCH", 1);
    let answer = exchange(&relay.url, &request)?;
    same("the answer", answer.ends_with(r#"{"stage":"won"}"#), true)?;
    relay.stop()?;
    holds_not(world.folder.path(), KEY)?;
    let account = world.account("47897")?;
    let diffs: Vec<&Value> = rows(&account, "diffs").collect();
    same("diffs", diffs.len(), 1)?;
    let side = |name: &str| diffs[0][name]["inline"].as_str();
    same("before", side("before"), Some(r#"{"stage":"new"}"#))?;
    same("after", side("after"), Some(r#"{"stage":"won"}"#))?;
    let host = url.strip_prefix("http://").ok_or("a url")?;
    let resource = format!("http:{host}/accounts/17");
    same(
        "resource",
        diffs[0]["resource"].as_str(),
        Some(resource.as_str()),
    )
}

fn relay_records_a_write_without_a_rule_without_its_state() -> Result<(), Failed> {
    let (world, server) = (World::new()?, crm()?);
    let relay = world.relay(&["http", "--request", "47899", "--upstream", &server.url()])?;
    exchange(&relay.url, &post("/accounts/17", "", r#"{"stage":"won"}"#))?;
    relay.stop()?;
    let account = world.account("47899")?;
    let wanted = vec!["POST /accounts/17 success".to_owned()];
    same("actions", names(&account), wanted)?;
    same("diffs", rows(&account, "diffs").count(), 0)
}

fn bad_rules() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let rules = folder.path().join("crm.toml");
    std::fs::write(
        &rules,
        "\n[[rule]]\nmethods = [\"PATCH\"]\nwhere = \"/accounts\"\n",
    )?;
    let mut command = Recount.command()?;
    command
        .args(["http", "--listen", "0", "--upstream", "http://127.0.0.1:9"])
        .args(["--on-collector-loss", "pass", "--rules"])
        .arg(&rules)
        .env("RECOUNT_SPOOL", folder.path().join("spool"));
    let said = Outcome::of(&mut command)?.ended(2)?.err;
    same(
        &format!("{said}: the line is named"),
        said.contains("crm.toml, line 4: "),
        true,
    )
}

/// Waits until something is so.
pub(crate) fn until(what: &str, is: impl Fn() -> bool) -> Result<(), Failed> {
    let began = Instant::now();
    while !is() {
        if began.elapsed() > LONG {
            return Err(format!("{what}: not in {LONG:?}").into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
