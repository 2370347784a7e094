//! How records are kept, and how anyone can check that nothing changed.
//!
//! `docs/ledger-format.md` is normative for every byte that this crate reads or writes.
//!
//! Without features this is what an auditor of one record reads: [`tree`] (hashes and proofs), [`leaf`] and
//! [`mod@envelope`] (what a record is made of and commits to), [`note`], [`checkpoint`] and [`cosignature`] (what is
//! signed), [`tile`] and [`proof`] (how it travels). On top of that, each by its feature: `reader` and `verify` (whole
//! ledgers), `bundle`, `door`, `otlp`, `store`. Everything except `store` and `door` is pure: no clock, no file, no
//! network, no `unsafe`.

pub mod tree;

pub mod envelope;
pub mod leaf;

pub mod checkpoint;
pub mod cosignature;
pub mod fingerprint;
pub mod note;
pub mod proof;
pub mod tile;

mod bytes;
mod hex;

#[cfg(feature = "otlp")]
pub mod otlp;
#[cfg(feature = "producer")]
pub mod producer;

#[cfg(feature = "segment")]
pub mod segment;

#[cfg(feature = "verify")]
pub mod acked;
#[cfg(feature = "verify")]
pub mod policy;
#[cfg(feature = "verify")]
pub mod reader;
#[cfg(feature = "verify")]
pub mod verify;

#[cfg(feature = "stamp")]
pub mod stamp;

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
