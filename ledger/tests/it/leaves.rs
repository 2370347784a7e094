//! What the collector says of itself in the ledger: heartbeats, clock steps, gaps, conflicts, changed settings, closes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ledger::leaf::{
    ConfigChange, ConflictNote, ControlBody, ControlLeaf, GapNote, NO_HEAD, Private,
};
use ledger::reader::Reader;
use ledger::store::{
    AppendError, Batch, Close, DiskStage, Folder, Ledger, Lost, Options, Setting, Space,
    StreamBatch,
};

use super::maintenance::findings;
use super::support::{Place, START_NS, append, batch, numbered, part};

/// Every leaf of the ledger log, with its private part.
fn leaves(reader: &dyn Reader) -> Vec<(ControlBody, Vec<u8>)> {
    let stored = reader.control(0, u64::MAX).unwrap();
    stored
        .into_iter()
        .map(|stored| {
            let leaf = ControlLeaf::decode(&stored.leaf).unwrap();
            let private = stored.private.map(|private| private.body);
            (leaf.body, private.unwrap_or_default())
        })
        .collect()
}

/// The private parts of the leaves of one kind.
fn private<P: Private>(reader: &dyn Reader, kind: u8) -> Vec<P> {
    leaves(reader)
        .into_iter()
        .filter(|(body, _)| body.kind() == kind)
        .map(|(_, private)| P::decode(&private).unwrap())
        .collect()
}

/// Has the writer look around without giving it anything.
fn nudge(ledger: &Ledger) {
    ledger.append_and_wait(Batch::default()).unwrap();
}

fn open(place: &Place, change: impl FnOnce(&mut Options)) -> Ledger {
    let mut options = place.options();
    change(&mut options);
    Ledger::open(&place.dir(), options).unwrap()
}

#[test]
fn a_silent_day_costs_less_than_a_megabyte_and_shows_that_the_collector_lived() {
    let place = Place::new();
    let ledger = open(&place, |options| {
        let clock = place.clock.clone();
        options.boot_clock = Arc::new(move || Some(clock.now() - START_NS));
    });
    append(&ledger, vec![part("a", 0, 10)]);
    place.clock.advance(Duration::from_secs(11));
    nudge(&ledger);
    let before = ledger.reader().unwrap().status().unwrap();
    for _ in 0..288 {
        place.clock.advance(Duration::from_secs(300));
        nudge(&ledger);
    }
    ledger.close().unwrap();
    let folder = place.read();
    let beats: Vec<_> = leaves(&folder)
        .into_iter()
        .filter_map(|(body, _)| match body {
            ControlBody::Heartbeat { records, .. } => Some(ControlBody::heartbeat_counts(records)),
            _ => None,
        })
        .collect();
    let seals = leaves(&folder)
        .iter()
        .filter(|(body, _)| body.kind() == 9)
        .count();
    assert!((70..=98).contains(&seals), "{seals} epochs");
    // Every quarter of an hour the seal is the sign of life.
    assert!(
        (180..=290).contains(&beats.len()),
        "{} heartbeats",
        beats.len()
    );
    assert!(beats.iter().all(|beat| *beat == (10, 0)), "{beats:?}");
    let after = folder.status().unwrap();
    let grown = after.database_bytes.saturating_sub(before.database_bytes);
    assert!(grown < 300_000, "a silent day took {grown} bytes");
    assert_eq!(findings(&folder), Vec::<String>::new());
}

#[test]
fn heartbeats_are_left_out_while_other_leaves_show_that_the_collector_lives() {
    let place = Place::new();
    let ledger = place.open();
    for i in 0..10 {
        place.clock.advance(Duration::from_secs(100));
        append(&ledger, vec![part(&format!("session {i}"), 0, 1)]);
    }
    ledger.close().unwrap();
    assert!(
        !leaves(&place.read())
            .iter()
            .any(|(body, _)| body.kind() == 18)
    );
}

/// redteam: P11
#[test]
fn a_clock_that_was_set_while_the_collector_ran_leaves_a_leaf() {
    let place = Place::new();
    let boot = Arc::new(AtomicU64::new(5_000_000_000));
    let theirs = Arc::clone(&boot);
    let ledger = open(&place, |options| {
        options.boot_clock = Arc::new(move || Some(theirs.load(Ordering::Relaxed)));
    });
    boot.fetch_add(20_000_000_000, Ordering::Relaxed);
    place.clock.advance(Duration::from_secs(20));
    nudge(&ledger);
    boot.fetch_add(2_000_000_000, Ordering::Relaxed);
    place.clock.advance(Duration::from_secs(3602));
    nudge(&ledger);
    ledger.close().unwrap();
    let steps: Vec<u64> = leaves(&place.read())
        .into_iter()
        .filter_map(|(body, _)| match body {
            ControlBody::ClockStep {
                expected_unix_ns,
                found_unix_ns,
                ..
            } => Some((found_unix_ns - expected_unix_ns) / 1_000_000_000),
            _ => None,
        })
        .collect();
    assert_eq!(steps, [3600]);
}

fn ending(mut part: StreamBatch) -> StreamBatch {
    part.close = Some(Close {
        reason: 1,
        declared: 9,
    });
    part
}

/// redteam: P05
#[test]
fn numbers_that_have_not_come_a_while_after_the_end_are_said_to_be_missing_once() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![numbered("a", "r", 0, 5)]);
    append(&ledger, vec![ending(numbered("a", "r", 8, 10))]);
    let reader = ledger.reader().unwrap();
    nudge(&ledger);
    assert!(
        private::<GapNote>(&reader, 16).is_empty(),
        "they may still come"
    );
    append(&ledger, vec![numbered("a", "r", 7, 8)]);
    place.clock.advance(Duration::from_secs(31));
    nudge(&ledger);
    let said = |reader: &dyn Reader| -> Vec<_> {
        private::<GapNote>(reader, 16)
            .into_iter()
            .map(|gap| (gap.producer, gap.run, gap.first, gap.last, gap.why))
            .collect()
    };
    let gap = ("p".to_owned(), "r".to_owned(), 5, 6, 1);
    assert_eq!(said(&reader), std::slice::from_ref(&gap));
    // Another session of the run ends: only what is newly missing is said, and an orderly stop waits for nothing.
    append(&ledger, vec![ending(numbered("b", "r", 12, 14))]);
    ledger.close().unwrap();
    let folder = place.read();
    let second = ("p".to_owned(), "r".to_owned(), 10, 11, 1);
    assert_eq!(said(&folder), [gap, second]);
    assert_eq!(findings(&folder), Vec::<String>::new());
}

#[test]
fn a_loss_that_the_producer_declares_is_a_gap_of_its_own() {
    let place = Place::new();
    let ledger = place.open();
    let mut part = numbered("a", "r", 0, 3);
    if let Some(run) = &mut part.run {
        run.lost.push(Lost {
            evidence: 2,
            from: 2,
            count: 40,
        });
    }
    append(&ledger, vec![part.clone()]);
    append(&ledger, vec![part]);
    ledger.close().unwrap();
    let gaps = private::<GapNote>(&place.read(), 16);
    assert_eq!(gaps.len(), 1, "a retry does not say it again: {gaps:?}");
    assert_eq!((gaps[0].first, gaps[0].last, gaps[0].why), (2, 41, 2));
}

/// redteam: P03
#[test]
fn the_same_number_with_the_same_bytes_is_a_retry() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![numbered("a", "r", 0, 700)]);
    let again = append(&ledger, vec![numbered("a", "r", 3, 600)]);
    assert_eq!((again.duplicates, again.conflicts), (597, 0));
    ledger.close().unwrap();
    assert!(private::<ConflictNote>(&place.read(), 20).is_empty());
}

/// redteam: P04
#[test]
fn the_same_number_with_other_bytes_is_refused_by_record_and_leaves_a_conflict() {
    let place = Place::new();
    let ledger = place.open();
    let stream = append(&ledger, vec![numbered("a", "r", 0, 10)]).streams[0].stream;
    // `numbered` puts the label into each item, so other labels are other bytes under the same numbers.
    let mut changed = numbered("changed", "r", 8, 12);
    changed.key.label = "a".to_owned();
    let receipt = append(&ledger, vec![changed]);
    assert_eq!((receipt.conflicts, receipt.duplicates), (2, 0));
    assert_eq!(receipt.streams[0].count, 2, "10 and 11 are new");
    // A number that is sealed, but not under this label.
    let foreign = append(&ledger, vec![numbered("b", "r", 1, 2)]);
    assert_eq!((foreign.conflicts, foreign.streams.len()), (1, 0));
    ledger.close().unwrap();
    let folder = place.read();
    let notes = private::<ConflictNote>(&folder, 20);
    assert_eq!(notes.len(), 3);
    assert_eq!(
        notes[0].what,
        "number 8 of run r of producer p came with other bytes"
    );
    assert_ne!(notes[0].first, notes[0].second);
    assert_eq!(notes[2].first, [0; 32]);
    let streams: Vec<_> = leaves(&folder)
        .into_iter()
        .filter_map(|(body, _)| match body {
            ControlBody::Conflict {
                kind: 1, stream, ..
            } => Some(stream),
            _ => None,
        })
        .collect();
    assert_eq!((streams[0], streams[2].0), (stream, [0; 32]));
    assert_eq!(findings(&folder), Vec::<String>::new());
}

#[test]
fn one_number_twice_in_an_export_is_compared_within_it() {
    let place = Place::new();
    let ledger = place.open();
    let mut part = numbered("a", "r", 0, 3);
    if let Some(run) = &mut part.run {
        run.sequence = vec![0, 1, 0];
    }
    let receipt = append(&ledger, vec![part]);
    assert_eq!((receipt.conflicts, receipt.streams[0].count), (1, 2));
}

/// redteam: S20
#[test]
fn a_setting_that_changed_between_two_runs_is_named_with_both_values() {
    let place = Place::new();
    let run = |value: &str| {
        let ledger = open(&place, |options| {
            options.settings = [("door", value), ("log", "info")]
                .map(|(name, value)| Setting {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    origin: "flag --door".to_owned(),
                    said_first: false,
                })
                .to_vec();
        });
        ledger.close().unwrap();
    };
    run("one");
    run("one");
    run("two");
    let folder = place.read();
    let changes = private::<ConfigChange>(&folder, 17);
    assert_eq!(changes.len(), 1, "{changes:?}");
    let change = &changes[0];
    assert_eq!(
        (
            &*change.setting,
            &*change.from,
            &*change.to,
            &*change.origin
        ),
        ("door", "one", "two", "flag --door")
    );
    let configs: Vec<_> = leaves(&folder)
        .into_iter()
        .filter_map(|(body, _)| match body {
            ControlBody::Startup { config, .. } => Some(config),
            _ => None,
        })
        .collect();
    assert!(configs[0] == configs[1] && configs[1] != configs[2] && configs[2] != [0; 32]);
    assert_eq!(findings(&folder), Vec::<String>::new());
}

#[test]
fn late_records_are_covered_by_a_further_close_that_links_the_earlier_one() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![ending(part("a", 0, 4))]);
    append(&ledger, vec![part("a", 4, 6)]);
    ledger.close().unwrap();
    let ledger = place.open();
    append(&ledger, vec![part("a", 6, 7)]);
    ledger.close().unwrap();
    let folder = place.read();
    let mut closes = Vec::new();
    for (at, (body, _)) in (0_u64..).zip(leaves(&folder)) {
        if let ControlBody::StreamClose {
            head,
            prev_head_index,
            reason,
            declared,
            ..
        } = body
        {
            closes.push((at, head.size, prev_head_index, reason, declared));
        }
    }
    let [first, second, third] = closes[..] else {
        panic!("{closes:?}")
    };
    assert_eq!((first.1, first.2, first.3, first.4), (4, NO_HEAD, 1, 9));
    assert_eq!((second.1, second.2, second.3, second.4), (6, first.0, 1, 9));
    assert_eq!((third.1, third.2), (7, second.0));
    assert_eq!(findings(&folder), Vec::<String>::new());
}

fn last_stage(folder: &Folder) -> Option<u8> {
    leaves(folder)
        .into_iter()
        .rev()
        .find_map(|(body, _)| match body {
            ControlBody::Heartbeat { records, .. } => {
                Some(ControlBody::heartbeat_counts(records).1)
            }
            _ => None,
        })
}

/// redteam: P09
#[test]
fn a_disk_that_fills_is_said_first_and_then_keeps_new_sessions_out() {
    const GIB: u64 = 1 << 30;
    let place = Place::new();
    let free = Arc::new(AtomicU64::new(50 * GIB));
    let theirs = Arc::clone(&free);
    let told = Arc::new(AtomicU64::new(0));
    let telling = Arc::clone(&told);
    let ledger = open(&place, |options| {
        options.space_of = Arc::new(move |_| {
            Some(Space {
                free: theirs.load(Ordering::Relaxed),
                total: 100 * GIB,
            })
        });
        options.disk.reserve = Some(0);
        options.on_disk = Box::new(move |stage| {
            telling.store(stage as u64, Ordering::Relaxed);
        });
    });
    append(&ledger, vec![part("a", 0, 2)]);
    let reader = ledger.reader().unwrap();
    assert_eq!(
        (ledger.disk(), last_stage(&reader)),
        (DiskStage::Fine, None)
    );

    free.store(9 * GIB, Ordering::Relaxed);
    append(&ledger, vec![part("b", 0, 2)]);
    assert_eq!(
        (ledger.disk(), last_stage(&reader)),
        (DiskStage::Soft, Some(1))
    );
    assert_eq!(told.load(Ordering::Relaxed), DiskStage::Soft as u64);

    free.store(GIB, Ordering::Relaxed);
    append(&ledger, vec![part("a", 2, 4)]);
    assert_eq!(
        (ledger.disk(), last_stage(&reader)),
        (DiskStage::Hard, Some(2))
    );
    let new = ledger.append_and_wait(batch(vec![part("a", 4, 5), part("c", 0, 2)]));
    assert!(matches!(new, Err(AppendError::DiskLow)), "{new:?}");

    free.store(50 * GIB, Ordering::Relaxed);
    append(&ledger, vec![part("a", 4, 5), part("c", 0, 2)]);
    assert_eq!(last_stage(&reader), Some(0));
    ledger.close().unwrap();
    assert_eq!(findings(&place.read()), Vec::<String>::new());
}
