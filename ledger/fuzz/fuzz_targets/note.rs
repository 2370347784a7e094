//! Notes: an accepted one says what its bytes say.
#![no_main]

use ledger::note::Note;
use ledger::proof::LeafProof;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(note) = Note::parse(bytes) {
        assert!(bytes.starts_with(note.text.as_bytes()) && note.text.ends_with('\n'));
        assert!(!note.signatures.is_empty());
    }
    let _ = LeafProof::parse(bytes);
});
