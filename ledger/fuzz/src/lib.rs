//! What must hold for any bytes: the body of every fuzz target, as a function.
//!
//! `cargo fuzz` calls them with what it finds, `ledger/tests/it/fuzz.rs` with the seeds of `seeds/` and with seeded
//! mutations of them, so that a toolchain without libFuzzer exercises them, too.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    dead_code,
    reason = "a target fails by panicking, and its name says what it is fed"
)]

mod proofs;
mod records;
mod words;

/// One target: it panics when what it promises does not hold for these bytes.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder in `seeds/` and of its file in `fuzz_targets/`.
pub const TARGETS: &[(&str, Target)] = &[
    ("acked", proofs::acked),
    ("bundle", proofs::bundle),
    ("checkpoint", proofs::checkpoint),
    ("door", records::door),
    ("envelope", records::envelope),
    ("leaf", records::leaf),
    ("note", proofs::note),
    ("otlp", records::otlp),
    ("pins", proofs::pins),
    ("policy", proofs::policy),
    ("proof", proofs::proof),
    ("redaction", words::redaction),
    ("segment", records::segment),
    ("stamp", proofs::stamp),
    ("tile_path", proofs::tile_path),
    ("words", words::words),
];

/// Runs one target.
///
/// # Panics
/// When what the target promises does not hold, and when there is no such target.
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    (target.unwrap().1)(bytes);
}
