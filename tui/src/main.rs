//! `recount`: a thin entry into the library.

fn main() -> std::process::ExitCode {
    tui::command::main()
}
