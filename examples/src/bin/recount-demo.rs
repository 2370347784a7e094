//! `recount-demo`: a thin entry into the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    examples::demo::run(std::env::args_os())
}
