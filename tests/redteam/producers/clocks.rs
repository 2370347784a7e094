//! The collector's own clock, set while it runs.

use ledger::leaf::ControlBody;
use ledger::store::{Batch, Ledger, Options};
use libtest_mimic::Failed;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::attack::When;
use crate::case::Case;
use crate::scene;

pub(super) fn clock_step(case: &mut Case) -> Result<(), Failed> {
    const HOUR: u64 = 3_600_000_000_000;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let wall = Arc::new(AtomicU64::new(u64::try_from(now)? + HOUR));
    let boot = Arc::new(AtomicU64::new(HOUR));
    let (clock, since_boot) = (Arc::clone(&wall), Arc::clone(&boot));
    let mut options = Options::new(Arc::new(move || clock.load(Ordering::SeqCst)));
    options.disk.reserve = Some(0);
    options.space_of = Arc::new(|_| None);
    options.boot_clock = Arc::new(move || Some(since_boot.load(Ordering::SeqCst)));
    let ledger = Ledger::open(&case.store(), options)?;
    let passes = |by: u64| {
        wall.fetch_add(by, Ordering::SeqCst);
        boot.fetch_add(by, Ordering::SeqCst);
        ledger.append_and_wait(Batch::default())
    };
    passes(1_000_000_000)?;
    case.attack(|_| {
        wall.fetch_sub(HOUR / 2, Ordering::SeqCst);
        Ok(())
    })?;
    passes(1_000_000_000)?;
    ledger.close()?;
    let step = scene::leaves(&case.store())?
        .into_iter()
        .find_map(|(body, _)| match body {
            ControlBody::ClockStep {
                expected_unix_ns,
                found_unix_ns,
                ..
            } => Some(expected_unix_ns.saturating_sub(found_unix_ns)),
            _ => None,
        });
    if step.is_none_or(|step| step.abs_diff(HOUR / 2) > HOUR / 60) {
        return Err(format!("{step:?}").into());
    }
    // And no leaf is older than the one before it.
    case.verify()?.finds_nothing()?;
    case.caught(When::Ingest);
    Ok(())
}
