//! A collector as a child process, started by re-executing the program that needs one.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

use serde::{Deserialize, Serialize};

/// First argument that turns the program into a collector.
const ARGUMENT: &str = "__recount-collector";

/// What a collector says on its standard output once it can be used: one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Always `ready`.
    pub state: String,
    /// Its process.
    pub pid: u32,
    /// The folder of its ledger.
    pub store: PathBuf,
    /// Whether this start created the ledger.
    pub created: bool,
    /// Where it takes OTLP/gRPC: `127.0.0.1:4317`.
    pub otlp_grpc: Option<String>,
    /// Where it takes OTLP/HTTP: `127.0.0.1:4318`.
    pub otlp_http: Option<String>,
    /// Where it takes OTLP/HTTP over a Unix socket: a path.
    #[serde(default)]
    pub agent_socket: Option<String>,
    /// Whether the two speak TLS alone.
    #[serde(default)]
    pub tls: bool,
    /// Its reader door: the path of a socket, or an address.
    pub reader: Option<String>,
}

/// Runs the collector if the arguments, the program's name first, ask for it. To be called first in `main`.
pub fn run_if_hidden<I>(args: I) -> Option<ExitCode>
where
    I: IntoIterator<Item = OsString>,
{
    let mut args = args.into_iter();
    let _program = args.next();
    if args.next()? != ARGUMENT {
        return None;
    }
    Some(crate::run(
        std::iter::once(OsString::from("recount-collector")).chain(args),
    ))
}

/// A collector that runs as a child process. Dropping it kills it, as a crash would.
#[derive(Debug)]
pub struct Hidden {
    child: Child,
    ready: Ready,
}

impl Hidden {
    /// Starts `program`, whose `main` calls [`run_if_hidden`], as a collector with these arguments (`serve`, …), and
    /// waits until it is ready. Its messages go to this process's stderr unless `quiet`.
    ///
    /// # Errors
    /// It does not start, or ends before it is ready.
    pub fn start<I, S>(program: &Path, args: I, quiet: bool) -> io::Result<Self>
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        let args =
            std::iter::once(OsString::from(ARGUMENT)).chain(args.into_iter().map(Into::into));
        Self::spawn(Command::new(program).args(args), quiet)
    }

    /// The same with a command of one's own, such as the `recount-collector` binary with `serve`.
    ///
    /// # Errors
    /// It does not start, or ends before it is ready.
    pub fn spawn(command: &mut Command, quiet: bool) -> io::Result<Self> {
        let stderr = if quiet {
            Stdio::null()
        } else {
            Stdio::inherit()
        };
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        match serde_json::from_str(&line) {
            Ok(ready) => Ok(Self { child, ready }),
            Err(_) => {
                let _ = child.kill();
                let status = child.wait()?;
                Err(io::Error::other(format!(
                    "the collector did not become ready ({status})"
                )))
            }
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Kills it without warning, as a crash would.
    ///
    /// # Errors
    /// As the system fails.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// Waits until it ends by itself.
    ///
    /// # Errors
    /// As the system fails.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Asks it to stop in order, and waits until it has.
    ///
    /// # Errors
    /// As the system fails.
    pub fn stop(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()?;
        self.child.wait()
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
