//! The collector: listens, seals and serves.
//!
//! A library with a thin `main`, so that the demo and the tests can start it by re-executing their own binary:
//! [`run_if_hidden`] at the top of their `main`, [`Hidden`] where they need one.

mod anchor;
mod cli;
mod commands;
mod error;
mod settings;

mod agent_door;
mod clock;
mod doorway;
/// What must hold for any bytes from outside: the bodies of the fuzz targets in `tests/fuzz`.
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hidden;
mod import;
mod intake;
mod producers;
mod reader_door;
mod serve;
mod spool;
mod tls;
mod witness;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

pub use hidden::{Hidden, Ready, run_if_hidden};

/// Runs the command line, the program's name first, and says how it ended.
pub fn run<I>(args: I) -> ExitCode
where
    I: IntoIterator<Item = OsString>,
{
    let cli = match cli::Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // clap knows by itself whether this is help on stdout or an error on stderr.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() {
                error::exit::USAGE
            } else {
                error::exit::DONE
            });
        }
    };
    match commands::run(&cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            tell(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Says on stderr what went wrong and what to do next.
pub(crate) fn tell(error: &error::Error) {
    let mut stderr = std::io::stderr().lock();
    let _ = writeln!(stderr, "recount-collector: {error}");
    let hint = error.hint();
    if !hint.is_empty() {
        let _ = writeln!(stderr, "hint: {hint}");
    }
}
