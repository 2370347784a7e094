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

/// How the bytes of one record are encoded. The numbers are those of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Encoding {
    /// Protocol buffers, `application/x-protobuf`.
    Protobuf = 1,
    /// OTLP/JSON, `application/json`.
    Json = 2,
}

impl Encoding {
    /// Reads the number of an envelope; `None` for a number this version does not know.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Protobuf),
            2 => Some(Self::Json),
            _ => None,
        }
    }
}

/// Which OTLP signal a record arrived as. The numbers are those of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Signal {
    /// A `LogRecord`.
    Logs = 1,
    /// A `Span`.
    Traces = 2,
}

impl Signal {
    /// Reads the number of an envelope; `None` for a number this version does not know.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Logs),
            2 => Some(Self::Traces),
            _ => None,
        }
    }
}
