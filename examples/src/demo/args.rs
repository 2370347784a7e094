//! The command line of `recount-demo`.

use clap::Parser;
use std::path::{Path, PathBuf};

/// Runs the renewal agent for request 47892 against real services, recorded, and opens the answer.
#[derive(Debug, Parser)]
#[command(name = "recount-demo", version)]
pub(crate) struct Args {
    /// Folder of the ledger; the world's files lie beside it, in `recount-demo-world`
    #[arg(long, value_name = "DIR", default_value = "recount-demo")]
    pub(crate) store: PathBuf,

    /// Start over instead of opening an earlier run
    #[arg(long)]
    pub(crate) fresh: bool,

    /// Kill the collector (SIGKILL) when this step of the agent begins, and start it again
    #[arg(long, value_name = "STEP", value_parser = clap::value_parser!(u8).range(1..=10))]
    pub(crate) kill_collector_at: Option<u8>,
}

impl Args {
    /// Where the world's files lie.
    pub(crate) fn world(&self) -> PathBuf {
        self.store.parent().map_or_else(
            || Path::new("recount-demo-world").to_owned(),
            |folder| folder.join("recount-demo-world"),
        )
    }
}
