//! PostgreSQL capture against a real server, started by the tests themselves.

#![allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may panic; the server's file is shared with other packages"
)]

mod again;
mod concurrency;
mod faults;
mod random;
mod rows;
#[path = "../../../tests/src/postgres.rs"]
mod server;
#[cfg(feature = "sqlx-postgres")]
mod sqlx_ends;
#[cfg(feature = "sqlx-postgres")]
mod sqlx_rows;
mod told;
mod transactions;
mod types;
mod unseen;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let missing = server::programs().is_none();
    let required = std::env::var_os("RECOUNT_REQUIRE_ALL").is_some_and(|value| value == "1");
    let all = [
        again::TESTS,
        concurrency::TESTS,
        faults::TESTS,
        random::TESTS,
        rows::TESTS,
        #[cfg(feature = "sqlx-postgres")]
        sqlx_ends::TESTS,
        #[cfg(feature = "sqlx-postgres")]
        sqlx_rows::TESTS,
        told::TESTS,
        transactions::TESTS,
        types::TESTS,
        unseen::TESTS,
    ]
    .concat();
    let trials = all
        .into_iter()
        .map(|(name, test)| match (missing, required) {
            (true, true) => Trial::test(name, || {
                Err("needs the package postgresql: scripts/install-test-packages".into())
            }),
            (true, false) => {
                Trial::test(format!("{name} (needs the package postgresql)"), || Ok(()))
                    .with_ignored_flag(true)
            }
            (false, _) => Trial::test(name, move || {
                test();
                Ok(())
            }),
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    world::stop();
    conclusion.exit_code()
}
