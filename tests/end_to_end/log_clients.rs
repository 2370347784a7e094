//! Transparency logs by their specification alone: another program's client reads ours, and we read its log.

use std::path::Path;
use std::process::Command;

use ledger::checkpoint::Checkpoint;
use ledger::cosignature::Cosigner;
use ledger::door::Door;
use ledger::note::{Note, VerifierKey};
use ledger::proof::LeafProof;
use ledger::reader::Reader;
use ledger::store::Folder;
use ledger::tile;
use ledger::tree::{Frontier, Hash, hash_leaf};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use tests::need::{Need, python, trial};
use tests::outcome::Outcome;
use tests::program::Program::Recount;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test(
            "a_proof_through_the_door_is_the_one_that_the_terminal_writes",
            same_proof,
        ),
        trial(
            "a_log_client_that_others_wrote_checks_the_ledger_through_the_reader_door",
            Some(Need::LogClient),
            they_read_ours,
        ),
        trial(
            "a_log_that_others_wrote_verifies_here",
            Some(Need::LogClient),
            we_read_theirs,
        ),
    ]
}

/// By the folder, by the terminal through the door, and by the door alone: the same bytes.
fn same_proof() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let collector = examples::collector::Running::start(&store)?;
    record(&collector, "before", 1)?;
    collector.stop()?;
    let proof = |place: &[&str]| -> Result<String, Failed> {
        let mut command = Recount.command()?;
        command
            .args(["proof", "before-0#0"])
            .args(place)
            .env("XDG_CONFIG_HOME", folder.path())
            .env("XDG_STATE_HOME", folder.path());
        Ok(Outcome::of(&mut command)?.ended(0)?.out)
    };
    proof(&["--store", path(&store)?])?;
    let collector = examples::collector::Running::start(&store)?;
    let door = Door::socket(collector.reader());
    // A checkpoint may be signed in between.
    for _ in 0..5 {
        let before = door.get("/checkpoint")?;
        let alone = door.get("/v1/proof/before-0%230")?;
        let through = proof(&["--collector", path(collector.reader())?])?;
        if door.get("/checkpoint")? == before {
            return match alone == through.as_bytes() {
                true => Ok(collector.stop()?),
                false => Err(format!("{through}\n{}", String::from_utf8_lossy(&alone)).into()),
            };
        }
    }
    Err("a checkpoint with every request".into())
}

/// Sessions that are recorded before the first checkpoint: more leaves of the ledger log than one tile holds.
const SESSIONS: usize = 120;

fn client(arguments: &[&str]) -> Command {
    let mut program = Command::new(python());
    program
        .args(["-I"])
        .arg(tests::root().join("tests/python/log_client.py"))
        .args(arguments);
    program
}

fn they_read_ours() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let collector = examples::collector::Running::start(&store)?;
    record(&collector, "before", SESSIONS)?;
    collector.stop()?;
    let old = Folder::open(&store)?.checkpoint()?.ok_or("no checkpoint")?;
    let old_file = folder.path().join("old");
    std::fs::write(&old_file, &old)?;

    let witness = Cosigner::new("witness.example/one", &[9; 32])?;
    let text = Note::parse(&old)?.text.to_owned();
    let cosigned_file = folder.path().join("cosigned");
    std::fs::write(
        &cosigned_file,
        [&old[..], witness.cosign(&text, 1_700_000_000).as_bytes()].concat(),
    )?;

    let collector = examples::collector::Running::start(&store)?;
    record(&collector, "after", 3)?;
    let key = key_of(&store)?;
    let shown = Outcome::of(&mut client(&[
        "read",
        path(collector.reader())?,
        &key.to_string(),
        path(&old_file)?,
        &witness.key().to_string(),
        path(&cosigned_file)?,
        path(folder.path())?,
    ]))?
    .ended(0)?
    .json()?;
    collector.stop()?;

    let tiles: Vec<&str> = shown["tiles"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if !tiles.contains(&"tile/0/000") || !tiles.iter().any(|path| path.starts_with("tile/1/000.p/"))
    {
        return Err(format!("tiles of one level only: {tiles:?}").into());
    }
    let mut proofs = 0;
    for entry in std::fs::read_dir(folder.path())? {
        let file = entry?.path();
        if file.extension().is_some_and(|end| end == "tlog-proof") {
            let proof = LeafProof::parse(&std::fs::read(&file)?)?;
            let leaf = Folder::open(&store)?.control(proof.index, proof.index + 1)?;
            proof.verify(&leaf.first().ok_or("no leaf")?.leaf, &key)?;
            proofs += 1;
        }
    }
    if proofs < 6 {
        return Err(format!("{proofs} proofs").into());
    }
    Ok(())
}

fn we_read_theirs() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let leaves = 70_000_u64;
    let seed = "07".repeat(32);
    let made = Outcome::of(&mut client(&[
        "write",
        &seed,
        "log.example/theirs",
        &leaves.to_string(),
        path(&log)?,
    ]))?
    .ended(0)?
    .json()?;
    let key = VerifierKey::parse(made["key"].as_str().ok_or("no key")?)?;
    let checkpoint = Checkpoint::open(&std::fs::read(log.join("checkpoint"))?, &key)?;
    let mut tree = Frontier::new();
    let mut rows: Vec<Vec<u8>> = Vec::new();
    for i in 0..leaves {
        let hash = hash_leaf(format!("leaf {i}").as_bytes());
        tree.append(hash);
        push(&mut rows, 0, &hash);
    }
    if checkpoint.head.size != leaves || checkpoint.head.root != tree.root() {
        return Err("another root than theirs".into());
    }
    for (level, row) in (0u8..).zip(&rows) {
        for (n, hashes) in (0u64..).zip(row.chunks(tile::BYTES)) {
            let file = log.join(tile::path(level, n, hashes.len() as u64 / 32));
            if std::fs::read(&file)? != hashes {
                return Err(format!("{} is another tile here", file.display()).into());
            }
        }
    }
    if rows.iter().map(|row| row.len() / 32).ne([70_000, 273, 1]) {
        return Err("not the tiles of the specification's example".into());
    }
    Ok(())
}

/// Adds a hash to a level, and the root of a tile that became full to the level above.
fn push(rows: &mut Vec<Vec<u8>>, level: usize, hash: &Hash) {
    if rows.len() == level {
        rows.push(Vec::new());
    }
    rows[level].extend_from_slice(hash);
    if rows[level].len().is_multiple_of(tile::BYTES) {
        let full = rows[level].len() - tile::BYTES;
        if let Some(root) = tile::tile_root(&rows[level][full..]) {
            push(rows, level + 1, &root);
        }
    }
}

/// One record in each of `sessions` sessions, in one export.
fn record(
    collector: &examples::collector::Running,
    name: &str,
    sessions: usize,
) -> Result<(), Failed> {
    let attribute = |key: &str, value: String| json!({"key": key, "value": {"stringValue": value}});
    let spans: Vec<Value> = (0..sessions)
        .map(|i| {
            json!({
                "traceId": format!("{:032x}", i + 1 + name.len() * 1000),
                "spanId": format!("{:016x}", i + 1),
                "name": "look",
                "startTimeUnixNano": "1700000000000000000",
                "endTimeUnixNano": "1700000000000000001",
                "attributes": [
                    attribute("session.id", format!("{name}-{i}")),
                    attribute("recount.request.id", format!("{name}-{i}")),
                ],
            })
        })
        .collect();
    let export = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]});
    let url = format!("http://{}/v1/traces", collector.otlp_http()?);
    ureq::post(&url)
        .header("content-type", "application/json")
        .send(export.to_string())?;
    Ok(())
}

/// The key of the ledger, as it printed it when it was made.
fn key_of(store: &Path) -> Result<VerifierKey, Failed> {
    let text = std::fs::read_to_string(store.join("ledger.pub"))?;
    let line = text
        .lines()
        .find(|line| line.contains('+'))
        .ok_or("no key")?;
    Ok(VerifierKey::parse(line.trim())?)
}

fn path(path: &Path) -> Result<&str, Failed> {
    Ok(path.to_str().ok_or("a path that is not UTF-8")?)
}
