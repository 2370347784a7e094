//! Hash tiles under the paths of C2SP tlog-tiles: `tile/<level>/<n>`, partial ones with `.p/<width>`.
//!
//! <https://c2sp.org/tlog-tiles>. Leaves are served as exact bytes under `/v1`, not as entry bundles: a control leaf
//! and its private part are two things.

use axum::extract::{Path, State};
use axum::response::Response;
use ledger::leaf::StreamId;
use ledger::reader::{Log, ReadError, Reader};
use ledger::tile::WIDTH;
use ledger::tree::hash_leaf;

use super::Door;
use super::answer::{bad_request, bytes, not_found, read};

/// One tile as its path names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Named {
    level: u8,
    n: u64,
    width: u64,
}

/// Reads what follows `tile/`.
fn parse(path: &str) -> Option<Named> {
    let (level, rest) = path.split_once('/')?;
    let level: u8 = level
        .parse()
        .ok()
        .filter(|parsed: &u8| *parsed < 64 && parsed.to_string() == level)?;
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (
            index,
            width
                .parse()
                .ok()
                .filter(|width| (1..WIDTH).contains(width))?,
        ),
        None => (rest, WIDTH),
    };
    let mut n = 0u64;
    for group in index.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        n = n.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    let named = Named { level, n, width };
    // One path per tile: what reads alike but is written otherwise is none.
    (ledger::tile::path(level, n, width) == format!("tile/{path}")).then_some(named)
}

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
    let Some(named) = parse(path) else {
        return bad_request("not the path of a tile");
    };
    match read(&door, move |folder| hashes(folder, log, named)).await {
        Ok(Some(hashes)) => bytes(hashes, "application/octet-stream"),
        Ok(None) => not_found("such tile"),
        Err(response) => response,
    }
}

/// The hashes of a tile, as many as its path says; level 0 of a tile that is not full is hashed from its leaves.
fn hashes(reader: &dyn Reader, log: Log, named: Named) -> Result<Option<Vec<u8>>, ReadError> {
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
    let from = named.n * WIDTH;
    let to = from + named.width;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_path_reads_back() {
        for (level, n, width) in [(0, 0, 256), (1, 1_234_067, 256), (0, 5, 17)] {
            let path = ledger::tile::path(level, n, width);
            let path = path.strip_prefix("tile/").unwrap();
            assert_eq!(parse(path), Some(Named { level, n, width }), "{path}");
        }
    }

    #[test]
    fn a_path_that_is_written_otherwise_is_none() {
        for path in [
            "0/5",
            "0/0005",
            "00/005",
            "0/x000/005",
            "0/005.p/256",
            "0/005.p/0",
            "64/000",
            "entries/000",
            "",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }
}
