//! What a collector says of itself while it runs: that it is alive, and that its clock was set.

use std::sync::Arc;
use std::time::Duration;

use super::disk::DiskStage;
use crate::leaf::ControlBody;

/// Says the time since the host's boot in nanoseconds, sleep included; `None` where it is not told.
pub type BootClock = Arc<dyn Fn() -> Option<u64> + Send + Sync>;

/// How often the two clocks are compared.
const LOOK_EVERY_NS: u64 = 1_000_000_000;

/// Less than this is no step, 0.5 s: what two readings may lie apart, and what is slewed in a while.
const TOLERANCE_NS: u64 = 500_000_000;

/// A crystal may be off by this part of the time that passed.
const DRIFT_PARTS: u64 = 1000;

/// Clocks that agree are compared with a newer reading after this time, 10 min: so that drift does not add up.
const BASE_FOR_NS: u64 = 600_000_000_000;

/// Both clocks at one moment, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) unix: u64,
    pub(crate) boot: u64,
}

/// The wall clock that the time since boot leads to, if the wall clock found is another one.
pub(crate) fn step(before: Reading, now: Reading) -> Option<u64> {
    let passed = now.boot.checked_sub(before.boot)?;
    let expected = before.unix.saturating_add(passed);
    let allowed = TOLERANCE_NS + passed / DRIFT_PARTS;
    (expected.abs_diff(now.unix) > allowed).then_some(expected)
}

/// What is due to be said.
pub(crate) struct Watch {
    boot: BootClock,
    instance: [u8; 16],
    every_ns: u64,
    base: Option<Reading>,
    looked_ns: u64,
    /// Leaves in the ledger log when something was last said there, and when that was.
    spoken: (u64, u64),
    stage: DiskStage,
}

impl Watch {
    pub(crate) fn new(
        boot: BootClock,
        instance: [u8; 16],
        heartbeat_after: Duration,
        now_ns: u64,
    ) -> Self {
        let base = boot().map(|boot| Reading { unix: now_ns, boot });
        Self {
            boot,
            instance,
            every_ns: u64::try_from(heartbeat_after.as_nanos()).unwrap_or(u64::MAX),
            base,
            looked_ns: now_ns,
            spoken: (0, now_ns),
            stage: DiskStage::Fine,
        }
    }

    /// Statements for the next commit. `leaves` is the size of the ledger log: while it grows, the collector is
    /// evidently alive.
    pub(crate) fn due(
        &mut self,
        now_ns: u64,
        leaves: u64,
        commit: u64,
        records: u64,
        stage: DiskStage,
    ) -> Vec<ControlBody> {
        let mut said = Vec::new();
        said.extend(self.clock_step(now_ns));
        if self.spoken.0 != leaves {
            self.spoken = (leaves, now_ns);
        }
        if now_ns.abs_diff(self.spoken.1) >= self.every_ns || stage != self.stage {
            self.stage = stage;
            self.spoken.1 = now_ns;
            said.push(ControlBody::Heartbeat {
                instance: self.instance,
                boot_ns: (self.boot)().unwrap_or(0),
                commit,
                records: ControlBody::heartbeat_records(records, stage as u8),
            });
            // Its own leaf is no other sign of life.
            self.spoken.0 = leaves + said.len() as u64;
        }
        said
    }

    fn clock_step(&mut self, now_ns: u64) -> Option<ControlBody> {
        if now_ns.abs_diff(self.looked_ns) < LOOK_EVERY_NS {
            return None;
        }
        self.looked_ns = now_ns;
        let boot = (self.boot)()?;
        let now = Reading { unix: now_ns, boot };
        let base = *self.base.get_or_insert(now);
        let expected = step(base, now);
        if expected.is_some() || boot.saturating_sub(base.boot) > BASE_FOR_NS {
            self.base = Some(now);
        }
        expected.map(|expected_unix_ns| ControlBody::ClockStep {
            expected_unix_ns,
            found_unix_ns: now_ns,
            boot_ns: boot,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn reading(unix: u64, boot: u64) -> Reading {
        Reading { unix, boot }
    }

    /// redteam: P11
    #[test]
    fn a_clock_that_was_set_is_told_from_one_that_runs() {
        let before = reading(1000 * S, 50 * S);
        assert_eq!(step(before, reading(1010 * S, 60 * S)), None);
        assert_eq!(step(before, reading(1010 * S + S / 3, 60 * S)), None);
        assert_eq!(
            step(before, reading(910 * S, 60 * S)),
            Some(1010 * S),
            "set back"
        );
        assert_eq!(
            step(before, reading(1012 * S, 60 * S)),
            Some(1010 * S),
            "set on"
        );
        // An hour asleep, or an hour of drift of half a part in a thousand.
        assert_eq!(step(before, reading(4600 * S, 3650 * S)), None);
        assert_eq!(step(before, reading(4602 * S, 3650 * S)), None);
        // Another boot: nothing can be said.
        assert_eq!(step(before, reading(9 * S, S)), None);
    }

    #[test]
    fn a_step_is_said_once_and_measured_anew_from_there() {
        let boot = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let theirs = Arc::clone(&boot);
        let clock: BootClock =
            Arc::new(move || Some(theirs.load(std::sync::atomic::Ordering::Relaxed)));
        let mut watch = Watch::new(clock, [1; 16], Duration::from_secs(300), 1000 * S);
        let mut at = |boot_s: u64, unix_s: u64| {
            boot.store(boot_s * S, std::sync::atomic::Ordering::Relaxed);
            watch.due(unix_s * S, 5, 3, 9, DiskStage::Fine).len()
        };
        assert_eq!(at(2, 1002), 0);
        assert_eq!(at(4, 904), 1, "100 s back");
        assert_eq!(at(6, 906), 0);
        // Silence for five minutes is broken by a heartbeat, and then lasts five more.
        assert_eq!((at(399, 1299), at(403, 1303), at(405, 1305)), (0, 1, 0));
    }

    #[test]
    fn another_stage_of_the_disk_is_said_at_once() {
        let mut watch = Watch::new(Arc::new(|| None), [1; 16], Duration::from_secs(300), S);
        assert!(watch.due(2 * S, 5, 3, 9, DiskStage::Fine).is_empty());
        let said = watch.due(3 * S, 5, 3, 9, DiskStage::Soft);
        let [ControlBody::Heartbeat { records, .. }] = said.as_slice() else {
            panic!("{said:?}")
        };
        assert_eq!(ControlBody::heartbeat_counts(*records), (9, 1));
        assert!(watch.due(4 * S, 6, 4, 9, DiskStage::Soft).is_empty());
    }
}
