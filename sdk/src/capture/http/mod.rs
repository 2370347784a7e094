//! HTTP.
mod address;
mod headers;
mod rule;
pub use rule::{MalformedRule, Rule};
