//! Collectors that are started twice, killed, upgraded; erasures that are not complete.

use ledger::leaf::ControlBody;
use libtest_mimic::Failed;
use tests::outcome::Outcome;

use crate::attack::When;
use crate::case::Case;
use crate::scene;

pub(super) fn second_collector(case: &mut Case) -> Result<(), Failed> {
    let mut first = case.start()?;
    let second = case.attack(|dir| Ok(Some(Outcome::of(&mut scene::serve_command(dir, &[])?)?)))?;
    let second = second.ok_or("a second collector")?;
    if second.code != Some(5) || !second.err.contains("in use by another process") {
        return Err(second.err.into());
    }
    scene::sealed(&first, &scene::export("s-a", 290..293))?;
    first.stop()?;
    case.verify()?.finds_nothing()?;
    case.caught(When::Verify);
    Ok(())
}

pub(super) fn crash_before_signing(case: &mut Case) -> Result<(), Failed> {
    let mut collector = case.start()?;
    scene::sealed(&collector, &scene::export("s-a", 290..293))?;
    let signed = case.elsewhere("signed before");
    std::fs::copy(case.store().join("last_signed"), &signed)?;
    case.attack(|_| Ok(collector.kill().map(drop)?))?;
    collector.stop()?;
    let open = case.verify()?;
    open.finds_nothing()?;
    if open.code != Some(6) || !open.said.contains("covers the last 3 records") {
        return Err(format!("not told as open: {}", open.said).into());
    }
    case.start()?.stop()?;
    let clean = scene::leaves(&case.store())?
        .into_iter()
        .rev()
        .find_map(|(body, _)| match body {
            ControlBody::Startup { clean, .. } => Some(clean),
            _ => None,
        });
    let closed = case.verify_since(&signed)?;
    closed.finds_nothing()?;
    if clean != Some(0) || closed.code != Some(0) {
        return Err(format!("clean {clean:?}; {}", closed.said).into());
    }
    case.caught(When::Verify);
    Ok(())
}

pub(super) fn incomplete_erasure(case: &mut Case) -> Result<(), Failed> {
    let exports = case.elsewhere("exports");
    std::fs::create_dir(&exports)?;
    case.attack(|dir| {
        let told = scene::items(dir, "s-c")?.concat();
        Ok(std::fs::write(exports.join("forgotten.json"), told)?)
    })?;
    let mut erase = scene::collector()?;
    erase
        .args([
            "erase",
            "47892",
            "--actor",
            "m",
            "--reason",
            "asked for",
            "--yes",
            "--reader",
            "none",
        ])
        .arg("--search")
        .arg(&exports)
        .arg("--store")
        .arg(case.store());
    let said = Outcome::of(&mut erase)?.ended(6)?;
    if !said.out.contains("forgotten.json") && !said.err.contains("forgotten.json") {
        return Err(format!("{}{}", said.out, said.err).into());
    }
    // In the store itself nothing is left.
    for file in std::fs::read_dir(case.store())? {
        let bytes = std::fs::read(file?.path()).unwrap_or_default();
        if bytes.windows(12).any(|window| window == b"account 4711") {
            return Err("the plaintext is still in the store".into());
        }
    }
    case.verify()?.finds_nothing()?;
    case.caught(When::Verify);
    Ok(())
}

pub(super) fn upgrade(case: &mut Case) -> Result<(), Failed> {
    let mut releases = 0;
    for release in std::fs::read_dir(tests::root().join("tests/golden"))? {
        let release = release?.path();
        if !release.is_dir() {
            continue;
        }
        releases += 1;
        case.stand_on(&release)?;
        case.verify_with(&[])?.finds_nothing()?;
        case.recount(&["verify", "--all"])?.ended(0)?;
        case.attack(|dir| scene::flip(&dir.join("last_signed"), |length| length / 3))?;
        let changed = case.verify_with(&[])?;
        if changed.code != Some(3) {
            return Err(format!("{}: {}", release.display(), changed.said).into());
        }
    }
    if releases == 0 {
        return Err("no store of an earlier release".into());
    }
    case.caught(When::Verify);
    Ok(())
}

pub(super) fn restore(case: &mut Case) -> Result<(), Failed> {
    let early = case.base().early();
    case.attack(|dir| scene::replace(&early, dir, &["ledger.db"]))?;
    case.start_refuses("behind acked")?;
    let mut recover = scene::collector()?;
    recover
        .args([
            "recover",
            "--reason",
            "the disk died",
            "--actor",
            "ops",
            "--reader",
            "none",
        ])
        .arg("--store")
        .arg(case.store());
    Outcome::of(&mut recover)?.ended(0)?;
    let mut collector = case.start()?;
    scene::sealed(&collector, &scene::export("s-a", 290..293))?;
    collector.stop()?;
    let mut verify = scene::collector()?;
    verify
        .args(["verify", "--reader", "none", "--store"])
        .arg(case.store());
    let said = Outcome::of(&mut verify)?.ended(0)?;
    if said.out.contains("continues") && said.out.contains("the disk died") {
        return Ok(());
    }
    Err(said.out.into())
}
