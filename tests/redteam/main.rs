//! The red team: every attack that recount names, carried out by an adversary with stated capabilities.
//!
//! `cargo test -p tests --test redteam` attacks copies of a small real store and collectors of their own, then asks the
//! detectors that a user has: `verify`, the collector's start, the answer at ingest, a reader. It prints one table: what
//! detected the attack, when, and what risk remains. `docs/threat-model.md` holds the same table; a test compares.
//! One attack: `cargo test -p tests --test redteam S03`.

mod attack;
mod case;
mod encoding;
mod forge;
mod incidents;
mod key_holder;
mod operations;
mod producers;
mod proof;
mod scene;
mod storage;
mod table;

use libtest_mimic::Arguments;
use std::process::ExitCode;

use attack::Attack;

fn main() -> ExitCode {
    if let Some(code) = tests::program::run_if_asked() {
        return code;
    }
    let arguments = Arguments::from_args();
    let attacks = attacks();
    let mut trials: Vec<_> = attacks.iter().flat_map(|attack| attack.trials()).collect();
    trials.extend(incidents::trials(attacks));
    trials.extend(proof::trials());
    trials.extend(table::trials(attacks));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        table::print(attacks);
    }
    scene::clear();
    conclusion.exit_code()
}

/// Every row, by family.
fn attacks() -> &'static [Attack] {
    static ATTACKS: std::sync::OnceLock<Vec<Attack>> = std::sync::OnceLock::new();
    ATTACKS.get_or_init(|| {
        let families = [
            storage::ATTACKS,
            key_holder::ATTACKS,
            producers::ATTACKS,
            encoding::ATTACKS,
            operations::ATTACKS,
        ];
        families.concat()
    })
}
