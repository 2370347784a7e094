//! Records, resources and scopes from protobuf bytes.
//!
//! Field numbers: `opentelemetry/proto/{common,resource,logs,trace}/v1/*.proto` of opentelemetry-proto 1.x.

use std::borrow::Cow;

use super::error::Malformed;
use super::item::{Item, Link, Resource, Scope, SpanEvent};
use super::value::{Attributes, Value};
use super::wire::{Field, Fields, once};
use super::{MAX_DEPTH, MAX_VALUES};

/// Attributes of a usual record.
const USUAL_ATTRIBUTES: usize = 16;

/// Counts values against [`MAX_VALUES`] while one message is read.
struct Budget(u32);

impl Budget {
    fn new() -> Self {
        Self(MAX_VALUES)
    }

    fn spend(&mut self, at: usize) -> Result<(), Malformed> {
        self.0 = self
            .0
            .checked_sub(1)
            .ok_or_else(|| Malformed::new(at, "there are too many values"))?;
        Ok(())
    }
}

/// Which singular field numbers have been seen, so that a second occurrence is refused.
#[derive(Default)]
struct Seen(u32);

impl Seen {
    fn first(&mut self, field: &Field<'_>) -> Result<(), Malformed> {
        let bit = 1u32 << (field.number & 31);
        if self.0 & bit != 0 {
            return Err(Malformed::new(
                field.at,
                format!("field {} occurs twice", field.number),
            ));
        }
        self.0 |= bit;
        Ok(())
    }
}

fn id<const N: usize>(field: &Field<'_>) -> Result<Option<[u8; N]>, Malformed> {
    let bytes = field.bytes()?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let id: [u8; N] = bytes.try_into().map_err(|_| {
        Malformed::new(
            field.value_at,
            format!("an identifier has {} bytes instead of {N}", bytes.len()),
        )
    })?;
    Ok((id != [0; N]).then_some(id))
}

pub(crate) fn log_record(bytes: &[u8]) -> Result<Item<'_>, Malformed> {
    let mut item = Item::default();
    let (mut fields, mut seen, mut budget) =
        (Fields::new(bytes, 0), Seen::default(), Budget::new());
    while let Some(field) = fields.next_field()? {
        if matches!(field.number, 1..=5 | 7..=12) {
            seen.first(&field)?;
        }
        match field.number {
            1 => item.time_unix_nano = field.fixed64()?,
            2 => item.severity_number = field.varint32()? as i32,
            3 => item.severity_text = Cow::Borrowed(field.text()?),
            5 => item.body = value(&field, 1, &mut budget)?,
            6 => attribute(&mut item.attributes, &field, 0, &mut budget)?,
            7 => item.dropped_attributes_count = field.varint32()?,
            8 => item.flags = field.fixed32()?,
            9 => item.trace_id = id(&field)?,
            10 => item.span_id = id(&field)?,
            11 => item.observed_time_unix_nano = field.fixed64()?,
            12 => item.name = Cow::Borrowed(field.text()?),
            _ => {}
        }
    }
    Ok(item)
}

pub(crate) fn span(bytes: &[u8]) -> Result<Item<'_>, Malformed> {
    let mut item = Item::default();
    let (mut fields, mut seen, mut budget) =
        (Fields::new(bytes, 0), Seen::default(), Budget::new());
    while let Some(field) = fields.next_field()? {
        if matches!(field.number, 1..=8 | 10 | 12 | 14..=16) {
            seen.first(&field)?;
        }
        match field.number {
            1 => item.trace_id = id(&field)?,
            2 => item.span_id = id(&field)?,
            3 => item.trace_state = Cow::Borrowed(field.text()?),
            4 => item.parent_span_id = id(&field)?,
            5 => item.name = Cow::Borrowed(field.text()?),
            6 => item.kind = field.varint32()? as i32,
            7 => item.time_unix_nano = field.fixed64()?,
            8 => item.end_time_unix_nano = field.fixed64()?,
            9 => attribute(&mut item.attributes, &field, 0, &mut budget)?,
            10 => item.dropped_attributes_count = field.varint32()?,
            11 => item.events.push(span_event(&field, &mut budget)?),
            12 => item.dropped_events_count = field.varint32()?,
            13 => item.links.push(link(&field, &mut budget)?),
            14 => item.dropped_links_count = field.varint32()?,
            15 => status(&mut item, &field)?,
            16 => item.flags = field.fixed32()?,
            _ => {}
        }
    }
    Ok(item)
}

fn status<'a>(item: &mut Item<'a>, whole: &Field<'a>) -> Result<(), Malformed> {
    let (mut fields, mut seen) = (Fields::new(whole.bytes()?, whole.value_at), Seen::default());
    while let Some(field) = fields.next_field()? {
        match field.number {
            2 => {
                seen.first(&field)?;
                item.status_message = Cow::Borrowed(field.text()?);
            }
            3 => {
                seen.first(&field)?;
                item.status_code = field.varint32()? as i32;
            }
            _ => {}
        }
    }
    Ok(())
}

fn span_event<'a>(whole: &Field<'a>, budget: &mut Budget) -> Result<SpanEvent<'a>, Malformed> {
    budget.spend(whole.at)?;
    let mut event = SpanEvent::default();
    let (mut fields, mut seen) = (Fields::new(whole.bytes()?, whole.value_at), Seen::default());
    while let Some(field) = fields.next_field()? {
        if matches!(field.number, 1 | 2 | 4) {
            seen.first(&field)?;
        }
        match field.number {
            1 => event.time_unix_nano = field.fixed64()?,
            2 => event.name = Cow::Borrowed(field.text()?),
            3 => attribute(&mut event.attributes, &field, 0, budget)?,
            4 => event.dropped_attributes_count = field.varint32()?,
            _ => {}
        }
    }
    Ok(event)
}

fn link<'a>(whole: &Field<'a>, budget: &mut Budget) -> Result<Link<'a>, Malformed> {
    budget.spend(whole.at)?;
    let mut link = Link::default();
    let (mut fields, mut seen) = (Fields::new(whole.bytes()?, whole.value_at), Seen::default());
    while let Some(field) = fields.next_field()? {
        if matches!(field.number, 1..=3 | 5 | 6) {
            seen.first(&field)?;
        }
        match field.number {
            1 => link.trace_id = id(&field)?,
            2 => link.span_id = id(&field)?,
            3 => link.trace_state = Cow::Borrowed(field.text()?),
            4 => attribute(&mut link.attributes, &field, 0, budget)?,
            5 => link.dropped_attributes_count = field.varint32()?,
            6 => link.flags = field.fixed32()?,
            _ => {}
        }
    }
    Ok(link)
}

pub(crate) fn resource(bytes: &[u8]) -> Result<Resource<'_>, Malformed> {
    let mut resource = Resource::default();
    let (mut fields, mut seen, mut budget) =
        (Fields::new(bytes, 0), Seen::default(), Budget::new());
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => attribute(&mut resource.attributes, &field, 0, &mut budget)?,
            2 => {
                seen.first(&field)?;
                resource.dropped_attributes_count = field.varint32()?;
            }
            _ => {}
        }
    }
    Ok(resource)
}

pub(crate) fn scope(bytes: &[u8]) -> Result<Scope<'_>, Malformed> {
    let mut scope = Scope::default();
    let (mut fields, mut seen, mut budget) =
        (Fields::new(bytes, 0), Seen::default(), Budget::new());
    while let Some(field) = fields.next_field()? {
        if matches!(field.number, 1 | 2 | 4) {
            seen.first(&field)?;
        }
        match field.number {
            1 => scope.name = Cow::Borrowed(field.text()?),
            2 => scope.version = Cow::Borrowed(field.text()?),
            3 => attribute(&mut scope.attributes, &field, 0, &mut budget)?,
            4 => scope.dropped_attributes_count = field.varint32()?,
            _ => {}
        }
    }
    Ok(scope)
}

/// Reads one `KeyValue` into `list`; `depth` is that of the value which the list belongs to, 0 for a record's own.
fn attribute<'a>(
    list: &mut Attributes<'a>,
    whole: &Field<'a>,
    depth: u32,
    budget: &mut Budget,
) -> Result<(), Malformed> {
    let mut fields = Fields::new(whole.bytes()?, whole.value_at);
    let (mut key, mut held) = (None, None);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => once(&mut key, field.text()?, &field)?,
            2 => once(&mut held, value(&field, depth + 1, budget)?, &field)?,
            _ => {}
        }
    }
    if held.is_none() {
        budget.spend(whole.at)?;
    }
    if depth == 0 && list.0.capacity() == 0 {
        // Growing by doubling would copy the usual dozen three times.
        list.0.reserve(USUAL_ATTRIBUTES);
    }
    list.0.push((
        Cow::Borrowed(key.unwrap_or_default()),
        held.unwrap_or_default(),
    ));
    Ok(())
}

fn value<'a>(whole: &Field<'a>, depth: u32, budget: &mut Budget) -> Result<Value<'a>, Malformed> {
    if depth > MAX_DEPTH {
        return Err(Malformed::new(whole.at, "values nest too deep"));
    }
    budget.spend(whole.at)?;
    let mut fields = Fields::new(whole.bytes()?, whole.value_at);
    let mut held = None;
    while let Some(field) = fields.next_field()? {
        let read = match field.number {
            1 => Value::Str(Cow::Borrowed(field.text()?)),
            2 => Value::Bool(field.varint()? != 0),
            3 => Value::Int(field.varint()? as i64),
            4 => Value::Double(f64::from_bits(field.fixed64()?)),
            5 => Value::Array(array(&field, depth, budget)?),
            6 => Value::Map(map(&field, depth, budget)?),
            7 => Value::Bytes(Cow::Borrowed(field.bytes()?)),
            _ => continue,
        };
        if held.replace(read).is_some() {
            return Err(Malformed::new(field.at, "a value is set twice"));
        }
    }
    Ok(held.unwrap_or_default())
}

fn array<'a>(
    whole: &Field<'a>,
    depth: u32,
    budget: &mut Budget,
) -> Result<Vec<Value<'a>>, Malformed> {
    let mut fields = Fields::new(whole.bytes()?, whole.value_at);
    let mut members = Vec::new();
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            members.push(value(&field, depth + 1, budget)?);
        }
    }
    Ok(members)
}

fn map<'a>(
    whole: &Field<'a>,
    depth: u32,
    budget: &mut Budget,
) -> Result<Attributes<'a>, Malformed> {
    let mut fields = Fields::new(whole.bytes()?, whole.value_at);
    let mut list = Attributes::default();
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            attribute(&mut list, &field, depth, budget)?;
        }
    }
    Ok(list)
}
