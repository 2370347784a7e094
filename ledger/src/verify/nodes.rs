//! Node hashes of the ledger log out of stored tiles, and out of leaves where no tile is.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use crate::reader::{Log, ReadError, Reader};
use crate::tile::WIDTH;
use crate::tree::{Hash, NodeSource, hash_leaf, hash_node};

/// Unverified node hashes: a proof made of them is checked against a signed root.
pub(super) struct Nodes<'r> {
    reader: &'r dyn Reader,
    size: u64,
    tiles: HashMap<(u8, u64), Vec<u8>>,
    known: HashMap<(u8, u64), Hash>,
}

impl<'r> Nodes<'r> {
    /// The nodes of a log that has `size` leaves stored.
    pub(super) fn new(reader: &'r dyn Reader, size: u64) -> Self {
        Self {
            reader,
            size,
            tiles: HashMap::new(),
            known: HashMap::new(),
        }
    }

    /// The hash at `index` of its level if a tile of that level has it.
    fn tiled(&mut self, tile_level: u8, index: u64) -> Result<Option<Hash>, ReadError> {
        let n = index / WIDTH;
        if !self.tiles.contains_key(&(tile_level, n)) {
            let tile = self.load(tile_level, n)?;
            self.tiles.insert((tile_level, n), tile);
        }
        let hashes = self
            .tiles
            .get(&(tile_level, n))
            .map(|tile| tile.as_chunks::<32>().0);
        let at = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
        Ok(hashes.and_then(|hashes| hashes.get(at)).copied())
    }

    fn load(&self, tile_level: u8, n: u64) -> Result<Vec<u8>, ReadError> {
        if let Some(tile) = self.reader.tile(Log::Ledger, tile_level, n)? {
            return Ok(tile);
        }
        if tile_level > 0 {
            return Ok(Vec::new());
        }
        let (from, to) = (n * WIDTH, ((n + 1) * WIDTH).min(self.size));
        let mut hashes = Vec::with_capacity(8192);
        for (stored, index) in self.reader.control(from, to)?.iter().zip(from..) {
            if stored.index != index {
                break;
            }
            hashes.extend_from_slice(&hash_leaf(&stored.leaf));
        }
        Ok(hashes)
    }
}

impl NodeSource for Nodes<'_> {
    type Error = ReadError;

    fn node(&mut self, level: u8, index: u64) -> Result<Hash, ReadError> {
        if let Some(hash) = self.known.get(&(level, index)) {
            return Ok(*hash);
        }
        if let Some(hash) = self.reader.node(level, index) {
            return Ok(hash);
        }
        let tiled = if level.is_multiple_of(8) {
            self.tiled(level / 8, index)?
        } else {
            None
        };
        let hash = match tiled {
            Some(hash) => hash,
            None if level == 0 => {
                let what = format!("leaf {index} of the ledger log is missing");
                return Err(ReadError::Damaged {
                    place: self.reader.place(),
                    what,
                });
            }
            None => {
                let left = self.node(level - 1, 2 * index)?;
                let right = self.node(level - 1, 2 * index + 1)?;
                hash_node(&left, &right)
            }
        };
        self.known.insert((level, index), hash);
        Ok(hash)
    }
}
