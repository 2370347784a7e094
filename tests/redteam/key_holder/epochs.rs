//! Root against epochs: what the keys on the machine can and cannot rewrite.

use ledger::fingerprint::Fingerprint;
use ledger::leaf::{ControlBody, ControlLeaf, epoch_message};
use ledger::note::SignerKey;
use ledger::store::Folder;
use ledger::tree::{Frontier, hash_leaf};
use ledger::verify::{FindingKind, Trusted, verify_all};
use libtest_mimic::Failed;
use std::path::Path;

use crate::attack::When;
use crate::case::Case;
use crate::forge::{Forge, consistent};
use crate::scene;

fn forged(dir: &Path, hand: impl FnOnce(&Forge) -> Result<(), Failed>) -> Result<(), Failed> {
    let forge = Forge::open(dir)?;
    hand(&forge)?;
    forge.close()
}

/// Changes what record 7 says, and makes everything above it agree.
fn rewrite(forge: &Forge) -> Result<(), Failed> {
    forge.edit("s-a", |records| {
        records[7].say("17.00 EUR", "1.70 EUR")?;
        consistent(records)
    })?;
    forge.recompute().map(drop)
}

fn kept_elsewhere(case: &Case) -> Result<std::path::PathBuf, Failed> {
    let kept = case.elsewhere("kept checkpoint");
    std::fs::copy(case.store().join("last_signed"), &kept)?;
    Ok(kept)
}

pub(super) fn chain_anew(case: &mut Case) -> Result<(), Failed> {
    case.stand_on(&case.base().epochs())?;
    let kept = kept_elsewhere(case)?;
    let words = words(&case.store())?;
    case.attack(|dir| {
        forged(dir, |forge| {
            rewrite(forge)?;
            forge.sign(&dir.join("keys"), None)
        })
    })?;
    case.verify_finds("Epoch", "over another tree than the leaves before it give")?;
    // The identity key is still there: with it, the whole chain can be begun anew.
    case.attack(|dir| {
        forged(dir, |forge| {
            let last = forge.reseal(&dir.join("keys"))?;
            forge.recompute()?;
            forge.sign(&dir.join("keys"), Some(last))
        })
    })?;
    case.verify()?.finds_nothing()?;
    case.verify_since(&kept)?.finds("Fork", "")?;
    let found = verify_all(
        &Folder::open(&case.store())?,
        &Trusted::Words(words),
        &mut |_| {},
    )?;
    if found.findings.first().map(|finding| finding.kind) != Some(FindingKind::KeyChanged) {
        return Err(format!("{:?}", found.findings).into());
    }
    case.caught(When::Anchor);
    Ok(())
}

/// What `init` printed: identity and first epoch.
fn words(store: &Path) -> Result<Fingerprint, Failed> {
    let leaves = scene::leaves(store)?;
    match leaves.as_slice() {
        [
            (
                ControlBody::Genesis {
                    ledger, identity, ..
                },
                _,
            ),
            (ControlBody::EpochSeal { next_key, .. }, _),
            ..,
        ] => Ok(Fingerprint::of(ledger, identity, next_key)),
        _ => Err("a genesis leaf and the seal of epoch 0".into()),
    }
}

pub(super) fn current_epoch(case: &mut Case) -> Result<(), Failed> {
    let kept = kept_elsewhere(case)?;
    case.attack(|dir| {
        forged(dir, |forge| {
            rewrite(forge)?;
            forge.sign(&dir.join("keys"), None)
        })
    })?;
    // Nothing in the folder can tell.
    case.verify()?.finds_nothing()?;
    case.verify_since(&kept)?.finds("Fork", "")?;
    case.caught(When::Anchor);
    Ok(())
}

pub(super) fn cut_seals(case: &mut Case) -> Result<(), Failed> {
    case.stand_on(&case.base().epochs())?;
    case.attack(|dir| {
        forged(dir, |forge| {
            forge.edit_control(|leaves| {
                let seal = |leaf: &ControlLeaf| matches!(leaf.body, ControlBody::EpochSeal { .. });
                leaves.truncate(leaves.iter().rposition(seal).ok_or("a seal")?);
                Ok(())
            })?;
            forge.recompute()?;
            forge.sign(&dir.join("keys"), None)
        })
    })?;
    case.verify_finds("Epoch", "the checkpoint lacks the signature of epoch")
        .or_else(|_| case.verify_finds("Epoch", "the checkpoint's signature of epoch"))?;
    case.start_refuses("keys/epoch")
}

pub(super) fn backdated_leaf(case: &mut Case) -> Result<(), Failed> {
    case.stand_on(&case.base().epochs())?;
    case.attack(|dir| {
        forged(dir, |forge| {
            forge.edit_control(|leaves| {
                let last = leaves.last().ok_or("a leaf")?;
                let body = ControlBody::Heartbeat {
                    instance: [0; 16],
                    boot_ns: 0,
                    commit: 0,
                    records: 0,
                };
                let unix_ns = last.unix_ns - 1_800_000_000_000;
                let index = last.index + 1;
                leaves.push(ControlLeaf {
                    index,
                    unix_ns,
                    body,
                });
                Ok(())
            })?;
            forge.recompute()?;
            forge.sign(&dir.join("keys"), None)
        })
    })?;
    case.verify_finds("Control", "the leaf is older than the one before it")?;
    // With a time that fits, in front of the seal of its epoch, which is signed again with the key in force.
    case.stand_on(&case.base().epochs())?;
    case.attack(|dir| {
        let key = seed(&dir.join("keys/epoch"))?;
        forged(dir, |forge| {
            forge.edit_control(|leaves| {
                let seal = newest_seal(leaves)?;
                let (index, unix_ns) = (leaves[seal].index, leaves[seal].unix_ns);
                let body = ControlBody::Heartbeat {
                    instance: [0; 16],
                    boot_ns: 0,
                    commit: 0,
                    records: 0,
                };
                leaves.insert(
                    seal,
                    ControlLeaf {
                        index,
                        unix_ns,
                        body,
                    },
                );
                leaves[seal + 1..]
                    .iter_mut()
                    .for_each(|leaf| leaf.index += 1);
                let mut before = Frontier::new();
                for leaf in &leaves[..=seal] {
                    before.append(hash_leaf(&leaf.encode()?));
                }
                sign_seal(leaves, seal + 1, &key, |body| {
                    if let ControlBody::EpochSeal { head, .. } = body {
                        (head.size, head.root) = (before.size(), before.root());
                    }
                })
            })?;
            forge.recompute()?;
            forge.sign(&dir.join("keys"), None)
        })
    })?;
    case.verify_finds("Epoch", "is not signed by that epoch's key")
}

/// The last 32 bytes of a key's file.
fn seed(file: &Path) -> Result<[u8; 32], Failed> {
    let bytes = std::fs::read(file)?;
    Ok(bytes[bytes.len() - 32..].try_into()?)
}

fn newest_seal(leaves: &[ControlLeaf]) -> Result<usize, Failed> {
    let is_seal = |leaf: &ControlLeaf| matches!(leaf.body, ControlBody::EpochSeal { .. });
    Ok(leaves.iter().rposition(is_seal).ok_or("a seal")?)
}

/// Changes a seal and signs it with `key`.
fn sign_seal(
    leaves: &mut [ControlLeaf],
    at: usize,
    key: &[u8; 32],
    change: impl FnOnce(&mut ControlBody),
) -> Result<(), Failed> {
    let ledger = match leaves.first().map(|leaf| &leaf.body) {
        Some(ControlBody::Genesis { ledger, .. }) => *ledger,
        _ => return Err("a genesis leaf".into()),
    };
    let leaf = &mut leaves[at];
    change(&mut leaf.body);
    let message = epoch_message(&ledger, leaf)?.ok_or("a seal")?;
    if let ControlBody::EpochSeal { signature, .. } = &mut leaf.body {
        *signature = SignerKey::new("x", key)?.sign_bytes(&message);
    }
    Ok(())
}

/// The key that should sign the rotation is destroyed. Signed with any other, the key in force and the identity key
/// among them, the rotation is not one.
pub(super) fn forged_rotation(case: &mut Case) -> Result<(), Failed> {
    for signer in ["epoch", "identity", "own"] {
        case.stand_on(&case.base().epochs())?;
        case.attack(|dir| {
            let key = match signer {
                "own" => [66; 32],
                held => seed(&dir.join("keys").join(held))?,
            };
            forged(dir, |forge| {
                forge.edit_control(|leaves| {
                    let seal = newest_seal(leaves)?;
                    let own = *SignerKey::new("x", &[66; 32])?.verifier().bytes();
                    sign_seal(leaves, seal, &key, |body| {
                        if let ControlBody::EpochSeal { next_key, .. } = body {
                            *next_key = own;
                        }
                    })
                })?;
                forge.recompute()?;
                forge.sign(&dir.join("keys"), Some([66; 32]))
            })
        })?;
        case.verify_finds("Epoch", "is not signed by that epoch's key")?;
    }
    Ok(())
}

pub(super) fn old_key(case: &mut Case) -> Result<(), Failed> {
    let backup = case.base().store().join("keys/epoch");
    case.stand_on(&case.base().epochs())?;
    case.attack(|dir| {
        forged(dir, |forge| {
            let old = std::fs::read(&backup)?[9..].try_into()?;
            forge.sign(&dir.join("keys"), Some(old))
        })
    })?;
    case.verify_finds("Epoch", "the checkpoint lacks the signature of epoch")
        .or_else(|_| case.verify_finds("Epoch", "the checkpoint's signature of epoch"))
}

/// The order of the group of Ed25519, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub(super) fn signature_confusion(case: &mut Case) -> Result<(), Failed> {
    case.stand_on(&case.base().epochs())?;
    let path = case.store().join("last_signed");
    let note = String::from_utf8(scene::read(&path)?)?;
    let key = ledger::note::VerifierKey::parse(&case.base().key)?;
    let true_one = ledger::note::Note::parse(note.as_bytes())?.signatures[0]
        .signature
        .clone();
    // The first seal is signed by the identity key, too.
    let seal = scene::leaves(&case.store())?
        .into_iter()
        .find_map(|(body, _)| match body {
            ControlBody::EpochSeal { signature, .. } => Some(signature),
            _ => None,
        });
    let line = |signature: &[u8]| scene::base64(&[key.id().as_slice(), signature].concat());
    let forged = case.forge(|| {
        // S + order of the group: another encoding of the same signature.
        let mut malleable = true_one.clone();
        let mut carry = 0;
        for (byte, order) in malleable[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(order) + carry;
            *byte = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
        Ok([malleable, seal.ok_or("a seal")?.to_vec()])
    })?;
    for signature in forged {
        let forged = note.replace(&line(&true_one), &line(&signature));
        if forged == note {
            return Err("the note is as it was".into());
        }
        case.as_file_editor(|_| Ok(std::fs::write(&path, forged)?))?;
        case.verify_finds("Checkpoint", "")?;
    }
    Ok(())
}
