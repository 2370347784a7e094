//! Killing the writer, taking its files away, filling its disk.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use ledger::reader::{Find, Reader};
use ledger::store::{AppendError, Folder, InitOptions, Ledger, StoreError, init};

use super::maintenance::findings;
use super::support::{Place, START_NS, append, batch, numbered, numbered_item, part};

/// Tells a child of these tests which folder it is to write to.
const CHILD: &str = "RECOUNT_TEST_CRASH_DIR";
/// And from which sequence number its threads go on.
const FROM: &str = "RECOUNT_TEST_CRASH_FROM";

/// What the killed process runs: four threads append, and each answer goes to the parent before the next append.
#[test]
fn child_that_is_killed() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let from: u64 = std::env::var(FROM).unwrap().parse().unwrap();
    let mut options = ledger::store::Options::new(Arc::new(|| START_NS));
    // The process is killed: how full this machine's disk is, is no part of the test.
    options.disk.hard = Some(0);
    options.sign_soon = std::time::Duration::from_millis(1);
    let ledger = Ledger::open(Path::new(&dir), options).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let ledger = &ledger;
            scope.spawn(move || {
                let label = format!("thread {thread}");
                for seq in (from..from + 20_000).step_by(20) {
                    let part = numbered(&label, &label, seq, seq + 20);
                    if ledger.append_and_wait(batch(vec![part])).is_err() {
                        // As a collector does when its ledger has stopped.
                        std::process::exit(3);
                    }
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "acked {thread} {}", seq + 20).unwrap();
                    out.flush().unwrap();
                }
            });
        }
    });
}

/// Takes note of one answer; the last line of a killed child may be torn.
fn note(line: &str, acked: &mut [u64; 4]) -> Option<()> {
    let (_, rest) = line.split_once("acked ")?;
    let (thread, until) = rest.split_once(' ')?;
    *acked.get_mut(thread.parse::<usize>().ok()?)? = until.parse().ok()?;
    Some(())
}

/// Runs the child until `acks` answers were read, kills it, and returns how far each thread was acknowledged.
pub(crate) fn run_and_kill(dir: &Path, from: u64, acks: usize) -> [u64; 4] {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "crash::child_that_is_killed",
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(CHILD, dir)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut acked = [from; 4];
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = 0;
    loop {
        if seen == acks {
            child.kill().unwrap();
        }
        let Some(Ok(line)) = lines.next() else { break };
        seen += usize::from(note(&line, &mut acked).is_some());
    }
    child.wait().unwrap();
    assert!(
        seen >= acks,
        "the child ended by itself after {seen} answers"
    );
    acked
}

#[test]
fn killed_at_any_moment_nothing_acknowledged_is_lost_and_nothing_is_sealed_twice() {
    let place = Place::new();
    let mut from = 0;
    for acks in [0, 1, 2, 5, 17, 60, 150] {
        let acked = run_and_kill(&place.dir(), from, acks.max(1));
        let ledger = place.open();
        let reader = ledger.reader().unwrap();
        let mut furthest = from;
        for (thread, acked) in acked.iter().enumerate() {
            let label = format!("thread {thread}");
            let sealed = reader
                .find(&Find::Session(label.clone()))
                .unwrap()
                .first()
                .map_or(0, |hint| hint.records);
            assert!(
                sealed >= *acked,
                "{label}: {sealed} of {acked} acknowledged records are there"
            );
            furthest = furthest.max(sealed);
        }
        // Every sender sends again what it has no answer for; what was sealed is answered and not sealed again.
        for thread in 0..4 {
            let label = format!("thread {thread}");
            for seq in (from..furthest).step_by(20) {
                append(&ledger, vec![numbered(&label, &label, seq, seq + 20)]);
            }
            let hint = reader
                .find(&Find::Session(label.clone()))
                .unwrap()
                .remove(0);
            assert_eq!(hint.records, furthest);
        }
        drop(reader);
        ledger.close().unwrap();
        let folder = place.read();
        assert_eq!(
            findings(&folder),
            Vec::<String>::new(),
            "after {acks} answers"
        );
        for thread in 0..4 {
            let label = format!("thread {thread}");
            let hint = folder
                .find(&Find::Session(label.clone()))
                .unwrap()
                .remove(0);
            for record in folder.records(&hint.stream, from, u64::MAX).unwrap() {
                let body = record.body.unwrap();
                let envelope = ledger::envelope::Envelope::decode(&body.envelope).unwrap();
                assert_eq!(envelope.item, numbered_item(&label, record.index));
            }
        }
        from = furthest;
    }
}

/// The incident of Vault #31718: its audit file was unlinked while open, and every request was still answered.
/// redteam: S18
#[test]
fn vault_31718_unlinked_file() {
    for victim in ["ledger.db", "ledger.db-wal", "acked", "lock"] {
        let place = Place::new();
        let ledger = place.open();
        append(&ledger, vec![part("a", 0, 3)]);
        std::fs::remove_file(place.dir().join(victim)).unwrap();
        let answer = ledger.append_and_wait(batch(vec![part("a", 3, 6)]));
        assert!(
            matches!(answer, Err(AppendError::Fatal(_))),
            "{victim}: {answer:?}"
        );
        assert!(
            ledger
                .fatal()
                .unwrap()
                .to_string()
                .contains("removed or replaced")
        );
        let later = ledger.append_and_wait(batch(vec![part("a", 6, 9)]));
        assert!(matches!(later, Err(AppendError::Fatal(_))));
        assert!(ledger.close().is_err());
    }
}

/// redteam: S18
#[test]
fn a_database_that_was_replaced_by_its_own_copy_while_open_stops_the_ledger_without_an_answer() {
    for victim in ["ledger.db", "ledger.db-wal", "acked", "lock"] {
        let place = Place::new();
        let ledger = place.open();
        append(&ledger, vec![part("a", 0, 3)]);
        let path = place.dir().join(victim);
        let beside = place.dir().join("beside");
        std::fs::copy(&path, &beside).unwrap();
        std::fs::rename(&beside, &path).unwrap();
        let answer = ledger.append_and_wait(batch(vec![part("a", 3, 6)]));
        assert!(
            matches!(answer, Err(AppendError::Fatal(_))),
            "{victim}: {answer:?}"
        );
        assert!(ledger.close().is_err());
    }
}

/// The lock is advice: someone who ignores it writes all the same. The row of `state` says who wrote last.
/// redteam: O03
#[test]
fn a_second_writer_that_takes_no_lock_stops_the_first_before_it_answers_again() {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 3)]);
    let other = rusqlite::Connection::open(place.dir().join("ledger.db")).unwrap();
    other
        .execute("UPDATE state SET clean = 12345 WHERE id = 1", [])
        .unwrap();
    let answer = ledger.append_and_wait(batch(vec![part("a", 3, 6)]));
    let Err(AppendError::Fatal(fatal)) = answer else {
        panic!("{answer:?}")
    };
    assert!(
        fatal.to_string().contains("another process wrote"),
        "{fatal}"
    );
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn refusal(place: &Place) -> StoreError {
    Ledger::open(&place.dir(), place.options()).unwrap_err()
}

#[test]
fn an_older_copy_of_the_database_is_refused_and_named_as_behind() {
    let place = Place::new();
    let old = place.temp.path().join("old");
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 3)]);
    ledger.close().unwrap();
    copy(&place.dir(), &old);
    let ledger = place.open();
    append(&ledger, vec![part("a", 3, 6)]);
    ledger.close().unwrap();

    std::fs::copy(old.join("ledger.db"), place.dir().join("ledger.db")).unwrap();
    let error = refusal(&place);
    assert!(
        matches!(
            error,
            StoreError::Behind {
                evidence: "acked",
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("was acknowledged, the database ends at commit"),
        "{error}"
    );
    assert!(
        findings(&place.read()).join("\n").contains("Truncated"),
        "a reader says so, too"
    );

    std::fs::copy(old.join("acked"), place.dir().join("acked")).unwrap();
    let error = refusal(&place);
    assert!(
        matches!(
            error,
            StoreError::Behind {
                evidence: "last_signed",
                ..
            }
        ),
        "{error}"
    );
    assert!(findings(&place.read()).join("\n").contains("Truncated"));

    std::fs::remove_file(place.dir().join("last_signed")).unwrap();
    assert!(matches!(refusal(&place), StoreError::Missing { file, .. } if file == "last_signed"));
}

#[test]
fn a_log_that_was_removed_or_damaged_after_a_crash_is_noticed() {
    let place = Place::new();
    let dir = place.dir();
    run_and_kill(&dir, 0, 40);
    let crashed = place.temp.path().join("crashed");
    copy(&dir, &crashed);

    std::fs::remove_file(dir.join("ledger.db-wal")).unwrap();
    let error = refusal(&place);
    assert!(
        matches!(
            error,
            StoreError::Behind {
                evidence: "acked",
                ..
            }
        ),
        "{error}"
    );

    std::fs::remove_dir_all(&dir).unwrap();
    copy(&crashed, &dir);
    let wal = dir.join("ledger.db-wal");
    let mut bytes = std::fs::read(&wal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&wal, &bytes).unwrap();
    let error = refusal(&place);
    assert!(
        matches!(
            error,
            StoreError::Behind {
                evidence: "acked",
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        std::fs::read(&wal).unwrap(),
        bytes,
        "a refusal leaves the evidence as it is"
    );
    assert!(
        findings(&place.read()).join("\n").contains("Truncated"),
        "a reader says so, too"
    );

    std::fs::remove_dir_all(&dir).unwrap();
    copy(&crashed, &dir);
    place.open().close().unwrap();
    assert_eq!(findings(&place.read()), Vec::<String>::new());
}

/// The incident of the CT log Mammoth2024h1: a full disk left a corrupt index and promises nobody could keep.
/// redteam: O02
#[test]
fn mammoth2024h1_disk_full() {
    let mount = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
        .arg(mount.path())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("skipped: a small file system of its own needs root");
        return;
    }
    let outcome = std::panic::catch_unwind(|| fill_and_free(mount.path()));
    let unmounted = Command::new("umount").arg(mount.path()).status().unwrap();
    assert!(unmounted.success());
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

fn fill_and_free(mount: &Path) {
    let dir = mount.join("store");
    init(
        &dir,
        &InitOptions {
            origin: None,
            now_ns: START_NS,
        },
    )
    .unwrap();
    let clock = super::support::TestClock::default();
    let open = || {
        let mut options = ledger::store::Options::new(clock.clock());
        options.boot_clock = Arc::new(|| None);
        options.sign_soon = std::time::Duration::from_millis(1);
        // Not the stage before: this is about the last one.
        options.disk.hard = Some(0);
        Ledger::open(&dir, options).unwrap()
    };
    let ledger = open();
    let ballast = mount.join("ballast");
    std::fs::write(&ballast, vec![1; 1_500_000]).unwrap();
    let mut acked = 0;
    let mut refused = 0;
    while refused < 3 {
        match ledger.append_and_wait(batch(vec![part("a", acked, acked + 100)])) {
            Ok(_) => acked += 100,
            Err(AppendError::NoSpace) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(acked > 0);
    // The reserve was given up for an orderly stop: a head, the shutdown leaf with its reason, and a signature over it.
    assert_eq!(ledger.disk(), ledger::store::DiskStage::Full);
    assert!(!dir.join("reserve").exists());
    let reader = ledger.reader().unwrap();
    let end = reader.control(0, u64::MAX).unwrap();
    let last: Vec<_> = end
        .iter()
        .rev()
        .take(2)
        .map(|stored| {
            ledger::leaf::ControlLeaf::decode(&stored.leaf)
                .unwrap()
                .body
        })
        .collect();
    assert!(
        matches!(
            last[0],
            ledger::leaf::ControlBody::Shutdown { reason: 3, .. }
        ),
        "{last:?}"
    );
    assert!(
        matches!(last[1], ledger::leaf::ControlBody::StreamHead { .. }),
        "{last:?}"
    );
    let signed = || reader.status().unwrap().signed.unwrap().size;
    let waited = std::time::Instant::now();
    while signed() < end.len() as u64 && waited.elapsed().as_secs() < 20 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(signed(), end.len() as u64);
    assert_eq!(findings(&reader), Vec::<String>::new());
    std::fs::remove_file(&ballast).unwrap();
    append(&ledger, vec![part("a", acked, acked + 100)]);
    assert!(dir.join("reserve").exists());
    drop(reader);
    ledger.close().unwrap();
    let folder = Folder::open(&dir).unwrap();
    assert_eq!(findings(&folder), Vec::<String>::new());
    assert_eq!(
        folder.find(&Find::All).unwrap().remove(0).records,
        acked + 100
    );
}
