//! The collector as its users meet it: a real process, real connections, a real store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod harness;

mod reading;
mod sealing;
