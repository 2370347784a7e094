//! Adversaries who make bundles: hostile archives, less than was asked for, copies that differ, convenient parts.

use ledger::bundle::{pack, unpack};
use ledger::checkpoint::Checkpoint;
use ledger::note::SignerKey;
use libtest_mimic::Failed;
use std::path::PathBuf;
use tests::outcome::Outcome;
use tests::program::Program::Recount;

use crate::attack::When;
use crate::case::Case;
use crate::scene;

/// A bundle of the base store's request, written by the command that users have.
fn exported(case: &Case) -> Result<(PathBuf, Vec<u8>), Failed> {
    let file = case.elsewhere("evidence.tar");
    let path = file.to_str().ok_or("a path in UTF-8")?.to_owned();
    case.recount(&["export", "47892", "-f", "bundle", "-o", &path])?
        .ended(0)?;
    let bytes = scene::read(&file)?;
    Ok((file, bytes))
}

fn verified(case: &Case, file: &std::path::Path) -> Result<Outcome, Failed> {
    case.reader(
        Recount,
        &["verify", file.to_str().ok_or("a path in UTF-8")?],
    )
}

/// As it is, it must be believed; the base store's sessions were never ended, which is said.
fn accepted(case: &Case, file: &std::path::Path) -> Result<(), Failed> {
    let said = verified(case, file)?;
    match said.code {
        Some(0 | 6) if said.out.contains("integrity            shown") => Ok(()),
        _ => Err(format!("{:?} {}{}", said.code, said.out, said.err).into()),
    }
}

/// The bundle with one file changed and every digest made good.
fn repacked(
    bundle: &[u8],
    name: &str,
    change: impl Fn(&[u8]) -> Result<Vec<u8>, Failed>,
) -> Result<Vec<u8>, Failed> {
    let (files, _) = unpack(bundle)?;
    let mut changed = Vec::new();
    for (known, content) in files.iter().filter(|(known, _)| *known != "SHA256SUMS") {
        let content = if *known == name {
            change(content)?
        } else {
            content.to_vec()
        };
        changed.push((*known, content));
    }
    let files: Vec<(&str, &[u8])> = changed
        .iter()
        .map(|(name, content)| (*name, &content[..]))
        .collect();
    let bytes = pack(&files)?;
    if bytes == bundle {
        return Err(format!("{name} is as it was").into());
    }
    Ok(bytes)
}

/// Writes into the archive's second header, and makes its checksum good.
fn header(bundle: &[u8], at: usize, change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bundle = bundle.to_vec();
    let block = &mut bundle[at..at + 512];
    change(block);
    block[148..156].copy_from_slice(b"        ");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    bundle
}

pub(super) fn hostile_archive(case: &mut Case) -> Result<(), Failed> {
    let (file, whole) = exported(case)?;
    accepted(case, &file)?;
    let outside = case.elsewhere("outside");
    let first = 512
        + usize::from_str_radix(std::str::from_utf8(&whole[124..135])?, 8)?.next_multiple_of(512);
    let hostile = case.forge(|| {
        let name = |name: &str| {
            let name = name.to_owned();
            move |block: &mut [u8]| {
                block[..100].fill(0);
                block[..name.len()].copy_from_slice(name.as_bytes());
            }
        };
        let link = |block: &mut [u8]| block[156] = b'2';
        let bomb = |block: &mut [u8]| block[124..136].copy_from_slice(b"77777777777\0");
        let twice = [&whole[..first], &whole].concat();
        Ok([
            (
                "climbs",
                header(&whole, 0, name("recount-bundle/../../outside")),
            ),
            (
                "is absolute",
                header(&whole, 0, name(&outside.display().to_string())),
            ),
            (
                "is unknown",
                header(&whole, 0, name("recount-bundle/extra")),
            ),
            ("is a link", header(&whole, 0, link)),
            ("is a bomb", header(&whole, 0, bomb)),
            ("is there twice", twice),
            ("is cut off", whole[..whole.len() / 2].to_vec()),
            ("is followed by more", [&whole[..], &[0; 512]].concat()),
        ])
    })?;
    for (what, bytes) in hostile {
        std::fs::write(&file, bytes)?;
        let said = verified(case, &file)?;
        if said.code != Some(2) || outside.exists() {
            return Err(format!("a name {what}: {:?} {}{}", said.code, said.out, said.err).into());
        }
    }
    case.caught(When::Verify);
    Ok(())
}

pub(super) fn downgrade(case: &mut Case) -> Result<(), Failed> {
    let (file, whole) = exported(case)?;
    accepted(case, &file)?;
    let (files, _) = unpack(&whole)?;
    let note = files
        .iter()
        .find(|(name, _)| *name == "checkpoint")
        .ok_or("a checkpoint")?
        .1
        .to_vec();
    let text = String::from_utf8(note)?;
    let body = text.split("\n\n").next().ok_or("a text")?;
    let forged = case.forge(|| {
        let head = Checkpoint::parse(&format!("{body}\n"))?;
        let thief = SignerKey::new(&head.origin, &[66; 32])?;
        Ok([
            // Without any signature, with somebody else's, and without the epoch's.
            format!("{body}\n\n").into_bytes(),
            head.sign(&thief)?,
            text.lines()
                .take(5)
                .map(|line| format!("{line}\n"))
                .collect::<String>()
                .into_bytes(),
        ])
    })?;
    for checkpoint in forged {
        std::fs::write(
            &file,
            repacked(&whole, "checkpoint", |_| Ok(checkpoint.clone()))?,
        )?;
        let said = verified(case, &file)?;
        if !matches!(said.code, Some(2 | 3)) {
            return Err(format!("{:?} {}{}", said.code, said.out, said.err).into());
        }
    }
    // A policy that leaves out what it demands is refused, not taken for one that demands nothing.
    for policy in ["", &format!("log {}\n", case.base().key)] {
        if ledger::policy::Policy::parse(policy.as_bytes()).is_ok() {
            return Err(format!("taken for a policy: {policy:?}").into());
        }
    }
    case.caught(When::Verify);
    Ok(())
}

pub(super) fn unsigned_copies(case: &mut Case) -> Result<(), Failed> {
    let (file, whole) = exported(case)?;
    accepted(case, &file)?;
    let forged = case.forge(|| {
        repacked(&whole, "account.json", |account| {
            let text = std::str::from_utf8(account)?;
            Ok(text
                .replacen("\"intact\"", "\"broken\"", 1)
                .replacen("\"open\"", "\"intact\"", 1)
                .into_bytes())
        })
    })?;
    std::fs::write(&file, forged)?;
    let said = verified(case, &file)?.ended(3)?;
    if !said
        .out
        .contains("account.json is not what the records give")
    {
        return Err(said.out.into());
    }
    case.caught(When::Verify);
    Ok(())
}

pub(super) fn convenient_part(case: &mut Case) -> Result<(), Failed> {
    // The operator exports one of two sessions of the request, by its own name.
    let query = case.attack(|_| Ok("s-c".to_owned()))?;
    let export = |file: &std::path::Path, more: &[&str]| -> Result<String, Failed> {
        let path = file.to_str().ok_or("a path in UTF-8")?;
        let args = [
            &["export", query.as_str(), "-f", "bundle", "-o", path],
            more,
        ]
        .concat();
        case.recount(&args)?;
        Ok(verified(case, file)?.out)
    };
    let part = export(&case.elsewhere("part.tar"), &[])?;
    let whole = export(&case.elsewhere("whole.tar"), &["--whole-log"])?;
    // Where nobody can know, it is said; with every leaf in the bundle, it is known.
    if part.contains("other streams and newer heads may be left out")
        && !whole.contains("other streams and newer heads may be left out")
    {
        return Ok(());
    }
    Err(format!("{part}\n{whole}").into())
}
