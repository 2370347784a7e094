//! What a few tests need beyond a Rust toolchain, and what happens where it is missing.

use libtest_mimic::{Failed, Trial};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Set by `.ci/run`: a test that cannot run here fails instead of being ignored.
const REQUIRE_ALL: &str = "RECOUNT_REQUIRE_ALL";

/// Something a newcomer's machine may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Python with the stock OpenTelemetry SDK, as `scripts/install-test-packages` sets it up.
    Python,
    /// The official MCP client library for Python, Node.js and two servers from npm, as `scripts/install-test-packages`
    /// sets them up.
    McpServers,
    /// An S3-compatible server that enforces Object Lock (moto), as `scripts/install-test-packages` sets it up.
    ObjectStore,
    /// A client of transparency logs that others wrote, as `scripts/install-test-packages` sets it up.
    LogClient,
    /// The packages of OpenAI and Anthropic for Python, as `scripts/install-test-packages` sets them up.
    ModelClients,
    /// The `openssl` program, as a time-stamping authority.
    OpenSsl,
    /// Another user to become, and a mount namespace of one's own.
    Namespaces,
    /// A PostgreSQL server, any version from 12.
    Postgres,
    /// Making system calls of a running program fail.
    Strace,
    /// A terminal that a script can look at: tmux, and bash for the script.
    Tmux,
}

impl Need {
    /// Whether a test that cannot run must fail instead of being ignored.
    #[must_use]
    pub fn required() -> bool {
        std::env::var_os(REQUIRE_ALL).is_some_and(|value| value == "1")
    }

    /// Why a test that has this need cannot run here.
    #[must_use]
    pub fn missing(self) -> Option<&'static str> {
        let there = match self {
            Self::Python => python().is_file(),
            Self::McpServers => {
                works(Command::new(python()).args(["-c", "from mcp import Client"]))
                    && works(Command::new("node").arg("--version"))
                    && node_module("server-everything").is_file()
            }
            Self::ObjectStore => {
                works(Command::new(python()).args(["-c", "import moto.server, boto3"]))
            }
            Self::LogClient => works(Command::new(python()).args(["-c", "import tlog_scales"])),
            Self::ModelClients => {
                works(Command::new(python()).args(["-c", "import openai, anthropic"]))
            }
            Self::OpenSsl => works(Command::new("openssl").arg("version")),
            Self::Namespaces => works(Command::new("unshare").args(["-m", "true"])),
            Self::Postgres => crate::postgres::programs().is_some(),
            Self::Strace => works(Command::new("strace").args(["-o", "/dev/null", "true"])),
            Self::Tmux => {
                works(Command::new("tmux").arg("-V"))
                    && works(Command::new("bash").args(["-c", "true"]))
            }
        };
        (!there).then_some(match self {
            Self::Python => "needs Python with OpenTelemetry: scripts/install-test-packages",
            Self::McpServers => "needs MCP clients and servers: scripts/install-test-packages",
            Self::ObjectStore => "needs Python with moto: scripts/install-test-packages",
            Self::LogClient => "needs Python with tlog-scales: scripts/install-test-packages",
            Self::ModelClients => {
                "needs Python with openai and anthropic: scripts/install-test-packages"
            }
            Self::OpenSsl => "needs the program openssl",
            Self::Namespaces => "needs root for a mount namespace",
            Self::Postgres => "needs the package postgresql: scripts/install-test-packages",
            Self::Strace => "needs strace, and to be allowed to trace",
            Self::Tmux => "needs the programs tmux and bash: scripts/install-test-packages",
        })
    }
}

/// The Python that has the stock OpenTelemetry SDK.
#[must_use]
pub fn python() -> PathBuf {
    target().join("test-python/bin/python")
}

/// The program of an MCP server from npm.
#[must_use]
pub fn node_module(server: &str) -> PathBuf {
    target()
        .join("test-node/node_modules/@modelcontextprotocol")
        .join(server)
        .join("dist/index.js")
}

/// The build folder.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| crate::root().join("target"), PathBuf::from)
}

/// A test that is listed as ignored, with the reason in its name, where a need is not met.
pub fn trial(name: &str, need: Option<Need>, test: fn() -> Result<(), Failed>) -> Trial {
    let Some(why) = need.and_then(Need::missing) else {
        return Trial::test(name, test);
    };
    if Need::required() {
        return Trial::test(name, move || Err(why.into()));
    }
    Trial::test(format!("{name} ({why})"), test).with_ignored_flag(true)
}

fn works(command: &mut Command) -> bool {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
