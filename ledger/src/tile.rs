//! Tiles (C2SP tlog-tiles): 256 neighbouring hashes of one level, and where they are kept.
#![forbid(unsafe_code)]

use crate::tree::{Hash, hash_node};

#[cfg(feature = "verify")]
mod entries;
#[cfg(feature = "verify")]
mod tiler;
#[cfg(feature = "verify")]
pub use entries::{entries_path, put_entry};
#[cfg(feature = "verify")]
pub use tiler::{Tile, Tiler};

/// Hashes in a full tile.
pub const WIDTH: u64 = 256;
/// Bytes of a full tile.
pub const BYTES: usize = 8192;

/// How many hashes the rightmost, partial tile of a level has in a tree of `size` leaves; 0 if none.
#[must_use]
pub fn partial_width(level: u8, size: u64) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0) % WIDTH
}

/// The path of a tile under a log's prefix: `tile/<level>/<n>`, `n` in groups of three digits; `width`
/// below 256 names a partial tile.
#[must_use]
pub fn path(level: u8, n: u64, width: u64) -> String {
    let mut groups = vec![format!("{:03}", n % 1000)];
    let mut rest = n / 1000;
    while rest > 0 {
        groups.push(format!("x{:03}", rest % 1000));
        rest /= 1000;
    }
    groups.reverse();
    let partial = if width < WIDTH {
        format!(".p/{width}")
    } else {
        String::new()
    };
    format!("tile/{level}/{}{partial}", groups.join("/"))
}

/// A tile as its path names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TilePath {
    /// Tree level divided by 8.
    pub level: u8,
    /// Number of the tile in its level.
    pub n: u64,
    /// How many of its hashes are meant: 256, or fewer of a partial tile.
    pub width: u64,
}

impl TilePath {
    /// Reads what [`path`] writes after `tile/`; `None` for anything else, however alike it reads: a tile has one path.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.split_once('/')?;
        let level = level.parse().ok().filter(|level: &u8| *level < 64)?;
        let (groups, width) = match rest.split_once(".p/") {
            Some((groups, width)) => {
                let width = width.parse().ok();
                (groups, width.filter(|width| (1..WIDTH).contains(width))?)
            }
            None => (rest, WIDTH),
        };
        let mut n = 0u64;
        for group in groups.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            n = n.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let named = Self { level, n, width };
        (self::path(level, n, width).strip_prefix("tile/") == Some(path)).then_some(named)
    }
}

/// The root over the hashes of a full tile: one hash of the tile above. `None` unless it is full.
#[must_use]
pub fn tile_root(hashes: &[u8]) -> Option<Hash> {
    if hashes.len() != BYTES {
        return None;
    }
    let mut row: Vec<Hash> = hashes.as_chunks::<32>().0.to_vec();
    while row.len() > 1 {
        row = row
            .chunks_exact(2)
            .map(|pair| hash_node(&pair[0], &pair[1]))
            .collect();
    }
    row.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tile_path_reads_back() {
        for (level, n, width) in [(0, 0, 256), (1, 1_234_067, 256), (0, 5, 17)] {
            let path = super::path(level, n, width);
            let path = path.strip_prefix("tile/").unwrap();
            assert_eq!(
                TilePath::parse(path),
                Some(TilePath { level, n, width }),
                "{path}"
            );
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
            "0/+05",
            "0/005.p/007",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
            "entries/000",
            "",
        ] {
            assert_eq!(TilePath::parse(path), None, "{path}");
        }
    }
}
