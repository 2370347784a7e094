//! The right edge of a growing tree: enough to append leaves and to say the root, in O(log n) bytes.
#![forbid(unsafe_code)]

use super::{Hash, empty_root, hash_node};

/// The roots of the complete subtrees that make up a tree, largest first.
///
/// There is one per set bit of the size, so the encoding needs no lengths: `32 × size.count_ones()` bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// An empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree of `size` leaves from the roots of its complete subtrees, largest first; `None` if their
    /// number does not fit the size.
    #[must_use]
    pub fn from_parts(size: u64, roots: Vec<Hash>) -> Option<Self> {
        (roots.len() == size.count_ones() as usize).then_some(Self { size, roots })
    }

    /// A tree of `size` leaves from the bytes that [`Frontier::to_bytes`] gave.
    #[must_use]
    pub fn from_bytes(size: u64, bytes: &[u8]) -> Option<Self> {
        let (roots, rest) = bytes.as_chunks::<32>();
        if rest.is_empty() {
            Self::from_parts(size, roots.to_vec())
        } else {
            None
        }
    }

    /// The subtree roots one after the other; the size is not part of it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.roots.concat()
    }

    /// How many leaves the tree has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, largest first.
    #[must_use]
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// Appends one leaf by its hash ([`super::hash_leaf`]).
    pub fn append(&mut self, leaf_hash: Hash) {
        let mut hash = leaf_hash;
        let merges = self.size.trailing_ones();
        for _ in 0..merges {
            // INVARIANT: as many roots as set bits, so a set low bit always has a root to merge with.
            if let Some(left) = self.roots.pop() {
                hash = hash_node(&left, &hash);
            }
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root over all leaves so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut from_right = self.roots.iter().rev();
        match from_right.next() {
            None => empty_root(),
            Some(last) => from_right.fold(*last, |right, left| hash_node(left, &right)),
        }
    }
}
