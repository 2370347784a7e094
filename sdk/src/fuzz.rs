//! What must hold for any bytes of a spool file that another process left.

/// One target: it panics when what it promises does not hold for these bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder in `tests/fuzz/seeds`, and how many mutations an ordinary test
/// tries.
pub const TARGETS: &[(&str, Target, u64)] = &[("segment", segment, 10_000)];

/// A segment is refused, or gives whole frames that lie behind each other and within the file.
pub fn segment(bytes: &[u8]) {
    crate::spool::frames_are_within(bytes);
}

#[cfg(test)]
#[path = "../../tests/fuzz/src/mutations.rs"]
mod mutations;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::mutations;

    #[test]
    fn every_target_holds_for_its_seeds_and_their_mutations() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds");
        for (name, target, mutations) in super::TARGETS {
            mutations::hold(name, *target, &seeds.join(name), *mutations);
        }
    }
}
