//! A bundle shows what its ledger shows, has one encoding, and any change of it is found.

use ledger::bundle::{Bundle, BundleError, Evidence, Verdict, check, pack, unpack};
use ledger::leaf::StreamId;
use ledger::verify::{Trusted, Verifier};

use crate::memory::Memory;

fn streams(memory: &Memory) -> Vec<StreamId> {
    memory.streams.iter().map(|it| it.hint.stream).collect()
}

fn export(memory: &Memory) -> Vec<u8> {
    let evidence = Evidence::gather(memory, &streams(memory), &[], false).unwrap();
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
    let evidence = Evidence::gather(&memory, &[*one], &[], false).unwrap();
    let bytes = evidence.pack("0.1.0", "47899", None).unwrap();
    let bundle = open(&bytes).unwrap();
    let report = check(&bundle, &trusted(), None).unwrap();
    assert_eq!(
        (report.findings.as_slice(), report.streams.len()),
        (&[][..], 1)
    );
    assert!(!report.streams[0].newest, "later heads may be left out");
    let evidence = Evidence::gather(&memory, &[*one], &[], true).unwrap();
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
