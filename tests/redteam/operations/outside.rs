//! Anchors that are down, and one that knows another history.

use ledger::leaf::{ConflictNote, Private as _};
use libtest_mimic::Failed;
use tests::outcome::Outcome;

use crate::attack::When;
use crate::case::Case;
use crate::key_holder::anchors::{ask, newest, point_to};
use crate::scene;

/// What `anchor status` says, whatever it ends with.
fn status(case: &Case) -> Result<Outcome, Failed> {
    let mut command = scene::collector()?;
    command.args(["anchor", "status", "--reader", "none", "--store"]);
    command
        .arg(case.store())
        .arg("--config")
        .arg(case.elsewhere("collector.toml"));
    Ok(Outcome::of(&mut command)?)
}

pub(super) fn anchors_down(case: &mut Case) -> Result<(), Failed> {
    let file = case.elsewhere("mounted/anchor");
    std::fs::create_dir(case.elsewhere("mounted"))?;
    point_to(case, &file)?;
    ask(case)?;
    case.attack(|_| Ok(std::fs::remove_dir_all(file.parent().ok_or("a folder")?)?))?;
    // Recording goes on at once, whatever the anchor does.
    let config = case.elsewhere("collector.toml");
    let config = config.to_str().ok_or("a path in UTF-8")?;
    let mut collector = scene::serve(&case.store(), &["--config", config])?;
    scene::sealed(&collector, &scene::export("s-a", 290..293))?;
    collector.stop()?;
    let mut now = scene::collector()?;
    now.args([
        "anchor", "now", "--log", "error", "--reader", "none", "--config", config,
    ]);
    let asked = Outcome::of(now.arg("--store").arg(case.store()))?;
    let said = status(case)?.out + &asked.out + &asked.err;
    if asked.code == Some(0) || !said.contains("mounted") || !said.contains("behind") {
        return Err(format!("{:?} {said}", asked.code).into());
    }
    case.verify()?.finds_nothing()?;
    case.caught(When::Ingest);
    Ok(())
}

pub(super) fn conflict(case: &mut Case) -> Result<(), Failed> {
    let early = case.base().early();
    point_to(case, &case.elsewhere("anchor"))?;
    ask(case)?;
    case.attack(|dir| {
        std::fs::remove_dir_all(dir)?;
        scene::copy(&early, dir)
    })?;
    // Nothing in the folder says that anything is missing; the anchor does.
    let config = case.elsewhere("collector.toml");
    let config = config.to_str().ok_or("a path in UTF-8")?;
    let mut now = scene::collector()?;
    now.args([
        "anchor", "now", "--log", "error", "--reader", "none", "--config", config,
    ]);
    Outcome::of(now.arg("--store").arg(case.store()))?;
    let said = status(case)?;
    if said.code != Some(3) {
        return Err(format!("{:?} {}{}", said.code, said.out, said.err).into());
    }
    let private = newest(case, 20)?.private.ok_or("a private part")?;
    let note = ConflictNote::decode(&private.body)?;
    if !note.what.contains("holds a checkpoint of") {
        return Err(note.what.into());
    }
    // Recording goes on; nothing is signed until a person has looked.
    let before = scene::read(&case.store().join("last_signed"))?;
    let mut collector = scene::serve(&case.store(), &["--config", config])?;
    scene::sealed(&collector, &scene::export("s-a", 290..293))?;
    collector.stop()?;
    if scene::read(&case.store().join("last_signed"))? != before {
        return Err("it signs although signing is held".into());
    }
    case.caught(When::Anchor);
    Ok(())
}
