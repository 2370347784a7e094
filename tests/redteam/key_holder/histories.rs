//! The operator: two histories, a record left out, evidence erased.

use ledger::leaf::{Cause, ControlBody, Private as _};
use libtest_mimic::Failed;
use tests::outcome::Outcome;

use crate::attack::When;
use crate::case::Case;
use crate::forge::{Forge, consistent};
use crate::scene;

pub(super) fn two_auditors(case: &mut Case) -> Result<(), Failed> {
    let (first, early) = (case.elsewhere("first auditor"), case.base().early());
    std::fs::copy(case.store().join("last_signed"), &first)?;
    case.attack(|dir| {
        std::fs::remove_dir_all(dir)?;
        scene::copy(&early, dir)?;
        let mut collector = scene::serve(dir, &[])?;
        for session in ["x", "y", "z"] {
            scene::sealed(&collector, &scene::export(session, 0..2))?;
        }
        Ok(collector.stop().map(drop)?)
    })?;
    // Alone, the second auditor sees a whole ledger.
    case.verify()?.finds_nothing()?;
    case.verify_since(&first)?.finds("Fork", "")?;
    case.caught(When::Anchor);
    Ok(())
}

pub(super) fn omit(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    let receipt = scene::sealed(&collector, &scene::export("s-a", 290..293))?.receipt;
    collector.stop()?;
    case.attack(|dir| {
        let forge = Forge::open(dir)?;
        forge.edit("s-a", |records| {
            records.remove(291);
            consistent(records)
        })?;
        forge.recompute()?;
        forge.sign(&dir.join("keys"), None)?;
        forge
            .database
            .execute_batch("UPDATE stream SET head_size = 292 WHERE label = 's-a'")?;
        forge.close()
    })?;
    case.verify()?.finds_nothing()?;
    case.receipt_is_not_covered(&receipt.ok_or("a receipt")?)
}

pub(super) fn quiet_erasure(case: &mut Case) -> Result<(), Failed> {
    let store = case.store();
    let erase = |approval: bool| -> Result<Outcome, Failed> {
        let mut command = scene::collector()?;
        command
            .args([
                "erase", "47892", "--actor", "m", "--reason", "tidy", "--yes", "--reader", "none",
            ])
            .arg("--store")
            .arg(&store);
        if approval {
            command.env("RECOUNT_ERASE_NEEDS_APPROVAL", "true");
        }
        Ok(Outcome::of(&mut command)?)
    };
    // One person alone, where two are asked for.
    let alone = case
        .attack(|_| erase(true).map(Some))?
        .ok_or("an attempt")?;
    if alone.code == Some(0) || scene::items(&store, "s-a")?.len() != 290 {
        return Err(format!("erased by one: {}{}", alone.out, alone.err).into());
    }
    // In order: visible ever after, and counted.
    let before = case.verify()?.said;
    if !before.contains("no payload was erased") {
        return Err(before.into());
    }
    erase(false)?.ended(0)?;
    let said = case.verify()?.said;
    let (mut erased, mut told) = (0, Vec::new());
    for (body, private) in scene::leaves(&case.store())? {
        if let ControlBody::Erasure { count, .. } = body {
            erased += count;
            told.push(Cause::decode(&private)?);
        }
    }
    let by = |cause: &Cause| cause.actor == "m" && cause.reason == "tidy";
    if erased < 290 || !told.iter().all(by) || !said.contains(&format!("{erased} payloads erased,"))
    {
        return Err(format!("{erased} {told:?} {said}").into());
    }
    // Without a leaf: a finding.
    case.stand_on(&case.base().store())?;
    case.attack(|dir| {
        let forge = Forge::open(dir)?;
        forge.wipe("s-c", 3)?;
        forge.close()
    })?;
    case.verify_finds("ErasedUnexplained", "record 3:")
}
