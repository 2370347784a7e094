//! Fuzz targets without a fuzzer: their seeds, and mutations of them that are the same on every run.
//!
//! The ledger, the collector, the terminal and the SDK include this file in their tests.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a target fails by panicking, and each crate uses what it needs"
)]

use std::path::Path;

/// One target: it panics when what it promises does not hold for these bytes.
pub(crate) type Target = fn(&[u8]);

/// Mutations of each target's seeds.
pub(crate) const MUTATIONS: u64 = 10_000;

/// `xorshift64*`: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % end.max(1)
    }
}

/// One to four changes: a bit, a byte, a run of bytes gone or doubled, an end cut off, two seeds joined.
fn mutated(seeds: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        let to = (at + 1 + dice.below(8)).min(bytes.len());
        match dice.below(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            1 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'\n'][dice.below(6)],
            2 => bytes.insert(at, dice.below(256) as u8),
            3 => drop(bytes.drain(at..to)),
            4 => bytes.extend_from_within(at..to),
            5 => bytes.truncate(at),
            _ => {
                let other = &seeds[dice.below(seeds.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[dice.below(other.len())..]);
            }
        }
    }
    bytes
}

/// The names in a folder, in order.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Runs a target over its seeds in `folder`, and over so many mutations of them.
pub(crate) fn hold(name: &str, target: Target, folder: &Path, mutations: u64) {
    let seeds: Vec<Vec<u8>> = names(folder)
        .iter()
        .map(|file| std::fs::read(folder.join(file)).unwrap())
        .collect();
    seeds.iter().for_each(|seed| target(seed));
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    for round in 0..mutations {
        let bytes = mutated(&seeds, &mut dice);
        let held = std::panic::catch_unwind(|| target(&bytes));
        assert!(held.is_ok(), "{name}, round {round}: {bytes:02x?}");
    }
}
