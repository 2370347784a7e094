//! Enrolled producers from end to end: a real SDK with a token, a real collector, and what the account then says.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use collector_lite::Hidden;
use libtest_mimic::{Failed, Trial};
use recount::{EndReason, Recorder, RecorderBuilder};
use serde_json::Value;
use tests::outcome::Outcome;
use tests::program::Program::{Collector, Recount};

const LONG: Duration = Duration::from_secs(20);

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("enrolled_agent_is_named_and_its_signature_known", is_named),
        Trial::test("another_enrolled_agent_only_claims", only_claims),
        Trial::test("enrolled_sessions_keep_others_out", keeps_out),
        Trial::test("enrolled_user_needs_no_token", needs_no_token),
        Trial::test("enrolled_log_line_presents_its_token", presents_its_token),
        Trial::test("revoked_agent_waits_for_a_new_token", waits),
    ]
}

/// A collector whose producers are enrolled, and where they spool.
struct World {
    collector: Hidden,
    folder: tempfile::TempDir,
}

impl World {
    fn new(more: &[&str]) -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let mut command = Collector.command()?;
        command
            .args(["serve", "--init", "--reader", "none"])
            .args(["--otlp-http", "127.0.0.1:0", "--otlp-grpc", "none"])
            .args(more)
            .arg("--store")
            .arg(folder.path().join("store"));
        Ok(Self {
            collector: Hidden::spawn(&mut command, true)?,
            folder,
        })
    }

    fn run(&self, args: &[&str]) -> Result<Outcome, Failed> {
        let mut command = Collector.command()?;
        command.args(args).arg("--store");
        Ok(Outcome::of(command.arg(self.folder.path().join("store")))?)
    }

    /// Enrols a producer and gives its token.
    fn enroll(&self, args: &[&str]) -> Result<String, Failed> {
        let told = self.run(&[&["enroll", "-o", "json"], args].concat())?;
        let told = told.ended(0)?.json()?;
        Ok(told["token"].as_str().ok_or("a token")?.to_owned())
    }

    fn recorder(&self, token: &str, spool: &str) -> Result<RecorderBuilder, Failed> {
        let address = self.collector.ready().otlp_http.clone().ok_or("a door")?;
        Ok(Recorder::builder("agent")
            .collector(format!("http://{address}"))
            .token(token)
            .spool(self.folder.path().join(spool)))
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("agent.key")
    }

    /// The account of a request, after an orderly stop.
    fn account(mut self, query: &str, code: i32) -> Result<Value, Failed> {
        self.collector.stop()?;
        let home = self.folder.path();
        let mut command = Recount.command()?;
        command
            .args(["show", query, "--all", "-o", "json", "--store"])
            .arg(home.join("store"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_STATE_HOME", home.join("state"));
        Ok(Outcome::of(&mut command)?.ended(code)?.json()?)
    }
}

pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: T,
    wanted: T,
) -> Result<(), Failed> {
    if found == wanted {
        return Ok(());
    }
    Err(format!("{what}: {found:?} where {wanted:?} was expected").into())
}

pub(crate) fn rows<'a>(account: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    let list = &account[key];
    let items = list.as_array().or_else(|| list["items"].as_array());
    items.into_iter().flatten()
}

pub(crate) fn problems(account: &Value) -> BTreeSet<&str> {
    rows(account, "problems")
        .filter_map(|problem| problem["kind"].as_str())
        .collect()
}

/// Producer, its proof and the standing of each stream of the first session.
pub(crate) fn streams(account: &Value) -> Vec<(&str, &str, &str)> {
    let streams = account["sessions"][0]["streams"].as_array();
    let streams = streams.into_iter().flatten();
    let said = streams.map(|stream| {
        let of = |key| stream[key].as_str().unwrap_or("nothing");
        (of("producer"), of("producer_proof"), of("standing"))
    });
    said.collect()
}

fn is_named() -> Result<(), Failed> {
    let world = World::new(&[])?;
    // The agent makes its key; its owner enrols it.
    let agent = world
        .recorder("none-yet", "spool")?
        .new_agent_key(world.key())?;
    let key = world.key();
    let token = world.enroll(&["billing", "--key", key.to_str().ok_or("UTF-8")?])?;
    let recorder = agent.token(token).build()?;
    let session = recorder.session("47892").start_blocking();
    session.tool("send").begin_blocking()?.end_success();
    session.end_blocking(EndReason::Completed);
    same("unsent", recorder.close_blocking(LONG).0, 0)?;
    let account = world.account("47892", 0)?;
    same("problems", problems(&account), BTreeSet::new())?;
    same(
        "streams",
        streams(&account),
        vec![("billing", "token", "own")],
    )?;
    let ran = rows(&account, "who").find(|who| who["role"] == "ran");
    let proof = ran
        .and_then(|ran| ran["proof"].as_str())
        .unwrap_or_default();
    let wanted = "enrolled as billing, known to the collector by its token";
    same("who ran it", proof, wanted)?;
    let open = account["integrity"]["not_proven"].to_string();
    for words in ["who holds the agent's key", "no record is signed"] {
        same(words, open.contains(words), false)?;
    }
    same(
        "sender",
        account["sessions"][0]["sender"].as_str(),
        Some("signed"),
    )
}

fn only_claims() -> Result<(), Failed> {
    let world = World::new(&[])?;
    let (one, two) = (world.enroll(&["one"])?, world.enroll(&["two"])?);
    let owner = world.recorder(&one, "one")?.build()?;
    let session = owner.session("47892").start_blocking();
    session.tool("pay").begin_blocking()?.end_success();
    let other = world.recorder(&two, "two")?.build()?;
    let foreign = other.session("47892").resume(session.id(), "it says");
    foreign.tool("refund").begin_blocking()?.end_success();
    same("unsent", other.close_blocking(LONG).0, 0)?;
    session.end_blocking(EndReason::Completed);
    same("unsent", owner.close_blocking(LONG).0, 0)?;
    let account = world.account("47892", 0)?;
    let wanted = vec![("one", "token", "own"), ("two", "token", "claims")];
    same("streams", streams(&account), wanted)?;
    same(
        "told",
        problems(&account).contains("identity_claimed"),
        true,
    )
}

fn keeps_out() -> Result<(), Failed> {
    let world = World::new(&["--require-enrolment"])?;
    let (one, two) = (world.enroll(&["one"])?, world.enroll(&["two"])?);
    let owner = world.recorder(&one, "one")?.build()?;
    let session = owner.session("47892").start_blocking();
    session.tool("pay").begin_blocking()?.end_success();
    let other = world.recorder(&two, "two")?.build()?;
    // In one run: a session of its own, and one that is not.
    let own = other.session("50001").start_blocking();
    let foreign = other.session("47892").resume(session.id(), "it says");
    let refused = foreign.tool("refund").begin_blocking();
    same(
        "an action in another one's session runs",
        refused.is_ok(),
        false,
    )?;
    own.tool("work").begin_blocking()?.end_success();
    own.end_blocking(EndReason::Completed);
    other.close_blocking(LONG);
    session.end_blocking(EndReason::Completed);
    same("unsent", owner.close_blocking(LONG).0, 0)?;
    let account = world.account("47892", 0)?;
    same("streams", streams(&account), vec![("one", "token", "own")])?;
    let told: Vec<&str> = account["integrity"]["conflicts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|conflict| conflict["what"].as_str())
        .collect();
    let words = told
        .first()
        .is_some_and(|what| what.starts_with("producer two named session"));
    same(
        &format!("the attempt in {told:?}"),
        (told.len(), words),
        (1, true),
    )?;
    same(
        "told",
        problems(&account).contains("identity_claimed"),
        true,
    )
}

fn needs_no_token() -> Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let socket = place.path().join("agent.sock");
    let socket = socket.to_str().ok_or("UTF-8")?;
    let world = World::new(&["--agent-socket", socket, "--require-enrolment"])?;
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self")?).to_string();
    let told = world.run(&["enroll", "home", "--uid", &uid, "--no-token"])?;
    let given = told.ended(0)?.out;
    same("a token is given", given.contains("rct_"), false)?;
    let recorder = Recorder::builder("agent")
        .collector(format!("unix:{socket}"))
        .spool(world.folder.path().join("spool"))
        .build()?;
    let session = recorder.session("47892").start_blocking();
    for _ in 0..3 {
        session.tool("send").begin_blocking()?.end_success();
    }
    session.end_blocking(EndReason::Completed);
    same("unsent", recorder.close_blocking(LONG).0, 0)?;
    let account = world.account("47892", 0)?;
    let wanted = vec![("home", "peer_credentials", "own")];
    same("streams", streams(&account), wanted)?;
    let ran = rows(&account, "who").find(|who| who["role"] == "ran");
    let proof = ran
        .and_then(|ran| ran["proof"].as_str())
        .unwrap_or_default();
    let wanted = "enrolled as home, known to the collector by the user that it runs as";
    same("who ran it", proof, wanted)
}

fn presents_its_token() -> Result<(), Failed> {
    let world = World::new(&["--require-enrolment"])?;
    let token = world.enroll(&["cron"])?;
    let address = world.collector.ready().otlp_http.clone().ok_or("a door")?;
    let line = |token: &str| {
        let mut command = Recount.command()?;
        command
            .args(["log-line", "--request", "47892", "--agent", "job"])
            .env("RECOUNT_COLLECTOR", format!("http://{address}"))
            .env("RECOUNT_SPOOL", world.folder.path().join(token))
            .env("RECOUNT_TOKEN", token);
        Outcome::fed(&mut command, "done\n")
    };
    line(&token)?.ended(0)?;
    let refused = line("rct_other")?.ended(5)?.err;
    for words in ["of no enrolled producer", "hint: set RECOUNT_TOKEN"] {
        same(
            &format!("{words:?} in {refused}"),
            refused.contains(words),
            true,
        )?;
    }
    let account = world.account("47892", 0)?;
    same("streams", streams(&account), vec![("cron", "token", "own")])
}

fn waits() -> Result<(), Failed> {
    let world = World::new(&[])?;
    let token = world.enroll(&["billing"])?;
    let wait = Duration::from_millis(700);
    let recorder = world.recorder(&token, "spool")?.strict_wait(wait).build()?;
    let session = recorder.session("47892").start_blocking();
    session.tool("before").begin_blocking()?.end_success();
    world.run(&["revoke", "billing"])?.ended(0)?;
    let refused = session.tool("during").begin_blocking().err();
    let why = refused.ok_or("begun with a revoked token")?.to_string();
    same(
        &format!("the reason in {why:?}"),
        why.contains("of billing was revoked"),
        true,
    )?;
    session.end_blocking(EndReason::Completed);
    let unsent = recorder.close_blocking(Duration::from_millis(200)).0;
    same("what is refused is kept", unsent > 0, true)?;
    // The next run has a token that counts, and ships what the last one could not.
    let token = world.enroll(&["billing"])?;
    let next = world.recorder(&token, "spool")?.build()?;
    let session = next.session("50001").start_blocking();
    session.tool("after").begin_blocking()?.end_success();
    session.end_blocking(EndReason::Completed);
    same("unsent", next.close_blocking(LONG).0, 0)?;
    let account = world.account("47892", 0)?;
    same(
        "streams",
        streams(&account),
        vec![("billing", "token", "own")],
    )?;
    let outcomes: Vec<_> = rows(&account, "actions")
        .map(|action| action["outcome"].as_str().unwrap_or_default())
        .collect();
    same("actions", outcomes, vec!["success", "not_executed"])
}
