//! Notes and checkpoints against `signed_note` and `tlog_tiles`: signed here, accepted there, and the other way round.

use base64::{Engine, engine::general_purpose::STANDARD};
use ledger::checkpoint::Checkpoint;
use ledger::leaf::TreeHead;
use ledger::note::{Note, SignerKey, VerifierKey, is_key_name};
use proptest::prelude::*;
use signed_note::{
    Note as TheirNote, Signer as _, StandardSigner, StandardVerifier, Verifier as _, VerifierList,
};
use tlog_tiles::{Checkpoint as TheirCheckpoint, Hash as TheirHash};

/// The other implementation's key from the same seed.
fn their_signer(key: &SignerKey, seed: &[u8; 32]) -> StandardSigner {
    let verifier = key.verifier();
    let id: String = verifier
        .id()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let private = STANDARD.encode([&[1], &seed[..]].concat());
    StandardSigner::new(&format!("PRIVATE+KEY+{}+{id}+{private}", verifier.name())).unwrap()
}

/// Whether the other implementation accepts the note by this key.
fn accepted_there(note: &[u8], key: &VerifierKey) -> bool {
    let Ok(note) = TheirNote::from_bytes(note) else {
        return false;
    };
    let key = StandardVerifier::new(&key.to_string()).unwrap();
    note.verify(&VerifierList::new(vec![Box::new(key)])).is_ok()
}

fn accepted_here(note: &[u8], key: &VerifierKey) -> bool {
    Note::parse(note).is_ok_and(|note| note.verify(key).is_ok())
}

fn name() -> impl Strategy<Value = String> {
    "[a-zA-Z0-9./_-]{1,24}(\u{e9}|\u{4e2d})?"
}

fn text() -> impl Strategy<Value = String> {
    "([ -~\u{e9}\u{1f600}]{0,30}\n){1,5}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn keys_are_written_and_read_alike(name in name(), seed in any::<[u8; 32]>()) {
        let key = SignerKey::new(&name, &seed).unwrap();
        let there = StandardVerifier::new(&key.verifier().to_string()).unwrap();
        prop_assert_eq!(there.name(), &name);
        prop_assert_eq!(there.key_id().to_be_bytes(), key.verifier().id());
        prop_assert_eq!(their_signer(&key, &seed).key_id(), there.key_id());
    }

    #[test]
    fn a_note_signed_on_either_side_is_the_same_note(name in name(), seed in any::<[u8; 32]>(), text in text()) {
        let key = SignerKey::new(&name, &seed).unwrap();
        let here = key.sign(&text).unwrap();
        prop_assert!(accepted_there(&here, &key.verifier()));
        let mut there = TheirNote::new(text.as_bytes(), &[]).unwrap();
        there.add_sigs(&[&their_signer(&key, &seed)]).unwrap();
        let there = there.to_bytes();
        prop_assert!(accepted_here(&there, &key.verifier()));
        prop_assert_eq!(here, there);
    }

    #[test]
    fn several_signatures_are_sorted_out_alike(text in text(), by in proptest::collection::vec(0u8..6, 1..6), asked in 0u8..6) {
        let key = |n: u8| SignerKey::new(&format!("log.example/{n}"), &[n; 32]).unwrap();
        let lines: String = by.iter().map(|n| key(*n).line(&text)).collect();
        let note = format!("{text}\n{lines}");
        let expected = by.contains(&asked);
        prop_assert_eq!(accepted_here(note.as_bytes(), &key(asked).verifier()), expected);
        prop_assert_eq!(accepted_there(note.as_bytes(), &key(asked).verifier()), expected);
    }

    #[test]
    fn a_changed_note_is_judged_alike(text in text(), at in any::<usize>(), byte in any::<u8>(), how in 0u8..3) {
        let key = SignerKey::new("log.example/one", &[1; 32]).unwrap();
        let mut note = key.sign(&text).unwrap();
        let at = at % note.len();
        match how {
            0 => note[at] = byte,
            1 => note.insert(at, byte),
            _ => drop(note.remove(at)),
        }
        prop_assert_eq!(accepted_here(&note, &key.verifier()), accepted_there(&note, &key.verifier()));
    }

    #[test]
    fn a_verifier_key_is_read_alike(at in any::<usize>(), byte in 0u8..128, how in 0u8..3) {
        let good = SignerKey::new("log.example/one", &[1; 32]).unwrap().verifier().to_string();
        let mut vkey = good.clone().into_bytes();
        let at = at % vkey.len();
        match how {
            0 => vkey[at] = byte,
            1 => vkey.insert(at, byte),
            _ => drop(vkey.remove(at)),
        }
        let vkey = String::from_utf8(vkey).unwrap();
        let here = VerifierKey::parse(&vkey);
        let there = StandardVerifier::new(&vkey);
        // The specification's id is lower-case hexadecimal; the other implementation takes capitals and a sign.
        let id = vkey.split('+').nth(1).unwrap_or_default();
        let strict = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        prop_assert_eq!(here.is_ok(), there.is_ok() && strict);
    }

    #[test]
    fn checkpoints_are_written_and_read_alike(origin in name(), size in any::<u64>(), root in any::<[u8; 32]>()) {
        let here = Checkpoint { origin: origin.clone(), head: TreeHead { size, root } };
        let there = TheirCheckpoint::new(&origin, size, TheirHash(root), "").unwrap();
        prop_assert_eq!(here.text().into_bytes(), there.to_bytes());
        prop_assert_eq!(TheirCheckpoint::from_bytes(here.text().as_bytes()).unwrap(), there);
    }

    #[test]
    fn a_changed_checkpoint_is_judged_alike(size in any::<u64>(), root in any::<[u8; 32]>(), at in any::<usize>(),
                                            byte in 0u8..128, how in 0u8..3) {
        let good = Checkpoint { origin: "log.example/one".into(), head: TreeHead { size, root } }.text();
        let mut text = good.into_bytes();
        let at = at % text.len();
        match how {
            0 => text[at] = byte,
            1 => text.insert(at, byte),
            _ => drop(text.remove(at)),
        }
        let text = String::from_utf8(text).unwrap();
        let there = TheirCheckpoint::from_bytes(text.as_bytes()).ok();
        // Stricter here, as the format says: the origin is the name of a key, and there are no extension lines.
        let there = there.filter(|there| is_key_name(there.origin()) && there.extension().is_empty());
        let there = there.map(|there| (there.size(), there.hash().0));
        let here = Checkpoint::parse(&text).ok().map(|here| (here.head.size, here.head.root));
        prop_assert_eq!(here, there);
    }
}

/// What is refused here and accepted there, on purpose: `docs/ledger-format.md` §7 is stricter than the specification.
#[test]
fn what_is_stricter_here_is_known() {
    let key = SignerKey::new("log.example/one", &[1; 32]).unwrap();
    let text = "text\n";
    let good = String::from_utf8(key.sign(text).unwrap()).unwrap();
    let false_line = key.line("other\n");
    let stranger = SignerKey::new("log.example/two", &[2; 32])
        .unwrap()
        .line(text);
    let odd = String::from_utf8(key.sign("text\n").unwrap())
        .unwrap()
        .replace("text", "te\u{7f}xt");
    for (note, why) in [
        (
            format!("{good}{false_line}"),
            "a second line by the key, false",
        ),
        (format!("{good}{}", stranger.repeat(32)), "33 signatures"),
    ] {
        assert!(!accepted_here(note.as_bytes(), &key.verifier()), "{why}");
        assert!(accepted_there(note.as_bytes(), &key.verifier()), "{why}");
    }
    assert!(Note::parse(odd.as_bytes()).is_err() && TheirNote::from_bytes(odd.as_bytes()).is_ok());
    // In the other order both refuse.
    let note = format!("{text}\n{false_line}{}", key.line(text));
    assert!(!accepted_here(note.as_bytes(), &key.verifier()));
    assert!(!accepted_there(note.as_bytes(), &key.verifier()));
}
