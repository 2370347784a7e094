//! Everything that is generated from the catalogue is current, and says what the code says.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may panic, and so may the helpers beside it"
)]

mod committed;
mod glossary;
mod records;
mod samples;
mod schemas;
