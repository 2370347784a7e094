//! Hash tiles under the paths of C2SP tlog-tiles: `tile/<level>/<n>`, partial ones with `.p/<width>`.
//!
//! <https://c2sp.org/tlog-tiles>. Leaves are served as exact bytes under `/v1`, not as entry bundles: a control leaf
//! and its private part are two things.

use axum::extract::{Path, State};
use axum::response::Response;
use ledger::leaf::StreamId;
use ledger::reader::{Log, ReadError, Reader};
use ledger::tile::{TilePath, WIDTH};
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
    let Some(named) = TilePath::parse(path) else {
        return bad_request("not the path of a tile");
    };
    match read(&door, move |folder| hashes(folder, log, named)).await {
        Ok(Some(hashes)) => bytes(hashes, "application/octet-stream"),
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
    let from = named.n.checked_mul(WIDTH);
    let Some((from, to)) = from.and_then(|from| Some((from, from.checked_add(named.width)?)))
    else {
        return Ok(None);
    };
    let mut hashes = Vec::with_capacity(length);
    match log {
        Log::Ledger => {
            for control in reader.control(from, to)? {
                hashes.extend_from_slice(&hash_leaf(&control.leaf));
            }
        }
        Log::Stream(stream) => reader.scan(&stream, from, to, &mut |record| {
            hashes.extend_from_slice(&hash_leaf(record.leaf));
        })?,
    }
    Ok((hashes.len() == length).then_some(hashes))
}
