//! Adversaries who edit what lies in the database.

use ledger::note::VerifierKey;
use ledger::reader::Reader as _;
use ledger::store::Folder;
use ledger::verify::{Trusted, Verifier};
use libtest_mimic::Failed;
use std::path::Path;

use crate::case::Case;
use crate::forge::{Forge, consistent};
use crate::scene;

fn forged(dir: &Path, hand: impl FnOnce(&Forge) -> Result<(), Failed>) -> Result<(), Failed> {
    let forge = Forge::open(dir)?;
    hand(&forge)?;
    forge.close()
}

pub(super) fn edit_payload(case: &mut Case) -> Result<(), Failed> {
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            forge.edit("s-a", |records| records[7].say("4711", "1147"))
        })
    })?;
    case.verify_finds("Payload", "record 7:")?;
    // Whoever reads the session is told as well.
    case.recount(&["show", "47892"])?.ended(3)?;
    Ok(())
}

pub(super) fn edit_leaf(case: &mut Case) -> Result<(), Failed> {
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            forge.edit("s-a", |records| {
                records[7].header(|leaf| leaf.received_unix_ns -= 3_600_000_000_000)
            })
        })
    })?;
    case.verify_finds("Leaf", "record 7: ")
}

pub(super) fn edit_and_recompute(case: &mut Case) -> Result<(), Failed> {
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            forge.edit("s-a", |records| {
                records[7].say("17.00 EUR", "1.70 EUR")?;
                consistent(records)
            })?;
            forge.recompute()?;
            Ok(())
        })
    })?;
    case.verify_finds("Control", "signed root")?;
    case.start_refuses("another root than was signed")
}

pub(super) fn delete_middle(case: &mut Case) -> Result<(), Failed> {
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            forge.edit("s-a", |records| {
                records.remove(7);
                Ok(())
            })
        })
    })?;
    case.verify_finds(
        "Leaf",
        "record 7..260: the leaf says that it is another record's",
    )?;
    case.verify_finds("Missing", "record 289:")
}

pub(super) fn delete_signed_tail(case: &mut Case) -> Result<(), Failed> {
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            let last = forge.control()?.len() - 4;
            let delete = "DELETE FROM control WHERE n >= ?1";
            forge.database.execute(delete, [last as i64])?;
            forge.recompute()?;
            Ok(())
        })
    })?;
    case.verify_finds("Truncated", "leaves were signed")?;
    case.start_refuses("behind last_signed")
}

/// A store whose collector was killed after it acknowledged three more records.
pub(super) fn exchange(case: &mut Case) -> Result<(), Failed> {
    let whole = case.elsewhere("whole");
    scene::copy(&case.store(), &whole)?;
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            forge.edit("s-a", |records| {
                records.swap(7, 9);
                Ok(())
            })
        })
    })?;
    case.verify_finds("Leaf", "the leaf says that it is another record's")?;
    scene::copy(&whole, &case.store())?;
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            forge.edit("s-a", |records| {
                records.swap(7, 9);
                consistent(records)
            })
        })
    })?;
    case.verify_finds("Head", "the records do not lead to the head")
}

pub(super) fn move_record(case: &mut Case) -> Result<(), Failed> {
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            let mut moved = Vec::new();
            forge.edit("s-a", |records| {
                moved.extend(records.pop());
                Ok(())
            })?;
            forge.edit("s-c", |records| {
                records.insert(3, moved.remove(0));
                consistent(records)
            })
        })
    })?;
    case.verify_finds("Missing", "record 289:")?;
    case.verify_finds("Head", "the records do not lead to the head")
}

/// A copy of record 7 that says something else, put at `place`.
fn backdated(dir: &Path, place: usize) -> Result<(), Failed> {
    forged(dir, |forge| {
        forge.edit("s-a", |records| {
            let mut forged = records[7].clone();
            forged.say("paid 17.00 EUR", "asked the owner")?;
            records.insert(place, forged);
            consistent(records)
        })
    })
}

pub(super) fn insert_backdated(case: &mut Case) -> Result<(), Failed> {
    let whole = case.elsewhere("whole");
    scene::copy(&case.store(), &whole)?;
    case.as_file_editor(|dir| backdated(dir, 7))?;
    case.verify_finds("Head", "the records do not lead to the head")?;
    // Behind the last head, where no signature covers it, with an index that says so: the collector must not sign it.
    scene::copy(&whole, &case.store())?;
    case.as_file_editor(|dir| {
        backdated(dir, 290)?;
        forged(dir, |forge| {
            let open = "UPDATE stream SET uncovered = 1 WHERE label = 's-a'";
            forge.database.execute(open, [])?;
            Ok(())
        })
    })?;
    let verified = case.verify()?;
    if verified.code != Some(3) && !verified.said.contains("covers the last 1 record") {
        return Err(verified.said.into());
    }
    case.start_refuses("sealed at an orderly stop")?;
    // The same without the mark in the index: found when the stream is to grow.
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            let closed = "UPDATE stream SET uncovered = 0, head_size = 291 WHERE label = 's-a'";
            forge.database.execute(closed, [])?;
            Ok(())
        })
    })?;
    let mut collector = case.start()?;
    let answer = scene::post(&collector, &scene::export("s-a", 290..291))?;
    if answer.status == 200 {
        return Err("the collector seals records on top of a forged one".into());
    }
    collector.kill()?;
    Ok(())
}

pub(super) fn swap_sessions(case: &mut Case) -> Result<(), Failed> {
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            let (a, b) = (forge.number("s-b")?, forge.number("s-c")?);
            let swap = "UPDATE segment SET stream = CASE stream WHEN ?1 THEN ?2 ELSE ?1 END, first = first + 1000
                        WHERE stream IN (?1, ?2)";
            forge.database.execute(swap, (a, b))?;
            let settle = "UPDATE segment SET first = first - 1000 WHERE first >= 1000";
            forge.database.execute(settle, [])?;
            Ok(())
        })
    })?;
    case.verify_finds("Head", "the records do not lead to the head")?;
    splice(case)
}

/// A true proof of another ledger's leaf says nothing about this ledger, nor about another leaf.
pub(super) fn splice(case: &mut Case) -> Result<(), Failed> {
    let key = VerifierKey::parse(&case.base().key)?;
    let proof = |store: &Path| -> Result<_, Failed> {
        let folder = Folder::open(store)?;
        let mut verifier = Verifier::open(&folder, &Trusted::FirstSeen)?;
        let proof = verifier.leaf_proof(1)?.ok_or("a proof")?;
        let leaf = folder.control(1, 2)?.remove(0).leaf;
        Ok((proof, leaf))
    };
    let (own, leaf) = proof(&case.base().store())?;
    own.verify(&leaf, &key)?;
    let (foreign, foreign_leaf) = proof(&case.base().other())?;
    if foreign.verify(&foreign_leaf, &key).is_ok() || own.verify(&foreign_leaf, &key).is_ok() {
        return Err("a spliced proof is believed".into());
    }
    Ok(())
}

pub(super) fn change_index(case: &mut Case) -> Result<(), Failed> {
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            let hide = "DELETE FROM request WHERE stream = ?1";
            forge.database.execute(hide, [forge.number("s-c")?])?;
            Ok(())
        })
    })?;
    case.verify_finds(
        "Index",
        "the index does not bind request \"47892\", a leaf does",
    )
}

pub(super) fn bit_rot(case: &mut Case) -> Result<(), Failed> {
    let whole = case.elsewhere("whole");
    scene::copy(&case.store(), &whole)?;
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            forge.edit("s-a", |records| {
                records[7].salt[4] ^= 1;
                Ok(())
            })
        })
    })?;
    case.verify_finds("Payload", "record 7:")?;
    scene::copy(&whole, &case.store())?;
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            let rot = "UPDATE tile SET hashes = zeroblob(8192) WHERE log > 0 AND level = 0";
            forge.database.execute(rot, [])?;
            Ok(())
        })
    })?;
    case.verify_finds("Tile", "leaves 0..256")
}

pub(super) fn hostile_schema(case: &mut Case) -> Result<(), Failed> {
    case.as_file_editor(|dir| {
        forged(dir, |forge| {
            let plant = "CREATE TRIGGER harmless AFTER INSERT ON segment BEGIN
                         UPDATE segment SET payload = x'' WHERE n = new.n; END";
            Ok(forge.database.execute_batch(plant)?)
        })
    })?;
    let verified = case.verify()?;
    if verified.code != Some(3)
        || !verified
            .said
            .contains("it holds what recount never creates")
    {
        return Err(verified.said.into());
    }
    case.start_refuses("it holds what recount never creates: CREATE TRIGGER harmless")
}
