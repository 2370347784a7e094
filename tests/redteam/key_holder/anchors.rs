//! An operator against the anchors: takes away what they hold, points them elsewhere, makes a ledger afterwards.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ledger::checkpoint::Checkpoint;
use ledger::cosignature::Cosigner;
use ledger::leaf::{
    ConfigChange, ConflictNote, ControlBody, ControlLeaf, Private as _, Receipt, TreeHead,
};
use ledger::reader::{Reader as _, StoredControl};
use ledger::store::{Folder, InitOptions, Ledger, Options, init};
use ledger::tree::hash_leaf;
use libtest_mimic::Failed;
use tests::outcome::Outcome;
use tests::program::Program::Collector;

use crate::attack::When;
use crate::case::Case;

/// Points the case's store to a file anchor.
pub(crate) fn point_to(case: &Case, file: &Path) -> Result<(), Failed> {
    let table = format!("[[anchor]]\nkind = \"file\"\npath = {file:?}\n");
    Ok(std::fs::write(case.elsewhere("collector.toml"), table)?)
}

/// Has the anchors asked, in a run of its own.
pub(crate) fn ask(case: &Case) -> Result<Outcome, Failed> {
    let mut command = Collector.command()?;
    command.args([
        "anchor", "now", "--log", "error", "--reader", "none", "--store",
    ]);
    command
        .arg(case.store())
        .arg("--config")
        .arg(case.elsewhere("collector.toml"));
    Ok(Outcome::of(&mut command)?.ended(0)?)
}

/// The newest leaf of a kind.
pub(crate) fn newest(case: &Case, kind: u8) -> Result<StoredControl, Failed> {
    let leaves = Folder::open(&case.store())?.control(0, u64::MAX)?;
    let found = leaves
        .into_iter()
        .rev()
        .find(|stored| stored.leaf.get(1) == Some(&kind));
    Ok(found.ok_or(format!("no leaf of kind {kind}"))?)
}

pub(super) fn removed(case: &mut Case) -> Result<(), Failed> {
    let file = case.elsewhere("anchor");
    point_to(case, &file)?;
    ask(case)?;
    ask(case)?;
    case.attack(|_| Ok(std::fs::remove_file(&file)?))?;
    let told = ask(case)?;
    if !told.out.contains("taken away") {
        return Err(format!("nobody is told: {}", told.out).into());
    }
    let private = newest(case, 20)?.private.ok_or("a private part")?;
    if !ConflictNote::decode(&private.body)?
        .what
        .contains("taken away")
    {
        return Err("another conflict".into());
    }
    case.caught(When::Anchor);
    Ok(())
}

pub(super) fn repointed(case: &mut Case) -> Result<(), Failed> {
    let (true_one, own) = (case.elsewhere("anchor"), case.elsewhere("own"));
    point_to(case, &true_one)?;
    ask(case)?;
    let before = std::fs::metadata(&true_one)?.len();
    let config = case.elsewhere("collector.toml");
    case.attack(|_| {
        let table = format!("[[anchor]]\nkind = \"file\"\npath = {own:?}\n");
        Ok(std::fs::write(config, table)?)
    })?;
    ask(case)?;
    ask(case)?;
    let leaf = newest(case, 17)?;
    let change = ConfigChange::decode(&leaf.private.ok_or("a private part")?.body)?;
    let moved = change.from.ends_with("/anchor") && change.to.ends_with("/own");
    // The last that the true one gets covers the leaf that says so.
    let kept = std::fs::read_to_string(&true_one)?;
    let size: u64 = kept
        .rsplit("\n\n")
        .nth(2)
        .and_then(|text| text.lines().nth(1))
        .ok_or("a size")?
        .parse()?;
    if !moved || kept.len() as u64 <= before || size <= leaf.index {
        return Err(format!("{change:?}; the last checkpoint has {size} leaves").into());
    }
    case.verify_since(&true_one)?.finds_nothing()?;
    case.caught(When::Anchor);
    Ok(())
}

/// A year, in seconds.
const YEAR: u64 = 31_536_000;

pub(super) fn backdated_ledger(case: &mut Case) -> Result<(), Failed> {
    let made = case.elsewhere("made");
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    case.attack(|_| {
        let then_ns = (now_s - YEAR) * 1_000_000_000;
        init(
            &made,
            &InitOptions {
                origin: None,
                now_ns: then_ns,
            },
        )?;
        let ledger = Ledger::open(&made, Options::new(Arc::new(move || then_ns)))?;
        // What a policy demands of every ledger: the word of a witness, which has a clock of its own.
        let witness = Cosigner::new("witness.example.test", &[7; 32])?;
        let genesis = ledger.reader()?.control(0, 1)?.remove(0);
        let head = TreeHead {
            size: 1,
            root: hash_leaf(&genesis.leaf),
        };
        let origin = ledger.key().name().to_owned();
        let line = witness.cosign(&Checkpoint { origin, head }.text(), now_s);
        let receipt = Receipt {
            holder: witness.key().to_string(),
            receipt: line.into_bytes(),
        };
        ledger.anchored(head, 4, receipt)?;
        std::thread::sleep(Duration::from_millis(1));
        ledger.close()?;
        Ok(())
    })?;
    let leaves = Folder::open(&made)?.control(0, u64::MAX)?;
    let anchored = leaves
        .iter()
        .filter_map(|stored| ControlLeaf::decode(&stored.leaf).ok());
    if !anchored
        .into_iter()
        .any(|leaf| matches!(leaf.body, ControlBody::AnchorReceipt { .. }))
    {
        return Err("no receipt".into());
    }
    let mut command = Collector.command()?;
    let told = Outcome::of(
        command
            .args(["verify", "--reader", "none", "--store"])
            .arg(&made),
    )?
    .ended(3)?;
    if !told.out.contains("made afterwards") {
        return Err(format!("verify does not say so: {}", told.out).into());
    }
    case.caught(When::Verify);
    Ok(())
}
