//! What the store promises, tried on real folders.
#![cfg(feature = "store")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

mod writing;
