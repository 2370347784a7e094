//! Where the evidence comes from: which store, through which door, under which key.

pub mod place;

pub(crate) mod link;

mod bell;
mod keys;
mod open;
mod which;

pub(crate) use bell::{Bell, Rung, hang};
pub(crate) use keys::named_key;
pub(crate) use open::{Source, distance, read_bundle};
