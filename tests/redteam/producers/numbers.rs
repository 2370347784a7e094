//! What the numbers of a producer's records show: replays, holes, new runs.

use collector_lite::Hidden;
use ledger::leaf::{ConflictNote, ControlBody, Private as _};
use ledger::reader::{Find, Reader as _};
use ledger::store::Folder;
use libtest_mimic::Failed;
use std::io::Write as _;
use std::time::{Duration, Instant};
use tests::outcome::Outcome;

use crate::attack::When;
use crate::case::{Case, has_problem};
use crate::scene::{self, number, numbered};

use super::tokens::enroll;

pub(super) fn replay(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    for body in [
        scene::export("again", 0..3),
        numbered("again", "r", &[0, 1, 2], ""),
    ] {
        let first = scene::sealed(&collector, &body)?
            .receipt
            .ok_or("a receipt")?;
        let second = case.attack(|_| scene::sealed(&collector, &body))?;
        let second = second.receipt.ok_or("a receipt")?;
        if second["duplicates"] != 3 || first["ledger_size"] != second["ledger_size"] {
            return Err(format!("{first} then {second}").into());
        }
    }
    collector.stop()?;
    if scene::items(&case.store(), "again")?.len() != 6 {
        return Err("the replay was sealed".into());
    }
    case.caught(When::Ingest);
    Ok(())
}

pub(super) fn changed_bytes(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    scene::sealed(&collector, &numbered("told", "r", &[0, 1, 2], "first"))?;
    case.attack(|_| scene::post(&collector, &numbered("told", "r", &[1], "second")))?;
    collector.stop()?;
    let conflict = scene::leaves(&case.store())?
        .into_iter()
        .find_map(|(body, private)| {
            matches!(body, ControlBody::Conflict { kind: 1, .. }).then_some(private)
        });
    let note = ConflictNote::decode(&conflict.ok_or("no conflict leaf")?)?;
    let items = scene::items(&case.store(), "told")?;
    let second = items
        .iter()
        .any(|item| item.windows(6).any(|window| window == b"second"));
    if items.len() != 3 || second || note.first == note.second {
        return Err(format!("{} records, {note:?}", items.len()).into());
    }
    case.caught(When::Ingest);
    Ok(())
}

pub(super) fn suppress(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    let mut numbers = vec![0, 1, 2, 3, 4];
    case.attack(|_| {
        numbers.remove(2);
        Ok(())
    })?;
    let end = format!(
        r#"{{"eventName":"agent.session.end",{}"#,
        &scene::record("quiet", 5, &number(5))[1..]
    );
    let export = numbered("quiet", "r", &numbers, "");
    scene::sealed(&collector, &export)?;
    scene::sealed(&collector, &scene::run("r", &[end]))?;
    collector.stop()?;
    let gaps = scene::leaves(&case.store())?;
    if gaps
        .iter()
        .any(|(body, _)| matches!(body, ControlBody::Gap { .. }))
    {
        case.caught(When::Ingest);
    }
    let account = case.account("quiet")?;
    let integrity = &account["integrity"];
    let told = integrity["not_proven"].to_string() + &integrity["gaps"].to_string();
    if !told.contains("1 records of the same producers") && !has_problem(&account, "record_missing")
    {
        return Err(format!("{integrity:#}").into());
    }
    case.caught(When::Verify);
    Ok(())
}

pub(super) fn restarted_numbers(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    scene::sealed(&collector, &numbered("twice", "r-1", &[0, 1, 2], "first"))?;
    let answer =
        case.attack(|_| scene::sealed(&collector, &numbered("twice", "r-2", &[0, 1], "second")))?;
    if answer
        .receipt
        .is_none_or(|receipt| receipt.get("duplicates").is_some())
    {
        return Err("the second run was taken for the first".into());
    }
    collector.stop()?;
    if scene::items(&case.store(), "twice")?.len() != 5 {
        return Err("a record was lost".into());
    }
    let status = &case.account("twice")?["integrity"]["status"];
    if *status != "open" {
        return Err(format!("{status}").into());
    }
    case.caught(When::Verify);
    Ok(())
}

pub(super) fn lost_answer(case: &mut Case) -> Result<(), Failed> {
    let body = scene::export("retried", 0..3);
    let mut collector = case.start()?;
    case.attack(|dir| {
        let address = collector.ready().otlp_http.clone().ok_or("a door")?;
        let mut stream = std::net::TcpStream::connect(address)?;
        let head = "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json";
        write!(
            stream,
            "{head}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
        // The commit is seen from outside; nobody reads the answer.
        let acked = || scene::read(&dir.join("acked"));
        let (before, deadline) = (acked()?, Instant::now() + Duration::from_secs(10));
        while acked()? == before && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    })?;
    collector.kill()?;
    let mut collector = case.start()?;
    let answer = scene::sealed(&collector, &body)?
        .receipt
        .ok_or("a receipt")?;
    collector.stop()?;
    let sealed = scene::items(&case.store(), "retried")?.len();
    if sealed != 3 || answer["duplicates"] != 3 {
        return Err(format!("{sealed} records, {answer}").into());
    }
    case.verify()?.finds_nothing()?;
    case.caught(When::Ingest);
    Ok(())
}

pub(super) fn taken_numbers(case: &mut Case) -> Result<(), Failed> {
    let (victim, intruder) = (enroll(case, &["victim"])?, enroll(case, &["intruder"])?);
    let send = |collector: &Hidden, token: &str, body: &str| {
        let authorization = format!("Bearer {token}");
        let json = ("content-type", "application/json");
        let headers = [json, ("authorization", authorization.as_str())];
        scene::send(
            collector,
            &headers[..if token.is_empty() { 1 } else { 2 }],
            body.as_bytes(),
        )
    };
    let mut collector = case.start()?;
    // Under another session's name, and under the victim's own; more than are looked through for a conflict.
    for (token, session) in [(intruder.as_str(), "elsewhere"), ("", "kept")] {
        let numbers: Vec<u64> = (0..20_000).collect();
        let taken =
            case.attack(|_| send(&collector, token, &numbered(session, "r", &numbers, "mine")))?;
        if taken.status != 200 {
            return Err(format!("{}: {}", taken.status, taken.body).into());
        }
    }
    let own = numbered("kept", "r", &[0, 1, 2, 5], "own");
    let sealed = |collector: &Hidden, duplicates: Option<u64>| -> Result<(), Failed> {
        let answer = send(collector, &victim, &own)?;
        let receipt = answer.receipt.ok_or("no receipt")?;
        let told = receipt
            .get("duplicates")
            .and_then(serde_json::Value::as_u64);
        let refused =
            answer.body.contains("rejectedLogRecords") || receipt.get("conflicts").is_some();
        match (answer.status, told == duplicates && !refused) {
            (200, true) => Ok(()),
            (status, _) => Err(format!("{status}: {receipt} {}", answer.body).into()),
        }
    };
    sealed(&collector, None)?;
    // Its own retries are known, by a later run of the collector and from the evidence alone.
    sealed(&collector, Some(4))?;
    collector.stop()?;
    case.verify()?.finds_nothing()?;
    let mut reindex = scene::collector()?;
    let done = Outcome::of(reindex.args(["reindex", "--store"]).arg(case.store()))?;
    done.ended(0)?;
    let mut collector = case.start()?;
    sealed(&collector, Some(4))?;
    // Other bytes under a number of its own are a conflict, as ever.
    let changed = send(&collector, &victim, &numbered("kept", "r", &[1], "other"))?;
    let conflicts = changed
        .receipt
        .as_ref()
        .and_then(|receipt| receipt["conflicts"].as_u64());
    if conflicts != Some(1) {
        return Err(format!("{:?}", changed.receipt).into());
    }
    collector.stop()?;
    case.verify()?.finds_nothing()?;
    let streams = Folder::open(&case.store())?.find(&Find::Session("kept".to_owned()))?;
    let own = streams.iter().find(|hint| hint.producer == "victim");
    if own.is_none_or(|hint| hint.records != 4) {
        return Err(format!("{streams:?}").into());
    }
    case.caught(When::Ingest);
    Ok(())
}
