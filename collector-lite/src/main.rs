//! The collector as a program.

fn main() -> std::process::ExitCode {
    collector_lite::run(std::env::args_os())
}
