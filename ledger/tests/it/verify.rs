//! A whole ledger verifies; one flipped bit anywhere in it does not.

use std::sync::OnceLock;

use ledger::leaf::{ControlBody, ControlLeaf, LedgerId};
use ledger::note::SignerKey;
use ledger::reader::Reader;
use ledger::verify::{
    Finding, FindingKind, KeyState, Pin, Pins, Place, Trusted, Verifier, bindings, read_stream,
    verify_all,
};
use proptest::prelude::*;

use crate::memory::{Memory, T0, item};

fn all(memory: &Memory) -> Vec<Finding> {
    verify_all(memory, &pinned(), &mut |_| {}).unwrap().findings
}

/// The key that the ledgers of these tests sign with.
fn pinned() -> Trusted {
    Trusted::Pinned(Memory::new().key().verifier())
}

fn kinds(findings: &[Finding]) -> Vec<FindingKind> {
    findings.iter().map(|finding| finding.kind).collect()
}

fn names_record(findings: &[Finding], at: u64) -> bool {
    findings.iter().any(|finding| matches!(finding.place, Place::Records { from, to, .. } if from == at && to == at + 1))
}

#[test]
fn a_whole_ledger_has_no_findings_whatever_its_sizes() {
    for sizes in [&[][..], &[0], &[1], &[2, 3], &[255, 256, 257], &[1000]] {
        let memory = Memory::of(sizes);
        let report = verify_all(&memory, &pinned(), &mut |_| {}).unwrap();
        assert_eq!(report.findings, [], "sizes {sizes:?}");
        assert_eq!(report.records, sizes.iter().sum::<u64>());
        assert_eq!((report.streams, report.open), (sizes.len() as u64, 0));
        for stream in &memory.streams {
            let read = read_stream(&memory, &pinned(), &stream.hint).unwrap();
            assert_eq!(read.findings, []);
            assert_eq!(read.records.len() as u64, stream.hint.records);
            assert_eq!(
                read.head.map(|head| (head.head.size, head.closed)),
                Some((stream.hint.records, true))
            );
            assert_eq!((read.tail, read.newest), (0, true));
            assert_eq!(
                read.opening.map(|opening| opening.value.label),
                Some(stream.hint.label.clone())
            );
            assert_eq!(read.bindings.len(), 1);
        }
    }
}

#[test]
fn a_ledger_log_of_many_tiles_proves_single_leaves() {
    let memory = Memory::of(&[1; 260]);
    assert!(memory.control.len() > 4 * 256);
    for stream in memory.streams.iter().step_by(37) {
        assert_eq!(
            read_stream(&memory, &pinned(), &stream.hint)
                .unwrap()
                .findings,
            []
        );
    }
    assert_eq!(all(&memory), []);
}

#[test]
fn records_after_the_last_signed_head_are_open_and_not_wrong() {
    let mut memory = Memory::of(&[5]);
    memory.record(0, &item(5));
    memory.record(0, &item(6));
    let read = read_stream(&memory, &pinned(), &memory.streams[0].hint).unwrap();
    assert_eq!((read.tail, read.records.len()), (2, 7));
    assert_eq!(read.findings, []);
    assert_eq!(verify_all(&memory, &pinned(), &mut |_| {}).unwrap().open, 2);
    // A head that no checkpoint covers yet leads back to the one that is signed.
    memory.head(0, false);
    let read = read_stream(&memory, &pinned(), &memory.streams[0].hint).unwrap();
    assert_eq!((read.tail, read.head.unwrap().head.size), (2, 5));
    assert_eq!(read.findings, []);
}

#[test]
fn bindings_come_from_every_leaf_and_not_from_the_index() {
    let mut memory = Memory::of(&[3, 3]);
    let (first, second) = (memory.streams[0].hint.stream, memory.streams[1].hint.stream);
    memory.streams[1].hint.requests.clear();
    assert_eq!(
        bindings(&memory, &pinned(), "47893").unwrap().streams,
        [second]
    );
    assert_eq!(
        bindings(&memory, &pinned(), "47892").unwrap().streams,
        [first]
    );
    let nothing = bindings(&memory, &pinned(), "1").unwrap();
    assert_eq!(
        (nothing.streams.len(), nothing.scanned),
        (0, memory.control.len() as u64)
    );
    assert!(kinds(&all(&memory)).contains(&FindingKind::Index));
}

/// Points the index at the head before the newest one and cuts the records off there.
fn hide_newest_head(memory: &mut Memory) {
    let stream = &mut memory.streams[0];
    stream.hint.head_index = Some(stream.hint.head_index.unwrap() - 1);
    stream.hint.closed = false;
    stream.hint.records = 100;
    stream.records.truncate(100);
}

fn fill(memory: &mut Memory, leaves: u64) {
    for records in 0..leaves {
        let body = ControlBody::Heartbeat {
            instance: [0; 16],
            boot_ns: 0,
            commit: 0,
            records,
        };
        memory.append(body, None);
    }
    memory.sign();
}

#[test]
fn an_index_that_hides_a_recent_head_is_caught() {
    let mut memory = Memory::of(&[150]);
    fill(&mut memory, 1000);
    let read = read_stream(&memory, &pinned(), &memory.streams[0].hint).unwrap();
    assert!(read.newest);
    assert_eq!(read.findings, []);
    hide_newest_head(&mut memory);
    let read = read_stream(&memory, &pinned(), &memory.streams[0].hint).unwrap();
    assert_eq!(
        kinds(&read.findings),
        [FindingKind::Index, FindingKind::Missing]
    );
}

#[test]
fn an_index_that_hides_an_old_head_is_caught_by_a_scan() {
    let mut memory = Memory::of(&[150]);
    fill(&mut memory, 3000);
    let read = read_stream(&memory, &pinned(), &memory.streams[0].hint).unwrap();
    assert!(!read.newest, "nobody looked at every leaf");
    assert_eq!(read.findings, []);
    hide_newest_head(&mut memory);
    let hint = memory.streams[0].hint.clone();
    assert!(!read_stream(&memory, &pinned(), &hint).unwrap().newest);
    let mut verifier = Verifier::open(&memory, &pinned()).unwrap();
    verifier.scan();
    let read = verifier.read_stream(&hint);
    assert!(read.newest && kinds(&read.findings).contains(&FindingKind::Missing));
}

#[test]
fn an_index_without_heads_does_not_make_changed_records_look_open() {
    for leaves in [10, 3000] {
        let mut memory = Memory::of(&[150]);
        fill(&mut memory, leaves);
        let changed = Memory::of(&[1]).streams[0].records[0].clone();
        memory.streams[0].records[0] = changed;
        memory.streams[0].hint.head_index = None;
        memory.streams[0].hint.closed = false;
        // The forged record is consistent in itself; only a head shows that it is another one.
        memory.streams[0].records[0].leaf[17] ^= 1;
        let read = read_stream(&memory, &pinned(), &memory.streams[0].hint).unwrap();
        assert!(read.newest);
        let kinds = kinds(&read.findings);
        assert!(
            kinds.contains(&FindingKind::Index) && kinds.contains(&FindingKind::Head),
            "{kinds:?}"
        );
    }
}

#[test]
fn a_hint_that_is_older_than_the_checkpoint_is_no_contradiction() {
    let mut memory = Memory::of(&[150]);
    let mut hint = memory.streams[0].hint.clone();
    hint.head_index = None;
    let read = read_stream(&memory, &pinned(), &hint).unwrap();
    assert_eq!(read.findings, []);
    assert_eq!(read.head.map(|head| head.head.size), Some(150));
    memory.streams[0].hint.head_index = None;
    assert_eq!(
        kinds(&read_stream(&memory, &pinned(), &hint).unwrap().findings),
        [FindingKind::Index]
    );
}

#[test]
fn missing_duplicated_and_exchanged_records_are_named() {
    let whole = Memory::of(&[10]);
    let mut memory = whole.clone();
    memory.streams[0].records.remove(4);
    assert!(
        all(&memory)
            .iter()
            .any(|finding| finding.kind == FindingKind::Missing)
    );
    assert!(names_record(&all(&memory), 4));
    let mut memory = whole.clone();
    memory.streams[0].records.truncate(7);
    assert!(kinds(&all(&memory)).contains(&FindingKind::Missing));
    let mut memory = whole.clone();
    memory.streams[0].records.swap(2, 3);
    memory.streams[0].records[2].index = 2;
    memory.streams[0].records[3].index = 3;
    assert!(kinds(&all(&memory)).contains(&FindingKind::Leaf));
    let mut memory = whole;
    let twice = memory.streams[0].records[5].clone();
    memory.streams[0].records.insert(5, twice);
    assert!(kinds(&all(&memory)).contains(&FindingKind::Leaf));
}

#[test]
fn an_erased_payload_needs_a_leaf_that_says_so() {
    let mut memory = Memory::of(&[10]);
    memory.streams[0].records[3].body = None;
    let read = read_stream(&memory, &pinned(), &memory.streams[0].hint).unwrap();
    assert_eq!(kinds(&read.findings), [FindingKind::ErasedUnexplained]);
    let stream = memory.streams[0].hint.stream;
    let erasure = ControlBody::Erasure {
        stream,
        first: 3,
        count: 1,
        reason: 1,
        commitment: [0; 32],
    };
    memory.append(erasure, None);
    memory.sign();
    let read = read_stream(&memory, &pinned(), &memory.streams[0].hint).unwrap();
    assert_eq!(read.findings, []);
    assert!(read.records[3].envelope().is_none());
    assert_eq!(
        verify_all(&memory, &pinned(), &mut |_| {}).unwrap().erased,
        1
    );
}

#[test]
fn a_recomputed_ledger_signed_with_another_key_is_not_believed() {
    let mut memory = Memory::of(&[4]);
    memory.seed = [43; 32];
    memory.sign();
    assert!(kinds(&all(&memory)).contains(&FindingKind::KeyChanged));
    // A whole ledger made with that key verifies only for someone who never saw the other key.
    let mut forged = Memory::of(&[4]);
    forged.seed = [43; 32];
    let identity = *forged.key().verifier().bytes();
    let mut genesis = ControlLeaf::decode(&forged.control[0].leaf).unwrap();
    if let ControlBody::Genesis { identity: key, .. } = &mut genesis.body {
        *key = identity;
    }
    forged.control[0].leaf = genesis.encode().unwrap();
    forged.tiles.clear();
    forged.sign();
    assert!(kinds(&all(&forged)).contains(&FindingKind::KeyChanged));
    let first = Verifier::open(&forged, &Trusted::FirstSeen).unwrap();
    assert_eq!(first.ledger().findings, []);
    assert_eq!(first.ledger().key_state, KeyState::FirstSeen);
}

#[test]
fn a_key_is_pinned_by_its_place() {
    let key = Memory::new().key().verifier();
    let other = SignerKey::new("elsewhere", &[1; 32]).unwrap().verifier();
    let mut pins = Pins::default();
    assert_eq!(pins.check("/var/lib/recount", &key), Pin::New);
    assert!(pins.remember("/var/lib/recount", key.clone()));
    assert!(!pins.remember("/var/lib/recount", other.clone()));
    let read = Pins::parse(&pins.to_string()).unwrap();
    assert_eq!(read, pins);
    assert_eq!(read.check("/var/lib/recount", &key), Pin::Same);
    assert_eq!(
        read.check("/var/lib/recount", &other),
        Pin::Changed(key.clone())
    );
    assert_eq!(read.trusted("/var/lib/recount"), Trusted::Pinned(key));
    assert_eq!(read.trusted("/elsewhere"), Trusted::FirstSeen);
    assert!(Pins::parse("nothing of the kind").is_err());
}

#[test]
fn a_kept_checkpoint_must_still_be_extended() {
    let mut memory = Memory::of(&[3]);
    let kept = memory.note.clone().unwrap();
    let at = memory.open("later", "50000");
    memory.head(at, false);
    memory.sign();
    let mut verifier = Verifier::open(&memory, &pinned()).unwrap();
    assert_eq!(verifier.known_checkpoint(&kept), []);
    let mut other = Memory::of(&[4]);
    other.open("later", "50000");
    other.sign();
    let mut verifier = Verifier::open(&other, &pinned()).unwrap();
    assert_eq!(
        kinds(&verifier.known_checkpoint(&kept)),
        [FindingKind::Fork]
    );
    let shorter = Memory::of(&[]);
    let mut verifier = Verifier::open(&shorter, &pinned()).unwrap();
    assert_eq!(
        kinds(&verifier.known_checkpoint(&kept)),
        [FindingKind::Truncated]
    );
}

#[test]
fn a_store_behind_what_was_acknowledged_or_signed_is_truncated() {
    let mut memory = Memory::of(&[3]);
    memory.commit -= 1;
    assert!(kinds(&all(&memory)).contains(&FindingKind::Truncated));
    let mut memory = Memory::of(&[3]);
    memory.control.pop();
    memory.acked = None;
    assert!(kinds(&all(&memory)).contains(&FindingKind::Truncated));
    let mut memory = Memory::of(&[3]);
    memory.note = None;
    assert!(kinds(&all(&memory)).contains(&FindingKind::Checkpoint));
}

#[test]
fn a_ledger_of_another_name_is_not_this_one() {
    let mut memory = Memory::of(&[3]);
    memory.id = LedgerId([9; 32]);
    memory.open("x", "1");
    memory.sign();
    assert!(
        kinds(&all(&memory)).contains(&FindingKind::Control),
        "the stream's name is another ledger's"
    );
}

/// A signed ledger with one closed stream of 300 records.
fn three_hundred() -> &'static Memory {
    static MEMORY: OnceLock<Memory> = OnceLock::new();
    MEMORY.get_or_init(|| Memory::of(&[300]))
}

/// What a flipped bit lies in.
#[derive(Debug, Clone, Copy)]
enum Target {
    Leaf,
    Salt,
    Payload,
    Control,
    PrivateSalt,
    PrivateBody,
    Checkpoint,
    Tile,
}

fn flip(bytes: &mut [u8], bit: usize) {
    let bit = bit % (8 * bytes.len());
    bytes[bit / 8] ^= 1 << (bit % 8);
}

fn tamper(memory: &mut Memory, target: Target, which: usize, bit: usize) {
    let records = memory.streams[0].records.len();
    let record = &mut memory.streams[0].records[which % records];
    let controls = memory.control.len();
    let private = memory
        .control
        .iter_mut()
        .filter_map(|stored| stored.private.as_mut())
        .nth(which % 3)
        .unwrap();
    match target {
        Target::Leaf => flip(&mut record.leaf, bit),
        Target::Salt => flip(&mut record.body.as_mut().unwrap().salt, bit),
        Target::Payload => flip(&mut record.body.as_mut().unwrap().envelope, bit),
        Target::PrivateSalt => flip(&mut private.salt, bit),
        Target::PrivateBody => flip(&mut private.body, bit),
        Target::Control => flip(&mut memory.control[which % controls].leaf, bit),
        Target::Checkpoint => flip(memory.note.as_mut().unwrap(), bit),
        Target::Tile => {
            let tiles = memory.tiles.len();
            if tiles == 0 {
                return tamper(memory, Target::Checkpoint, which, bit);
            }
            flip(memory.tiles.values_mut().nth(which % tiles).unwrap(), bit);
        }
    }
}

fn target() -> impl Strategy<Value = Target> {
    use Target::{Checkpoint, Control, Leaf, Payload, PrivateBody, PrivateSalt, Salt, Tile};
    prop::sample::select(vec![
        Leaf,
        Salt,
        Payload,
        Control,
        PrivateSalt,
        PrivateBody,
        Checkpoint,
        Tile,
    ])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn a_flipped_bit_anywhere_is_found(target in target(), which in 0usize..100_000, bit in 0usize..100_000) {
        let mut memory = three_hundred().clone();
        tamper(&mut memory, target, which, bit);
        let findings = all(&memory);
        prop_assert!(!findings.is_empty(), "{target:?} {which} {bit}");
        if matches!(target, Target::Leaf | Target::Salt | Target::Payload) {
            prop_assert!(names_record(&findings, which as u64 % 300),
                "{target:?} {which} {bit}: {findings:?}");
        }
    }

    #[test]
    fn a_flipped_bit_in_what_is_read_never_passes(which in 0usize..300, bit in 0usize..100_000, target in target()) {
        let mut memory = three_hundred().clone();
        let whole = read_stream(&memory, &pinned(), &memory.streams[0].hint).unwrap();
        tamper(&mut memory, target, which, bit);
        let hint = memory.streams[0].hint.clone();
        let mut verifier = Verifier::open(&memory, &pinned()).unwrap();
        let read = verifier.read_stream(&hint);
        let found = !verifier.ledger().findings.is_empty() || !read.findings.is_empty();
        prop_assert!(found || read == whole, "{target:?} {which} {bit}");
    }
}

#[test]
fn a_flipped_bit_in_time_or_flags_names_its_record_even_without_a_tile() {
    for which in [0, 57, 99, 100, 149] {
        for byte in 10..22 {
            let mut memory = Memory::of(&[150]);
            memory.streams[0].records[which].leaf[byte] ^= 4;
            let findings = all(&memory);
            assert!(
                names_record(&findings, which as u64),
                "{which} {byte} {findings:?}"
            );
        }
    }
}

#[test]
fn times_of_records_are_kept_as_received() {
    let memory = Memory::of(&[2]);
    let read = read_stream(&memory, &pinned(), &memory.streams[0].hint).unwrap();
    assert_eq!(read.records[1].leaf.received_unix_ns, T0 + 1);
    assert_eq!(read.records[1].envelope().unwrap().item, item(1));
    assert_eq!(memory.place(), "memory");
}
