//! Vectors that others published: `ledger/tests/published/README.md` says who, and under which licence.

use base64::{Engine, engine::general_purpose::STANDARD};
use ledger::checkpoint::Checkpoint;
use ledger::cosignature::WitnessKey;
use ledger::note::{Note, NoteError, VerifierKey};
use ledger::proof::{LeafProof, LeafProofError};
use ledger::tile::{self, TilePath};
use ledger::tree::{Hash, verify_consistency, verify_inclusion};
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inclusion {
    name: String,
    leaf_idx: u64,
    tree_size: u64,
    root: String,
    leaf_hash: String,
    proof: Vec<String>,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Consistency {
    name: String,
    size1: u64,
    size2: u64,
    root1: String,
    root2: String,
    proof: Vec<String>,
    want_err: bool,
}

#[derive(Deserialize)]
struct Published {
    inclusion: Vec<Inclusion>,
    consistency: Vec<Consistency>,
}

fn published() -> Published {
    serde_json::from_str(include_str!("../published/merkle_proofs.json")).unwrap()
}

/// A hash of the vectors; `None` where there is none, which no caller could pass. Where they hold words ("don't care")
/// or a part of a hash, a SHA-256 over it stands for it: as different from what is right, and equal where they are equal.
fn hash(base64: &str) -> Option<Hash> {
    (!base64.is_empty()).then(|| stood_for(base64))
}

fn stood_for(base64: &str) -> Hash {
    let bytes = STANDARD.decode(base64).unwrap();
    let stand_in = || Sha256::digest(base64).into();
    bytes.as_slice().try_into().unwrap_or_else(|_| stand_in())
}

fn hashes(proof: &[String]) -> Vec<Hash> {
    proof.iter().map(|base64| stood_for(base64)).collect()
}

#[test]
fn inclusion_proofs_are_judged_as_published() {
    let cases = published().inclusion;
    for case in &cases {
        let verdict = match (hash(&case.leaf_hash), hash(&case.root)) {
            (Some(leaf), Some(root)) => {
                let proof = hashes(&case.proof);
                verify_inclusion(&leaf, case.leaf_idx, case.tree_size, &proof, &root).is_ok()
            }
            _ => false,
        };
        assert_eq!(verdict, !case.want_err, "{}", case.name);
    }
    assert_eq!(cases.len(), 98);
    assert_eq!(cases.iter().filter(|case| !case.want_err).count(), 6);
}

#[test]
fn consistency_proofs_are_judged_as_published() {
    let cases = published().consistency;
    for case in &cases {
        let (old, new) = (hash(&case.root1).unwrap(), hash(&case.root2).unwrap());
        let proof = hashes(&case.proof);
        let verdict = verify_consistency(case.size1, &old, case.size2, &new, &proof);
        // Any tree extends the empty one: RFC 9162 leaves that open, and an agent's first receipt needs it.
        let extends_empty = case.name == "additional/size1-is-zero-and-size2-is-not-zero";
        let want_err = case.want_err && !extends_empty;
        assert_eq!(verdict.is_err(), want_err, "{}: {verdict:?}", case.name);
    }
    assert_eq!(cases.len(), 98);
    assert_eq!(cases.iter().filter(|case| !case.want_err).count(), 6);
}

#[test]
fn the_signed_note_of_the_specification_verifies_and_no_other_text_does() {
    let vkey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    let key = VerifierKey::parse(vkey).unwrap();
    assert_eq!(key.to_string(), vkey);
    let note = "This is an example message.\n\n\u{2014} example.com/foo \
        Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";
    assert_eq!(Note::parse(note.as_bytes()).unwrap().verify(&key), Ok(()));
    let other = note.replace("example message", "Example message");
    let refused = Note::parse(other.as_bytes()).unwrap().verify(&key);
    assert!(matches!(refused, Err(NoteError::Signature { .. })));
}

#[test]
fn the_poem_of_the_specification_is_a_note_with_an_empty_line_in_its_text() {
    let note = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned \u{e8} subito sera.\n\n\
        \u{2014} quasimodo.example/salvatore \
        NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
    let note = Note::parse(note.as_bytes()).unwrap();
    assert_eq!(note.text.lines().count(), 4);
    assert_eq!(note.signatures[0].name, "quasimodo.example/salvatore");
    assert_eq!(note.signatures[0].signature.len(), 64);
}

const CHECKPOINT: &str =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

#[test]
fn checkpoint_and_cosignature_of_the_specification_read_as_it_says() {
    let note = format!(
        "{CHECKPOINT}\n\u{2014} example.com/behind-the-sofa \
         Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
         \u{2014} witness.example.com/w1 \
         jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
    );
    let note = Note::parse(note.as_bytes()).unwrap();
    let checkpoint = Checkpoint::parse(note.text).unwrap();
    assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
    assert_eq!(checkpoint.head.size, 20_852_163);
    assert_eq!(checkpoint.text(), CHECKPOINT);
    let sizes: Vec<usize> = note
        .signatures
        .iter()
        .map(|line| line.signature.len())
        .collect();
    assert_eq!(sizes, [64, 72]);
    // The specification gives no key for the witness: what can be said is that a stranger's line is passed over.
    let stranger = WitnessKey::new(
        "witness.example.com/w1",
        VerifierKey::parse("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
            .unwrap()
            .bytes(),
    )
    .unwrap();
    assert_eq!(stranger.cosigned(&note), Ok(None));
}

/// The example's hash lines are 32 bytes each; its extra line is not base64 (its last group is cut), so it stays out.
#[test]
fn the_proof_of_the_specification_reads_as_it_says() {
    let proof = "c2sp.org/tlog-proof@v1\nindex 73894\n\
        gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n\
        B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n\
        EKNzoDWG8LGC0Yp9o+sv3qllpMP9uHQ9B20KNL+Q1zs=\n\
        RoopEkOdqkYqMB4MJXrbt/hMjOxsVn0IrWjpz1ZMMes=\n\
        AHCioX9nLjsrse6YhjRRmk1WUEirVOLLRoOQ6vfO5vk=\n\n\
        example.com/fancylog\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n\
        \u{2014} example.com/fancylog AAAAAAAAAAAA\n";
    let parsed = LeafProof::parse(proof.as_bytes()).unwrap();
    assert_eq!((parsed.index, parsed.hashes.len()), (73_894, 5));
    assert_eq!(parsed.encode(), proof.as_bytes());
    for bad in [
        proof.replace("@v1", "@v2"),
        proof.replace("index 73894", "index 073894"),
        proof.replace("index 73894\n", ""),
        proof.replace("index 73894", "extra YQ=\nindex 73894"),
        proof.replace("gSKy", "gSK"),
        proof.replace("\n\nexample", "\nexample"),
    ] {
        let refused = LeafProof::parse(bad.as_bytes());
        assert!(
            matches!(refused, Err(LeafProofError::Malformed(_))),
            "{bad}"
        );
    }
}

#[test]
fn tile_paths_are_those_of_the_specification() {
    assert_eq!(tile::path(0, 1_234_067, 256), "tile/0/x001/x234/067");
    // "a tree of size 70,000 will be represented by …"
    let full = [0, 8].map(|shift| (70_000u64 >> shift) / 256);
    assert_eq!(full, [273, 1]);
    assert_eq!(
        [0, 1, 2].map(|level| tile::partial_width(level, 70_000)),
        [112, 17, 1]
    );
    // "a full level 0 tile and a partial level 1 tile of width 1"
    assert_eq!([0, 1].map(|level| tile::partial_width(level, 256)), [0, 1]);
    for (path, width) in [
        ("0/x001/x234/067", 256),
        ("0/x001/x234/067.p/1", 1),
        ("63/000.p/255", 255),
    ] {
        assert_eq!(
            TilePath::parse(path).map(|tile| tile.width),
            Some(width),
            "{path}"
        );
    }
}
