//! RFC 6962 trees over SHA-256: hashes, growing a tree, and the two proofs it gives.
//!
//! Sizes and indexes are `u64`; a leaf is hashed as `SHA-256(0x00 ‖ leaf)`, a node as
//! `SHA-256(0x01 ‖ left ‖ right)`, an empty tree as `SHA-256("")` (RFC 6962 §2.1).
#![forbid(unsafe_code)]

use sha2::{Digest, Sha256};

mod frontier;
mod proof;

pub use frontier::Frontier;
pub use proof::{
    NodeSource, ProofError, consistency, frontier_at, inclusion, root_by, root_of, subtree,
    verify_consistency, verify_inclusion,
};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// The hash of a leaf.
#[must_use]
pub fn hash_leaf(leaf: &[u8]) -> Hash {
    Sha256::new()
        .chain_update([0])
        .chain_update(leaf)
        .finalize()
        .into()
}

/// The hash of a node above two others.
#[must_use]
pub fn hash_node(left: &Hash, right: &Hash) -> Hash {
    let mut block = [0u8; 65];
    block[0] = 1;
    block[1..33].copy_from_slice(left);
    block[33..].copy_from_slice(right);
    Sha256::digest(block).into()
}

/// The root of a tree without leaves.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}
