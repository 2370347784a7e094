//! How a ledger is opened for writing: limits, times, clocks, and who is told.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Clock;
use super::configuration::Setting;
use super::disk::{DiskLimits, DiskStage, SpaceOf, space_of};
use super::error::Fatal;
use super::watch::BootClock;

/// How a ledger is opened for writing.
pub struct Options {
    /// Says the time.
    pub clock: Clock,
    /// The effective settings: their SHA-256 stands in the startup leaf, and what changed since the last start in
    /// leaves of its own. No secret may be among them.
    pub settings: Vec<Setting>,
    /// Version of the program that opens it, for the startup leaf; at most 255 bytes.
    pub version: String,
    /// Records that may wait before [`AppendError::Busy`](super::AppendError::Busy).
    pub waiting_records: usize,
    /// Bytes that may wait before [`AppendError::Busy`](super::AppendError::Busy).
    pub waiting_bytes: usize,
    /// Streams kept in memory ready to take records, about 8 KiB each; others are read again when a record comes.
    pub streams_at_hand: usize,
    /// How long a stream's newest record may lack a head.
    pub head_after: Duration,
    /// How long a signing epoch lasts; then its key is destroyed.
    pub epoch: Duration,
    /// Shortest time between two signatures when a head or a close waits for one.
    pub sign_soon: Duration,
    /// Shortest time between two signatures otherwise.
    pub sign_late: Duration,
    /// How long after a session's end its missing sequence numbers are said to be missing.
    pub gap_after: Duration,
    /// How long the ledger log may be silent before a heartbeat.
    pub heartbeat_after: Duration,
    /// Says the time since boot, to notice a wall clock that was set.
    pub boot_clock: BootClock,
    /// What is done at how little room.
    pub disk: DiskLimits,
    /// Says how much room there is.
    pub space_of: SpaceOf,
    /// Called from the writer's thread when the disk's stage changes; it must not block.
    pub on_disk: Box<dyn Fn(DiskStage) + Send + Sync>,
    /// Called once, from a thread of the ledger, when it stops for good; the process has to end then.
    pub on_fatal: Box<dyn Fn(&Fatal) + Send + Sync>,
}

impl Options {
    /// Defaults: 65,536 records or 64 MiB wait, 4,096 streams are at hand, heads after 10 s, an epoch lasts 15 min,
    /// signatures after 0.25 s and 10 s, gaps after 30 s, heartbeats after 5 min, the disk's limits by its size; nothing
    /// is called when the ledger stops.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            settings: Vec::new(),
            version: String::new(),
            waiting_records: 65_536,
            waiting_bytes: 64 * 1024 * 1024,
            streams_at_hand: 4096,
            head_after: Duration::from_secs(10),
            epoch: Duration::from_secs(15 * 60),
            sign_soon: Duration::from_millis(250),
            sign_late: Duration::from_secs(10),
            gap_after: Duration::from_secs(30),
            heartbeat_after: Duration::from_secs(300),
            boot_clock: Arc::new(since_boot_ns),
            disk: DiskLimits::default(),
            space_of: Arc::new(space_of),
            on_disk: Box::new(|_| {}),
            on_fatal: Box::new(|_| {}),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// Time since boot in nanoseconds, to the kernel's hundredths of a second; `None` where it is not told.
fn since_boot_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let seconds = text
        .split_whitespace()
        .next()
        .and_then(|first| first.parse::<f64>().ok());
    let since = Duration::try_from_secs_f64(seconds?).ok()?;
    u64::try_from(since.as_nanos()).ok()
}
