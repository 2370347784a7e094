//! `recount`: a thin entry into the library.

fn main() -> std::process::ExitCode {
    tui::run(std::env::args_os())
}
