//! The whole product as processes: what a user does, what a crash does, what another language sends.

use libtest_mimic::{Arguments, Trial};

fn main() {
    let tests: Vec<Trial> = Vec::new();
    libtest_mimic::run(&Arguments::from_args(), tests).exit();
}
