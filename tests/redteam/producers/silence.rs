//! Agents and collectors that say nothing: never started, killed, stopped in the middle.

use ledger::leaf::ControlBody;
use libtest_mimic::Failed;
use std::time::Duration;

use crate::attack::When;
use crate::case::{Case, has_problem};
use crate::scene;

pub(super) fn never_starts(case: &mut Case) -> Result<(), Failed> {
    case.forge(|| Ok(()))?;
    // What it did for this request is nowhere; for another, the account says what it cannot know.
    case.recount(&["show", "50001"])?.ended(1)?;
    let account = case.account("47892")?;
    let not_proven = &account["integrity"]["not_proven"];
    if not_proven.to_string().contains("that the agent told all") {
        return Ok(());
    }
    Err(format!("{not_proven}").into())
}

pub(super) fn killed_collector(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    let recorder = scene::recorder(&collector, &case.elsewhere("spool"))?
        .strict_wait(Duration::from_millis(300))
        .build()?;
    let session = recorder.session("stopped").start_blocking();
    session
        .tool("before")
        .begin_blocking()?
        .run_blocking(|| Ok::<_, String>(()))?;
    case.attack(|_| scene::signal(&collector, "STOP"))?;
    let begun = session.tool("transfer").begin_blocking();
    scene::signal(&collector, "CONT")?;
    if begun.is_ok() {
        return Err("an action ran although no collector answered".into());
    }
    case.caught(When::Ingest);
    collector.kill()?;
    recorder.close_blocking(Duration::from_millis(10));
    case.start()?.stop()?;
    let starts: Vec<u8> = scene::leaves(&case.store())?
        .into_iter()
        .filter_map(|(body, _)| match body {
            ControlBody::Startup { clean, .. } => Some(clean),
            _ => None,
        })
        .collect();
    if starts.last() != Some(&0) {
        return Err(format!("the starts say {starts:?}").into());
    }
    case.verify()?.finds_nothing()?;
    case.caught(When::Verify);
    Ok(())
}

pub(super) fn dangling(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    let recorder = scene::recorder(&collector, &case.elsewhere("spool"))?.build()?;
    let session = recorder.session("cut").start_blocking();
    let action = session.tool("transfer").begin_blocking()?;
    let mut action = Some(action);
    case.attack(|_| {
        // Dead: no destructor runs.
        std::mem::forget(action.take());
        Ok(())
    })?;
    if let Some(action) = action {
        action.run_blocking(|| Ok::<_, String>(()))?;
    }
    session.end_blocking(recount::EndReason::Completed);
    recorder.close_blocking(Duration::from_secs(5));
    collector.stop()?;
    let account = case.account("cut")?;
    if !has_problem(&account, "dangling_action") {
        return Err(format!("{:#}", account["problems"]).into());
    }
    let outcome = &account["actions"][0]["outcome"];
    if *outcome != "unknown" {
        return Err(format!("{outcome}").into());
    }
    case.caught(When::Verify);
    Ok(())
}
