//! Node hashes of the ledger log out of stored tiles, and out of leaves where no tile is.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use crate::reader::{Log, ReadError, Reader};
use crate::tile::WIDTH;
use crate::tree::{self, Hash, NodeSource, hash_leaf, hash_node};

/// Unverified node hashes: a proof made of them is checked against a signed root.
pub(super) struct Nodes<'r> {
    reader: &'r dyn Reader,
    size: u64,
    pub(super) hashes: Hashes,
}

/// Node hashes that were read, by level and index.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    tiles: HashMap<(u8, u64), Vec<u8>>,
    known: HashMap<(u8, u64), Hash>,
}

impl<'r> Nodes<'r> {
    /// The nodes of a log that has `size` leaves stored.
    pub(super) fn new(reader: &'r dyn Reader, size: u64) -> Self {
        Self {
            reader,
            size,
            hashes: Hashes::default(),
        }
    }

    /// The hash at `index` of its level if a tile of that level has it.
    fn tiled(&mut self, tile_level: u8, index: u64) -> Result<Option<Hash>, ReadError> {
        let n = index / WIDTH;
        if !self.hashes.tiles.contains_key(&(tile_level, n)) {
            let tile = self.load(tile_level, n)?;
            self.hashes.tiles.insert((tile_level, n), tile);
        }
        let hashes = self
            .hashes
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

/// What shows that the ledger log of one size goes on from an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Size of the later log.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The consistency proof of RFC 6962; for [`crate::tree::verify_consistency`].
    pub proof: Vec<Hash>,
}

/// Makes the proof that the ledger log of `size` leaves goes on from that of `old` leaves, for one who keeps the root
/// of the earlier one. Made of stored nodes that nothing here verifies: whoever receives it does.
///
/// # Errors
/// As the store fails; `old` beyond `size` gives the empty proof, which shows nothing.
pub fn extension(reader: &dyn Reader, old: u64, size: u64) -> Result<Extension, ReadError> {
    let mut nodes = Nodes::new(reader, size);
    Ok(Extension {
        size,
        root: tree::root_of(&mut nodes, size)?,
        proof: tree::consistency(&mut nodes, old, size)?,
    })
}

impl NodeSource for Nodes<'_> {
    type Error = ReadError;

    fn node(&mut self, level: u8, index: u64) -> Result<Hash, ReadError> {
        if let Some(hash) = self.hashes.known.get(&(level, index)) {
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
        self.hashes.known.insert((level, index), hash);
        Ok(hash)
    }
}
