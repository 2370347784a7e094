//! OTLP: a slice lies inside the body, and its item decodes or says why not.
#![no_main]

use ledger::envelope::{Encoding, Signal};
use ledger::otlp::{Item, slice_export};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for encoding in [Encoding::Protobuf, Encoding::Json] {
        for signal in [Signal::Logs, Signal::Traces] {
            let Ok(slices) = slice_export(encoding, signal, bytes) else {
                continue;
            };
            for slice in slices {
                assert!(
                    slice.item.is_empty() || bytes.as_ptr_range().contains(&slice.item.as_ptr())
                );
                let _ = Item::decode(encoding, signal, slice.item);
            }
        }
    }
});
