//! Adversaries who delete files, put old copies back, and swap what is there.

use libtest_mimic::Failed;

use crate::attack::When;
use crate::case::Case;
use crate::forge::Forge;
use crate::scene;

pub(super) fn delete_unsigned_tail(case: &mut Case) -> Result<(), Failed> {
    let (before, kept) = (case.elsewhere("before"), case.elsewhere("acked kept"));
    let mut collector = case.start()?;
    // Started: its startup leaf is signed with what came before it, the three records are not.
    scene::copy(&case.store(), &before)?;
    std::fs::remove_dir_all(before.join("keys"))?;
    let receipt = scene::sealed(&collector, &scene::export("s-a", 290..293))?.receipt;
    collector.kill()?;
    scene::replace(&case.store(), case.elsewhere("").as_path(), &["acked"])?;
    std::fs::rename(case.elsewhere("acked"), &kept)?;
    case.as_file_editor(|dir| scene::copy(&before, dir))?;
    // Nothing in the folder knows better.
    case.verify()?.finds_nothing()?;
    case.receipt_is_not_covered(&receipt.ok_or("a receipt")?)?;
    // An attacker who forgot `acked` is caught by it.
    case.as_file_editor(|dir| Ok(std::fs::copy(&kept, dir.join("acked")).map(drop)?))?;
    case.verify_finds("Truncated", "acknowledged")?;
    case.start_refuses("behind acked")
}

fn killed(case: &Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    scene::sealed(&collector, &scene::export("s-a", 290..293))?;
    collector.kill()?;
    Ok(())
}

pub(super) fn spoil_wal(case: &mut Case) -> Result<(), Failed> {
    killed(case)?;
    let whole = case.elsewhere("whole");
    scene::copy(&case.store(), &whole)?;
    case.as_file_editor(|dir| scene::flip(&dir.join("ledger.db-wal"), |length| length / 2))?;
    case.verify_finds("Truncated", "acknowledged")?;
    case.start_refuses("behind acked")?;
    scene::copy(&whole, &case.store())?;
    case.as_file_editor(|dir| Ok(std::fs::remove_file(dir.join("ledger.db-wal"))?))?;
    case.verify_finds("Truncated", "acknowledged")?;
    case.start_refuses("behind acked")
}

pub(super) fn delete_database(case: &mut Case) -> Result<(), Failed> {
    case.recount(&["verify", "--all"])?.ended(0)?;
    case.as_file_editor(|dir| Ok(std::fs::remove_file(dir.join("ledger.db"))?))?;
    case.start_refuses("ledger.db is missing")?;
    case.as_file_editor(|dir| Ok(std::fs::remove_dir_all(dir)?))?;
    // A fresh ledger in its place is another one to everybody who saw the first.
    scene::serve(&case.store(), &["--init"])?.stop()?;
    let early = case.base().early().join("last_signed");
    case.verify_since(&early)?.finds("KeyChanged", "")?;
    let said = case.recount(&["verify", "--all"])?.ended(3)?;
    if !said.out.contains("pinned") {
        return Err(said.out.into());
    }
    case.caught(When::Anchor);
    Ok(())
}

pub(super) fn old_database(case: &mut Case) -> Result<(), Failed> {
    let early = case.base().early();
    case.as_file_editor(|dir| scene::replace(&early, dir, &["ledger.db"]))?;
    case.verify_finds("Truncated", "leaves were signed")?;
    case.start_refuses("behind acked")
}

pub(super) fn old_everything(case: &mut Case) -> Result<(), Failed> {
    let (early, store) = (case.base().early(), case.store());
    let kept = case.elsewhere("kept checkpoint");
    scene::replace(&store, case.elsewhere("").as_path(), &["last_signed"])?;
    std::fs::rename(case.elsewhere("last_signed"), &kept)?;
    case.attack(|dir| scene::copy(&early, dir))?;
    // The store agrees with itself; nothing in it can know better.
    case.verify()?.finds_nothing()?;
    case.verify_since(&kept)?.finds("Truncated", "")?;
    let mut collector = case.start()?;
    for round in 0..6 {
        scene::sealed(&collector, &scene::export(&format!("new-{round}"), 0..3))?;
    }
    collector.stop()?;
    case.verify()?.finds_nothing()?;
    case.verify_since(&kept)?.finds("Fork", "")?;
    case.caught(When::Anchor);
    Ok(())
}

pub(super) fn swap_ledgers(case: &mut Case) -> Result<(), Failed> {
    case.recount(&["verify", "--all"])?.ended(0)?;
    let other = case.base().other();
    case.as_file_editor(|dir| scene::replace(&other, dir, &["ledger.db"]))?;
    case.start_refuses("behind acked")?;
    case.attack(|dir| scene::copy(&other, dir))?;
    case.verify()?.finds("KeyChanged", "")?;
    let said = case.recount(&["show", "47892"])?.ended(3)?;
    if !(said.out + &said.err).contains("key") {
        return Err("nothing is said about the key".into());
    }
    case.caught(When::Anchor);
    Ok(())
}

pub(super) fn unlink(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    case.as_file_editor(|dir| {
        for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm"] {
            std::fs::remove_file(dir.join(name))?;
        }
        Ok(())
    })?;
    let answer = scene::post(&collector, &scene::export("s-a", 290..293))?;
    if answer.status == 200 {
        collector.kill()?;
        return Err("acknowledged into the void".into());
    }
    let status = collector.wait()?;
    if status.success() {
        return Err("the collector ends as if nothing had happened".into());
    }
    case.caught(When::Ingest);
    Ok(())
}

pub(super) fn other_settings(case: &mut Case) -> Result<(), Failed> {
    use ledger::leaf::ControlBody;
    case.attack(|dir| {
        scene::serve(dir, &["--max-body-bytes", "1000"])?.stop()?;
        Ok(())
    })?;
    let forge = Forge::open(&case.store())?;
    let settings: Vec<_> = forge
        .control()?
        .into_iter()
        .filter_map(|leaf| match leaf.body {
            ControlBody::Startup { config, .. } => Some(config),
            _ => None,
        })
        .collect();
    forge.close()?;
    let [.., before, last] = settings.as_slice() else {
        return Err("two starts".into());
    };
    if before == last {
        return Err("the startup leaf does not tell the settings apart".into());
    }
    case.verify()?.finds_nothing()?;
    case.caught(When::Verify);
    Ok(())
}
