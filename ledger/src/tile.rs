//! Tiles (C2SP tlog-tiles): 256 neighbouring hashes of one level, and where they are kept.
#![forbid(unsafe_code)]

use crate::tree::{Hash, hash_node};

/// Hashes in a full tile.
pub const WIDTH: u64 = 256;
/// Bytes of a full tile.
pub const BYTES: usize = 8192;

/// A tile that became due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Tree level divided by 8.
    pub level: u8,
    /// Number of the tile in its level.
    pub n: u64,
    /// Its hashes, 32 bytes each; 256 of them in a full tile.
    pub hashes: Vec<u8>,
}

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

/// Collects leaf hashes and says which tiles are to be written.
///
/// Level 0 is written when a tile is full. A tile of a higher level is written each time it gains a hash
/// (once per `256^level` leaves), so that a proof never needs more than one tile per level plus the leaves
/// after the last full tile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tiler {
    size: u64,
    open: Vec<Vec<u8>>,
}

impl Tiler {
    /// A tiler for an empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A tiler that goes on at `size`; `open[level]` holds the hashes of the level's partial tile.
    /// `None` if their lengths do not fit the size.
    #[must_use]
    pub fn resume(size: u64, open: Vec<Vec<u8>>) -> Option<Self> {
        let fits = |(level, hashes): (usize, &Vec<u8>)| {
            hashes.len() as u64 == 32 * partial_width(u8::try_from(level).unwrap_or(u8::MAX), size)
        };
        let levels_left = size.checked_shr(8 * open.len() as u32).unwrap_or(0);
        (levels_left == 0 && open.iter().enumerate().all(fits)).then_some(Self { size, open })
    }

    /// How many leaves were collected.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes of a level's partial tile.
    #[must_use]
    pub fn open(&self, level: u8) -> &[u8] {
        self.open.get(usize::from(level)).map_or(&[], Vec::as_slice)
    }

    /// Appends a leaf hash; `write` is called for each tile that is to be written, lowest level first.
    pub fn append(&mut self, leaf_hash: Hash, mut write: impl FnMut(Tile)) {
        let mut hash = leaf_hash;
        let mut level = 0;
        loop {
            if self.open.len() == level {
                self.open.push(Vec::new());
            }
            let n = self.size.checked_shr(8 * (level as u32 + 1)).unwrap_or(0);
            let Some(row) = self.open.get_mut(level) else {
                break;
            };
            row.extend_from_slice(&hash);
            let above = tile_root(row);
            if level > 0 || above.is_some() {
                write(Tile {
                    level: level as u8,
                    n,
                    hashes: row.clone(),
                });
            }
            let Some(root) = above else { break };
            row.clear();
            hash = root;
            level += 1;
        }
        self.size += 1;
    }
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
