//! The arguments of the commands that stand around a program: `run` and `mcp`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::recording::{Keep, OnLoss, Sending};

/// `recount run`
#[derive(Args, Debug)]
#[command(after_help = RUN_HELP)]
pub struct Run {
    /// What it is to touch, 'ACCESS KIND:PATTERN': file entries name the folders that are looked at before and after
    #[arg(long, value_name = "ENTRY")]
    pub scope: Vec<String>,
    /// A folder to look at before and after, beside those of the scope
    #[arg(long, value_name = "DIR")]
    pub watch: Vec<PathBuf>,
    /// A folder not to look at
    #[arg(long, value_name = "DIR")]
    pub except: Vec<PathBuf>,
    /// The request that it works on; without it, the one that it was started for, else the session stands for it
    #[arg(long, value_name = "N", env = "RECOUNT_REQUEST")]
    pub request: Option<String>,
    /// What was asked, in the asker's words
    #[arg(long, value_name = "TEXT")]
    pub intent: Option<String>,
    /// Who asked: a name, or ISSUER#SUBJECT; without it the user that this runs as
    #[arg(long, value_name = "WHO")]
    pub asked_by: Option<String>,
    /// The agent's name on the record; without it the command's
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Do not keep what it writes
    #[arg(long)]
    pub no_output: bool,
    /// What to do when no collector takes the beginning: not to start it, or to start it and record into the spool
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    pub on_collector_loss: OnLoss,
    /// Where it sends
    #[command(flatten)]
    pub sending: Sending,
    /// The command and its arguments
    #[arg(
        value_name = "CMD",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true
    )]
    pub command: Vec<OsString>,
}

/// `recount mcp`
#[derive(Args, Debug)]
#[command(after_help = MCP_HELP)]
pub struct Mcp {
    /// The server's name in resources (mcp:NAME/TOOL); without it, what is run: server-x of npx -y @scope/server-x
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A folder in which the server's file tools work: files that a call names are looked at before and after
    #[arg(long, value_name = "DIR")]
    pub root: Vec<PathBuf>,
    /// Listen here for clients over HTTP, instead of starting a server: 127.0.0.1:PORT, or unix:PATH
    #[arg(
        long,
        value_name = "ADDR",
        requires = "upstream",
        conflicts_with = "server"
    )]
    pub listen: Option<String>,
    /// Where the server that is listened for is, as https://HOST/PATH
    #[arg(long, value_name = "URL", requires = "listen")]
    pub upstream: Option<String>,
    /// With --listen: seconds without a call after which a caller's session ends
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub idle: u64,
    /// The request that calls belong to which name no session; opens a session even inside another
    #[arg(long, value_name = "N")]
    pub request: Option<String>,
    /// What the calls are to touch, 'ACCESS KIND:PATTERN' as 'execute mcp:NAME/TOOL'; opens a session as --request does
    #[arg(long, value_name = "ENTRY")]
    pub scope: Vec<String>,
    /// What was asked, in the asker's words; opens a session as --request does
    #[arg(long, value_name = "TEXT")]
    pub intent: Option<String>,
    /// How much of what passes is kept; without it, what the redaction policy (RECOUNT_REDACTION) says
    #[arg(long, value_enum, value_name = "WHAT")]
    pub content: Option<Keep>,
    /// The agent's name on a session of the proxy's own
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// While no collector answers: refuse every call that does more than read, or pass it and keep its records
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub on_collector_loss: OnLoss,
    /// Where it sends
    #[command(flatten)]
    pub sending: Sending,
    /// The server and its arguments
    #[arg(
        value_name = "SERVER",
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required_unless_present = "listen"
    )]
    pub server: Vec<OsString>,
}

const RUN_HELP: &str = "\
The command keeps its terminal, process group, signals, standard input and exit code. Killed by a
signal, recount dies by the same one; 127 and 126 mean that the command was not found or not
runnable, 5 that it was not started because nothing would have been recorded.

What it writes is kept where stdout or stderr is a pipe or a file (256 KiB of each), never where it
is a terminal. Files are looked at in the folders of --scope and --watch only: what it does elsewhere,
or undoes before it ends, is not seen, and the scope's verdict is then unknown at best.

It is told its session: TRACEPARENT, BAGGAGE, RECOUNT_SESSION, RECOUNT_REQUEST, RECOUNT_COLLECTOR,
OTEL_RESOURCE_ATTRIBUTES, and, unless set, OTEL_EXPORTER_OTLP_ENDPOINT and _PROTOCOL. RECOUNT_TOKEN and
RECOUNT_AGENT_KEY are taken away; one with a token of its own: recount run -- env RECOUNT_TOKEN=... CMD";

const MCP_HELP: &str = "\
Put it in front of the server's command where the client is configured. Every byte passes as it came;
tool calls, resource reads, prompts, sampling and elicitation become actions, what the server says of
its tools becomes context, and a tool that changes midway is told. A call is sent once its begin is
sealed; one that could not be recorded is answered with an error instead, and is not sent.

Whose call it is: the session in the call's _meta (baggage, traceparent), else RECOUNT_SESSION of the
environment (most clients pass a server little of theirs: set it in their configuration), else a
session of its own. A tool that says readOnlyHint is taken at its word. What a server does beside its
answers is not seen; of files, what --root covers and a call names.";
