//! OpenTelemetry spans of what is recorded, through the program's own tracer.
//!
//! Read from the records as they are written, after redaction: a span says nothing that no record says, and holds no
//! content.

use std::collections::HashMap;
use std::fmt;
use std::sync::Mutex;

use ledger::otlp::{Encoding, Item, Signal};
use opentelemetry::trace::{
    Span, SpanContext, SpanId, SpanKind, Status, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};
use vocabulary::{Event, attribute};

use crate::Attributes;
use crate::item::Place;
use crate::spool::lock;

/// Attributes of begins that spans carry, as records name them.
const OF_BEGIN: &[&str] = &[
    attribute::ACTION_ID,
    attribute::ACTION_KIND,
    attribute::ACTION_ACCESS,
    attribute::ACTION_OPERATION,
    attribute::TARGET,
    attribute::DECISION_ID,
];

/// Sees every record.
pub(crate) trait Outward: fmt::Debug + Send + Sync {
    fn see(&self, event: Event, place: &Place<'_>, attributes: &Attributes);
}

/// Spans of actions, made by a tracer.
pub(crate) struct Spans<T: Tracer> {
    tracer: T,
    /// Those of running actions, by span id as the records have it.
    running: Mutex<HashMap<[u8; 8], T::Span>>,
}

impl<T: Tracer> fmt::Debug for Spans<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spans")
    }
}

impl<T: Tracer> Spans<T> {
    pub(crate) fn new(tracer: T) -> Self {
        Self {
            tracer,
            running: Mutex::default(),
        }
    }

    fn begun(&self, place: &Place<'_>, span_id: [u8; 8], attributes: &Attributes) {
        let all = [place.prefix, attributes.encoded()].concat();
        let Ok(item) = Item::decode(Encoding::Protobuf, Signal::Logs, &all) else {
            return;
        };
        let read = &item.attributes;
        let mut pairs: Vec<KeyValue> = Vec::with_capacity(OF_BEGIN.len() + 2);
        for name in [attribute::SESSION_ID, attribute::REQUEST_ID] {
            pairs.extend(
                read.str(name)
                    .map(|text| KeyValue::new(name, text.to_owned())),
            );
        }
        for name in OF_BEGIN {
            pairs.extend(
                read.str(name)
                    .map(|text| KeyValue::new(*name, text.to_owned())),
            );
        }
        let kind = match read.str(attribute::ACTION_KIND) {
            Some("http" | "db" | "llm" | "mcp") => SpanKind::Client,
            _ => SpanKind::Internal,
        };
        let name = read.str(attribute::ACTION_NAME).unwrap_or("action");
        let builder = self
            .tracer
            .span_builder(name.to_owned())
            .with_kind(kind)
            .with_attributes(pairs);
        let parent = read
            .str(attribute::ACTION_PARENT)
            .and_then(|parent| parent.parse().ok())
            .map(crate::span_id);
        let span = self
            .tracer
            .build_with_context(builder, &self.around(place.trace_id, parent));
        lock(&self.running).insert(span_id, span);
    }

    /// The span of the action around, where it runs; else the session's trace, so that all its spans are in one.
    fn around(&self, trace_id: [u8; 16], parent: Option<[u8; 8]>) -> Context {
        let running = lock(&self.running);
        let context = parent
            .and_then(|parent| running.get(&parent))
            .map(|span| span.span_context().clone())
            .unwrap_or_else(|| {
                let [a, b, c, d, e, f, g, h, ..] = trace_id;
                SpanContext::new(
                    TraceId::from_bytes(trace_id),
                    SpanId::from_bytes(parent.unwrap_or([a, b, c, d, e, f, g, h])),
                    TraceFlags::SAMPLED,
                    true,
                    TraceState::default(),
                )
            });
        Context::new().with_remote_span_context(context)
    }

    fn ended(&self, span_id: [u8; 8], attributes: &Attributes) {
        let Some(mut span) = lock(&self.running).remove(&span_id) else {
            return;
        };
        let all = attributes.encoded();
        if let Ok(item) = Item::decode(Encoding::Protobuf, Signal::Logs, all) {
            let read = &item.attributes;
            for name in [attribute::OUTCOME, attribute::EFFECT, attribute::ERROR_TYPE] {
                if let Some(text) = read.str(name) {
                    span.set_attribute(KeyValue::new(name, text.to_owned()));
                }
            }
            span.set_status(match read.str(attribute::OUTCOME) {
                Some("success") => Status::Ok,
                Some(outcome) => {
                    let message = read.str(attribute::ERROR_MESSAGE).unwrap_or(outcome);
                    Status::error(message.to_owned())
                }
                None => Status::Unset,
            });
        }
        span.end();
    }
}

impl<T> Outward for Spans<T>
where
    T: Tracer + Send + Sync,
    T::Span: Send + Sync,
{
    fn see(&self, event: Event, place: &Place<'_>, attributes: &Attributes) {
        match (event, place.span_id) {
            (Event::ToolInvoke, Some(span_id)) => self.begun(place, span_id, attributes),
            (Event::ToolResult, Some(span_id)) => self.ended(span_id, attributes),
            _ => {}
        }
    }
}
