//! What has happened to others, carried forever: one regression per incident, by its name.

use libtest_mimic::{Failed, Trial};

use super::attack::{Attack, Play};
use super::case::Case;
use super::scene;

/// Each incident, what went wrong, and the attack that repeats it here.
const REPEATED: &[(&str, &str)] = &[
    // One bit flipped in a tree: entries never matched the signed root again.
    ("yeti_2022_bit_flip", "S17"),
    // The database's disk was full: a corrupt index, promises that could not be kept.
    ("mammoth2024h1_disk_full", "O02"),
    // Two transient storage failures after one another: tiles were missing for good.
    ("raio2025h2a_double_fault", "O05"),
    // A second, linear proof path was not checked in full: two contents for one transaction.
    ("immudb_linear_fake", "S03"),
    // The index was not authenticated: entries hidden although verification passed.
    ("journald_cve_2023_31437_hidden_entries", "S16"),
    // Idle epochs left no seal: truncation unnoticed.
    ("journald_cve_2023_31438_truncation", "K04"),
    // An epoch was not bound to time: past entries forged with a later key.
    ("journald_cve_2023_31439_forged_past", "K05"),
    // The file of an open audit log was removed: everything acknowledged into the void.
    ("vault_31718_unlinked_file", "S18"),
    // Called durable, synced at checkpoints only: an acknowledgement must wait for the sync.
    ("teleport_normal_called_durable", "O01"),
];

pub(crate) fn trials(attacks: &'static [Attack]) -> Vec<Trial> {
    let repeated = REPEATED.iter().map(|(name, id)| {
        let attack = attacks.iter().find(|attack| attack.id == *id);
        let play = attack.and_then(|attack| attack.end.play());
        let trial = Trial::test(format!("incident_{name}"), move || match play {
            Some(play) => again(play),
            None => Err(format!("{id} is not carried out").into()),
        });
        let missing = attack.and_then(|attack| attack.missing());
        trial.with_ignored_flag(missing.is_some())
    });
    let own: [(&str, Test); 2] = [
        ("incident_nessie_2025_overload_loss", overload),
        ("incident_sqlite_wal_reset_race", wal_reset),
    ];
    let own = own.map(|(name, test)| Trial::test(name, test));
    repeated.chain(own).collect()
}

type Test = fn() -> Result<(), Failed>;

fn again(play: Play) -> Result<(), Failed> {
    play(&mut Case::new()?)
}

/// More at once than the collector takes: what it acknowledges is there, what it refuses may be sent again.
fn overload() -> Result<(), Failed> {
    let case = Case::new()?;
    let limits = [
        "--max-body-bytes",
        "100000",
        "--max-in-flight-bytes",
        "200000",
    ];
    let mut collector = scene::serve(&case.store(), &limits)?;
    let statuses = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..16)
            .map(|sender| {
                let collector = &collector;
                scope.spawn(move || {
                    let body = scene::export(&format!("load-{sender}"), 0..200);
                    (
                        sender,
                        scene::post(collector, &body)
                            .map(|answer| (answer.status, answer.retry_after)),
                    )
                })
            })
            .collect();
        senders
            .into_iter()
            .filter_map(|sender| sender.join().ok())
            .collect::<Vec<_>>()
    });
    collector.stop()?;
    for (sender, answer) in statuses {
        let stored = scene::items(&case.store(), &format!("load-{sender}"))?.len();
        match answer? {
            (200, _) if stored == 200 => {}
            (429 | 503, true) if stored == 0 => {}
            (status, _) => return Err(format!("{status}, and {stored} of 200 are there").into()),
        }
    }
    case.verify()?.finds_nothing()
}

/// Two connections that fold the log at once lost commits until SQLite 3.51.3.
fn wal_reset() -> Result<(), Failed> {
    let linked = rusqlite::version_number();
    if linked < 3_051_003 {
        return Err(format!("SQLite {linked} has the bug").into());
    }
    let case = Case::new()?;
    let mut collector = case.start()?;
    std::thread::scope(|scope| -> Result<(), Failed> {
        let folding = scope.spawn(|| -> Result<(), rusqlite::Error> {
            let other = rusqlite::Connection::open(case.store().join("ledger.db"))?;
            for _ in 0..50 {
                other.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
            }
            Ok(())
        });
        for i in 0..50 {
            scene::sealed(&collector, &scene::export("raced", i..i + 1))?;
        }
        folding.join().map_err(|_| "a panic")??;
        Ok(())
    })?;
    collector.stop()?;
    match scene::items(&case.store(), "raced")?.len() {
        50 => case.verify()?.finds_nothing(),
        stored => Err(format!("{stored} of 50 are there").into()),
    }
}
