//! Targets for what is signed and what is proven by it.

use ledger::acked::Acked;
use ledger::bundle::{self, Bundle};
use ledger::checkpoint::Checkpoint;
use ledger::note::{Note, SignerKey, VerifierKey};
use ledger::policy::Policy;
use ledger::proof::LeafProof;
use ledger::stamp::{self, Authorities};
use ledger::tile::{self, TilePath};
use ledger::tree::{Frontier, Hash, hash_leaf, verify_consistency, verify_inclusion};
use ledger::verify::Pins;

/// The leaf that the proof in `vectors/notes.json`, a seed of the target `proof`, proves under the key of [`key`].
const PROVEN: (u64, &[u8]) = (4, b"\x30\x31");

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// An accepted note says what its bytes say.
pub(crate) fn note(bytes: &[u8]) {
    if let Ok(note) = Note::parse(bytes) {
        assert!(bytes.starts_with(note.text.as_bytes()) && note.text.ends_with('\n'));
        assert!(!note.signatures.is_empty());
    }
}

/// One text per size, root and origin; one text per key.
pub(crate) fn checkpoint(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.text(), text);
    }
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key));
    }
}

/// Whatever holds states the time that is read without checking, and is traced to nobody who was not named.
pub(crate) fn stamp(bytes: &[u8]) {
    let nobody = Authorities::none();
    if let Ok(said) = stamp::check_token(bytes, None, &nobody) {
        assert_eq!(stamp::stated(bytes), Some(said.time_s));
        assert!(!said.traced);
    }
    let _ = stamp::check_response(bytes, &[0; 32], 1, &nobody);
}

/// A file of known keys comes back as it was understood.
pub(crate) fn pins(bytes: &[u8]) {
    if let Ok(pins) = Pins::parse(text(bytes)) {
        assert_eq!(
            Pins::parse(&pins.to_string()).unwrap().to_string(),
            pins.to_string()
        );
    }
}

/// Only a slot as it was written is good.
pub(crate) fn acked(bytes: &[u8]) {
    if let Some(acked) = Acked::decode(bytes) {
        assert_eq!(acked.encode().as_slice(), bytes);
    }
    if let Some(acked) = Acked::newest(bytes) {
        assert!(
            bytes
                .windows(acked.encode().len())
                .any(|slot| slot == acked.encode())
        );
    }
}

/// A tile has one path.
pub(crate) fn tile_path(bytes: &[u8]) {
    if let Some(named) = TilePath::parse(text(bytes)) {
        let path = tile::path(named.level, named.n, named.width);
        assert_eq!(path, format!("tile/{}", text(bytes)));
    }
}

/// A proof that is accepted proves the one thing that is true; no numbers make the arithmetic fail.
pub(crate) fn proof(bytes: &[u8]) {
    if let Ok(proof) = LeafProof::parse(bytes) {
        assert_eq!(LeafProof::parse(&proof.encode()), Ok(proof.clone()));
        if proof.verify(PROVEN.1, &key().verifier()).is_ok() {
            assert_eq!(proof.index, PROVEN.0);
        }
    }
    let (numbers, hashes) = bytes.as_chunks::<16>();
    let Some((numbers, rest)) = numbers.split_first() else {
        return;
    };
    let number = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| numbers[at + i]));
    let (small, large) = (number(0), number(8));
    let mut flat: Vec<u8> = rest.as_flattened().to_vec();
    flat.extend_from_slice(hashes);
    let hashes: &[Hash] = flat.as_chunks::<32>().0;
    let _ = Frontier::from_bytes(large, &flat);
    if let Some((root, path)) = hashes.split_first() {
        let other = hash_leaf(&flat);
        // Nobody finds a path from the hash of the path itself.
        assert!(verify_inclusion(&other, small, large, path, root).is_err());
        let consistent = verify_consistency(small, root, large, &other, path);
        assert!(consistent.is_err() || small == 0);
    }
}

fn key() -> SignerKey {
    SignerKey::new("recount.local/test", &[0x42; 32]).unwrap()
}

/// An accepted policy demands something, and weighs any note: both in one, with a zero byte between.
pub(crate) fn policy(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == 0);
    let (policy, note) = bytes.split_at(at.unwrap_or(bytes.len()));
    let Ok(policy) = Policy::parse(policy) else {
        return;
    };
    assert!(!policy.required().is_empty());
    if let Some(Ok(note)) = note.get(1..).map(Note::parse) {
        let _ = policy.quorum(&note);
    }
}

/// An archive that is taken is the only one of its files; what lies in it opens, or says why not.
pub(crate) fn bundle(bytes: &[u8]) {
    let Ok((mut files, wrong)) = bundle::unpack(bytes) else {
        return;
    };
    // Its own sums stand second.
    files.remove(1);
    let packed = bundle::pack(&files).unwrap();
    assert_eq!(packed == bytes, wrong.is_empty());
    // With sums that are right, what a stranger wrote into the files is read.
    let _ = Bundle::open("fuzz", packed);
}
