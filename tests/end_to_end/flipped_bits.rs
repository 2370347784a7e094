//! One flipped bit, anywhere that counts: exit 3, and a name for what was hit.

use crate::demo::{demo, recount};
use libtest_mimic::{Failed, Trial};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use tests::need::trial;
use tests::outcome::Outcome;
use tests::program::Program::Recount;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "a_flipped_bit_is_named_with_exit_3",
            None,
            named_with_exit_3,
        ),
        trial(
            "a_door_on_a_tampered_store_is_not_believed",
            None,
            door_is_not_believed,
        ),
        trial(
            "a_flipped_bit_in_a_leftover_wal_is_exit_3",
            None,
            leftover_wal,
        ),
    ]
}

/// What is flipped, and the query that gives the stored bytes.
const PLACES: &[(&str, &str)] = &[
    (
        "payload",
        "SELECT substr(payload, 25, 24) FROM segment WHERE first > 3 ORDER BY n LIMIT 1",
    ),
    (
        "salt",
        "SELECT substr(salts, 1, 24) FROM segment ORDER BY n LIMIT 1",
    ),
    (
        "leaf",
        "SELECT substr(leaves, 11, 24) FROM segment ORDER BY n LIMIT 1",
    ),
    (
        "close of a stream",
        "SELECT substr(leaf, 12, 24) FROM control WHERE hex(substr(leaf, 2, 1)) = '05' LIMIT 1",
    ),
    (
        "binding of the request",
        "SELECT private FROM control WHERE hex(substr(leaf, 2, 1)) = '07' LIMIT 1",
    ),
    (
        "row of the index",
        "SELECT cast(label AS BLOB) FROM stream ORDER BY n LIMIT 1",
    ),
];

fn named_with_exit_3() -> Result<(), Failed> {
    let whole = tempfile::tempdir()?;
    demo(whole.path(), &[])?;
    for (place, query) in PLACES {
        let folder = copy(whole.path())?;
        let database = folder.path().join("recount-demo/ledger.db");
        let stored = stored(&database, query)?;
        flip(&database, &stored)?;
        refused(folder.path(), place)?;
    }
    // A page of the database whose kind is no kind.
    let folder = copy(whole.path())?;
    let database = folder.path().join("recount-demo/ledger.db");
    let mut bytes = std::fs::read(&database)?;
    let page_size = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    bytes[page_size] ^= 0x40;
    std::fs::write(&database, bytes)?;
    refused(folder.path(), "page")?;
    // The signed checkpoint: the root's text.
    let folder = copy(whole.path())?;
    let note = folder.path().join("recount-demo/last_signed");
    let mut text = std::fs::read(&note)?;
    let root = text
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .nth(1)
        .map_or(0, |(at, _)| at)
        + 5;
    text[root] ^= 1;
    std::fs::write(&note, text)?;
    refused(folder.path(), "checkpoint")?;
    Ok(())
}

fn refused(folder: &Path, place: &str) -> Result<(), Failed> {
    let verify = recount(folder, &["verify", "--all"])?;
    let verify = verify.ended(3).map_err(|why| format!("{place}: {why}"))?;
    if verify.out.trim().is_empty() && verify.err.trim().is_empty() {
        return Err(format!("{place}: exit 3 without a word").into());
    }
    // What is not read for the answer cannot spoil it; what is read must.
    let show = recount(folder, &["show", "47892"])?;
    match show.code {
        Some(3) => Ok(()),
        Some(0) if !["payload", "salt", "leaf", "page"].contains(&place) => Ok(()),
        code => Err(format!(
            "{place}: show ended with {code:?}\n{}\n{}",
            show.out, show.err
        )
        .into()),
    }
}

/// The collector serves what it finds; whoever reads through its door checks it again.
fn door_is_not_believed() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    demo(folder.path(), &[])?;
    let store = folder.path().join("recount-demo");
    let (_, query) = PLACES[0];
    flip(
        &store.join("ledger.db"),
        &stored(&store.join("ledger.db"), query)?,
    )?;
    let collector = examples::collector::Running::start(&store)?;
    let mut show = Recount.command()?;
    show.args(["show", "47892", "--collector"])
        .arg(collector.reader())
        .env("XDG_CONFIG_HOME", folder.path().join("config"))
        .env("XDG_STATE_HOME", folder.path().join("state"));
    Outcome::of(&mut show)?.ended(3)?;
    Ok(())
}

fn leftover_wal() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("recount-demo");
    let mut collector = examples::collector::Running::start(&store)?;
    let mut log = Recount.command()?;
    log.env("XDG_STATE_HOME", folder.path().join("sender"))
        .args(["log-line", "--request", "47892", "--endpoint"])
        .arg(format!("http://{}", collector.otlp_http()?));
    Outcome::fed(&mut log, "first\nsecond\n")?.ended(0)?;
    collector.kill()?;
    let wal = store.join("ledger.db-wal");
    let mut bytes = std::fs::read(&wal)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&wal, bytes)?;
    recount(folder.path(), &["verify", "--all"])?.ended(3)?;
    Ok(())
}

fn stored(database: &Path, query: &str) -> Result<Vec<u8>, Failed> {
    let uri = format!("file:{}?immutable=1", database.display());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Ok(Connection::open_with_flags(uri, flags)?.query_row(query, [], |row| row.get(0))?)
}

/// Flips one bit in the middle of every place where these bytes stand in the file.
fn flip(file: &Path, stored: &[u8]) -> Result<(), Failed> {
    let mut bytes = std::fs::read(file)?;
    let places: Vec<usize> = bytes
        .windows(stored.len())
        .enumerate()
        .filter(|(_, window)| *window == stored)
        .map(|(at, _)| at + stored.len() / 2)
        .collect();
    if places.is_empty() {
        return Err("the stored bytes are not in the file".into());
    }
    for place in places {
        bytes[place] ^= 1;
    }
    std::fs::write(file, bytes)?;
    Ok(())
}

fn copy(folder: &Path) -> Result<tempfile::TempDir, Failed> {
    let copy = tempfile::tempdir()?;
    let store = copy.path().join("recount-demo");
    std::fs::create_dir_all(&store)?;
    for entry in std::fs::read_dir(folder.join("recount-demo"))? {
        let entry = entry?;
        if entry.path().is_file() {
            std::fs::copy(entry.path(), store.join(entry.file_name()))?;
        }
    }
    Ok(copy)
}
