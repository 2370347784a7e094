//! Checkpoints: one text per size, root and origin.
#![no_main]

use ledger::checkpoint::Checkpoint;
use ledger::note::VerifierKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.text(), text);
    }
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key));
    }
});
