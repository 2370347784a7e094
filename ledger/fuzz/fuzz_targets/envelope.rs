//! Envelopes: an accepted one comes back byte for byte and commits to all of them.
#![no_main]

use ledger::envelope::{CollectorPart, Envelope};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::decode(bytes) {
        assert_eq!(envelope.encode(), bytes);
        assert_eq!(envelope.encoded_len(), bytes.len());
        let _ = CollectorPart::decode(envelope.collector);
    }
    let _ = CollectorPart::decode(bytes);
});
