//! Agents that use another agent's session or token.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;

use collector_lite::Hidden;
use ledger::leaf::{ConflictNote, ControlBody, Private as _, RefusedPayload};
use libtest_mimic::Failed;
use serde_json::Value;
use tests::outcome::Outcome;

use crate::attack::When;
use crate::case::{Case, has_problem};
use crate::scene::{self, Answer};

/// Enrols a producer on the case's store and gives its token.
pub(super) fn enroll(case: &Case, args: &[&str]) -> Result<String, Failed> {
    let mut command = scene::collector()?;
    command.args(["enroll", "-o", "json"]).args(args);
    let told = Outcome::of(command.arg("--store").arg(case.store()))?;
    let told = told.ended(0)?.json()?;
    Ok(told["token"].as_str().ok_or("a token")?.to_owned())
}

fn revoke(case: &Case, name: &str) -> Result<(), Failed> {
    let mut command = scene::collector()?;
    let told = Outcome::of(command.args(["revoke", name, "--store"]).arg(case.store()))?;
    told.ended(0)?;
    Ok(())
}

/// Records of one session, sent with a token.
fn send(collector: &Hidden, token: &str, session: &str) -> Result<Answer, Failed> {
    let authorization = format!("Bearer {token}");
    let headers = [
        ("content-type", "application/json"),
        ("authorization", &authorization),
    ];
    scene::send(collector, &headers, scene::export(session, 0..3).as_bytes())
}

/// Producer and standing of every stream of a session's account.
fn streams(account: &Value) -> Vec<(String, String)> {
    let streams = account["sessions"][0]["streams"].as_array();
    let word = |stream: &Value, key: &str| stream[key].as_str().unwrap_or_default().to_owned();
    let streams = streams.into_iter().flatten();
    streams
        .map(|stream| (word(stream, "producer"), word(stream, "standing")))
        .collect()
}

pub(super) fn foreign_session(case: &mut Case) -> Result<(), Failed> {
    let (victim, intruder) = (enroll(case, &["victim"])?, enroll(case, &["intruder"])?);
    // Where enrolment is required.
    let mut collector = scene::serve(&case.store(), &["--require-enrolment"])?;
    send(&collector, &victim, "kept")?;
    let answer = case.attack(|_| send(&collector, &intruder, "kept"))?;
    if answer.status != 200 || !answer.body.contains("\"rejectedLogRecords\":3") {
        return Err(format!("{}: {}", answer.status, answer.body).into());
    }
    collector.stop()?;
    let conflict = |(body, private): &(ControlBody, Vec<u8>)| match body {
        ControlBody::Conflict { kind: 3, .. } => ConflictNote::decode(private).ok(),
        _ => None,
    };
    let told: Vec<_> = scene::leaves(&case.store())?
        .iter()
        .filter_map(conflict)
        .collect();
    if !matches!(told.as_slice(), [one] if one.what.contains("intruder named session kept")) {
        return Err(format!("{told:?}").into());
    }
    case.caught(When::Ingest);
    let account = case.account("kept")?;
    let owned = streams(&account) == [("victim".to_owned(), "own".to_owned())];
    if !owned || scene::items(&case.store(), "kept")?.len() != 3 {
        return Err(format!("{:#}", account["sessions"]).into());
    }
    if !has_problem(&account, "identity_claimed") {
        return Err(format!("the account does not tell: {:#}", account["problems"]).into());
    }
    case.caught(When::Verify);
    // Where it is not: a stream of its own, which is claims.
    let mut collector = scene::serve(&case.store(), &[])?;
    send(&collector, &victim, "open")?;
    case.attack(|_| send(&collector, &intruder, "open"))?;
    collector.stop()?;
    let account = case.account("open")?;
    let both = [("victim", "own"), ("intruder", "claims")]
        .map(|(producer, standing)| (producer.to_owned(), standing.to_owned()));
    if streams(&account) != both || !has_problem(&account, "identity_claimed") {
        return Err(format!("{:#}", account["sessions"]).into());
    }
    case.verify()?.finds_nothing()
}

/// What the agent socket answers to a token.
fn over_socket(collector: &Hidden, token: &str) -> Result<String, Failed> {
    let socket = collector.ready().agent_socket.clone().ok_or("a socket")?;
    let body = scene::export("bound", 0..1);
    let mut stream = UnixStream::connect(socket)?;
    write!(
        stream,
        "POST /v1/logs HTTP/1.1\r\nhost: recount\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

pub(super) fn stolen_token(case: &mut Case) -> Result<(), Failed> {
    let token = enroll(case, &["victim", "--key", &"ab".repeat(32)])?;
    let other = std::fs::metadata("/proc/self")?.uid() + 1;
    let bound = enroll(case, &["bound", "--uid", &other.to_string()])?;
    let socket = case.elsewhere("agent.sock");
    let socket = socket.to_str().ok_or("a path in UTF-8")?;
    let mut collector = scene::serve(&case.store(), &["--agent-socket", socket])?;
    // Bound to a user: of no use to this one, by either way.
    let answer = case.attack(|_| over_socket(&collector, &bound))?;
    let over_port = case.attack(|_| send(&collector, &bound, "bound"))?;
    if !answer.starts_with("HTTP/1.1 401") || over_port.status != 401 {
        return Err(format!("{answer}; {}", over_port.status).into());
    }
    // Not bound: taken, under the agent's name. That is the residual risk; what the thief cannot do is sign.
    let answer = case.attack(|_| send(&collector, &token, "stolen"))?;
    if answer.status != 200 {
        return Err(format!("{}: {}", answer.status, answer.body).into());
    }
    // The theft is noticed.
    revoke(case, "victim")?;
    let answer = case.attack(|_| send(&collector, &token, "later"))?;
    if answer.status != 401 || answer.retry_after || !answer.body.contains("of victim was revoked")
    {
        return Err(format!("{}: {}", answer.status, answer.body).into());
    }
    collector.stop()?;
    let refused = |(body, private): &(ControlBody, Vec<u8>)| match body {
        ControlBody::RefusedPayload { .. } => RefusedPayload::decode(private).ok(),
        _ => None,
    };
    let told: Vec<String> = scene::leaves(&case.store())?
        .iter()
        .filter_map(refused)
        .map(|refused| refused.why)
        .collect();
    let named = |words: &str| told.iter().any(|why| why.contains(words));
    if !named("the token of victim was revoked at") || !named("the token of bound is bound to user")
    {
        return Err(format!("{told:?}").into());
    }
    if !scene::items(&case.store(), "later")?.is_empty()
        || !scene::items(&case.store(), "bound")?.is_empty()
    {
        return Err("something of it was sealed".into());
    }
    case.caught(When::Ingest);
    let account = case.account("stolen")?;
    if streams(&account) != [("victim".to_owned(), "own".to_owned())] {
        return Err(format!("{:#}", account["sessions"]).into());
    }
    let open = account["integrity"]["not_proven"].to_string();
    if !open.contains("that victim wrote s1: no record is signed, although a key is enrolled") {
        return Err(format!("the account does not tell: {open}").into());
    }
    case.caught(When::Verify);
    case.verify()?.finds_nothing()
}
