//! Signing epochs: sealed while idle, their keys destroyed, a rotation that is interrupted anywhere goes on.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger::checkpoint::Checkpoint;
use ledger::fingerprint::Fingerprint;
use ledger::leaf::{ControlBody, ControlLeaf, TreeHead};
use ledger::note::{Note, SignerKey};
use ledger::reader::{Find, Reader};
use ledger::store::{Folder, InitOptions, Ledger, Options, StoreError, init};
use ledger::verify::epochs::EpochLine;
use ledger::verify::report::{Evidence, Property, PropertyState, Report};
use ledger::verify::{FindingKind, Recomputed, Trusted, verify_all};

use super::support::{Place, START_NS, append, numbered};

const EPOCH: Duration = Duration::from_secs(900);

fn verified(folder: &Folder) -> Recomputed {
    verify_all(folder, &Trusted::FirstSeen, &mut |_| {}).unwrap()
}

fn whole(folder: &Folder) -> Recomputed {
    let found = verified(folder);
    assert_eq!(found.findings, Vec::new());
    found
}

fn seals(folder: &Folder) -> Vec<(u64, ControlLeaf)> {
    let stored = folder.control(0, u64::MAX).unwrap();
    let leaves = stored
        .iter()
        .map(|stored| ControlLeaf::decode(&stored.leaf).unwrap());
    leaves
        .filter_map(|leaf| match leaf.body {
            ControlBody::EpochSeal { epoch, .. } => Some((epoch, leaf)),
            _ => None,
        })
        .collect()
}

fn wait_for_seals(ledger: &Ledger, count: usize) {
    let reader = ledger.reader().unwrap();
    let start = Instant::now();
    while seals(&reader).len() < count {
        assert!(start.elapsed() < Duration::from_secs(20), "no seal came");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn key(place: &Place, name: &str) -> PathBuf {
    place.dir().join("keys").join(name)
}

#[test]
fn a_new_ledger_is_in_epoch_1_and_its_first_checkpoint_says_so() {
    let place = Place::new();
    let folder = place.read();
    let sealed = seals(&folder);
    assert_eq!(sealed.len(), 1);
    assert_eq!((sealed[0].0, sealed[0].1.index), (0, 1));
    let found = whole(&folder);
    let epochs = found.epochs.unwrap();
    assert_eq!((epochs.seals, epochs.line), (1, EpochLine::Signed));
    let note = folder.checkpoint().unwrap().unwrap();
    let note = Note::parse(&note).unwrap();
    let names: Vec<&str> = note.signatures.iter().map(|line| line.name).collect();
    let origin = note.text.lines().next().unwrap();
    assert_eq!(names, [origin, &format!("{origin}/epoch")]);
    let bytes = fs::read(key(&place, "epoch")).unwrap();
    assert_eq!(bytes.len(), 41);
    assert_eq!(bytes[..9], [1, 0, 0, 0, 0, 0, 0, 0, 1]);
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(key(&place, "epoch")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
}

#[test]
fn an_idle_ledger_seals_each_epoch_and_destroys_its_key() {
    let place = Place::new();
    let ledger = place.open();
    let mut keys = vec![fs::read(key(&place, "epoch")).unwrap()];
    for epoch in 2..=4 {
        place.clock.advance(EPOCH);
        wait_for_seals(&ledger, epoch);
    }
    append(&ledger, vec![numbered("s", "s", 0, 3)]);
    ledger.close().unwrap();
    keys.push(fs::read(key(&place, "epoch")).unwrap());
    assert_ne!(keys[0], keys[1]);
    assert!(!key(&place, "epoch.next").exists());
    let folder = place.read();
    let numbers: Vec<u64> = seals(&folder).iter().map(|it| it.0).collect();
    assert_eq!(numbers, [0, 1, 2, 3], "no seal at shutdown: none was due");
    let epochs = whole(&folder).epochs.unwrap();
    assert_eq!((epochs.seals, epochs.recomputed), (4, 4));
    assert_eq!(epochs.line, EpochLine::Signed);
    assert!(epochs.longest_ns >= EPOCH.as_nanos() as u64);
}

#[test]
fn one_seal_covers_the_time_in_which_nothing_ran() {
    let place = Place::new();
    place.open().close().unwrap();
    place.clock.advance(EPOCH * 50);
    place.open().close().unwrap();
    let folder = place.read();
    let numbers: Vec<u64> = seals(&folder).iter().map(|it| it.0).collect();
    assert_eq!(numbers, [0, 1]);
    let epochs = whole(&folder).epochs.unwrap();
    assert!(epochs.longest_ns >= (EPOCH * 50).as_nanos() as u64);
}

/// What a rotation leaves behind if it is killed after each of its steps.
#[test]
fn a_rotation_that_is_killed_after_any_step_goes_on_at_the_next_start() {
    let rotate = |place: &Place| {
        let ledger = place.open();
        place.clock.advance(EPOCH);
        wait_for_seals(&ledger, 2);
        ledger.close().unwrap();
    };
    // 1: the next key is durable, the seal is not committed. Torn files of an earlier try lie about.
    let place = Place::new();
    let old = fs::read(key(&place, "epoch")).unwrap();
    let mut next = old.clone();
    next[8] = 2;
    next[40] ^= 1;
    fs::write(key(&place, "epoch.next"), &next).unwrap();
    fs::write(key(&place, "epoch.tmp"), &next[..20]).unwrap();
    place.open().close().unwrap();
    assert!(!key(&place, "epoch.next").exists(), "it rules nothing");
    assert!(!key(&place, "epoch.tmp").exists());
    assert_eq!(fs::read(key(&place, "epoch")).unwrap(), old);
    rotate(&place);
    assert_eq!(whole(&place.read()).epochs.unwrap().seals, 2);

    // 2: the seal is committed, both keys are there. 3: the old key is written over. 4: and removed.
    for step in 2..=4 {
        let place = Place::new();
        let old = fs::read(key(&place, "epoch")).unwrap();
        rotate(&place);
        let new = fs::read(key(&place, "epoch")).unwrap();
        fs::rename(key(&place, "epoch"), key(&place, "epoch.next")).unwrap();
        match step {
            2 => fs::write(key(&place, "epoch"), &old).unwrap(),
            3 => fs::write(key(&place, "epoch"), [0; 41]).unwrap(),
            _ => {}
        }
        place.open().close().unwrap();
        assert_eq!(fs::read(key(&place, "epoch")).unwrap(), new, "step {step}");
        assert!(!key(&place, "epoch.next").exists(), "step {step}");
        let ledger = place.open();
        place.clock.advance(EPOCH);
        wait_for_seals(&ledger, 3);
        ledger.close().unwrap();
        let epochs = whole(&place.read()).epochs.unwrap();
        assert_eq!(epochs.line, EpochLine::Signed, "step {step}");
    }
}

/// Tells a child of the test below which folder it is to write to.
const CHILD: &str = "RECOUNT_TEST_EPOCH_DIR";

/// The options of a process that is killed, and of the one after it: how full this machine's disk is, is no part of
/// the test.
fn by_the_wall_clock() -> Options {
    let now = || {
        std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_nanos()
    };
    let mut options = Options::new(Arc::new(move || u64::try_from(now()).unwrap()));
    options.disk.hard = Some(0);
    options
}

/// What the killed process runs: epochs that end as soon as they began, and appends between them.
#[test]
fn child_that_rotates() {
    let Ok(dir) = std::env::var(CHILD) else {
        return;
    };
    let mut options = by_the_wall_clock();
    options.epoch = Duration::from_millis(1);
    let ledger = Ledger::open(Path::new(&dir), options).unwrap();
    let reader = ledger.reader().unwrap();
    let run = std::process::id().to_string();
    for seq in 0.. {
        append(&ledger, vec![numbered(&run, &run, seq, seq + 1)]);
        println!("\nsealed {}", seals(&reader).len());
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Runs the child until it sealed an epoch, kills it `after` that, and returns how many records were acknowledged.
fn rotate_and_kill(dir: &Path, after: Duration) -> (String, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["epochs::child_that_rotates", "--exact", "--nocapture"])
        .env(CHILD, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut sealed = || {
        let line = lines.find_map(|line| line.ok().filter(|line| line.starts_with("sealed ")));
        line.and_then(|line| line[7..].parse::<u64>().ok())
    };
    let first = sealed().unwrap();
    let mut acked = 1;
    while sealed().unwrap() == first {
        acked += 1;
    }
    std::thread::sleep(after);
    child.kill().unwrap();
    acked += 1;
    while sealed().is_some() {
        acked += 1;
    }
    child.wait().unwrap();
    (child.id().to_string(), acked)
}

/// Goes on until a kill hit a rotation, so that it is never shown by kills that missed.
#[test]
fn a_process_killed_while_its_epochs_turn_keeps_the_chain_and_what_it_acknowledged() {
    let place = Place::new();
    let (mut hit, mut before, mut rounds) = (0, 1, 0);
    while rounds < 12 || hit == 0 {
        assert!(rounds < 400, "no kill hit a rotation");
        let (run, acked) =
            rotate_and_kill(&place.dir(), Duration::from_micros(rounds * 370 % 5_000));
        let turning = key(&place, "epoch.next").exists()
            || fs::read(key(&place, "epoch"))
                .is_ok_and(|bytes| bytes.iter().all(|byte| *byte == 0));
        hit += u64::from(turning);
        let ledger = Ledger::open(&place.dir(), by_the_wall_clock());
        ledger.unwrap().close().unwrap();
        for gone in ["epoch.next", "epoch.tmp"] {
            assert!(!key(&place, gone).exists(), "{gone} in round {rounds}");
        }
        let folder = place.read();
        let found = whole(&folder).epochs.unwrap();
        assert_eq!(found.line, EpochLine::Signed, "round {rounds}");
        assert!(found.seals > before, "round {rounds}");
        before = found.seals;
        let stored = folder.find(&Find::Session(run)).unwrap().remove(0).records;
        assert!(stored >= acked, "{stored} of {acked} in round {rounds}");
        rounds += 1;
    }
    println!("{hit} of {rounds} kills hit a rotation, {before} seals");
}

#[test]
fn a_ledger_without_its_epoch_key_or_with_a_later_one_is_not_appended_to() {
    let place = Place::new();
    let other = Place::new();
    let kept = fs::read(key(&place, "epoch")).unwrap();
    fs::remove_file(key(&place, "epoch")).unwrap();
    let open = || Ledger::open(&place.dir(), place.options());
    assert!(matches!(open(), Err(StoreError::Missing { file, .. }) if file == "keys/epoch"));
    // redteam: K04. The log was cut back, the key in force tells.
    let mut later = kept.clone();
    later[8] = 7;
    fs::write(key(&place, "epoch"), &later).unwrap();
    let behind = open();
    assert!(
        matches!(&behind, Err(StoreError::Behind { evidence, .. }) if *evidence == "keys/epoch"),
        "{behind:?}"
    );
    fs::copy(key(&other, "epoch"), key(&place, "epoch")).unwrap();
    assert!(matches!(open(), Err(StoreError::Damaged { .. })));
    fs::write(key(&place, "epoch"), &kept[..40]).unwrap();
    assert!(matches!(open(), Err(StoreError::Damaged { .. })));
    fs::write(key(&place, "epoch"), &kept).unwrap();
    open().unwrap().close().unwrap();
}

#[test]
fn the_words_of_a_ledger_pin_its_key_and_the_start_of_its_epochs() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("store");
    let options = InitOptions {
        origin: None,
        now_ns: START_NS,
    };
    let created = init(&dir, &options).unwrap();
    let folder = Folder::open(&dir).unwrap();
    let found = verify_all(&folder, &Trusted::Words(created.fingerprint), &mut |_| {}).unwrap();
    assert_eq!(found.findings, Vec::new());
    assert!(found.ledger.epochs_pinned && found.epochs.as_ref().unwrap().pinned);
    let report = Report::judge(&Evidence::of_whole(&found), None);
    assert_eq!(report.state(Property::Epochs), PropertyState::Shown);
    let wrong = Fingerprint([7; 32]);
    let found = verify_all(&folder, &Trusted::Words(wrong), &mut |_| {}).unwrap();
    assert_eq!(found.findings[0].kind, FindingKind::KeyChanged);
    // Without the words the chain is followed, and what it rests on is said.
    let found = verified(&folder);
    let report = Report::judge(&Evidence::of_whole(&found), None);
    assert_eq!(report.state(Property::Epochs), PropertyState::NotShown);
}

/// A checkpoint for this tree, signed with stolen keys.
fn forged(dir: &Path, head: TreeHead, epoch: Option<&[u8]>) -> Vec<u8> {
    let note = fs::read(dir.join("last_signed")).unwrap();
    let origin = Note::parse(&note)
        .unwrap()
        .text
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let seed: [u8; 32] = fs::read(dir.join("keys/identity"))
        .unwrap()
        .try_into()
        .unwrap();
    let identity = SignerKey::new(&origin, &seed).unwrap();
    let epoch = epoch.map(|bytes| {
        SignerKey::new(&format!("{origin}/epoch"), bytes[9..].try_into().unwrap()).unwrap()
    });
    Checkpoint { origin, head }
        .sign_in_epoch(&identity, epoch.as_ref())
        .unwrap()
}

/// redteam: S03. Whoever holds the identity key alone signs no checkpoint that verifies.
#[test]
fn a_checkpoint_without_its_epochs_signature_is_a_finding() {
    let place = Place::new();
    let ledger = place.open();
    place.clock.advance(EPOCH);
    wait_for_seals(&ledger, 2);
    ledger.close().unwrap();
    let now = whole(&place.read()).ledger.checkpoint.unwrap();
    let mut stale = fs::read(key(&place, "epoch")).unwrap();
    stale[20] ^= 1;
    for epoch in [None, Some(stale.as_slice())] {
        fs::write(
            place.dir().join("last_signed"),
            forged(&place.dir(), now, epoch),
        )
        .unwrap();
        let found = verified(&place.read());
        assert_eq!(found.findings.len(), 1, "{:?}", found.findings);
        assert_eq!(found.findings[0].kind, FindingKind::Epoch);
        let report = Report::judge(&Evidence::of_whole(&found), None);
        assert_eq!(report.state(Property::Epochs), PropertyState::Failed);
        assert_eq!(report.verdict() as u8, 3);
    }
}
