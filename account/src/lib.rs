//! What happened, computed from records: the answer and its renderings.
//!
//! [`build`] resolves a query against a ledger, verifies everything that it reads while reading it, and gives an
//! [`model::Account`]: the one value behind every screen, page and JSON document. Nothing here knows a terminal,
//! a colour or a clock.

pub mod change;
pub mod filter;
pub mod model;
pub mod render;
pub mod replay;
pub mod shown;

mod assemble;
mod build;
mod error;
mod gather;
#[cfg(test)]
mod hostile;

mod chain;
mod content;
mod doubt;
mod fold;
mod gaps;
mod judge;
mod meanwhile;
mod patch;
mod producers;
mod reading;
mod resolve;
mod told;

pub use build::{Options, build, build_with};
pub use error::{AccountError, Meaning};
pub use judge::things::things;
pub use producers::{Watch, producers};
