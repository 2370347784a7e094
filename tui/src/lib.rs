//! The terminal and the command line as a library: `recount` looks at ledgers, and never changes one.

pub mod args;
pub mod failure;

pub mod source;

pub mod app;
mod background;
mod screen;

mod clipboard;

pub mod command;
/// What must hold for any bytes from outside: the bodies of the fuzz targets in `tests/fuzz`.
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod notes;
mod record;
pub mod runtime;

/// Runs the program with these arguments, its name first, and this process's environment.
pub fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> std::process::ExitCode {
    command::run(arguments, source::place::Environment::of_process()).into()
}
