//! Every system call that changes a store fails once, or the process dies in it: what was acknowledged is there.
//!
//! Few calls are tried in a usual run. `RECOUNT_FAULTS=all` tries every one (half an hour and more), `RECOUNT_SOAK=N`
//! kills N times, at other moments with another `RECOUNT_SEED`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ledger::reader::{Find, Reader};
use ledger::store::{AppendError, Folder, Ledger};

use super::crash::copy;
use super::maintenance::findings;
use super::support::{Place, TestClock, batch, numbered};

/// Tells a child which folder it is to write to.
const CHILD: &str = "RECOUNT_TEST_FAULT_DIR";

/// Tells the child of the soak from which number its producers go on.
const FROM: &str = "RECOUNT_TEST_FAULT_FROM";

/// Commits of one run.
const COMMITS: u64 = 20;

/// Producers of the soak.
const PRODUCERS: usize = 16;

/// Calls that change a store, as strace calls them.
const CALLS: &[&str] = &[
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "unlink",
    "ftruncate",
    "fallocate",
];

/// Faults, and how many of a usual run's samples each call gets.
const FAULTS: &[&str] = &["error=EIO", "error=ENOSPC", "signal=KILL"];
const SAMPLES: usize = 2;

fn options(clock: &TestClock) -> ledger::store::Options {
    let mut options = ledger::store::Options::new(clock.clock());
    options.sign_soon = Duration::from_millis(1);
    options.sign_late = Duration::from_millis(1);
    options.boot_clock = std::sync::Arc::new(|| None);
    options.disk.hard = Some(0);
    options.disk.soft = Some(0);
    options.on_fatal = Box::new(|fatal| {
        // As the collector does: at once, with a message that names the cause.
        eprintln!("{fatal}");
        std::process::exit(3);
    });
    options
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

/// What the process that is hurt runs: twenty commits, each told once it is acknowledged.
#[test]
fn child_that_commits() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let clock = TestClock::default();
    let Ok(ledger) = Ledger::open(Path::new(&dir), options(&clock)) else {
        std::process::exit(4);
    };
    for seq in 0..COMMITS {
        let part = || batch(vec![numbered("a", "r", 3 * seq, 3 * seq + 3)]);
        let mut tries = 0;
        loop {
            match ledger.append_and_wait(part()) {
                Ok(_) => break say(&format!("acked {}", 3 * seq + 3)),
                // What a sender does that is asked to come again.
                Err(AppendError::NoSpace | AppendError::DiskLow) if tries < 200 => {
                    tries += 1;
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(_) => std::process::exit(3),
            }
        }
        clock.advance(Duration::from_secs(60));
    }
    std::process::exit(i32::from(ledger.close().is_err()));
}

/// Files of a store: only calls on them are counted and hurt.
fn watched(dir: &Path) -> Vec<PathBuf> {
    let mut paths = vec![dir.to_path_buf(), dir.join("keys")];
    let names = [
        "ledger.db",
        "ledger.db-wal",
        "acked",
        "last_signed",
        "last_signed.tmp",
        "reserve",
        "keys/epoch",
        "keys/epoch.next",
        "keys/epoch.tmp",
    ];
    paths.extend(names.map(|name| dir.join(name)));
    paths
}

/// The child under strace; `None` where there is no strace.
fn strace(dir: &Path, log: &Path, expression: &str) -> Option<Child> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-e", expression, "-o"]).arg(log);
    for path in watched(dir) {
        command.arg("-P").arg(path);
    }
    command
        .arg(std::env::current_exe().unwrap())
        .args([
            "faults::child_that_commits",
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()
}

/// Whether a test that needs strace goes on. Where everything is required, missing it is a failure.
fn has_strace() -> bool {
    let there = Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !there {
        assert!(
            std::env::var_os("RECOUNT_REQUIRE_ALL").is_none_or(|value| value != "1"),
            "needs strace: scripts/install-test-packages"
        );
        eprintln!("skipped: needs strace (scripts/install-test-packages)");
    }
    there
}

/// The last number that a child told as acknowledged.
fn last_acked(child: &mut Child) -> u64 {
    let mut acked = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let Ok(line) = line else { break };
        if let Some((_, number)) = line.split_once("acked ") {
            acked = number.trim().parse().unwrap_or(acked);
        }
    }
    child.wait().unwrap();
    acked
}

/// Calls by name of a run that nothing hurts, the most of any one thread: strace counts each thread by itself.
fn calls(place: &Place, log: &Path) -> BTreeMap<String, usize> {
    let mut child = strace(&place.dir(), log, &format!("trace={}", CALLS.join(","))).unwrap();
    assert_eq!(last_acked(&mut child), 3 * COMMITS);
    let text = std::fs::read_to_string(log).unwrap();
    let mut by_thread: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(call)) = (words.next(), words.next()) else {
            continue;
        };
        if let Some((call, _)) = call.split_once('(') {
            *by_thread
                .entry((call.to_owned(), thread.to_owned()))
                .or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((call, _), count) in by_thread {
        let entry = most.entry(call).or_insert(0);
        *entry = count.max(*entry);
    }
    most
}

/// Which faults are tried: all of them, or the first, the last but one and some between.
fn plan(calls: &BTreeMap<String, usize>) -> Vec<String> {
    let all = std::env::var("RECOUNT_FAULTS").is_ok_and(|value| value == "all");
    let mut faults = Vec::new();
    for (call, count) in calls {
        for (at, fault) in FAULTS.iter().enumerate() {
            let picked: Vec<usize> = if all {
                (1..=*count).collect()
            } else {
                // Other places for each fault, so that together they spread.
                (0..SAMPLES)
                    .map(|sample| 1 + (count - 1) * (3 * sample + at + 1) / (3 * SAMPLES + 1))
                    .collect()
            };
            faults.extend(
                picked
                    .iter()
                    .map(|when| format!("{call}:{fault}:when={when}")),
            );
        }
    }
    faults.dedup();
    faults
}

/// What must hold of a store whose writer was hurt; how far it was acknowledged is `acked`.
fn check(place: &Place, acked: u64, fault: &str) {
    // Readers see it first. A hurt last commit may be there or not: only its answer counts.
    assert_eq!(findings(&place.read()), Vec::<String>::new(), "{fault}");
    let ledger = Ledger::open(&place.dir(), place.options()).unwrap_or_else(|error| {
        let folder = place.read();
        let kinds: Vec<String> = folder
            .control(0, u64::MAX)
            .unwrap()
            .iter()
            .map(|stored| {
                let body = ledger::leaf::ControlLeaf::decode(&stored.leaf)
                    .unwrap()
                    .body;
                match body {
                    ledger::leaf::ControlBody::StreamHead { head, .. } => {
                        format!("head {}", head.size)
                    }
                    other => other.name().to_owned(),
                }
            })
            .collect();
        panic!("{fault}: {error} acked {acked} {kinds:?}")
    });
    let sealed = sealed(&ledger.reader().unwrap(), "a");
    assert!(
        sealed >= acked,
        "{fault}: {sealed} of {acked} acknowledged records are there"
    );
    ledger.close().unwrap();
    assert_eq!(findings(&place.read()), Vec::<String>::new(), "{fault}");
}

fn sealed(reader: &dyn Reader, label: &str) -> u64 {
    let found = reader.find(&Find::Session(label.to_owned())).unwrap();
    found.first().map_or(0, |hint| hint.records)
}

/// redteam: O01 O02 O05 O06 P16
#[test]
fn a_system_call_that_fails_or_kills_loses_nothing_acknowledged_and_nothing_signed() {
    if !has_strace() {
        return;
    }
    let first = Place::new();
    let calls = calls(&first, &first.temp.path().join("log"));
    for call in ["pwrite64", "fdatasync", "fsync", "rename", "ftruncate"] {
        assert!(
            calls.get(call).is_some_and(|count| *count > 1),
            "{call}: {calls:?}"
        );
    }
    let faults = plan(&calls);
    let whole = Place::new();
    let (next, hurt) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(fault) = faults.get(next.fetch_add(1, Ordering::Relaxed)) {
            let place = Place {
                temp: tempfile::tempdir().unwrap(),
                clock: TestClock::default(),
            };
            copy(&whole.dir(), &place.dir());
            let log = place.temp.path().join("log");
            let mut child = strace(&place.dir(), &log, &format!("inject={fault}")).unwrap();
            let acked = last_acked(&mut child);
            hurt.fetch_add(usize::from(acked < 3 * COMMITS), Ordering::Relaxed);
            check(&place, acked, fault);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        scope.spawn(work);
    });
    let hurt = hurt.into_inner();
    println!(
        "{} faults at {calls:?}: {hurt} ended a run early",
        faults.len()
    );
    assert!(
        3 * hurt > faults.len(),
        "only {hurt} of {} faults hurt",
        faults.len()
    );
}

/// The incident of the CT log raio2025h2a: after two storage failures in a row a log went on from memory that no longer
/// was what the disk held. After each failed step the writer reads the disk again.
/// redteam: O05
#[test]
fn raio2025h2a_double_fault() {
    if !has_strace() {
        return;
    }
    for when in [40, 41, 77, 120] {
        let place = Place::new();
        let log = place.temp.path().join("log");
        let fault = format!("pwrite64:error=ENOSPC:when={when}..{}", when + 1);
        let mut child = strace(&place.dir(), &log, &format!("inject={fault}")).unwrap();
        assert_eq!(
            last_acked(&mut child),
            3 * COMMITS,
            "{fault}: it goes on after both"
        );
        check(&place, 3 * COMMITS, &fault);
    }
}

/// The bundled SQLite is told that `fdatasync` exists; nothing but the call itself shows whether it listened.
#[test]
fn each_acknowledgement_follows_a_sync_of_the_log_by_fdatasync() {
    if !has_strace() {
        return;
    }
    let place = Place::new();
    let log = place.temp.path().join("log");
    let mut child = strace(&place.dir(), &log, "trace=fsync,fdatasync").unwrap();
    assert_eq!(last_acked(&mut child), 3 * COMMITS);
    let text = std::fs::read_to_string(&log).unwrap();
    let syncs = text
        .lines()
        .filter(|line| line.contains(" fdatasync("))
        .count() as u64;
    assert!(syncs >= COMMITS, "{syncs} for {COMMITS} commits:\n{text}");
}

/// What the soak kills: sixteen producers, each told as far as it is acknowledged.
#[test]
fn child_of_the_soak() {
    let (Ok(dir), Ok(from)) = (std::env::var(CHILD), std::env::var(FROM)) else {
        return;
    };
    let from: Vec<u64> = from
        .split(',')
        .map(|number| number.parse().unwrap())
        .collect();
    let clock = TestClock::default();
    let ledger = Ledger::open(Path::new(&dir), options(&clock)).unwrap();
    say("open");
    std::thread::scope(|scope| {
        for (producer, from) in from.iter().copied().enumerate() {
            let (ledger, clock) = (&ledger, &clock);
            scope.spawn(move || {
                let label = format!("producer {producer}");
                for seq in (from..from + 100_000).step_by(5) {
                    let part = numbered(&label, &label, seq, seq + 5);
                    ledger.append_and_wait(batch(vec![part])).unwrap();
                    say(&format!("acked {producer} {}", seq + 5));
                    clock.advance(Duration::from_millis(200));
                }
            });
        }
    });
}

/// Starts the producers, kills them after a while, and returns how far each was acknowledged.
fn soak(dir: &Path, from: &[u64], after: Duration) -> Vec<u64> {
    let numbers: Vec<String> = from.iter().map(u64::to_string).collect();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "faults::child_of_the_soak",
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD, dir)
        .env(FROM, numbers.join(","))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let acked = Mutex::new(from.to_vec());
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            for line in lines.map_while(Result::ok) {
                let mut words = line.split("acked ").nth(1).unwrap_or_default().split(' ');
                let numbers = (words.next(), words.next());
                if let (Some(Ok(producer)), Some(Ok(until))) = (
                    numbers.0.map(str::parse::<usize>),
                    numbers.1.map(str::parse::<u64>),
                ) && let Some(slot) = acked.lock().unwrap().get_mut(producer)
                {
                    *slot = until;
                }
            }
        });
        std::thread::sleep(after);
        child.kill().unwrap();
        reading.join().unwrap();
    });
    child.wait().unwrap();
    acked.into_inner().unwrap()
}

/// redteam: P08 P16
#[test]
fn killed_at_random_under_sixteen_producers_nothing_acknowledged_is_lost() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let kills: u64 = number("RECOUNT_SOAK").unwrap_or(4);
    let (mut place, mut from) = (Place::new(), vec![0; PRODUCERS]);
    let seed: u64 = number("RECOUNT_SEED").unwrap_or(0);
    let (mut random, mut total) = (0x2545_f491_4f6c_dd1d_u64 ^ seed, 0);
    for kill in 0..kills {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let acked = soak(
            &place.dir(),
            &from,
            Duration::from_millis(20 + (random >> 33) % 400),
        );
        let folder = Folder::open(&place.dir()).unwrap();
        for (producer, acked) in acked.iter().enumerate() {
            let sealed = sealed(&folder, &format!("producer {producer}"));
            assert!(
                sealed >= *acked,
                "kill {kill}: {sealed} of {acked} of producer {producer}"
            );
            // What was sealed without an answer is sent again, and is not sealed a second time.
            total += acked - from[producer];
            from[producer] = sealed.saturating_sub(sealed % 5 + 5).max(from[producer]);
        }
        drop(folder);
        // A ledger does not grow without end: verified and begun anew now and then.
        if kill % 20 == 19 || kill + 1 == kills {
            place.open().close().unwrap();
            assert_eq!(
                findings(&place.read()),
                Vec::<String>::new(),
                "after kill {kill}"
            );
            (place, from) = (Place::new(), vec![0; PRODUCERS]);
        }
    }
    println!("{kills} kills, {total} records acknowledged, none lost");
    assert!(total > 0, "nothing was acknowledged before any kill");
}
