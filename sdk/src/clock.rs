//! The only place that reads a clock: wall time for people, monotonic time for order.

use std::sync::atomic::{AtomicU64, Ordering};
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
#[derive(Debug)]
pub(crate) struct Clock {
    began: Instant,
    /// Unix nanoseconds when the monotonic clock was zero, as last looked up.
    origin_unix_ns: AtomicU64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let clock = Self {
            began: Instant::now(),
            origin_unix_ns: AtomicU64::new(0),
        };
        clock.look_up();
        clock
    }

    /// Reads both clocks.
    pub(crate) fn now(&self) -> Now {
        self.look_up();
        self.quick()
    }

    /// Reads the monotonic clock only; the wall clock is what it was at the
    /// last [`Clock::look_up`], gone on.
    pub(crate) fn quick(&self) -> Now {
        let mono_ns = self.mono_ns();
        Now {
            unix_ns: self.origin_unix_ns.load(Ordering::Relaxed) + mono_ns,
            mono_ns,
        }
    }

    /// Follows the wall clock, which may have been set.
    pub(crate) fn look_up(&self) {
        let unix = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let unix_ns = u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX);
        let origin = unix_ns.saturating_sub(self.mono_ns());
        self.origin_unix_ns.store(origin, Ordering::Relaxed);
    }

    fn mono_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
