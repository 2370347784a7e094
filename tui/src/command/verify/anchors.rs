//! What anchors hold, where it can be read: files named in receipts, and what a person names.

mod git;

use std::io::Read as _;
use std::path::Path;

use ledger::checkpoint::{Checkpoint, appended};
use ledger::leaf::TreeHead;
use ledger::note::VerifierKey;
use ledger::verify::report::Evidence;
use ledger::verify::{Finding, FindingKind, Place};

use crate::failure::Failure;
use crate::source::Source;

/// Kind of a file anchor's receipts, and how its holder begins.
const FILE: u8 = 1;
const HOLDER: &str = "file:";

/// The branch of a git anchor whose settings name none.
const BRANCH: &str = "recount";

/// The longest copy that is read: 300,000 checkpoints.
const LONGEST: u64 = 128 << 20;

/// Compares receipts with the copies that can be read here: those given, and of a live ledger the files that its own
/// receipts name. A bundle comes from somebody else's machine, so no path in it is followed.
pub(super) fn compare(
    source: &Source,
    evidence: &mut Evidence,
    given: &[String],
) -> Result<(), Failure> {
    let Some(key) = evidence.key.clone() else {
        return Ok(());
    };
    for name in given {
        let copies = copies(name)?;
        let notes: Vec<_> = copies.iter().flat_map(|copy| signed(copy, &key)).collect();
        if notes.is_empty() {
            let what = format!("it holds no checkpoint of {}", key.name());
            return Err(unusable(name, &what));
        }
        add(source, evidence, None, name, &notes)?;
    }
    if source.bundle().is_some() {
        return Ok(());
    }
    let mut named: Vec<String> = evidence
        .anchors
        .iter()
        .filter(|anchor| anchor.kind == FILE)
        .map(|anchor| anchor.holder.clone())
        .collect();
    named.sort_unstable();
    named.dedup();
    for holder in named {
        let Some(path) = holder.strip_prefix(HOLDER).map(Path::new) else {
            continue;
        };
        // A copy that is out of reach leaves its receipts stated.
        if let Ok(copy) = read(path) {
            let notes = signed(&copy, &key);
            let name = path.display().to_string();
            add(source, evidence, Some(&holder), &name, &notes)?;
        }
    }
    Ok(())
}

/// What lies at a place that a person named.
fn copies(name: &str) -> Result<Vec<Vec<u8>>, Failure> {
    if let Some(place) = name.strip_prefix("git:") {
        let (repository, branch) = place.rsplit_once('#').unwrap_or((place, BRANCH));
        return git::checkpoints(repository, branch);
    }
    if name.starts_with("s3:") {
        return Err(unusable(name, "buckets are not read from here"));
    }
    let path = Path::new(name.strip_prefix(HOLDER).unwrap_or(name));
    let copy = read(path).map_err(|error| unusable(name, &error.to_string()))?;
    Ok(vec![copy])
}

pub(super) fn unusable(name: &str, what: &str) -> Failure {
    Failure::Usage {
        what: format!("--anchor {name}: {what}"),
        hint: "give the file that the anchor holds, git:REPO#BRANCH, or the object with the highest key of a bucket, saved as a file"
            .to_owned(),
    }
}

/// A regular file that is not too long: a path in a ledger may name anything.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let about = std::fs::metadata(path)?;
    if !about.is_file() || about.len() > LONGEST {
        return Err(std::io::Error::other("not a file of checkpoints"));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path)?;
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The checkpoints in a copy that the ledger's key signed; what else lies there says nothing about the ledger.
fn signed<'a>(copy: &'a [u8], key: &VerifierKey) -> Vec<(&'a [u8], TreeHead)> {
    let notes = appended(copy).into_iter();
    notes
        .filter_map(|note| Some((note, Checkpoint::open(note, key).ok()?.head)))
        .collect()
}

fn add(
    source: &Source,
    evidence: &mut Evidence,
    holder: Option<&str>,
    name: &str,
    notes: &[(&[u8], TreeHead)],
) -> Result<(), Failure> {
    let heads: Vec<TreeHead> = notes.iter().map(|(_, head)| *head).collect();
    evidence.add_copy(holder.map(|_| FILE), holder, &heads);
    let newest = notes.iter().max_by_key(|(_, head)| head.size);
    let Some((note, head)) = newest else {
        return Ok(());
    };
    let mut verifier = source.verifier()?;
    if source.bundle().is_some() {
        // An excerpt has the trees that its hashes give.
        match verifier.root_of(head.size) {
            Ok(root) if root == head.root => evidence.add_known(note, name),
            Ok(_) => evidence.findings.push(fork(name)),
            Err(_) => {}
        }
        return Ok(());
    }
    let findings = verifier.known_checkpoint(note);
    match holder {
        // Kept by whoever asks: it pins the past.
        None if findings.is_empty() => evidence.add_known(note, name),
        None => {}
        // Named by the ledger itself, whose writer may have made the file to fit.
        Some(_) => evidence.residual.push(format!(
            "that {name} is out of the reach of whoever writes the ledger, whose receipts name it"
        )),
    }
    evidence.findings.extend(findings.into_iter().map(|mut it| {
        it.what = format!("{name}: {}", it.what);
        it
    }));
    Ok(())
}

fn fork(name: &str) -> Finding {
    Finding {
        kind: FindingKind::Fork,
        place: Place::Ledger,
        what: format!("{name} holds a checkpoint of another history"),
    }
}
