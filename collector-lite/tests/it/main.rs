//! The collector as its users meet it: a real process, real connections, a real store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod harness;

mod adopting;
mod anchors;
mod commands;
mod crashing;
mod crowding;
mod erasing;
mod error_table;
mod exact;
mod following;
mod grpc;
mod help;
mod importing;
mod producers;
mod reading;
mod refusing;
mod sealing;
mod sessions;
mod witness;
