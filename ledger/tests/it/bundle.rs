//! A bundle shows what its ledger shows, has one encoding, and any change of it is found.

use ledger::bundle::{Bundle, BundleError, Gathered, Verdict, check, pack, unpack};
use ledger::checkpoint::Checkpoint;
use ledger::leaf::{ControlBody, ControlLeaf, StreamId};
use ledger::verify::{FindingKind, Trusted, Verifier};

use crate::memory::{Memory, T0, item};

fn streams(memory: &Memory) -> Vec<StreamId> {
    memory.streams.iter().map(|it| it.hint.stream).collect()
}

fn export(memory: &Memory) -> Vec<u8> {
    let evidence = Gathered::gather(memory, &streams(memory), &[], false).unwrap();
    evidence.pack("0.1.0", "47892", None).unwrap()
}

fn trusted() -> Trusted {
    Trusted::Pinned(Memory::new().key().verifier())
}

fn open(bytes: &[u8]) -> Result<Bundle, BundleError> {
    Bundle::open("a bundle", bytes.to_vec())
}

#[test]
fn a_bundle_of_any_size_verifies_and_shows_the_same_records_as_its_ledger() {
    for sizes in [&[1][..], &[0], &[2, 3], &[255, 256, 257], &[600]] {
        let memory = Memory::of(sizes);
        let bytes = export(&memory);
        assert_eq!(bytes, export(&memory), "the same content, the same bytes");
        let bundle = open(&bytes).unwrap();
        let report = check(&bundle, &trusted(), None).unwrap();
        assert_eq!(report.findings, [], "sizes {sizes:?}");
        assert_eq!(report.verdict(), Verdict::Intact);
        assert_eq!(report.streams.len(), sizes.len());
        let mut verifier = Verifier::open(&memory, &trusted()).unwrap();
        for stream in &memory.streams {
            let live = verifier.read_stream(&stream.hint);
            let here = report.streams.iter().find(|it| it.stream == live.stream);
            let here = here.unwrap();
            assert_eq!(here.records, live.records);
            assert_eq!(
                (&here.opening, &here.links, &here.bindings, here.head),
                (&live.opening, &live.links, &live.bindings, live.head)
            );
        }
    }
}

#[test]
fn one_of_many_streams_leaves_the_others_out_and_says_that_it_is_an_excerpt() {
    let memory = Memory::of(&[5; 40]);
    let one = &memory.streams[7].hint.stream;
    let evidence = Gathered::gather(&memory, &[*one], &[], false).unwrap();
    let bytes = evidence.pack("0.1.0", "47899", None).unwrap();
    let bundle = open(&bytes).unwrap();
    let report = check(&bundle, &trusted(), None).unwrap();
    assert_eq!(
        (report.findings.as_slice(), report.streams.len()),
        (&[][..], 1)
    );
    assert!(!report.streams[0].newest, "later heads may be left out");
    let evidence = Gathered::gather(&memory, &[*one], &[], true).unwrap();
    let whole = evidence.pack("0.1.0", "47899", None).unwrap();
    let report = check(&open(&whole).unwrap(), &trusted(), None).unwrap();
    assert_eq!(report.findings, []);
    assert!(report.streams[0].newest, "every leaf is there");
}

#[test]
fn an_archive_is_packed_again_to_the_same_bytes() {
    let bytes = export(&Memory::of(&[3, 4]));
    let (files, wrong) = unpack(&bytes).unwrap();
    assert!(wrong.is_empty());
    let files: Vec<_> = files
        .into_iter()
        .filter(|(name, _)| *name != "SHA256SUMS")
        .collect();
    assert_eq!(pack(&files).unwrap(), bytes);
}

/// A ledger with three streams, seals between them, and the checkpoint after the first.
fn with_epochs() -> (Memory, Vec<u8>) {
    let mut memory = Memory::new();
    memory.seal_epoch();
    let mut early = Vec::new();
    for label in ["one", "two", "three"] {
        let at = memory.open(label, "47892");
        (0..20).for_each(|i| memory.record(at, &item(i)));
        memory.head(at, true);
        memory.seal_epoch();
        if early.is_empty() {
            early = memory.sign();
        }
    }
    memory.sign();
    (memory, early)
}

#[test]
fn the_chain_of_epochs_goes_along_whole_and_a_seal_cannot_be_left_out() {
    let (memory, _) = with_epochs();
    let report = check(&open(&export(&memory)).unwrap(), &trusted(), None).unwrap();
    assert_eq!(report.findings, []);
    let epochs = report.epochs.unwrap();
    assert_eq!((epochs.seals, epochs.recomputed), (4, 4));
    let mut without = memory.clone();
    // The third seal becomes a heartbeat; everything above is made good, by whoever holds the identity key.
    let at = memory
        .control
        .iter()
        .rposition(|it| it.leaf[1] == 9)
        .unwrap()
        - 6;
    let seal = (0..memory.control.len())
        .rev()
        .find(|i| *i <= at && memory.control[*i].leaf[1] == 9);
    let body = ControlBody::Heartbeat {
        instance: [0; 16],
        boot_ns: 0,
        commit: 0,
        records: 0,
    };
    let index = seal.unwrap() as u64;
    let leaf = ControlLeaf {
        index,
        unix_ns: T0 + index,
        body,
    };
    without.control[index as usize].leaf = leaf.encode().unwrap();
    without.tiles.clear();
    without.sign();
    let report = check(&open(&export(&without)).unwrap(), &trusted(), None).unwrap();
    let found: Vec<_> = report.findings.iter().map(|it| it.kind).collect();
    assert!(found.contains(&FindingKind::Epoch), "{:?}", report.findings);
}

/// redteam: K06. Two auditors who compare what they were shown.
#[test]
fn a_known_checkpoint_is_reached_contradicted_or_out_of_reach_and_each_is_said() {
    let (memory, early) = with_epochs();
    let one = [memory.streams[2].hint.stream];
    let size = Checkpoint::open(&early, &memory.key().verifier())
        .unwrap()
        .head
        .size;
    let bundle = |reach: &[u64]| {
        let gathered = Gathered::gather(&memory, &one, reach, false).unwrap();
        open(&gathered.pack("0.1.0", "47892", None).unwrap()).unwrap()
    };
    let report = check(&bundle(&[size]), &trusted(), Some(&early)).unwrap();
    assert_eq!(
        (report.known, report.verdict()),
        (Some(true), Verdict::Intact)
    );
    let mut other = Memory::new();
    other.seal_epoch();
    other.open("another", "1");
    for _ in 0..3 {
        other.head(0, false);
    }
    let forked = other.sign();
    let report = check(&bundle(&[7, size]), &trusted(), Some(&forked)).unwrap();
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings[0].kind, FindingKind::Fork);
    let mut later = memory.clone();
    later.open("later", "1");
    let later = later.sign();
    let report = check(&bundle(&[]), &trusted(), Some(&later)).unwrap();
    assert_eq!(
        (report.known, report.verdict()),
        (Some(false), Verdict::Incomplete)
    );
}

/// Written by the release that had bundles first, through a collector's door; every later one must take it.
#[test]
fn the_first_bundle_verifies_for_ever() {
    let bytes = include_bytes!("../golden/bundle-1.tar");
    let bundle = open(bytes).unwrap();
    let report = check(&bundle, &Trusted::FirstSeen, None).unwrap();
    assert_eq!(
        (report.findings.as_slice(), report.verdict()),
        (&[][..], Verdict::Intact)
    );
    let records: usize = report.streams.iter().map(|it| it.records.len()).sum();
    assert_eq!((bundle.query(), records), ("bits", 200));
    assert_eq!(report.epochs.map(|epochs| epochs.seals), Some(1));
    let (all, envelopes, account) = bundle.lengths();
    assert!(
        all - envelopes - account <= 160 * 200 + 4096,
        "what an export may cost"
    );
}
