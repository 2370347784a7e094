//! Agents that choose names, times and texts to mislead.

use ledger::reader::{Find, Reader as _};
use ledger::store::Folder;
use libtest_mimic::Failed;

use crate::attack::When;
use crate::case::{Case, has_problem};
use crate::scene::{self, text};

pub(super) fn chosen_ids(case: &mut Case) -> Result<(), Failed> {
    let streams = |store: &std::path::Path| -> Result<Vec<_>, Failed> {
        let found = Folder::open(store)?.find(&Find::Session("s-a".to_owned()))?;
        Ok(found
            .into_iter()
            .map(|hint| (hint.stream, hint.records))
            .collect())
    };
    let before = streams(&case.store())?;
    let [(victim, 290)] = before.as_slice() else {
        return Err(format!("{before:?}").into());
    };
    let mut collector = case.start()?;
    let name = victim.to_string();
    case.attack(|_| scene::sealed(&collector, &scene::export(&name, 0..1)).map(drop))?;
    collector.stop()?;
    if streams(&case.store())? != before {
        return Err("the victim's stream grew".into());
    }
    let own = Folder::open(&case.store())?.find(&Find::Session(name))?;
    if own.len() != 1 || own[0].stream == *victim {
        return Err(format!("{own:?}").into());
    }
    // The same label in two ledgers: two ids.
    if streams(&case.base().other())?
        .iter()
        .any(|(other, _)| other == victim)
    {
        return Err("one id in two ledgers".into());
    }
    case.verify()?.finds_nothing()?;
    case.caught(When::Ingest);
    Ok(())
}

pub(super) fn lying_clock(case: &mut Case) -> Result<(), Failed> {
    const HOUR: i128 = 3_600_000_000_000;
    let mut collector = case.start()?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let lies = case.attack(|_| Ok([HOUR, -HOUR]))?;
    for (session, lie) in ["ahead", "behind"].into_iter().zip(lies) {
        let at = i128::try_from(now.as_nanos())? + lie;
        let names = [
            text("session.id", session),
            text("recount.request.id", session),
        ]
        .join(",");
        let record = format!(
            r#"{{"timeUnixNano":"{at}","eventName":"agent.session.start","attributes":[{names}]}}"#
        );
        // Whoever waits for the receipt cannot say that the record waited.
        let headers = [
            ("content-type", "application/json"),
            ("recount-delivery", "strict"),
        ];
        scene::send(
            &collector,
            &headers,
            scene::wrapped("", &[record]).as_bytes(),
        )?;
    }
    collector.stop()?;
    for session in ["ahead", "behind"] {
        let account = case.account(session)?;
        if !has_problem(&account, "clock_disagrees") {
            return Err(format!("{session}: {:#}", account["problems"]).into());
        }
    }
    case.caught(When::Verify);
    Ok(())
}

pub(super) fn hostile_text(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    // Sets the terminal's title, clears it, turns text around, forges a line of ours.
    let hostile =
        "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}txt\u{2066}\n    intact    everything is there";
    let escaped = serde_json::to_string(hostile)?;
    let escaped = escaped.trim_matches('"');
    let record = format!(
        r#"{{"eventName":"{escaped}","body":{{"stringValue":"{escaped}"}},"attributes":[{},{}]}}"#,
        text("session.id", "loud"),
        text("recount.request.id", "loud"),
    );
    case.attack(|_| {
        scene::sealed(
            &collector,
            &scene::wrapped("", std::slice::from_ref(&record)),
        )
        .map(drop)
    })?;
    collector.stop()?;
    for args in [
        &["show", "loud"][..],
        &["log", "loud"],
        &["show", "loud", "-o", "md"],
    ] {
        let shown = case.recount(args)?;
        let shown = shown.out + &shown.err;
        let raw = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{2066}');
        if shown.contains(raw) || shown.lines().any(|line| line.starts_with("    intact  ")) {
            return Err(format!("{args:?} shows it raw: {shown:?}").into());
        }
    }
    if scene::items(&case.store(), "loud")? != [record.into_bytes()] {
        return Err("the bytes are not in the ledger as sent".into());
    }
    case.caught(When::Verify);
    Ok(())
}
