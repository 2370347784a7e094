//! The product's programs as child processes, started by re-executing the test binary itself.
//!
//! No test assumes that a sibling binary was built: `cargo test -p tests` alone is enough.

use std::process::{Command, ExitCode};

const HIDDEN: &str = "--as-program";

/// One of the three programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `recount`.
    Recount,
    /// `recount-collector`.
    Collector,
    /// `recount-demo`.
    Demo,
}

impl Program {
    const ALL: [Self; 3] = [Self::Recount, Self::Collector, Self::Demo];

    const fn name(self) -> &'static str {
        match self {
            Self::Recount => "recount",
            Self::Collector => "recount-collector",
            Self::Demo => "recount-demo",
        }
    }

    /// A command that runs this program, without colours and with nothing of the caller's recount settings.
    ///
    /// # Errors
    /// When the path of the running executable cannot be read.
    pub fn command(self) -> std::io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args([HIDDEN, self.name()]);
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy();
            if name.starts_with("RECOUNT_") || name.starts_with("OTEL_") {
                command.env_remove(&key);
            }
        }
        // How full the developer's disk is, is no part of a test.
        for stage in ["RECOUNT_DISK_SOFT_BYTES", "RECOUNT_DISK_HARD_BYTES"] {
            command.env(stage, "0");
        }
        Ok(command)
    }
}

/// Runs the program that the arguments name, if this process was started as one.
///
/// To be called first in a test binary's `main`.
pub fn run_if_asked() -> Option<ExitCode> {
    let arguments: Vec<_> = std::env::args_os().collect();
    if let Some(code) = examples::demo::run_if_hidden(&arguments) {
        return Some(code);
    }
    if arguments.get(1)? != HIDDEN {
        return None;
    }
    let name = arguments.get(2)?.to_str()?;
    let program = Program::ALL
        .into_iter()
        .find(|program| program.name() == name)?;
    let mut own = vec![std::ffi::OsString::from(name)];
    own.extend_from_slice(arguments.get(3..).unwrap_or_default());
    Some(match program {
        Program::Recount => tui::run(own),
        Program::Collector => collector_lite::run(own),
        Program::Demo => examples::demo::run(own),
    })
}
