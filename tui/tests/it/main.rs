//! Tests of the program from outside: screens as text, keys, the command line, a real terminal.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop with a message"
)]

mod keys;
mod screens;
mod stage;
