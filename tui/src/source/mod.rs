//! Where the evidence comes from: which store, through which door, under which key.

pub mod place;

mod http;
