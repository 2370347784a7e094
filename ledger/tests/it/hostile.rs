//! No parser panics or believes arbitrary bytes, and what one accepts comes back byte for byte.

use ledger::acked::{Acked, FILE, SLOT};
use ledger::checkpoint::Checkpoint;
use ledger::envelope::{CollectorPart, Encoding, Envelope, Signal};
use ledger::leaf::{ControlLeaf, Private, RecordLeaf, RequestBinding, StreamOpening};
use ledger::note::{Note, VerifierKey};
use ledger::otlp;
use ledger::proof::LeafProof;
use ledger::segment::{Builder, Segment};
use ledger::tree::Frontier;
use ledger::verify::Pins;
use proptest::prelude::*;

/// Bytes that start like something known, so that parsers get past their first check.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let small = prop::collection::vec(
        prop_oneof![Just(0u8), Just(1), Just(2), any::<u8>()],
        0..300,
    );
    (
        prop::sample::select(vec![vec![], vec![1], vec![1, 1], vec![1, 1, 1]]),
        small,
    )
        .prop_map(|(start, rest)| [start, rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn binary_parsers_take_anything(bytes in bytes(), kind in 0u8..24) {
        if let Ok(leaf) = RecordLeaf::decode(&bytes) {
            prop_assert_eq!(leaf.encode().to_vec(), bytes.clone());
        }
        let mut control = bytes.clone();
        if control.len() > 1 {
            control[1] = kind;
        }
        if let Ok(leaf) = ControlLeaf::decode(&control) {
            prop_assert_eq!(leaf.encode().unwrap(), control);
        }
        if let Ok(envelope) = Envelope::decode(&bytes) {
            prop_assert_eq!(envelope.encode(), bytes.clone());
        }
        if let Ok(part) = StreamOpening::decode(&bytes) {
            prop_assert_eq!(part.encode().unwrap(), bytes.clone());
        }
        if let Ok(part) = RequestBinding::decode(&bytes) {
            prop_assert_eq!(part.encode().unwrap(), bytes.clone());
        }
        let _ = CollectorPart::decode(&bytes);
        let _ = Segment::decode(&bytes);
        let _ = Acked::decode(&bytes);
        let _ = Acked::newest(&bytes);
        let _ = Frontier::from_bytes(u64::from(kind), &bytes);
        #[cfg(feature = "store")]
        let _ = ledger::segment::unpack(&bytes);
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            for signal in [Signal::Logs, Signal::Traces] {
                let _ = otlp::slice_export(encoding, signal, &bytes);
            }
        }
    }

    #[test]
    fn text_parsers_take_anything(text in "[\u{2014} a+=A\n0-9/]{0,80}", bytes in bytes()) {
        for bytes in [text.as_bytes(), &bytes] {
            let _ = Note::parse(bytes);
            let _ = LeafProof::parse(bytes);
        }
        let _ = Checkpoint::parse(&text);
        let _ = VerifierKey::parse(&text);
        let _ = Pins::parse(&text);
    }

    #[test]
    fn a_cut_or_flipped_segment_never_panics(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20), cut in 0usize..2000, bit in 0usize..20_000) {
        let mut builder = Builder::new();
        for (i, item) in items.iter().enumerate() {
            if i % 7 == 6 {
                builder.push_erased();
            }
            builder.push(&Envelope {
                encoding: Encoding::Json, signal: Signal::Traces, collector: &[], resource: b"r",
                resource_schema_url: b"", scope: if i % 3 == 0 { b"s" } else { b"t" }, scope_schema_url: b"", item,
            });
        }
        let plain = builder.encode().unwrap();
        let whole = Segment::decode(&plain).unwrap();
        let read: Vec<&[u8]> = whole.envelopes().iter().flatten().map(|envelope| envelope.item).collect();
        prop_assert_eq!(read, items.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert!(Segment::decode(&plain[..cut % plain.len()]).is_err());
        let mut flipped = plain.clone();
        let bit = bit % (8 * plain.len());
        flipped[bit / 8] ^= 1 << (bit % 8);
        let _ = Segment::decode(&flipped);
        #[cfg(feature = "store")]
        {
            let packed = ledger::segment::pack(&plain, 3).unwrap();
            prop_assert_eq!(ledger::segment::unpack(&packed).unwrap(), plain);
            let mut flipped = packed.clone();
            let bit = bit % (8 * packed.len());
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = ledger::segment::unpack(&flipped);
        }
    }

    #[test]
    fn a_torn_slot_leaves_the_other_one(commit in 1u64..1_000_000, size in any::<u64>(), torn in 0usize..SLOT) {
        let slot = |commit: u64| Acked { commit, size, root: [3; 32] };
        let mut file = vec![0; FILE];
        for commit in [commit, commit + 1] {
            let at = ledger::acked::slot_of(commit) * SLOT;
            file[at..at + SLOT].copy_from_slice(&slot(commit).encode());
        }
        prop_assert_eq!(Acked::newest(&file), Some(slot(commit + 1)));
        let at = ledger::acked::slot_of(commit + 1) * SLOT;
        file[at + torn] ^= 1;
        prop_assert_eq!(Acked::newest(&file), Some(slot(commit)));
        let at = ledger::acked::slot_of(commit) * SLOT;
        file[at + torn] ^= 1;
        prop_assert_eq!(Acked::newest(&file), None);
    }
}

#[test]
fn a_segment_may_not_reserve_memory_it_cannot_fill() {
    let mut bomb = vec![1];
    bomb.extend_from_slice(&u32::MAX.to_be_bytes());
    assert!(Segment::decode(&bomb).is_err());
    #[cfg(feature = "store")]
    {
        let mut packed = vec![1];
        packed.extend_from_slice(&u32::MAX.to_be_bytes());
        assert!(ledger::segment::unpack(&packed).is_err());
    }
}

#[test]
fn every_byte_of_an_envelope_is_committed_to() {
    let envelope = Envelope {
        encoding: Encoding::Protobuf,
        signal: Signal::Logs,
        collector: b"ab",
        resource: b"c",
        resource_schema_url: b"",
        scope: b"",
        scope_schema_url: b"",
        item: b"d",
    };
    let commitment = envelope.commitment(&[0; 32]);
    for moved in [
        Envelope {
            collector: b"a",
            resource: b"bc",
            ..envelope
        },
        Envelope {
            resource: b"",
            resource_schema_url: b"c",
            ..envelope
        },
        Envelope {
            scope_schema_url: b"d",
            item: b"",
            ..envelope
        },
        Envelope {
            encoding: Encoding::Json,
            ..envelope
        },
        Envelope {
            signal: Signal::Traces,
            ..envelope
        },
    ] {
        assert_ne!(moved.commitment(&[0; 32]), commitment);
    }
    assert_ne!(envelope.commitment(&[1; 32]), commitment);
}
