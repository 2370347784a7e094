//! What the time stamps in a ledger prove: when its records existed at the latest, and were sealed at the earliest.
//!
//! A token in a receipt is over a checkpoint: what its leaves cover existed at the token's time. The same token as a
//! beacon could not be known earlier: no leaf behind it was written before its time.
#![forbid(unsafe_code)]

use vocabulary::Timestamp;

use super::{Authorities, Stamp, check_token, imprint, stated};
use crate::leaf::ControlBody;
use crate::verify::report::{AnchorSeen, Answer, Bound, Edge, Evidence, TimeSeen};
use crate::verify::{Finding, FindingKind, Place, Verifier};

/// Kind of a receipt that holds a time stamp, and of a beacon that is one.
const RFC3161: u8 = 5;
const TOKEN: u8 = 1;

/// How far the collector's clock may be behind those outside: ten minutes.
const CLOCKS_APART_S: u64 = 600;

/// So many beacons are looked at for one that a given authority signed.
const BEACONS: usize = 4096;

/// Adds what the time stamps prove about the records that were checked; [`Evidence::anchors`] and [`Evidence::frame`]
/// are there already. Leaves whose own time is older than what they hold are findings, except in an excerpt.
pub fn add_times(verifier: &mut Verifier<'_>, evidence: &mut Evidence, authorities: &Authorities) {
    let mut anchors = std::mem::take(&mut evidence.anchors);
    let mut times: Vec<TimeSeen> = Vec::new();
    for seen in &mut anchors {
        let mut stated_s = 0;
        if let Answer::Cosigned(time_s) = seen.answer {
            stated_s = time_s;
        }
        if let Some(receipt) = token(verifier, seen) {
            stated_s = stated(&receipt).unwrap_or(0);
            let stamp = stamped(verifier, seen, &receipt, authorities);
            times.extend(stamp.and_then(|stamp| row(evidence, seen, stamp)));
        }
        younger(verifier, evidence, seen.index, seen.unix_ns, stated_s);
    }
    // Of each authority what says most.
    times.sort_by(|a, b| a.bound.by.cmp(&b.bound.by).then_with(|| a.rank(b)));
    times.dedup_by(|later, first| later.bound.by == first.bound.by);
    evidence.anchors = anchors;
    let beacon = beacon(verifier, evidence, authorities);
    evidence.times.extend(beacon);
    evidence.times.append(&mut times);
}

/// The token of a receipt that holds one.
fn token(verifier: &mut Verifier<'_>, seen: &AnchorSeen) -> Option<Vec<u8>> {
    let receipt = (seen.kind == RFC3161).then(|| verifier.receipt(seen.index));
    receipt.flatten().map(|receipt| receipt.receipt)
}

/// Checks the token of a receipt.
fn stamped(
    verifier: &Verifier<'_>,
    seen: &mut AnchorSeen,
    token: &[u8],
    authorities: &Authorities,
) -> Option<Stamp> {
    let imprint = imprint(&verifier.checkpoint_of(seen.head)?);
    match check_token(token, Some(&imprint), authorities) {
        Ok(stamp) => {
            let Stamp { time_s, traced } = stamp;
            seen.answer = Answer::Stamped { time_s, traced };
            Some(stamp)
        }
        Err(error) => {
            seen.answer = Answer::Void(error.to_string());
            None
        }
    }
}

fn row(evidence: &Evidence, seen: &AnchorSeen, stamp: Stamp) -> Option<TimeSeen> {
    let unchecked = match (stamp.traced, seen.recomputed) {
        (true, Some(true)) => None,
        (true, _) => Some("the leaves for its tree are not here".to_owned()),
        (false, _) => Some(UNTRACED.to_owned()),
    };
    Some(TimeSeen {
        edge: Edge::NotAfter,
        bound: Bound {
            unix_ns: stamp.time_s.checked_mul(1_000_000_000)?,
            by: format!("time stamp of {}", seen.holder),
        },
        leaves: seen.head.size,
        of_all: evidence.covered_by(seen.head.size),
        unchecked,
    })
}

const UNTRACED: &str = "its authority is not known; give its CA with --tsa-ca";

/// The newest beacon in front of the records that holds, or the newest of all; of an accepted authority, if there is one.
fn beacon(
    verifier: &mut Verifier<'_>,
    evidence: &mut Evidence,
    authorities: &Authorities,
) -> Option<TimeSeen> {
    let opened = evidence.frame.map_or(0, |frame| frame.opened);
    let mut best: Option<TimeSeen> = None;
    for index in verifier.beacons().into_iter().rev().take(BEACONS) {
        let Some((unix_ns, token)) = verifier.beacon(index) else {
            continue;
        };
        younger(
            verifier,
            evidence,
            index,
            unix_ns,
            stated(&token).unwrap_or(0),
        );
        let Ok(stamp) = check_token(&token, None, authorities) else {
            continue;
        };
        // The receipt that came with it is the leaf in front.
        let receipt = evidence.anchors.iter().find(|it| it.index + 1 == index);
        let by = receipt.map_or_else(
            || format!("beacon in leaf {index}"),
            |it| format!("beacon of {} in leaf {index}", it.holder),
        );
        let row = TimeSeen {
            edge: Edge::NotBefore,
            bound: Bound {
                unix_ns: stamp.time_s.checked_mul(1_000_000_000)?,
                by,
            },
            leaves: index,
            of_all: index < opened,
            unchecked: (!stamp.traced).then(|| UNTRACED.to_owned()),
        };
        let more = best.as_ref().is_none_or(|best| row.rank(best).is_lt());
        best = if more { Some(row) } else { best };
    }
    best
}

/// A leaf that holds what somebody outside made later than the leaf says that it is.
fn younger(
    verifier: &Verifier<'_>,
    evidence: &mut Evidence,
    index: u64,
    unix_ns: u64,
    time_s: u64,
) {
    let late = time_s
        .saturating_sub(CLOCKS_APART_S)
        .saturating_mul(1_000_000_000);
    if verifier.is_excerpt() || late <= unix_ns {
        return;
    }
    let at = Timestamp::from_unix_ns(unix_ns);
    let stated = Timestamp::from_unix_ns(time_s.saturating_mul(1_000_000_000));
    evidence.findings.push(Finding {
        kind: FindingKind::Control,
        place: Place::Control {
            from: index,
            to: index + 1,
        },
        what: format!(
            "the leaf says that it is of {at} and holds what somebody outside stamped at {stated}: \
             the collector's clock was wrong, or the ledger was made afterwards"
        ),
    });
}

impl Verifier<'_> {
    /// When a beacon's leaf was written, and the token in it, proven.
    fn beacon(&mut self, index: u64) -> Option<(u64, Vec<u8>)> {
        let leaf = self.proven_leaf(index)?;
        match leaf.body {
            ControlBody::Beacon { kind: TOKEN, value } => Some((leaf.unix_ns, value)),
            _ => None,
        }
    }
}
