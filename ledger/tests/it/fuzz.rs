//! The fuzz targets without a fuzzer: their seeds, and mutations of them that are the same on every run.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

#[path = "../../../tests/fuzz/src/mutations.rs"]
mod mutations;

use std::path::{Path, PathBuf};

use mutations::{MUTATIONS, hold, names};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

#[test]
fn every_target_holds_for_its_seeds_and_their_mutations() {
    for (name, target) in targets::TARGETS {
        hold(name, *target, &folder().join("seeds").join(name), MUTATIONS);
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
