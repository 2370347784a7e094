//! The fuzz targets without a fuzzer: their seeds, and mutations of them that are the same on every run.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::path::{Path, PathBuf};

/// Mutations of each target's seeds.
const MUTATIONS: u64 = 10_000;

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

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = folder().join("seeds").join(target);
    let files = names(&folder).into_iter();
    files
        .map(|file| std::fs::read(folder.join(file)).unwrap())
        .collect()
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

#[test]
fn every_target_holds_for_its_seeds_and_their_mutations() {
    for (name, target) in targets::TARGETS {
        let seeds = seeds(name);
        seeds.iter().for_each(|seed| target(seed));
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        for round in 0..MUTATIONS {
            let bytes = mutated(&seeds, &mut dice);
            let held = std::panic::catch_unwind(|| target(&bytes));
            assert!(held.is_ok(), "{name}, round {round}: {bytes:02x?}");
        }
    }
}

#[test]
fn every_target_has_a_program_and_seeds() {
    let known: Vec<&str> = targets::TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names(&folder().join("seeds")), known);
    let programs = names(&folder().join("fuzz_targets"));
    let programs: Vec<&str> = programs
        .iter()
        .map(|file| file.trim_end_matches(".rs"))
        .collect();
    assert_eq!(programs, known);
    for name in known {
        let program = folder().join("fuzz_targets").join(format!("{name}.rs"));
        let text = std::fs::read_to_string(program).unwrap();
        assert!(text.contains(&format!("run(\"{name}\", bytes)")), "{name}");
    }
}
