//! The reader door of a running collector: what travels through it, and a [`Reader`](crate::reader::Reader) at its far end.
//!
//! HTTP/1.1 over a Unix socket, or over TCP with a token. Answers are JSON with base64 of exact bytes, so nothing is
//! lost or re-encoded on the way; what comes out is as unverified as what lies in a folder. A range that is longer
//! than one answer may be comes with the header [`NEXT`], from where to go on.
#![forbid(unsafe_code)]

mod client;
mod connection;
pub mod wire;

pub use client::{Door, Tail};

/// Header of an answer that holds only the beginning of a range: the first index that is missing.
pub const NEXT: &str = "recount-next";

/// Header that names the exact place of the store behind the door.
pub const PLACE: &str = "recount-store";
