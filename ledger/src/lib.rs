//! How records are kept, and how anyone can check that nothing changed.
//!
//! `docs/ledger-format.md` is normative for every byte that this crate reads or writes.
//!
//! Read in this order: [`tree`] (hashes and proofs), [`leaf`] and [`mod@envelope`] (what a record is made
//! of), [`segment`] (how records lie together), [`note`] and [`checkpoint`] (what is signed), [`reader`]
//! (where stored bytes come from), [`verify`] (how they are checked). Everything except `store` is pure:
//! no clock, no file, no network, no `unsafe`.

pub mod tree;

pub mod envelope;
pub mod leaf;
pub mod otlp;
pub mod segment;

pub mod acked;
pub mod checkpoint;
pub mod cosignature;
pub mod fingerprint;
pub mod note;
pub mod policy;
pub mod producer;
pub mod proof;
pub mod tile;

pub mod reader;
pub mod verify;

#[cfg(feature = "words")]
mod words;
#[cfg(feature = "words")]
pub use words::NotAKey;

#[cfg(feature = "bundle")]
pub mod bundle;
#[cfg(feature = "door")]
pub mod door;
#[cfg(feature = "store")]
pub mod store;

mod bytes;
mod hex;
