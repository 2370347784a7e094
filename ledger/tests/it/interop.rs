//! Trees and tiles against `tlog_tiles`, a port of the Go checksum database's code: what one makes the other accepts.

use std::collections::HashMap;

use ledger::tile::{self, TilePath, Tiler};
use ledger::tree::{
    Frontier, Hash, consistency, hash_leaf, inclusion, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use tlog_tiles::{
    Error, Hash as Theirs, HashReader, Tile, TileHashReader, TileReader, check_record, check_tree,
    prove_record, prove_tree, record_hash, stored_hashes, tree_hash,
};

mod notes;

/// Height of the tiles of C2SP tlog-tiles.
const HEIGHT: u8 = 8;

/// Every hash of a tree in the order in which the other implementation stores them.
#[derive(Default)]
struct Stored(Vec<Theirs>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Theirs>, Error> {
        indexes
            .iter()
            .map(|index| self.0.get(*index as usize).copied())
            .collect::<Option<_>>()
            .ok_or(Error::IndexesNotInTree)
    }
}

fn record(i: u64) -> [u8; 8] {
    i.to_be_bytes()
}

/// The other implementation's tree over `size` records.
fn theirs(size: u64) -> Stored {
    let mut stored = Stored::default();
    for i in 0..size {
        let new = stored_hashes(i, &record(i), &stored).unwrap();
        stored.0.extend(new);
    }
    stored
}

fn ours(size: u64) -> Vec<Hash> {
    (0..size).map(|i| hash_leaf(&record(i))).collect()
}

fn root(leaves: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.append(*leaf));
    frontier.root()
}

fn as_theirs(hashes: &[Hash]) -> Vec<Theirs> {
    hashes.iter().map(|hash| Theirs(*hash)).collect()
}

/// One change to a proof; some leave it as it is.
#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Drop(usize),
    Add(usize),
    Swap(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, bit)| Change::Flip(at, bit)),
        any::<usize>().prop_map(Change::Drop),
        any::<usize>().prop_map(Change::Add),
        any::<usize>().prop_map(Change::Swap),
    ]
}

impl Change {
    fn apply(&self, proof: &mut Vec<Hash>) {
        let len = proof.len();
        match *self {
            Self::Add(at) => proof.insert(at % (len + 1), [7; 32]),
            _ if len == 0 => {}
            Self::Flip(at, bit) => proof[at % len][usize::from(bit) / 8] ^= 1 << (bit % 8),
            Self::Drop(at) => drop(proof.remove(at % len)),
            Self::Swap(at) => proof.swap(at % len, 0),
        }
    }
}

/// The tiles that our tiler made, served as a log's mirror would.
struct Mirror {
    tiles: HashMap<(u8, u64), Vec<u8>>,
    tiler: Tiler,
}

impl Mirror {
    fn of(leaves: &[Hash]) -> Self {
        let mut tiles = HashMap::new();
        let mut tiler = Tiler::new();
        for leaf in leaves {
            tiler.append(*leaf, |tile| {
                tiles.insert((tile.level, tile.n), tile.hashes);
            });
        }
        Self { tiles, tiler }
    }

    fn get(&self, tile: &TilePath) -> Option<&[u8]> {
        let stored = self.tiles.get(&(tile.level, tile.n)).map(Vec::as_slice);
        stored
            .unwrap_or(self.tiler.open(tile.level))
            .get(..32 * tile.width as usize)
    }
}

impl TileReader for Mirror {
    fn height(&self) -> u8 {
        HEIGHT
    }

    /// By the path alone: the other implementation writes it, ours reads it.
    fn read_tiles(&self, tiles: &[Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &Tile| {
            let path = tile.path();
            let named = TilePath::parse(path.strip_prefix("tile/8/")?)?;
            Some(self.get(&named)?.to_vec())
        };
        tiles
            .iter()
            .map(read)
            .collect::<Option<_>>()
            .ok_or(Error::InvalidTile)
    }

    fn save_tiles(&self, _: &[Tile], _: &[Vec<u8>]) {}
}

/// Reads both proofs out of our tiles with the other implementation, which checks each tile on its way.
fn prove_from_tiles(size: u64, old: u64, index: u64) {
    let leaves = ours(size);
    let mirror = Mirror::of(&leaves);
    let head = root(&leaves);
    let reader = TileHashReader::new(size, Theirs(head), &mirror);
    let proof = prove_record(size, index, &reader).unwrap();
    let proof: Vec<Hash> = proof.iter().map(|hash| hash.0).collect();
    assert_eq!(
        verify_inclusion(&leaves[index as usize], index, size, &proof, &head),
        Ok(())
    );
    assert_eq!(
        inclusion(&mut leaves.as_slice(), index, size).unwrap(),
        proof
    );
    let proof = prove_tree(size, old, &reader).unwrap();
    let proof: Vec<Hash> = proof.iter().map(|hash| hash.0).collect();
    let before = root(&leaves[..old as usize]);
    assert_eq!(
        verify_consistency(old, &before, size, &head, &proof),
        Ok(())
    );
}

#[test]
fn tiles_of_three_levels_prove_to_another_reader() {
    for (size, old, index) in [
        (65_536, 1, 65_535),
        (65_793, 65_536, 300),
        (66_000, 257, 65_999),
    ] {
        prove_from_tiles(size, old, index);
    }
}

/// Where the other reader checks a tile against its parent it refuses; where it does not, its proof leads elsewhere.
#[test]
fn a_flipped_bit_in_a_tile_gives_no_proof() {
    let leaves = ours(1_100);
    let head = root(&leaves);
    let mut refused = 0;
    for n in 0..4 {
        let mut mirror = Mirror::of(&leaves);
        mirror.tiles.get_mut(&(0, n)).unwrap()[40] ^= 1;
        let reader = TileHashReader::new(1_100, Theirs(head), &mirror);
        let index = 256 * n + 200;
        let Ok(proof) = prove_record(1_100, index, &reader) else {
            refused += 1;
            continue;
        };
        let proof: Vec<Hash> = proof.iter().map(|hash| hash.0).collect();
        let leaf = &leaves[index as usize];
        assert!(verify_inclusion(leaf, index, 1_100, &proof, &head).is_err());
    }
    println!("{refused} of 4 refused before there was a proof");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn roots_and_proofs_are_the_same(size in 1u64..600, old in any::<u64>(), index in any::<u64>()) {
        let (old, index) = (old % size + 1, index % size);
        let (leaves, stored) = (ours(size), theirs(size));
        let head = root(&leaves);
        prop_assert_eq!(leaves[index as usize], record_hash(&record(index)).0);
        prop_assert_eq!(tree_hash(size, &stored).unwrap().0, head);
        let proof = inclusion(&mut leaves.as_slice(), index, size).unwrap();
        prop_assert_eq!(as_theirs(&proof), prove_record(size, index, &stored).unwrap());
        let proof = consistency(&mut leaves.as_slice(), old, size).unwrap();
        prop_assert_eq!(as_theirs(&proof), prove_tree(size, old, &stored).unwrap());
    }

    #[test]
    fn inclusion_is_judged_alike(size in 1u64..300, index in any::<u64>(), claimed in 0u64..310, moved in 0u64..310,
                                 lie in any::<[bool; 2]>(), change in proptest::option::of(change())) {
        let index = index % size;
        let leaves = ours(size);
        let head = root(&leaves);
        let mut proof = inclusion(&mut leaves.as_slice(), index, size).unwrap();
        if let Some(change) = &change {
            change.apply(&mut proof);
        }
        let (at, of) = (if lie[0] { moved } else { index }, if lie[1] { claimed } else { size });
        let leaf = leaves[index as usize];
        let here = verify_inclusion(&leaf, at, of, &proof, &head).is_ok();
        let there = check_record(&as_theirs(&proof), of, Theirs(head), at, Theirs(leaf)).is_ok();
        prop_assert_eq!(here, there);
        if change.is_none() && lie == [false, false] {
            prop_assert!(here);
        }
    }

    #[test]
    fn consistency_is_judged_alike(size in 1u64..300, old in any::<u64>(), claimed in 0u64..310, moved in 1u64..310,
                                   lie in any::<[bool; 2]>(), change in proptest::option::of(change())) {
        let old = old % size + 1;
        let leaves = ours(size);
        let (before, head) = (root(&leaves[..old as usize]), root(&leaves));
        let mut proof = consistency(&mut leaves.as_slice(), old, size).unwrap();
        if let Some(change) = &change {
            change.apply(&mut proof);
        }
        // The other implementation refuses an old tree of no leaves; it is left out of the range.
        let (from, to) = (if lie[0] { moved } else { old }, if lie[1] { claimed } else { size });
        let here = verify_consistency(from, &before, to, &head, &proof).is_ok();
        let there = check_tree(&as_theirs(&proof), to, Theirs(head), from, Theirs(before)).is_ok();
        prop_assert_eq!(here, there);
        if change.is_none() && lie == [false, false] {
            prop_assert!(here);
        }
    }

    #[test]
    fn tiles_are_the_same_bytes_under_the_same_paths(size in 1u64..2_000) {
        let mirror = Mirror::of(&ours(size));
        let stored = theirs(size);
        let mut seen = 0;
        for tile in Tile::new_tiles(HEIGHT, 0, size) {
            let path = tile.path();
            let short = path.strip_prefix("tile/8/").unwrap();
            let named = TilePath::parse(short).unwrap();
            prop_assert_eq!((named.level, named.n, named.width), (tile.level(), tile.level_index(), u64::from(tile.width())));
            prop_assert_eq!(tile::path(named.level, named.n, named.width), format!("tile/{short}"));
            prop_assert_eq!(mirror.get(&named).unwrap(), tile.read_data(&stored).unwrap());
            seen += 1;
        }
        prop_assert!(seen >= size.div_ceil(256));
    }

    #[test]
    fn proofs_are_read_from_our_tiles(size in 1u64..1_500, old in any::<u64>(), index in any::<u64>()) {
        prove_from_tiles(size, old % size + 1, index % size);
    }

    #[test]
    fn tile_paths_are_read_alike(path in "([0-9]|[0-9]{2}|x)/(x?[0-9]{2,4}/){0,3}x?[0-9]{2,4}(\\.p/[0-9]{1,3})?") {
        let here = TilePath::parse(&path);
        // The other implementation panics at a level above 63 and at a width of 0, which both are no paths.
        let level_fits = path.split('/').next().and_then(|level| level.parse().ok()).is_some_and(|level: u8| level < 64);
        if !level_fits || path.ends_with(".p/0") || path.ends_with("/00") || path.ends_with("/000") && path.contains(".p/") {
            prop_assert_eq!(here, None);
        } else {
            let there = Tile::from_path(&format!("tile/8/{path}")).ok();
            let there = there.map(|tile| (tile.level(), tile.level_index(), u64::from(tile.width())));
            prop_assert_eq!(here.map(|tile| (tile.level, tile.n, tile.width)), there);
        }
    }
}
