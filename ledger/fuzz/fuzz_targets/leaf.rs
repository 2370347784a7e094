//! Leaves: an accepted one comes back byte for byte.
#![no_main]

use ledger::leaf::{ControlLeaf, Private, RecordLeaf, StreamOpening};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(leaf) = RecordLeaf::decode(bytes) {
        assert_eq!(leaf.encode().as_slice(), bytes);
    }
    if let Ok(leaf) = ControlLeaf::decode(bytes) {
        assert_eq!(leaf.encode().as_deref(), Ok(bytes));
    }
    if let Ok(part) = StreamOpening::decode(bytes) {
        assert_eq!(part.encode().as_deref(), Ok(bytes));
    }
});
