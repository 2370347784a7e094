//! The interval in which something was sealed: what time stamps, witnesses and a quorum bear out.
#![forbid(unsafe_code)]

use super::outside::{Weighed, names};
use crate::policy::Policy;
use crate::verify::report::{Answer, Bound, Edge, Evidence, TimeSeen};

/// Everything that speaks about time: what the evidence has, the witnesses' receipts, and the quorum.
pub(super) fn times(
    evidence: &Evidence,
    policy: Option<&Policy>,
    weighed: Option<&Weighed>,
) -> Vec<TimeSeen> {
    let mut times = evidence.times.clone();
    let receipts = evidence.anchors.iter().filter_map(|it| {
        let Answer::Cosigned(time) = it.answer else {
            return None;
        };
        let unchecked = match (names(policy, &it.holder), it.recomputed) {
            (true, Some(true)) => None,
            (true, _) => Some("the leaves for its tree are not here".to_owned()),
            (false, _) => Some("no policy names the witness".to_owned()),
        };
        let by = it.holder.split('+').next().unwrap_or_default();
        let by = format!("cosignature of {by}");
        seen(evidence, time, by, it.head.size, unchecked)
    });
    keep_tightest(&mut times, receipts.collect());
    let quorum = weighed.filter(|it| it.quorum.met).and_then(|it| {
        let by = format!("quorum {}", it.quorum.name);
        seen(evidence, it.quorum.by?, by, it.size, None)
    });
    times.extend(quorum);
    times
}

fn seen(
    evidence: &Evidence,
    time_s: u64,
    by: String,
    leaves: u64,
    unchecked: Option<String>,
) -> Option<TimeSeen> {
    Some(TimeSeen {
        edge: Edge::NotAfter,
        bound: Bound {
            unix_ns: time_s.checked_mul(1_000_000_000)?,
            by,
        },
        leaves,
        of_all: evidence.covered_by(leaves),
        unchecked,
    })
}

/// Of each holder the one that says most: over everything that was checked, proven, the tightest.
fn keep_tightest(times: &mut Vec<TimeSeen>, mut of: Vec<TimeSeen>) {
    of.sort_by(|a, b| a.bound.by.cmp(&b.bound.by).then_with(|| a.rank(b)));
    of.dedup_by(|later, first| later.bound.by == first.bound.by);
    times.append(&mut of);
}

/// The tightest of what is proven about everything that was checked.
pub(super) fn tightest(times: &[TimeSeen], edge: Edge) -> Option<Bound> {
    let proven = times
        .iter()
        .filter(|it| it.edge == edge && it.of_all && it.unchecked.is_none());
    proven.min_by(|a, b| a.rank(b)).map(|it| it.bound.clone())
}
