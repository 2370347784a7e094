//! The example programs and their world, driven as a user drives them.
#![expect(clippy::unwrap_used, reason = "a test may panic: that is how it fails")]

mod postgres;
mod small;
mod world;
