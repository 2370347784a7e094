//! Tests of the program from outside: screens as text, keys, the command line, a real terminal.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should stop with a message"
)]

mod bundles;
mod cli;
mod diffs;
mod doubts;
mod filtering;
mod following;
mod keeping;
mod keys;
mod matrix;
mod notes;
mod policy;
mod proofs;
mod replay;
mod same_facts;
mod screens;
mod stage;
mod store;
mod terminal;
mod which;
