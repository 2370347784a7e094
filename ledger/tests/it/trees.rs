//! Trees against the published vectors, against another implementation, and against degenerate proofs.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ledger::tile::{self, Tiler};
use ledger::tree::{
    Frontier, Hash, ProofError, consistency, empty_root, hash_leaf, hash_node, inclusion, root_of,
    verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use sha2::Sha256;

/// Roots of the certificate transparency vectors, as other projects publish them.
const PUBLISHED: [(usize, &str); 3] = [
    (
        1,
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    ),
    (
        2,
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    ),
    (
        8,
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
];

fn hashes(n: u64) -> Vec<Hash> {
    (0..n).map(|i| hash_leaf(&i.to_be_bytes())).collect()
}

fn root(hashes: &[Hash]) -> Hash {
    let mut nodes = hashes;
    root_of(&mut nodes, hashes.len() as u64).unwrap()
}

#[test]
fn published_roots_are_reached() {
    let leaves: [&[u8]; 8] = [
        b"",
        b"\0",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"@ABC",
        b"PQRSTUVW",
        b"`abcdefghijklmno",
    ];
    for (size, hex) in PUBLISHED {
        let mut tree = Frontier::new();
        leaves[..size]
            .iter()
            .for_each(|leaf| tree.append(hash_leaf(leaf)));
        let root: String = tree
            .root()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(root, hex);
    }
}

#[test]
fn a_leaf_cannot_pass_for_a_node() {
    let (a, b) = (hash_leaf(b"a"), hash_leaf(b"b"));
    assert_ne!(hash_leaf(&[a, b].concat()), hash_node(&a, &b));
}

#[test]
fn a_frontier_survives_being_written_down() {
    let mut tree = Frontier::new();
    for (size, hash) in (0..200).zip(hashes(200)) {
        assert_eq!(
            Frontier::from_bytes(size, &tree.to_bytes()),
            Some(tree.clone())
        );
        assert_eq!(
            Frontier::from_bytes(size + 1, &tree.to_bytes()).is_some(),
            (size + 1).count_ones() == size.count_ones()
        );
        tree.append(hash);
    }
    assert_eq!(Frontier::from_bytes(1, &[0; 31]), None);
}

#[test]
fn degenerate_proofs_are_refused() {
    let (leaf, root) = (hash_leaf(b"x"), hash_leaf(b"x"));
    assert_eq!(verify_inclusion(&leaf, 0, 1, &[], &root), Ok(()));
    assert_eq!(
        verify_inclusion(&leaf, 0, 0, &[], &root),
        Err(ProofError::Index { index: 0, size: 0 })
    );
    assert_eq!(
        verify_inclusion(&leaf, 1, 1, &[], &root),
        Err(ProofError::Index { index: 1, size: 1 })
    );
    assert_eq!(
        verify_inclusion(&leaf, 0, 1, &[root], &root),
        Err(ProofError::Length { got: 1, want: 0 })
    );
    let many = vec![root; 65];
    assert!(verify_inclusion(&leaf, u64::MAX - 1, u64::MAX, &many, &root).is_err());
    assert!(verify_inclusion(&leaf, 0, u64::MAX, &many[..64], &root).is_err());
    assert!(verify_inclusion(&leaf, u64::MAX, u64::MAX, &[], &root).is_err());
    assert_eq!(
        verify_consistency(2, &root, 1, &root, &[]),
        Err(ProofError::Shrunk { old: 2, new: 1 })
    );
    assert_eq!(verify_consistency(0, &empty_root(), 9, &root, &[]), Ok(()));
    assert!(verify_consistency(0, &root, 9, &root, &[]).is_err());
    assert!(verify_consistency(0, &empty_root(), 9, &root, &[root]).is_err());
    assert_eq!(verify_consistency(7, &root, 7, &root, &[]), Ok(()));
    assert!(verify_consistency(7, &leaf, 7, &empty_root(), &[]).is_err());
    assert!(verify_consistency(7, &root, 7, &root, &[root]).is_err());
    assert!(verify_consistency(1 << 63, &root, u64::MAX, &root, &many).is_err());
    assert!(verify_consistency(u64::MAX - 1, &root, u64::MAX, &root, &many).is_err());
}

#[test]
fn tiles_are_cut_as_tlog_tiles_says() {
    // 70,000 leaves: 273 full tiles and one of 112, one full tile and one of 17 above, one hash on top.
    let mut tiler = Tiler::new();
    let mut full = [0u64; 3];
    for hash in hashes(70_000) {
        tiler.append(hash, |tile| {
            full[usize::from(tile.level)] += u64::from(tile.hashes.len() == tile::BYTES)
        });
    }
    assert_eq!(full, [273, 1, 0]);
    let widths = [0, 1, 2, 3].map(|level| tile::partial_width(level, 70_000));
    assert_eq!(widths, [112, 17, 1, 0]);
    assert_eq!(
        [0, 1, 2].map(|level| tiler.open(level).len() as u64 / 32),
        [112, 17, 1]
    );
    let open = vec![
        tiler.open(0).to_vec(),
        tiler.open(1).to_vec(),
        tiler.open(2).to_vec(),
    ];
    assert_eq!(Tiler::resume(70_000, open.clone()), Some(tiler));
    assert_eq!(Tiler::resume(70_001, open.clone()), None);
    assert_eq!(Tiler::resume(70_000, open[..2].to_vec()), None);
    assert_eq!(Tiler::resume(0, Vec::new()), Some(Tiler::new()));
}

proptest! {
    #[test]
    fn frontier_recursion_and_ct_merkle_agree(size in 0u64..300) {
        let leaves = hashes(size);
        let mut frontier = Frontier::new();
        let mut other = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        for (i, hash) in (0..).zip(&leaves) {
            frontier.append(*hash);
            other.push(u64::to_be_bytes(i).to_vec());
        }
        prop_assert_eq!(frontier.root(), root(&leaves));
        if size > 0 {
            prop_assert_eq!(frontier.root().to_vec(), other.root().as_bytes().to_vec());
        }
    }

    #[test]
    fn inclusion_proofs_equal_those_of_ct_merkle(size in 1u64..200, index in 0u64..200) {
        let index = index % size;
        let leaves = hashes(size);
        let mut other = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        (0..size).for_each(|i| other.push(i.to_be_bytes().to_vec()));
        let proof = inclusion(&mut leaves.as_slice(), index, size).unwrap();
        let theirs = other.prove_inclusion(index as usize);
        prop_assert_eq!(proof.concat(), theirs.as_bytes());
        prop_assert_eq!(verify_inclusion(&leaves[index as usize], index, size, &proof, &root(&leaves)), Ok(()));
    }

    #[test]
    fn consistency_proofs_equal_those_of_ct_merkle(old in 1u64..200, more in 0u64..100) {
        let new = old + more;
        let leaves = hashes(new);
        let mut other = MemoryBackedTree::<Sha256, Vec<u8>>::new();
        (0..new).for_each(|i| other.push(i.to_be_bytes().to_vec()));
        let proof = consistency(&mut leaves.as_slice(), old, new).unwrap();
        if more > 0 {
            prop_assert_eq!(proof.concat(), other.prove_consistency(more as usize).as_bytes().to_vec());
        }
        let (before, after) = (root(&leaves[..old as usize]), root(&leaves));
        prop_assert_eq!(verify_consistency(old, &before, new, &after, &proof), Ok(()));
    }

    #[test]
    fn a_proof_with_one_flipped_bit_is_refused(size in 2u64..100, index in 0u64..100, bit in 0usize..10_000) {
        let index = index % size;
        let leaves = hashes(size);
        let mut proof = inclusion(&mut leaves.as_slice(), index, size).unwrap();
        let at = bit % (256 * proof.len());
        proof[at / 256][at % 256 / 8] ^= 1 << (at % 8);
        prop_assert!(verify_inclusion(&leaves[index as usize], index, size, &proof, &root(&leaves)).is_err());
    }

    #[test]
    fn a_proof_for_another_place_or_size_is_refused(size in 1u64..100, index in 0u64..100, other in 0u64..100) {
        let index = index % size;
        let leaves = hashes(size);
        let proof = inclusion(&mut leaves.as_slice(), index, size).unwrap();
        let verify = |index, size| verify_inclusion(&leaves[(index as usize) % leaves.len()], index, size, &proof, &root(&leaves));
        if other % size != index {
            prop_assert!(verify_inclusion(&leaves[index as usize], other % size, size, &proof, &root(&leaves)).is_err());
        }
        prop_assert!(verify(index, size).is_ok());
    }

    #[test]
    fn an_older_tree_with_another_root_is_refused(old in 1u64..100, more in 1u64..100) {
        let leaves = hashes(old + more);
        let proof = consistency(&mut leaves.as_slice(), old, old + more).unwrap();
        let (before, after) = (root(&leaves[..old as usize]), root(&leaves));
        prop_assert!(verify_consistency(old, &after, old + more, &after, &proof).is_err());
        prop_assert!(verify_consistency(old, &before, old + more, &before, &proof).is_err());
        if old > 1 {
            prop_assert!(verify_consistency(old - 1, &before, old + more, &after, &proof).is_err());
        }
    }

    #[test]
    fn any_hashes_make_no_proof(index in any::<u64>(), size in any::<u64>(), old in any::<u64>(), count in 0usize..70) {
        let hashes = hashes(count as u64);
        prop_assert!(verify_inclusion(&[1; 32], index, size, &hashes, &[2; 32]).is_err());
        prop_assert!(verify_consistency(old, &[1; 32], size, &[2; 32], &hashes).is_err());
    }
}
