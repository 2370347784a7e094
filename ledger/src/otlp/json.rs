//! Records, resources and scopes from OTLP/JSON text.
//!
//! Rules: <https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding> — lower camel case, ids in hex, enums as
//! integers, 64-bit integers as strings or numbers, bytes in base64, unknown fields ignored, `null` is unset.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

use super::MAX_VALUES;
use super::error::Malformed;
use super::item::{Item, Link, Resource, Scope, SpanEvent};
use super::value::Attributes;

mod export;
mod scalar;
mod shape;
mod values;

pub(crate) use export::slice_export;

use scalar::{HexId, Number, Text};
use shape::{Bounded, Object};
use values::Budget;

/// Where a part lies in the whole it was borrowed from.
fn place(whole: &[u8], part: &RawValue) -> usize {
    (part.get().as_ptr() as usize).saturating_sub(whole.as_ptr() as usize)
}

pub(crate) fn text(token: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    Ok(parse::<Text<'_>>(token)?.0)
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(bytes).map_err(|error| malformed(bytes, &error))
}

/// Turns the line and column of the JSON reader into an offset, and its message into ours.
fn malformed(bytes: &[u8], error: &serde_json::Error) -> Malformed {
    let line_start = match error.line().checked_sub(2) {
        None => 0,
        Some(nth) => memchr_nth(bytes, nth).map_or(0, |newline| newline + 1),
    };
    let offset = (line_start + error.column().saturating_sub(1)).min(bytes.len());
    let message = error.to_string();
    let what = message
        .rsplit_once(" at line ")
        .map_or(message.as_str(), |(what, _)| what);
    Malformed::new(offset, what.to_owned())
}

fn memchr_nth(bytes: &[u8], nth: usize) -> Option<usize> {
    bytes
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .nth(nth)
        .map(|(at, _)| at)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogJson<'a> {
    time_unix_nano: Option<Number<u64>>,
    observed_time_unix_nano: Option<Number<u64>>,
    severity_number: Option<Number<i32>>,
    #[serde(borrow)]
    severity_text: Option<Text<'a>>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
    dropped_attributes_count: Option<Number<u32>>,
    flags: Option<Number<u32>>,
    trace_id: Option<HexId<16>>,
    span_id: Option<HexId<8>>,
    #[serde(borrow)]
    event_name: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson<'a> {
    trace_id: Option<HexId<16>>,
    span_id: Option<HexId<8>>,
    #[serde(borrow)]
    trace_state: Option<Text<'a>>,
    parent_span_id: Option<HexId<8>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    kind: Option<Number<i32>>,
    start_time_unix_nano: Option<Number<u64>>,
    end_time_unix_nano: Option<Number<u64>>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
    dropped_attributes_count: Option<Number<u32>>,
    #[serde(borrow, default)]
    events: Bounded<Object<EventJson<'a>>, { MAX_VALUES as usize }>,
    dropped_events_count: Option<Number<u32>>,
    #[serde(borrow, default)]
    links: Bounded<Object<LinkJson<'a>>, { MAX_VALUES as usize }>,
    dropped_links_count: Option<Number<u32>>,
    #[serde(borrow)]
    status: Option<Object<StatusJson<'a>>>,
    flags: Option<Number<u32>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventJson<'a> {
    time_unix_nano: Option<Number<u64>>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
    dropped_attributes_count: Option<Number<u32>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LinkJson<'a> {
    trace_id: Option<HexId<16>>,
    span_id: Option<HexId<8>>,
    #[serde(borrow)]
    trace_state: Option<Text<'a>>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
    dropped_attributes_count: Option<Number<u32>>,
    flags: Option<Number<u32>>,
}

#[derive(Deserialize)]
struct StatusJson<'a> {
    #[serde(borrow)]
    message: Option<Text<'a>>,
    code: Option<Number<i32>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AboutJson<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    version: Option<Text<'a>>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
    dropped_attributes_count: Option<Number<u32>>,
}

fn number<T: Default>(field: Option<Number<T>>) -> T {
    field.map(|number| number.0).unwrap_or_default()
}

fn words(field: Option<Text<'_>>) -> Cow<'_, str> {
    field.map(|text| text.0).unwrap_or_default()
}

fn id<const N: usize>(field: Option<HexId<N>>) -> Option<[u8; N]> {
    field.and_then(|id| id.0)
}

/// Reads a part that was left raw, so that values are counted across the whole record.
fn part<'a, S>(whole: &'a [u8], raw: Option<&'a RawValue>, seed: S) -> Result<S::Value, Malformed>
where
    S: DeserializeSeed<'a>,
    S::Value: Default,
{
    let Some(raw) = raw else {
        return Ok(S::Value::default());
    };
    let mut reader = serde_json::Deserializer::from_str(raw.get());
    seed.deserialize(&mut reader)
        .map_err(|error| malformed(raw.get().as_bytes(), &error).within(place(whole, raw)))
}

fn attributes<'a>(
    whole: &'a [u8],
    raw: Option<&'a RawValue>,
    budget: &Budget,
) -> Result<Attributes<'a>, Malformed> {
    part(whole, raw, values::attributes(budget))
}

pub(crate) fn log_record(bytes: &[u8]) -> Result<Item<'_>, Malformed> {
    let log: LogJson<'_> = parse(bytes)?;
    let budget = Budget::default();
    Ok(Item {
        name: words(log.event_name),
        time_unix_nano: number(log.time_unix_nano),
        observed_time_unix_nano: number(log.observed_time_unix_nano),
        trace_id: id(log.trace_id),
        span_id: id(log.span_id),
        flags: number(log.flags),
        body: part(bytes, log.body, values::value(&budget))?,
        severity_number: number(log.severity_number),
        severity_text: words(log.severity_text),
        attributes: attributes(bytes, log.attributes, &budget)?,
        dropped_attributes_count: number(log.dropped_attributes_count),
        ..Item::default()
    })
}

pub(crate) fn span(bytes: &[u8]) -> Result<Item<'_>, Malformed> {
    let span: SpanJson<'_> = parse(bytes)?;
    let budget = Budget::default();
    let (status_message, status_code) = match span.status {
        Some(Object(status)) => (words(status.message), number(status.code)),
        None => Default::default(),
    };
    Ok(Item {
        name: words(span.name),
        time_unix_nano: number(span.start_time_unix_nano),
        end_time_unix_nano: number(span.end_time_unix_nano),
        trace_id: id(span.trace_id),
        span_id: id(span.span_id),
        parent_span_id: id(span.parent_span_id),
        trace_state: words(span.trace_state),
        flags: number(span.flags),
        kind: number(span.kind),
        status_code,
        status_message,
        attributes: attributes(bytes, span.attributes, &budget)?,
        dropped_attributes_count: number(span.dropped_attributes_count),
        events: span
            .events
            .0
            .into_iter()
            .map(|Object(event)| span_event(bytes, event, &budget))
            .collect::<Result<_, _>>()?,
        dropped_events_count: number(span.dropped_events_count),
        links: span
            .links
            .0
            .into_iter()
            .map(|Object(link)| span_link(bytes, link, &budget))
            .collect::<Result<_, _>>()?,
        dropped_links_count: number(span.dropped_links_count),
        ..Item::default()
    })
}

fn span_event<'a>(
    whole: &'a [u8],
    event: EventJson<'a>,
    budget: &Budget,
) -> Result<SpanEvent<'a>, Malformed> {
    Ok(SpanEvent {
        time_unix_nano: number(event.time_unix_nano),
        name: words(event.name),
        attributes: attributes(whole, event.attributes, budget)?,
        dropped_attributes_count: number(event.dropped_attributes_count),
    })
}

fn span_link<'a>(
    whole: &'a [u8],
    link: LinkJson<'a>,
    budget: &Budget,
) -> Result<Link<'a>, Malformed> {
    Ok(Link {
        trace_id: id(link.trace_id),
        span_id: id(link.span_id),
        trace_state: words(link.trace_state),
        attributes: attributes(whole, link.attributes, budget)?,
        dropped_attributes_count: number(link.dropped_attributes_count),
        flags: number(link.flags),
    })
}

pub(crate) fn resource(bytes: &[u8]) -> Result<Resource<'_>, Malformed> {
    let about: AboutJson<'_> = parse(bytes)?;
    Ok(Resource {
        attributes: attributes(bytes, about.attributes, &Budget::default())?,
        dropped_attributes_count: number(about.dropped_attributes_count),
    })
}

pub(crate) fn scope(bytes: &[u8]) -> Result<Scope<'_>, Malformed> {
    let about: AboutJson<'_> = parse(bytes)?;
    Ok(Scope {
        name: words(about.name),
        version: words(about.version),
        attributes: attributes(bytes, about.attributes, &Budget::default())?,
        dropped_attributes_count: number(about.dropped_attributes_count),
    })
}
