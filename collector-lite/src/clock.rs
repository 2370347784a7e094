//! The wall clock: the only place that asks what time it is.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in nanoseconds; 0 on a machine whose clock stands before 1970.
pub(crate) fn now_ns() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
