//! The whole product as processes: what a user does, what a crash does, what another language sends.

mod all_kinds;
mod checks;
mod demo;
mod first_release;
mod flipped_bits;
mod following;
mod golden;
mod home_lab;
mod log_clients;
mod mcp;
mod other_languages;
mod outside;
mod producers;
mod readers;
mod relays;
mod screen;
mod sdk;
mod sixty_seconds;
mod tls;
mod world;
mod wrapped;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = tests::program::run_if_asked() {
        return code;
    }
    let trials: Vec<Trial> = [
        all_kinds::trials(),
        checks::trials(),
        demo::trials(),
        first_release::trials(),
        flipped_bits::trials(),
        following::trials(),
        golden::trials(),
        home_lab::trials(),
        log_clients::trials(),
        mcp::trials(),
        other_languages::trials(),
        outside::trials(),
        producers::trials(),
        readers::trials(),
        relays::trials(),
        sdk::trials(),
        sixty_seconds::trials(),
        tls::trials(),
        wrapped::trials(),
    ]
    .into_iter()
    .flatten()
    .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
