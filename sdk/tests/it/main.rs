//! What the SDK promises to the programs that use it, against a collector made for the purpose.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod collector;

mod begin;
mod context;
mod delivery;
mod ending;
mod interleaving;
mod records;
mod signing;
#[cfg(feature = "otel")]
mod spans;
mod survival;
#[cfg(feature = "tls")]
mod tls;
