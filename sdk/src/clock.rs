//! The only place that reads a clock: wall time for people, monotonic time for order.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Two readings taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// Unix nanoseconds.
    pub(crate) unix_ns: u64,
    /// Nanoseconds since the run began, of a clock that is never set back.
    pub(crate) mono_ns: u64,
}

/// Reads both clocks; the monotonic one counts from when this was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    began: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Now {
            unix_ns: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX),
            mono_ns: u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX),
        }
    }
}
