//! The right edge of a log that grows: its frontier, and the tiles that become due on the way.

use crate::tile::{self, Tile, Tiler};
use crate::tree::{Frontier, Hash, hash_node};

/// A log of the ledger or of a stream, as far as appending needs it.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    frontier: Frontier,
    /// `None` once it was let go: then the log can say its root and cannot grow.
    tiler: Option<Tiler>,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            frontier: Frontier::new(),
            tiler: Some(Tiler::new()),
        }
    }
}

impl Log {
    /// A log of `size` leaves whose partial tiles hold `open`, lowest level first; `None` if their lengths do not
    /// fit the size.
    pub(crate) fn resume(size: u64, open: Vec<Vec<u8>>) -> Option<Self> {
        // Every complete subtree of the frontier lies inside one partial tile, so its root is made of hashes there.
        let mut roots = Vec::new();
        for level in open.iter().rev() {
            let mut rest = level.as_chunks::<32>().0;
            while !rest.is_empty() {
                let (subtree, after) = rest.split_at(1 << rest.len().ilog2());
                roots.push(root_of_full(subtree));
                rest = after;
            }
        }
        Some(Self {
            frontier: Frontier::from_parts(size, roots)?,
            tiler: Some(Tiler::resume(size, open)?),
        })
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// The tile of level 0 that is not full; `None` if it has no hash yet.
    pub(crate) fn partial_tile(&self) -> Option<Tile> {
        let hashes = self.tiler.as_ref().map_or(&[][..], |tiler| tiler.open(0));
        let n = self.size() / tile::WIDTH;
        (!hashes.is_empty()).then(|| Tile {
            level: 0,
            n,
            hashes: hashes.to_vec(),
        })
    }

    pub(crate) fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// Lets go of the hashes of partial tiles: most of what a log holds in memory.
    pub(crate) fn slim(&mut self) {
        self.tiler = None;
    }

    /// Whether it can grow: it must be read again if not.
    pub(crate) fn is_slim(&self) -> bool {
        self.tiler.is_none()
    }

    /// Appends a leaf hash; tiles that are due now go to `due`.
    pub(crate) fn append(&mut self, leaf_hash: Hash, due: &mut Vec<Tile>) {
        self.frontier.append(leaf_hash);
        if let Some(tiler) = &mut self.tiler {
            tiler.append(leaf_hash, |tile| due.push(tile));
        }
    }
}

/// How many levels of tiles a log of `size` leaves has begun.
pub(crate) fn levels(size: u64) -> u8 {
    let mut levels = 0;
    let mut left = size;
    while left > 0 {
        levels += 1;
        left >>= 8;
    }
    levels
}

/// The root over a power of two of hashes.
pub(crate) fn root_of_full(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[left, right]| hash_node(left, right))
            .collect();
    }
    row.first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::hash_leaf;

    #[test]
    fn a_resumed_log_goes_on_like_one_that_never_stopped() {
        let mut whole = Log::default();
        let mut due = Vec::new();
        for i in 0..66_000_u32 {
            if [0, 1, 255, 256, 257, 4096, 65_535, 65_536, 65_537].contains(&i) {
                let size = u64::from(i);
                let open = (0..levels(size))
                    .map(|level| whole.tiler.as_ref().unwrap().open(level).to_vec())
                    .collect();
                let resumed = Log::resume(size, open).unwrap();
                assert_eq!(resumed.frontier, whole.frontier, "at {i}");
            }
            whole.append(hash_leaf(&i.to_be_bytes()), &mut due);
        }
        assert_eq!(due.iter().filter(|tile| tile.level == 0).count(), 257);
    }
}
