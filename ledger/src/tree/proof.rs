//! Inclusion and consistency: making the proofs of RFC 6962 §2.1 and checking them.
#![forbid(unsafe_code)]

use super::{Frontier, Hash, empty_root, hash_node};

/// A proof that does not show what it claims.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf index is not below the tree size.
    #[error("index {index} is not in a tree of {size}")]
    Index {
        /// The leaf index.
        index: u64,
        /// The tree size.
        size: u64,
    },
    /// The older tree is larger than the newer one.
    #[error("a tree of {new} cannot extend one of {old}")]
    Shrunk {
        /// Size of the older tree.
        old: u64,
        /// Size of the newer tree.
        new: u64,
    },
    /// The proof has the wrong number of hashes.
    #[error("the proof has {got} hashes, not {want}")]
    Length {
        /// Hashes given.
        got: usize,
        /// Hashes that these sizes need.
        want: usize,
    },
    /// The proof leads to another root.
    #[error("the proof leads to another root of the tree of {size}")]
    Root {
        /// Size of the tree whose root differs.
        size: u64,
    },
}

/// Where proofs get their node hashes from: a store of tiles, or all leaf hashes in memory.
pub trait NodeSource {
    /// What goes wrong when a hash cannot be had.
    type Error;

    /// The root of the complete subtree over the leaves `index << level .. (index + 1) << level`.
    ///
    /// # Errors
    /// When the hash cannot be had.
    fn node(&mut self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

impl NodeSource for &[Hash] {
    type Error = ProofError;

    fn node(&mut self, level: u8, index: u64) -> Result<Hash, ProofError> {
        let size = self.len() as u64;
        let first = index.checked_shl(u32::from(level)).unwrap_or(u64::MAX);
        if level == 0 {
            let hash = usize::try_from(first).ok().and_then(|i| self.get(i));
            return hash
                .copied()
                .ok_or(ProofError::Index { index: first, size });
        }
        let left = self.node(level - 1, 2 * index)?;
        let right = self.node(level - 1, 2 * index + 1)?;
        Ok(hash_node(&left, &right))
    }
}

/// The largest power of two below `n`; `n` is at least 2.
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The root over the leaves `from..to` as RFC 6962 splits them; `from` is where such a split starts.
///
/// # Errors
/// Those of the source.
pub fn subtree<S: NodeSource>(nodes: &mut S, from: u64, to: u64) -> Result<Hash, S::Error> {
    let n = to.saturating_sub(from);
    if n == 0 {
        return Ok(empty_root());
    }
    if n.is_power_of_two() && from.is_multiple_of(n) {
        let level = n.trailing_zeros();
        return nodes.node(level as u8, from >> level);
    }
    let k = split(n);
    let left = subtree(nodes, from, from + k)?;
    let right = subtree(nodes, from + k, to)?;
    Ok(hash_node(&left, &right))
}

/// The root of the tree over the first `size` leaves.
///
/// # Errors
/// Those of the source.
pub fn root_of<S: NodeSource>(nodes: &mut S, size: u64) -> Result<Hash, S::Error> {
    subtree(nodes, 0, size)
}

/// The frontier of the tree over the first `size` leaves.
///
/// # Errors
/// Those of the source.
pub fn frontier_at<S: NodeSource>(nodes: &mut S, size: u64) -> Result<Frontier, S::Error> {
    let mut roots = Vec::new();
    let mut from = 0;
    for level in (0..64).rev().filter(|level| size & (1 << level) != 0) {
        roots.push(nodes.node(level as u8, from >> level)?);
        from += 1 << level;
    }
    // One root per set bit: the parts always fit.
    Ok(Frontier::from_parts(size, roots).unwrap_or_default())
}

/// The inclusion proof of leaf `index` in the tree over the first `size` leaves, leaf end first.
///
/// The caller makes sure that `index < size`; for anything else the proof is empty.
///
/// # Errors
/// Those of the source.
pub fn inclusion<S: NodeSource>(
    nodes: &mut S,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, S::Error> {
    let mut proof = Vec::new();
    if index >= size {
        return Ok(proof);
    }
    let (mut from, mut to) = (0, size);
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            proof.push(subtree(nodes, middle, to)?);
            to = middle;
        } else {
            proof.push(subtree(nodes, from, middle)?);
            from = middle;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The proof that the tree over the first `new` leaves extends the one over the first `old`.
///
/// Empty for `old == 0`, `old == new` and `old > new`.
///
/// # Errors
/// Those of the source.
pub fn consistency<S: NodeSource>(
    nodes: &mut S,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, S::Error> {
    let mut proof = Vec::new();
    if old == 0 || old >= new {
        return Ok(proof);
    }
    let (mut from, mut to, mut whole) = (0, new, true);
    while old != to {
        let middle = from + split(to - from);
        if old <= middle {
            proof.push(subtree(nodes, middle, to)?);
            to = middle;
        } else {
            proof.push(subtree(nodes, from, middle)?);
            from = middle;
            whole = false;
        }
    }
    if !whole {
        proof.push(subtree(nodes, from, to)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root of the tree of `size` leaves in which `leaf_hash` is leaf `index`, if `proof` is its proof.
///
/// # Errors
/// An index outside the tree, a proof of the wrong length.
pub fn root_by(
    leaf_hash: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
) -> Result<Hash, ProofError> {
    if index >= size {
        return Err(ProofError::Index { index, size });
    }
    // The path below the point where it joins the right edge, then only left siblings (RFC 9162 §2.1.3.2).
    let inner = 64 - (index ^ (size - 1)).leading_zeros() as usize;
    let border = (index.checked_shr(inner as u32).unwrap_or(0)).count_ones() as usize;
    if proof.len() != inner + border {
        return Err(ProofError::Length {
            got: proof.len(),
            want: inner + border,
        });
    }
    let mut hash = *leaf_hash;
    for (i, sibling) in proof.iter().enumerate() {
        let on_the_left = i < inner && (index >> i) & 1 == 0;
        hash = if on_the_left {
            hash_node(&hash, sibling)
        } else {
            hash_node(sibling, &hash)
        };
    }
    Ok(hash)
}

/// Checks that `leaf_hash` is leaf `index` of the tree of `size` leaves with this `root`.
///
/// # Errors
/// An index outside the tree, a proof of the wrong length, another root.
pub fn verify_inclusion(
    leaf_hash: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if root_by(leaf_hash, index, size, proof)? == *root {
        Ok(())
    } else {
        Err(ProofError::Root { size })
    }
}

/// Checks that the tree of `new` leaves with `new_root` extends the tree of `old` leaves with `old_root`.
///
/// # Errors
/// A newer tree that is smaller, a proof of the wrong length, another root of either tree.
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Shrunk { old, new });
    }
    if old == new || old == 0 {
        if !proof.is_empty() {
            return Err(ProofError::Length {
                got: proof.len(),
                want: 0,
            });
        }
        let empty = old > 0 || old_root == &empty_root();
        let same = old < new || old_root == new_root;
        return if empty && same {
            Ok(())
        } else {
            Err(ProofError::Root { size: old })
        };
    }
    let shift = old.trailing_zeros();
    let inner = (64 - ((old - 1) ^ (new - 1)).leading_zeros()) - shift;
    let border = (old - 1)
        .checked_shr(inner + shift)
        .unwrap_or(0)
        .count_ones();
    // The first hash is left out when the older tree is one complete subtree: it is its root then.
    let start = usize::from(!old.is_power_of_two());
    let want = start + (inner + border) as usize;
    if proof.len() != want {
        return Err(ProofError::Length {
            got: proof.len(),
            want,
        });
    }
    let (mut old_hash, path) = match proof.split_first() {
        Some((first, path)) if start == 1 => (*first, path),
        _ => (*old_root, proof),
    };
    let mut new_hash = old_hash;
    let position = (old - 1) >> shift;
    for (i, sibling) in path.iter().enumerate() {
        let on_the_left = i < inner as usize && (position >> i) & 1 == 0;
        if on_the_left {
            new_hash = hash_node(&new_hash, sibling);
        } else {
            new_hash = hash_node(sibling, &new_hash);
            old_hash = hash_node(sibling, &old_hash);
        }
    }
    if &old_hash != old_root {
        return Err(ProofError::Root { size: old });
    }
    if &new_hash != new_root {
        return Err(ProofError::Root { size: new });
    }
    Ok(())
}
