//! Making tiles while a tree grows.
#![forbid(unsafe_code)]

use super::{partial_width, tile_root};
use crate::tree::Hash;

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
