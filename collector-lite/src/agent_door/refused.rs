//! How many refused payloads may leave a control leaf, so that refusing does not fill the ledger.

use std::sync::{Mutex, PoisonError};

/// Leaves per second over time, and at once.
const PER_SECOND: u64 = 2;
const AT_ONCE: u64 = 20;
const SECOND_NS: u64 = 1_000_000_000;

/// A bucket of leaves that fills with time; what finds it empty is counted and told by the next leaf.
#[derive(Debug)]
pub(crate) struct RefusedLimit(Mutex<Bucket>);

#[derive(Debug)]
struct Bucket {
    /// Unix nanoseconds until which leaves are already spent; behind now by the leaves that are free.
    spent_until: u64,
    unsaid: u64,
}

impl Default for RefusedLimit {
    fn default() -> Self {
        Self(Mutex::new(Bucket {
            spent_until: 0,
            unsaid: 0,
        }))
    }
}

impl RefusedLimit {
    /// Whether one more leaf may be written now; if so, how many before it were not.
    pub(crate) fn admit(&self, now_ns: u64) -> Option<u64> {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = now_ns.saturating_sub(AT_ONCE * SECOND_NS / PER_SECOND);
        let spent = bucket.spent_until.max(oldest) + SECOND_NS / PER_SECOND;
        if spent > now_ns {
            bucket.unsaid += 1;
            return None;
        }
        bucket.spent_until = spent;
        Some(std::mem::take(&mut bucket.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_leaves_few_leaves_and_their_count() {
        let limit = RefusedLimit::default();
        let now = 1_000 * SECOND_NS;
        let admitted = (0..1000).filter(|_| limit.admit(now).is_some()).count() as u64;
        assert_eq!(admitted, AT_ONCE);
        assert_eq!(limit.admit(now + SECOND_NS), Some(1000 - AT_ONCE));
    }
}
