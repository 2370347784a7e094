//! Finding which leaf is at fault when a tree does not lead to its root.
#![forbid(unsafe_code)]

use crate::leaf::RECORD_LEAF;
use crate::tree::{Frontier, Hash, NodeSource, hash_leaf, hash_node, inclusion, verify_inclusion};

/// Most leaves among which a single flipped bit is searched for.
const SEARCHED: usize = 256;
/// The bytes of a record leaf that nothing but the tree checks: time and flags.
const UNCHECKED: std::ops::Range<usize> = 10..22;

/// Positions at which two rows of hashes differ; the shorter row counts as different from there on.
pub(super) fn differing<'a>(
    stored: &'a [u8],
    computed: &'a [u8],
) -> impl Iterator<Item = u64> + 'a {
    let stored = stored.as_chunks::<32>().0;
    let pairs = computed.as_chunks::<32>().0.iter().enumerate();
    pairs
        .filter(move |(at, hash)| stored.get(*at) != Some(hash))
        .map(|(at, _)| at as u64)
}

/// Which of the last leaves before `root` has one flipped bit in its time or flags: the search that names a
/// record when no tile and no commitment does. `before` is the tree up to those leaves.
pub(super) fn flipped(before: &Frontier, leaves: &[[u8; RECORD_LEAF]], root: &Hash) -> Option<u64> {
    if leaves.len() > SEARCHED {
        return None;
    }
    let first = before.size();
    let size = first + leaves.len() as u64;
    let mut nodes = Edge {
        before,
        after: leaves.iter().map(|leaf| hash_leaf(leaf)).collect(),
    };
    for (leaf, index) in leaves.iter().zip(first..) {
        let proof = inclusion(&mut nodes, index, size).ok()?;
        for bit in 8 * UNCHECKED.start..8 * UNCHECKED.end {
            let mut candidate = *leaf;
            candidate[bit / 8] ^= 1 << (bit % 8);
            if verify_inclusion(&hash_leaf(&candidate), index, size, &proof, root).is_ok() {
                return Some(index);
            }
        }
    }
    None
}

/// A tree known by its frontier and the leaf hashes after it.
struct Edge<'a> {
    before: &'a Frontier,
    after: Vec<Hash>,
}

impl NodeSource for Edge<'_> {
    type Error = ();

    fn node(&mut self, level: u8, index: u64) -> Result<Hash, ()> {
        let (first, size) = (index << level, self.before.size());
        if first + (1 << level) <= size {
            // Only subtrees that the frontier holds are asked for: those left of a path to a later leaf.
            let larger = size
                .checked_shr(u32::from(level) + 1)
                .unwrap_or(0)
                .count_ones() as usize;
            return self.before.roots().get(larger).copied().ok_or(());
        }
        if level == 0 {
            let at = usize::try_from(first - size).map_err(|_| ())?;
            return self.after.get(at).copied().ok_or(());
        }
        let left = self.node(level - 1, 2 * index)?;
        let right = self.node(level - 1, 2 * index + 1)?;
        Ok(hash_node(&left, &right))
    }
}
