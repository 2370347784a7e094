//! The arguments of the recording commands.

use clap::Args;

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
