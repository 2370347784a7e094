//! Anchors that are down, and a witness that knows more than the ledger.

use libtest_mimic::Failed;
use tests::outcome::Outcome;
use tests::program::Program::Collector;

use crate::attack::When;
use crate::case::Case;
use crate::scene::{self, Witness};

/// Has the anchors of this configuration asked, in a run of its own.
fn ask(case: &Case, table: &str) -> Result<Outcome, Failed> {
    let config = case.elsewhere("collector.toml");
    std::fs::write(&config, table)?;
    let mut command = Collector.command()?;
    command.args([
        "anchor", "now", "--log", "error", "--reader", "none", "--store",
    ]);
    command.arg(case.store()).arg("--config").arg(config);
    Ok(Outcome::of(&mut command)?)
}

pub(super) fn down(case: &mut Case) -> Result<(), Failed> {
    let folder = case.elsewhere("share");
    std::fs::create_dir(&folder)?;
    let table = format!(
        "[[anchor]]\nkind = \"file\"\npath = {:?}\n",
        folder.join("checkpoints")
    );
    ask(case, &table)?.ended(0)?;
    case.attack(|_| Ok(std::fs::remove_dir_all(&folder)?))?;
    // Recording goes on all the while.
    let mut collector = case.start()?;
    scene::sealed(&collector, &scene::export("s-down", 0..3))?;
    collector.stop()?;
    let told = ask(case, &table)?.ended(5)?;
    if !told.out.contains("last anchored") || !told.out.contains("fails since") {
        return Err(told.out.into());
    }
    case.caught(When::Anchor);
    Ok(())
}

pub(super) fn knows_more(case: &mut Case) -> Result<(), Failed> {
    let folder = case.elsewhere("witness");
    let witness = Witness::start(&folder, &case.base().key)?;
    let vkey = Outcome::of(
        Collector
            .command()?
            .args(["witness", "vkey", "--store"])
            .arg(&folder),
    )?
    .ended(0)?;
    let table = format!(
        "[[witness]]\nurl = \"{}\"\nvkey = \"{}\"\n",
        witness.url(),
        vkey.out.trim()
    );
    ask(case, &table)?.ended(0)?;
    let snapshot = case.elsewhere("snapshot");
    scene::copy(&case.store(), &snapshot)?;
    ask(case, &table)?.ended(0)?;
    case.attack(|store| {
        std::fs::remove_dir_all(store)?;
        scene::copy(&snapshot, store)
    })?;
    let told = ask(case, &table)?.ended(3)?;
    if !told.out.contains("nothing is signed") || !told.out.contains("it cosigned") {
        return Err(told.out.into());
    }
    case.caught(When::Anchor);
    Ok(())
}
