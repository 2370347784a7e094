//! Policies: an accepted one demands something, and weighs any note without panicking.
#![no_main]

use ledger::note::Note;
use ledger::policy::Policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let at = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let (policy, note) = bytes.split_at(at);
    if let Ok(policy) = Policy::parse(policy) {
        assert!(!policy.required().is_empty());
        if let Some(Ok(note)) = note.get(1..).map(Note::parse) {
            let _ = policy.quorum(&note);
        }
    }
});
