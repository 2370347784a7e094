//! A thief of keys against a witness.

use libtest_mimic::Failed;

use crate::attack::When;
use crate::case::Case;
use crate::scene::{self, Witness};

pub(super) fn forged_elsewhere(case: &mut Case) -> Result<(), Failed> {
    let (early, forged) = (case.base().early(), case.elsewhere("forged"));
    let witness = Witness::start(&case.elsewhere("witness"), &case.base().key)?;
    let (size, status) = witness.cosign(0, &case.store())?;
    if status != 200 {
        return Err(format!("the true history: {status}").into());
    }
    case.attack(|_| {
        scene::copy(&early, &forged)?;
        // The shorter history first; then one that is longer than the true one, with other records.
        let (_, shorter) = witness.cosign(2, &forged)?;
        for round in 0..3 {
            let mut collector = scene::serve(&forged, &[])?;
            scene::sealed(&collector, &scene::export(&format!("forged-{round}"), 0..4))?;
            collector.stop()?;
        }
        let (longer, contradicting) = witness.cosign(size, &forged)?;
        if (shorter, contradicting) != (409, 422) || longer <= size {
            return Err(format!("{shorter}, {contradicting} for {longer} after {size}").into());
        }
        Ok(())
    })?;
    // The proof that convinces anybody: two notes by one key.
    case.stand_on(&forged)?;
    case.verify()?.finds_nothing()?;
    case.verify_since(&case.base().store().join("last_signed"))?
        .finds("Fork", "")?;
    case.caught(When::Anchor);
    Ok(())
}
