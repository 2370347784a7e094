//! What happened, computed from records: the answer and its renderings.
//!
//! An [`model::Account`] is the one value behind every screen, page and JSON document. Nothing here knows a
//! terminal, a colour or a clock.

pub mod model;
