//! What one record, its resource and its scope say.

use std::borrow::Cow;

use super::error::Malformed;
use super::value::{Attributes, Value};
use super::{Encoding, Signal, json, protobuf};

/// One `LogRecord` or `Span`, read in place. Fields that the other signal has alone are at their default.
///
/// Numbers are as the sender wrote them: unix times in nanoseconds, 0 for unset.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Item<'a> {
    /// The event name of a log record, the name of a span. Empty when unset.
    pub name: Cow<'a, str>,
    /// When it happened: a log record's time, a span's start. Unix nanoseconds.
    pub time_unix_nano: u64,
    /// Logs: when the sender's own pipeline saw it. Unix nanoseconds.
    pub observed_time_unix_nano: u64,
    /// Spans: when it ended. Unix nanoseconds.
    pub end_time_unix_nano: u64,
    /// The trace it belongs to; `None` when unset or all zero.
    pub trace_id: Option<[u8; 16]>,
    /// The span it is, or happened in; `None` when unset or all zero.
    pub span_id: Option<[u8; 8]>,
    /// Spans: the span it is a child of.
    pub parent_span_id: Option<[u8; 8]>,
    /// Spans: the W3C `tracestate`.
    pub trace_state: Cow<'a, str>,
    /// W3C trace flags and the flags OTLP adds.
    pub flags: u32,
    /// Logs: the body.
    pub body: Value<'a>,
    /// Logs: the severity, 1 to 24.
    pub severity_number: i32,
    /// Logs: the severity in the sender's words.
    pub severity_text: Cow<'a, str>,
    /// Spans: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: i32,
    /// Spans: 0 unset, 1 ok, 2 error.
    pub status_code: i32,
    /// Spans: the message beside an error status.
    pub status_message: Cow<'a, str>,
    /// Attributes of the record itself.
    pub attributes: Attributes<'a>,
    /// How many attributes the sender says it dropped.
    pub dropped_attributes_count: u32,
    /// Spans: timed events.
    pub events: Vec<SpanEvent<'a>>,
    /// Spans: how many events the sender says it dropped.
    pub dropped_events_count: u32,
    /// Spans: links to other spans.
    pub links: Vec<Link<'a>>,
    /// Spans: how many links the sender says it dropped.
    pub dropped_links_count: u32,
}

/// A timed event within a span.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SpanEvent<'a> {
    /// When it happened, in unix nanoseconds.
    pub time_unix_nano: u64,
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes the sender says it dropped.
    pub dropped_attributes_count: u32,
}

/// A link from one span to another.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Link<'a> {
    /// The trace of the other span.
    pub trace_id: Option<[u8; 16]>,
    /// The other span.
    pub span_id: Option<[u8; 8]>,
    /// The W3C `tracestate`.
    pub trace_state: Cow<'a, str>,
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes the sender says it dropped.
    pub dropped_attributes_count: u32,
    /// W3C trace flags and the flags OTLP adds.
    pub flags: u32,
}

/// The resource a record came from: the sending process and what it says about itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resource<'a> {
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes the sender says it dropped.
    pub dropped_attributes_count: u32,
}

/// The instrumentation scope: which library wrote the record.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scope<'a> {
    /// The library.
    pub name: Cow<'a, str>,
    /// Its version.
    pub version: Cow<'a, str>,
    /// Its attributes.
    pub attributes: Attributes<'a>,
    /// How many attributes the sender says it dropped.
    pub dropped_attributes_count: u32,
}

impl<'a> Item<'a> {
    /// Reads the exact bytes of one record, as [`super::slice_export`] cut them and the ledger keeps them.
    ///
    /// # Errors
    /// When the bytes are not a record of that signal in that encoding, say two things at once, or go beyond
    /// [`super::MAX_DEPTH`] or [`super::MAX_VALUES`].
    pub fn decode(encoding: Encoding, signal: Signal, bytes: &'a [u8]) -> Result<Self, Malformed> {
        match (encoding, signal) {
            (Encoding::Protobuf, Signal::Logs) => protobuf::log_record(bytes),
            (Encoding::Protobuf, Signal::Traces) => protobuf::span(bytes),
            (Encoding::Json, Signal::Logs) => json::log_record(bytes),
            (Encoding::Json, Signal::Traces) => json::span(bytes),
        }
    }
}

impl<'a> Resource<'a> {
    /// Reads the exact bytes of a resource; no bytes are an absent resource.
    ///
    /// # Errors
    /// As [`Item::decode`].
    pub fn decode(encoding: Encoding, bytes: &'a [u8]) -> Result<Self, Malformed> {
        match encoding {
            Encoding::Protobuf => protobuf::resource(bytes),
            Encoding::Json if bytes.is_empty() => Ok(Self::default()),
            Encoding::Json => json::resource(bytes),
        }
    }
}

impl<'a> Scope<'a> {
    /// Reads the exact bytes of an instrumentation scope; no bytes are an absent scope.
    ///
    /// # Errors
    /// As [`Item::decode`].
    pub fn decode(encoding: Encoding, bytes: &'a [u8]) -> Result<Self, Malformed> {
        match encoding {
            Encoding::Protobuf => protobuf::scope(bytes),
            Encoding::Json if bytes.is_empty() => Ok(Self::default()),
            Encoding::Json => json::scope(bytes),
        }
    }
}
