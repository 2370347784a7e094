//! The note and checkpoint parsers take exactly what the specifications allow.

use ledger::checkpoint::Checkpoint;
use ledger::leaf::{LedgerId, TreeHead};
use ledger::note::{MAX_SIGNATURES, NoteError, SignerKey, VerifierKey};
use ledger::proof::{LeafProof, LeafProofError};
use ledger::tree::{hash_leaf, hash_node};

fn key() -> SignerKey {
    SignerKey::new("recount.local/test", &[1; 32]).unwrap()
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: "recount.local/test".into(),
        head: TreeHead {
            size: 12,
            root: [7; 32],
        },
    }
}

fn note() -> String {
    String::from_utf8(checkpoint().sign(&key()).unwrap()).unwrap()
}

fn open(note: &str) -> Result<Checkpoint, NoteError> {
    Checkpoint::open(note.as_bytes(), &key().verifier())
}

#[test]
fn a_checkpoint_comes_back_as_it_was_signed() {
    assert_eq!(open(&note()), Ok(checkpoint()));
    assert_eq!(
        VerifierKey::parse(&key().verifier().to_string()),
        Ok(key().verifier())
    );
    assert_eq!(
        ledger::checkpoint::default_origin(&LedgerId([0xab; 32])),
        "recount.local/abababababababab"
    );
}

#[test]
fn a_note_in_any_other_shape_is_refused() {
    let good = note();
    let (text, signature) = good.split_once("\n\n").unwrap();
    for bad in [
        String::new(),
        "\n".into(),
        "\n\n".into(),
        text.to_owned(),
        format!("{text}\n"),
        format!("{text}\n\n"),
        good.trim_end().to_owned(),
        good.replace('\n', "\r\n"),
        good.replace('\u{2014}', "-"),
        good.replace("\u{2014} ", "\u{2014}"),
        format!("{text}\n\n\n{signature}"),
        format!("{good}\n"),
        format!("{good}{text}\n"),
        format!("{good}\u{2014} \n"),
        format!("{good}\u{2014} someone\n"),
        format!("{good}\u{2014} someone AAAA\n"),
        format!("{good}\u{2014} some+one AAAAAAAAAAAA\n"),
        format!("{good}\u{2014} someone AAA AAAA\n"),
        format!("{good}\u{2014} someone AAAAAAAAAAA\n"),
        format!("{text}\t\n\n{signature}"),
        format!("{text}\0\n\n{signature}"),
        format!("{text}\u{85}\n\n{signature}"),
        format!("x{good}"),
    ] {
        assert!(open(&bad).is_err(), "{bad:?}");
    }
    let mut latin = good.into_bytes();
    latin[3] = 0xff;
    assert!(Checkpoint::open(&latin, &key().verifier()).is_err());
}

#[test]
fn signatures_of_strangers_are_passed_over_and_counted() {
    let stranger = "\u{2014} someone.else AAAAAAAAAAAAAAAA\n";
    let with = |count| format!("{}{}", note(), stranger.repeat(count));
    assert_eq!(open(&with(1)), Ok(checkpoint()));
    assert_eq!(open(&with(MAX_SIGNATURES - 1)), Ok(checkpoint()));
    assert!(open(&with(MAX_SIGNATURES)).is_err());
    let (text, signature) = note()
        .split_once("\n\n")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert_eq!(
        open(&format!("{text}\n\n{stranger}{signature}")),
        Ok(checkpoint())
    );
    let unsigned = open(&format!("{text}\n\n{stranger}"));
    assert_eq!(
        unsigned,
        Err(NoteError::Unsigned {
            name: "recount.local/test".into()
        })
    );
}

#[test]
fn a_false_signature_of_our_key_is_not_hidden_by_a_good_one() {
    let other = Checkpoint {
        head: TreeHead {
            size: 13,
            root: [7; 32],
        },
        ..checkpoint()
    };
    let other = String::from_utf8(other.sign(&key()).unwrap()).unwrap();
    let (_, false_line) = other.split_once("\n\n").unwrap();
    let refused = Err(NoteError::Signature {
        name: "recount.local/test".into(),
    });
    assert_eq!(open(&format!("{}{false_line}", note())), refused);
    // The same signature twice proves nothing more and nothing less.
    let (_, line) = note()
        .split_once("\n\n")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    assert_eq!(open(&format!("{}{line}", note())), Ok(checkpoint()));
}

#[test]
fn another_key_with_the_same_name_is_a_stranger() {
    let other = SignerKey::new("recount.local/test", &[2; 32]).unwrap();
    let note = checkpoint().sign(&other).unwrap();
    assert!(matches!(
        Checkpoint::open(&note, &key().verifier()),
        Err(NoteError::Unsigned { .. })
    ));
    let renamed = SignerKey::new("recount.local/other", &[1; 32]).unwrap();
    let note = checkpoint().sign(&renamed).unwrap();
    assert!(
        Checkpoint::open(&note, &renamed.verifier()).is_err(),
        "the origin is not the key's name"
    );
}

#[test]
fn a_signed_text_that_is_no_checkpoint_is_refused() {
    for text in [
        "recount.local/test\n12\n",
        "recount.local/test\n12\nAAAA\n",
        "recount.local/test\n012\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n",
        "recount.local/test\n+12\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n",
        "recount.local/test\n-1\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n",
        "recount.local/test\n\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n",
        "recount.local/test\n18446744073709551616\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n",
        "recount.local/test\n12\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc\n",
        "recount.local/test\n12\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwd=\n",
        "recount.local/test\n12\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\nan extension\n",
        "recount.local/test\n12\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\n",
        "\n12\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n",
        "recount.local/test \n12\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n",
    ] {
        let note = key().sign(text).unwrap();
        assert!(
            Checkpoint::open(&note, &key().verifier()).is_err(),
            "{text:?}"
        );
    }
    let good = "recount.local/test\n12\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n";
    assert_eq!(
        Checkpoint::open(&key().sign(good).unwrap(), &key().verifier()),
        Ok(checkpoint())
    );
}

#[test]
fn text_that_cannot_stand_in_a_note_is_not_signed() {
    for text in ["", "no newline", "a\tb\n", "a\rb\n", "a\0b\n"] {
        assert!(key().sign(text).is_err(), "{text:?}");
    }
    for name in ["", "a b", "a+b", "a\nb", "a\u{a0}b"] {
        assert!(SignerKey::new(name, &[1; 32]).is_err(), "{name:?}");
    }
}

#[test]
fn verifier_keys_in_any_other_shape_are_refused() {
    let good = key().verifier().to_string();
    let (name, rest) = good.split_once('+').unwrap();
    let (id, base64) = rest.split_once('+').unwrap();
    for bad in [
        String::new(),
        name.to_owned(),
        format!("{name}+{id}"),
        format!("{name}+{}+{base64}", id.to_uppercase()),
        format!("{name}+00000000+{base64}"),
        format!("other+{id}+{base64}"),
        format!("{name}+{id}+{}", &base64[..40]),
        format!("{name}+{id}+AAAA"),
        format!("{good}+"),
        format!("{good}\n"),
        format!("+{id}+{base64}"),
    ] {
        assert!(VerifierKey::parse(&bad).is_err(), "{bad:?}");
    }
    // Points of small order verify anything for somebody.
    let mut identity = [0; 32];
    identity[0] = 1;
    assert!(VerifierKey::new("weak", &identity).is_err());
    assert!(VerifierKey::new("weak", &[0; 32]).is_err());
}

#[test]
fn a_proof_is_bound_to_leaf_place_and_checkpoint() {
    let (a, b) = (hash_leaf(b"a"), hash_leaf(b"b"));
    let head = TreeHead {
        size: 2,
        root: hash_node(&a, &b),
    };
    let checkpoint = Checkpoint {
        head,
        ..checkpoint()
    };
    let proof = LeafProof {
        extra: Some(b"anything".to_vec()),
        index: 1,
        hashes: vec![a],
        checkpoint: checkpoint.sign(&key()).unwrap(),
    };
    let verifier = key().verifier();
    assert_eq!(proof.verify(b"b", &verifier), Ok(checkpoint));
    assert!(matches!(
        proof.verify(b"a", &verifier),
        Err(LeafProofError::Inclusion(_))
    ));
    assert!(matches!(
        LeafProof {
            index: 0,
            ..proof.clone()
        }
        .verify(b"b", &verifier),
        Err(LeafProofError::Inclusion(_))
    ));
    assert!(matches!(
        LeafProof {
            hashes: vec![],
            ..proof.clone()
        }
        .verify(b"b", &verifier),
        Err(LeafProofError::Inclusion(_))
    ));
    let text = String::from_utf8(proof.encode()).unwrap();
    assert_eq!(LeafProof::parse(text.as_bytes()), Ok(proof));
    for bad in [
        text.replace("@v1", "@v2"),
        text.replace("index 1", "index 01"),
        text.replace("index 1", "index  1"),
        text.replace("extra ", "extras "),
        text.replace("\n\n", "\n"),
        text.replacen('\n', "\r\n", 1),
        format!("\n{text}"),
    ] {
        let parsed = LeafProof::parse(bad.as_bytes());
        assert!(
            parsed.is_err() || parsed.is_ok_and(|proof| proof.verify(b"b", &verifier).is_err()),
            "{bad:?}"
        );
    }
}
