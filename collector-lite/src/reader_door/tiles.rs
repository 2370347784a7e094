//! Tiles and entry bundles under the paths of C2SP tlog-tiles: `tile/<level>/<n>` and `tile/entries/<n>`, partial ones
//! with `.p/<width>`.
//!
//! <https://c2sp.org/tlog-tiles>. An entry is a leaf, exactly the bytes that its hash is over: those of the ledger log, or
//! of one stream. Leaves are what is public of a ledger, and stay when payloads are erased; what they commit to, records
//! and private parts, is under `/v1` alone.

use axum::extract::{Path, State};
use axum::response::Response;
use ledger::leaf::StreamId;
use ledger::reader::{Log, ReadError, Reader};
use ledger::tile::{TilePath, WIDTH, put_entry};
use ledger::tree::hash_leaf;

use super::Door;
use super::answer::{bad_request, bytes, not_found, read};

pub(super) async fn ledger(State(door): Door, Path(path): Path<String>) -> Response {
    serve(door, Log::Ledger, &path).await
}

pub(super) async fn stream(
    State(door): Door,
    Path((id, path)): Path<(String, String)>,
) -> Response {
    match id.parse::<StreamId>() {
        Ok(stream) => serve(door, Log::Stream(stream), &path).await,
        Err(error) => bad_request(&error.to_string()),
    }
}

async fn serve(door: std::sync::Arc<super::ReaderDoor>, log: Log, path: &str) -> Response {
    let entries = path.strip_prefix("entries/");
    let named = match entries {
        // A bundle has the number and the width of the tile of level 0 over it.
        Some(rest) => TilePath::parse(&format!("0/{rest}")),
        None => TilePath::parse(path),
    };
    let Some(named) = named else {
        return bad_request("not the path of a tile or an entry bundle");
    };
    let bundle = entries.is_some();
    let found = read(&door, move |folder| match bundle {
        true => entries_of(folder, log, named),
        false => hashes(folder, log, named),
    });
    match found.await {
        Ok(Some(found)) => bytes(found, "application/octet-stream"),
        Ok(None) => not_found("such tile"),
        Err(response) => response,
    }
}

/// The hashes of a tile, as many as its path says; level 0 of a tile that is not full is hashed from its leaves.
fn hashes(reader: &dyn Reader, log: Log, named: TilePath) -> Result<Option<Vec<u8>>, ReadError> {
    let length = named.width as usize * 32;
    if let Some(mut stored) = reader.tile(log, named.level, named.n)?
        && stored.len() >= length
    {
        stored.truncate(length);
        return Ok(Some(stored));
    }
    if named.level > 0 {
        return Ok(None);
    }
    let mut hashes = Vec::with_capacity(length);
    leaves(reader, log, named, &mut |leaf| {
        hashes.extend_from_slice(&hash_leaf(leaf))
    })?;
    Ok((hashes.len() == length).then_some(hashes))
}

/// The leaves of an entry bundle, as many as its path says.
fn entries_of(
    reader: &dyn Reader,
    log: Log,
    named: TilePath,
) -> Result<Option<Vec<u8>>, ReadError> {
    let (mut bundle, mut count) = (Vec::new(), 0);
    leaves(reader, log, named, &mut |leaf| {
        // A leaf is a few hundred bytes at most; one that does not fit is none, and is missing below.
        count += u64::from(put_entry(&mut bundle, leaf).is_some());
    })?;
    Ok((count == named.width).then_some(bundle))
}

/// The leaves under a tile of level 0, as far as there are any.
fn leaves(
    reader: &dyn Reader,
    log: Log,
    named: TilePath,
    each: &mut dyn FnMut(&[u8]),
) -> Result<(), ReadError> {
    let from = named.n.checked_mul(WIDTH);
    let Some((from, to)) = from.and_then(|from| Some((from, from.checked_add(named.width)?)))
    else {
        return Ok(());
    };
    match log {
        Log::Ledger => {
            for control in reader.control(from, to)? {
                each(&control.leaf);
            }
            Ok(())
        }
        Log::Stream(stream) => reader.scan(&stream, from, to, &mut |record| each(record.leaf)),
    }
}
