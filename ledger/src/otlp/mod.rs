//! OTLP as it arrives: exact wire slices of each record, and a borrowed view of what they say.
//!
//! Evidence is the bytes, so nothing here re-encodes: [`slice_export`] cuts an export request into the exact
//! bytes of its resources, scopes and items, and [`Item::decode`] reads those bytes in place. Both encodings of
//! the OTLP specification 1.x are read (protobuf and JSON: hex ids, 64-bit integers as strings, base64 bytes).
//!
//! The readers are stricter than a protobuf library where leniency would make evidence ambiguous: a field that
//! may occur once and occurs twice is refused rather than merged.

mod error;
mod item;
mod json;
mod protobuf;
mod slice;
mod value;
mod wire;

pub use crate::envelope::{Encoding, Signal};
pub use error::Malformed;
pub use item::{Item, Link, Resource, Scope, SpanEvent};
pub use slice::{Slice, schema_url, slice_export};
pub use value::{Attributes, Value};

/// The most records one export may carry; a larger export is refused as a whole.
pub const MAX_ITEMS: usize = 100_000;

/// The most resources, or scopes within one resource, that one export may carry.
pub const MAX_GROUPS: usize = 100_000;

/// The most values (attributes and list members, nested ones included) in one item, resource or scope.
pub const MAX_VALUES: u32 = 100_000;

/// How deep values may nest; the outermost value has depth 1.
pub const MAX_DEPTH: u32 = 24;
