//! Some leaves of a tree and one proof for all of them: the hashes of the subtrees that hold none.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use crate::tree::{Frontier, Hash, NodeSource, hash_node};

/// The node hashes that a bundle gives, and the root that they make.
#[derive(Debug, Clone, Default)]
pub(super) struct Excerpt {
    nodes: HashMap<(u8, u64), Hash>,
    /// The root; `None` if the hashes do not fit size and leaves.
    pub(super) root: Option<Hash>,
}

impl Excerpt {
    /// Puts a tree of `size` leaves together from leaf hashes, by index, and the hashes that follow them.
    pub(super) fn new(size: u64, leaves: &[(u64, Hash)], hashes: &[Hash]) -> Self {
        let mut walk = Walk {
            leaves,
            hashes: hashes.iter(),
            nodes: HashMap::new(),
        };
        let mut roots = Vec::new();
        let mut from = 0u64;
        for level in levels(size) {
            match walk.root(level, from >> level) {
                Some(root) => roots.push(root),
                None => return Self::default(),
            }
            from += 1 << level;
        }
        let all_used = walk.hashes.next().is_none() && walk.leaves.is_empty();
        let root = Frontier::from_parts(size, roots)
            .filter(|_| all_used)
            .map(|frontier| frontier.root());
        Self {
            nodes: walk.nodes,
            root,
        }
    }

    /// The hash of a complete subtree, as far as it was given or put together.
    pub(super) fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.nodes.get(&(level, index)).copied()
    }
}

/// The complete subtrees of a tree by level, largest first.
fn levels(size: u64) -> impl Iterator<Item = u8> {
    (0..64u8).rev().filter(move |level| size >> level & 1 == 1)
}

struct Walk<'a> {
    /// The leaves still to come.
    leaves: &'a [(u64, Hash)],
    hashes: std::slice::Iter<'a, Hash>,
    nodes: HashMap<(u8, u64), Hash>,
}

impl Walk<'_> {
    fn root(&mut self, level: u8, index: u64) -> Option<Hash> {
        let last = (index << level) | ((1u64 << level) - 1);
        let hash = match self.leaves.split_first() {
            Some(((next, hash), rest)) if *next <= last => {
                if level == 0 {
                    self.leaves = rest;
                    *hash
                } else {
                    let left = self.root(level - 1, 2 * index)?;
                    hash_node(&left, &self.root(level - 1, 2 * index + 1)?)
                }
            }
            _ => *self.hashes.next()?,
        };
        self.nodes.insert((level, index), hash);
        Some(hash)
    }
}

/// The hashes that lead from the leaves at `indexes` (sorted) to the root of a tree of `size` leaves.
///
/// # Errors
/// Those of the source.
pub(super) fn proof<S: NodeSource>(
    nodes: &mut S,
    size: u64,
    indexes: &[u64],
) -> Result<Vec<Hash>, S::Error> {
    let mut hashes = Vec::new();
    let mut from = 0;
    for level in levels(size) {
        gather(nodes, level, from >> level, indexes, &mut hashes)?;
        from += 1 << level;
    }
    Ok(hashes)
}

fn gather<S: NodeSource>(
    nodes: &mut S,
    level: u8,
    index: u64,
    indexes: &[u64],
    hashes: &mut Vec<Hash>,
) -> Result<(), S::Error> {
    let first = index << level;
    let last = first | ((1u64 << level) - 1);
    let from = indexes.partition_point(|wanted| *wanted < first);
    let to = indexes.partition_point(|wanted| *wanted <= last);
    if from == to {
        hashes.push(nodes.node(level, index)?);
    } else if level > 0 {
        gather(nodes, level - 1, 2 * index, indexes, hashes)?;
        gather(nodes, level - 1, 2 * index + 1, indexes, hashes)?;
    }
    Ok(())
}
