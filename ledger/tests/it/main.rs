//! Everything the ledger promises, tested from outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may panic"
)]

mod bundle;
#[cfg(all(feature = "door", feature = "bundle"))]
mod fuzz;
mod hostile;
mod interop;
mod memory;
mod notes;
mod otlp;
mod policy;
mod published;
mod record_proofs;
#[cfg(feature = "door")]
mod tail;
mod times;
mod trees;
mod vectors;
mod verify;

#[cfg(feature = "store")]
mod crash;
#[cfg(feature = "store")]
mod damage;
#[cfg(feature = "store")]
mod epochs;
#[cfg(feature = "store")]
mod erasing;
#[cfg(feature = "store")]
mod faults;
#[cfg(feature = "store")]
mod golden;
#[cfg(feature = "store")]
mod leaves;
#[cfg(feature = "store")]
mod maintenance;
#[cfg(feature = "store")]
mod reading;
#[cfg(feature = "store")]
mod restoring;
#[cfg(feature = "store")]
mod salts;
#[cfg(feature = "store")]
mod statements;
#[cfg(feature = "store")]
mod support;
#[cfg(feature = "store")]
mod writing;
