//! Adversaries who forge proofs, notes and leaves.

use ledger::checkpoint::Checkpoint;
use ledger::envelope::Envelope;
use ledger::leaf::RecordLeaf;
use ledger::note::SignerKey;
use ledger::note::VerifierKey;
use ledger::proof::LeafProof;
use ledger::reader::Reader as _;
use ledger::store::Folder;
use ledger::tree::{hash_leaf, hash_node, verify_inclusion};
use ledger::verify::{Trusted, Verifier};
use libtest_mimic::Failed;

use crate::attack::When;
use crate::case::Case;
use crate::forge::Forge;
use crate::scene;

/// A true proof of one leaf of the base store.
fn true_proof(case: &Case, index: u64) -> Result<(LeafProof, Vec<u8>, VerifierKey), Failed> {
    let folder = Folder::open(&case.store())?;
    let mut verifier = Verifier::open(&folder, &Trusted::FirstSeen)?;
    let proof = verifier.leaf_proof(index)?.ok_or("a proof")?;
    let leaf = folder.control(index, index + 1)?.remove(0).leaf;
    let key = VerifierKey::parse(&case.base().key)?;
    proof.verify(&leaf, &key)?;
    Ok((proof, leaf, key))
}

pub(super) fn inner_node(case: &mut Case) -> Result<(), Failed> {
    let (proof, leaf, key) = true_proof(case, 0)?;
    let (node, shorter) = case.forge(|| {
        let sibling = proof.hashes.first().ok_or("a sibling")?;
        let node = [hash_leaf(&leaf).as_slice(), sibling].concat();
        let hashes = proof.hashes[1..].to_vec();
        Ok((
            node,
            LeafProof {
                hashes,
                ..proof.clone()
            },
        ))
    })?;
    if shorter.verify(&node, &key).is_ok() {
        return Err("a node is believed to be a leaf".into());
    }
    // The same with the tree's own arithmetic: only the prefix keeps them apart.
    let (left, right) = ([1; 32], [2; 32]);
    if hash_leaf(&[left, right].concat()) == hash_node(&left, &right) {
        return Err("leaf and node have one hash".into());
    }
    case.caught(When::Verify);
    Ok(())
}

pub(super) fn degenerate_proofs(case: &mut Case) -> Result<(), Failed> {
    let (proof, leaf, key) = true_proof(case, 3)?;
    let size = Checkpoint::open(&proof.checkpoint, &key)?.head.size;
    let forged = case.forge(|| {
        let with = |index, hashes: Vec<_>| LeafProof {
            index,
            hashes,
            ..proof.clone()
        };
        let mut more = proof.hashes.clone();
        more.push([0; 32]);
        Ok(vec![
            with(proof.index, Vec::new()),
            with(proof.index, proof.hashes[1..].to_vec()),
            with(proof.index, more),
            with(proof.index + 1, proof.hashes.clone()),
            with(size, proof.hashes.clone()),
            with(u64::MAX, proof.hashes.clone()),
        ])
    })?;
    for (n, forged) in forged.iter().enumerate() {
        let read = LeafProof::parse(&forged.encode());
        if read.is_ok_and(|read| read.verify(&leaf, &key).is_ok()) {
            return Err(format!("forged proof {n} is believed").into());
        }
    }
    let (hash, root) = (hash_leaf(&leaf), hash_leaf(&leaf));
    for (index, size) in [(0, 0), (1, 1), (u64::MAX, u64::MAX), (0, u64::MAX)] {
        if verify_inclusion(&hash, index, size, &[], &root).is_ok() {
            return Err(format!("index {index} of {size} is believed").into());
        }
    }
    let text = String::from_utf8(proof.encode())?;
    let hash = text.lines().nth(2).ok_or("a hash")?;
    for text in [
        text.replacen("index 3", "index 03", 1),
        text.replacen("index 3", "index -3", 1),
        text.replacen("index 3", "index 99999999999999999999", 1),
        text.replacen(hash, &format!("{hash}\n").repeat(70), 1),
    ] {
        if LeafProof::parse(text.as_bytes()).is_ok() {
            return Err(format!("parsed: {text}").into());
        }
    }
    case.caught(When::Verify);
    Ok(())
}

/// Puts each of these in the place of the signed checkpoint; each must be named.
fn refused_notes(case: &mut Case, notes: Vec<Vec<u8>>) -> Result<(), Failed> {
    for note in notes {
        case.as_file_editor(|dir| Ok(std::fs::write(dir.join("last_signed"), &note)?))?;
        case.verify_finds("Checkpoint", "")?;
    }
    case.start_refuses("last_signed is damaged")
}

pub(super) fn hostile_notes(case: &mut Case) -> Result<(), Failed> {
    let note = String::from_utf8(scene::read(&case.store().join("last_signed"))?)?;
    let (text, line) = note.split_once("\n\n").ok_or("a note")?;
    let hostile = case.forge(|| {
        Ok([
            note.replace('\n', "\r\n"),
            format!("{text}\nextension\n\n{line}"),
            format!("{text}\n\n\n{line}"),
            format!("{text}\n\n{line}\n"),
            format!("{text}\n\n{}", line.repeat(33)),
            format!("{text}\n\n{}", line.replacen('\u{2014}', "-", 1)),
            note.trim_end().to_owned(),
            String::new(),
        ])
    })?;
    refused_notes(case, hostile.map(String::into_bytes).into())
}

pub(super) fn false_signature_among_good(case: &mut Case) -> Result<(), Failed> {
    let note = String::from_utf8(scene::read(&case.store().join("last_signed"))?)?;
    let early = String::from_utf8(scene::read(&case.base().early().join("last_signed"))?)?;
    // A true signature of the same key, over another text.
    let (_, other) = early.split_once("\n\n").ok_or("a note")?;
    let hidden = case.forge(|| Ok(format!("{note}{other}")))?;
    refused_notes(case, vec![hidden.into_bytes()])
}

pub(super) fn other_keys_same_id(case: &mut Case) -> Result<(), Failed> {
    let note = String::from_utf8(scene::read(&case.store().join("last_signed"))?)?;
    let (text, line) = note.split_once("\n\n").ok_or("a note")?;
    let key = VerifierKey::parse(&case.base().key)?;
    let forged = case.forge(|| {
        // The adversary's key signs; the line carries the id of the true one, as if the two collided.
        let own = SignerKey::new(key.name(), &[66; 32])?;
        let signature = own.sign_bytes(format!("{text}\n").as_bytes());
        let truly = line.split(' ').nth(2).ok_or("a signature")?.trim_end();
        let bytes = [key.id().as_slice(), &signature].concat();
        Ok(note.replace(truly, &scene::base64(&bytes)))
    })?;
    refused_notes(case, vec![forged.into_bytes()])
}

pub(super) fn unknown_versions(case: &mut Case) -> Result<(), Failed> {
    let whole = case.elsewhere("whole");
    scene::copy(&case.store(), &whole)?;
    type Edit = fn(&Forge) -> Result<(), Failed>;
    let edits: [(&str, Edit); 4] = [
        ("Leaf", |forge| {
            forge.edit("s-c", |records| {
                records[3].leaf[0] = 2;
                Ok(())
            })
        }),
        ("Leaf", |forge| {
            forge.edit("s-c", |records| {
                records[3].leaf[1] = 200;
                Ok(())
            })
        }),
        ("Control", |forge| {
            let odd =
                "UPDATE control SET leaf = CAST(x'02' || substr(leaf, 2) AS BLOB) WHERE n = 2";
            Ok(forge.database.execute(odd, []).map(drop)?)
        }),
        ("Control", |forge| {
            let odd =
                "UPDATE control SET leaf = CAST(x'01ff' || substr(leaf, 3) AS BLOB) WHERE n = 2";
            Ok(forge.database.execute(odd, []).map(drop)?)
        }),
    ];
    for (kind, edit) in edits {
        scene::copy(&whole, &case.store())?;
        case.as_file_editor(|dir| {
            let forge = Forge::open(dir)?;
            edit(&forge)?;
            forge.close()
        })?;
        case.verify_finds(kind, "")?;
    }
    scene::copy(&whole, &case.store())?;
    case.as_file_editor(|dir| {
        let forge = Forge::open(dir)?;
        forge.database.pragma_update(None, "user_version", 9)?;
        forge.close()
    })?;
    case.start_refuses("schema version 9")
}

pub(super) fn guess_content(case: &mut Case) -> Result<(), Failed> {
    let forge = Forge::open(&case.store())?;
    let stored = forge.records(forge.number("s-c")?)?.remove(0);
    forge.close()?;
    let envelope = Envelope::decode(&stored.envelope)?;
    let commitment = RecordLeaf::decode(&stored.leaf)?.commitment;
    let text = std::str::from_utf8(envelope.item)?;
    let guess = |salt: &[u8; 32]| {
        (0..10_000).find(|n| {
            let item = text.replace("4711", &format!("{n:04}"));
            let item = item.as_bytes();
            Envelope { item, ..envelope }.commitment(salt) == commitment
        })
    };
    // With the salt it takes a moment; without it, nothing fits.
    let without = case.forge(|| Ok(guess(&[0; 32])))?;
    match (guess(&stored.salt), without) {
        (Some(4711), None) => {
            case.caught(When::Verify);
            Ok(())
        }
        found => Err(format!("{found:?}").into()),
    }
}
