//! Proof that the detectors tell attacked from whole: a store that nobody touched passes every one of them.

use libtest_mimic::{Failed, Trial};

use super::case::Case;
use super::scene;

pub(crate) fn trials() -> Vec<Trial> {
    vec![Trial::test(
        "an_untouched_store_passes_every_detector",
        untouched,
    )]
}

fn untouched() -> Result<(), Failed> {
    let mut case = Case::new()?;
    case.as_file_editor(|_| Ok(()))?;
    case.verify()?.finds_nothing()?;
    let early = case.base().early().join("last_signed");
    case.verify_since(&early)?.finds_nothing()?;
    for _first_pins_second_compares in 0..2 {
        case.recount(&["verify", "--all"])?.ended(0)?;
    }
    case.recount(&["show", "47892"])?.ended(0)?;
    let mut collector = case.start()?;
    scene::sealed(&collector, &scene::export("s-a", 290..293))?;
    collector.stop()?;
    case.verify_since(&early)?.finds_nothing()?;
    Ok(())
}
