//! Segments: what is read and written again holds the same records.
#![no_main]

use ledger::segment::{Builder, Segment};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(segment) = Segment::decode(bytes) else {
        return;
    };
    let mut builder = Builder::new();
    for envelope in segment.envelopes() {
        match envelope {
            Some(envelope) => builder.push(envelope),
            None => builder.push_erased(),
        }
    }
    let again = builder.encode().unwrap();
    assert_eq!(
        Segment::decode(&again).unwrap().envelopes(),
        segment.envelopes()
    );
});
