//! The words recount speaks: one type per idea, no I/O, no SQL, no OTLP types.
//!
//! Read in this order: [`event`] and [`attribute`] (what travels), [`action`],
//! [`decision`], [`principal`] and [`session`] (what it means), [`record`] (how
//! it was kept), [`problem`] and [`verdict`] (what is wrong with it), [`content`],
//! [`row`] and [`scope`] (the shapes inside), [`redaction`] (what must not get in).
//!
//! Every closed set of words is an enum made by one macro: `as_str` gives the
//! word, `parse` reads exactly the words listed, serde uses the same strings.
//! A set that has the word `unknown` reads every other string as `Unknown`
//! when it is deserialized; for the other sets [`word::lenient`] does so by
//! giving `None`.

pub mod word;

pub mod attribute;
pub mod catalogue;
pub mod event;
pub mod wire;

pub mod action;
pub mod decision;
pub mod principal;
pub mod record;
pub mod session;

pub mod problem;
pub mod source;
pub mod verdict;

pub mod content;
pub mod digest;
pub mod redaction;
pub mod row;
pub mod scope;

pub mod id;
pub mod reference;
pub mod time;

pub use content::Content;
pub use event::Event;
pub use source::Source;
pub use time::Timestamp;
