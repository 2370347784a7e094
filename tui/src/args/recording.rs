//! The arguments of the recording commands.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Where a recording command sends.
#[derive(Args, Clone, Debug)]
pub struct Sending {
    /// Where the collector takes records
    #[arg(
        long,
        value_name = "URL",
        env = "RECOUNT_COLLECTOR",
        default_value = "http://127.0.0.1:4318"
    )]
    pub endpoint: String,
}

/// `recount log-line`
#[derive(Args, Debug)]
pub struct LogLine {
    /// The request that the line belongs to
    #[arg(long, value_name = "N")]
    pub request: String,
    /// The agent's name on the record
    #[arg(long, value_name = "NAME", default_value = "log-line")]
    pub agent: String,
    /// Where it sends
    #[command(flatten)]
    pub sending: Sending,
}

/// What every relay takes.
#[derive(Args, Clone, Debug)]
pub struct Relaying {
    /// Where to listen: 127.0.0.1:PORT, or unix:PATH
    #[arg(long, value_name = "ADDR")]
    pub listen: String,
    /// Where the calls go, as https://HOST
    #[arg(long, value_name = "URL")]
    pub upstream: String,
    /// The request that callers work on who name none (x-recount-request)
    #[arg(long, value_name = "N")]
    pub request: Option<String>,
    /// The agent's name on the record; without it, what the caller's user-agent says
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// What callers are to touch who name no session of their own, 'ACCESS KIND:PATTERN'
    #[arg(long, value_name = "ENTRY")]
    pub scope: Vec<String>,
    /// What they were asked, in the asker's words
    #[arg(long, value_name = "TEXT")]
    pub intent: Option<String>,
    /// Seconds without a call after which a caller's session ends
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub idle: u64,
    /// While no collector answers: refuse every call that does more than read, or pass it and keep its records
    #[arg(long, value_enum, value_name = "WHAT", default_value_t)]
    pub on_collector_loss: OnLoss,
    /// How much of what passes is kept; without it, what the redaction policy (RECOUNT_REDACTION) says
    #[arg(long, value_enum, value_name = "WHAT")]
    pub content: Option<Keep>,
    /// Where it sends
    #[command(flatten)]
    pub sending: Sending,
}

/// What is done while no collector answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnLoss {
    /// What does more than read is not done before its record is sealed
    #[default]
    Refuse,
    /// It is done; the records wait in the spool and are marked as late
    Pass,
}

/// `recount llm`
#[derive(Args, Debug)]
pub struct Llm {
    /// What every relay takes
    #[command(flatten)]
    pub relaying: Relaying,
    /// The provider's name on the record; without it, who is known by the interface that is called
    #[arg(long, value_name = "NAME")]
    pub provider: Option<String>,
}

/// `recount http`
#[derive(Args, Debug)]
pub struct Http {
    /// What every relay takes
    #[command(flatten)]
    pub relaying: Relaying,
    /// A file (TOML) that says how to see what writes change; without it they are recorded without
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,
}

/// How much of what passes is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Keep {
    /// Everything but credentials
    Full,
    /// Everything but credentials, labelled fields and personal data
    Redacted,
    /// No content: digests, sizes and types
    Digest,
}
