//! Bundles under attack: two verifiers that share no line of code must come to the same verdict on each.
//!
//! `cargo test -p tests --test bundles` checks a few hundred random bundles and mutants; `RECOUNT_BUNDLES=5000` sets
//! how many worlds are made, `RECOUNT_SEED` where they start.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod agreement;
mod author;
mod bits;
#[path = "../../ledger/tests/it/memory.rs"]
#[expect(dead_code, reason = "the ledger's own tests use the rest")]
mod memory;
mod mutants;
mod python;
mod random;
mod tampering;
mod world;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    let trials: Vec<Trial> = [agreement::trials(), bits::trials()]
        .into_iter()
        .flatten()
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
