//! Cutting an export request into the exact bytes of each record and of what surrounds it.

use std::borrow::Cow;

use super::error::Malformed;
use super::wire::{Field, Fields, once};
use super::{Encoding, MAX_GROUPS, MAX_ITEMS, Signal, json};

/// The wire bytes of one record with its surroundings, all borrowed from the export request.
///
/// Protobuf: the message bodies without tag and length; a schema URL is its UTF-8 text. JSON: the raw text of the
/// objects; a schema URL is its raw string token, quotes included. What the sender left out is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice<'a> {
    /// The `Resource`.
    pub resource: &'a [u8],
    /// Schema URL of the resource.
    pub resource_schema_url: &'a [u8],
    /// The `InstrumentationScope`.
    pub scope: &'a [u8],
    /// Schema URL of the scope.
    pub scope_schema_url: &'a [u8],
    /// The `LogRecord` or `Span`.
    pub item: &'a [u8],
}

/// Cuts an export request into its records, in the order of the wire. Nothing is copied or decoded.
///
/// Slices of one resource (and of one scope) share the same bytes: comparing pointers tells them apart.
///
/// # Errors
/// When `body` is not an export request of that signal in that encoding, or carries more than
/// [`MAX_ITEMS`] records or [`MAX_GROUPS`] groups. Whether each record is well formed is
/// [`super::Item::decode`]'s to say.
pub fn slice_export(
    encoding: Encoding,
    signal: Signal,
    body: &[u8],
) -> Result<Vec<Slice<'_>>, Malformed> {
    match encoding {
        // Both signals number these three levels alike.
        Encoding::Protobuf => protobuf(body),
        Encoding::Json => json::slice_export(signal, body),
    }
}

/// The schema URL that a slice or an envelope holds, as text.
///
/// # Errors
/// When the bytes are not a string of that encoding.
pub fn schema_url(encoding: Encoding, bytes: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    match encoding {
        Encoding::Json if !bytes.is_empty() => json::text(bytes),
        Encoding::Json | Encoding::Protobuf => std::str::from_utf8(bytes)
            .map(Cow::Borrowed)
            .map_err(|error| Malformed::new(error.valid_up_to(), "a schema URL is not UTF-8")),
    }
}

fn protobuf(body: &[u8]) -> Result<Vec<Slice<'_>>, Malformed> {
    let mut slices = Vec::new();
    let mut groups = 0;
    let mut fields = Fields::new(body, 0);
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            count_group(&mut groups, &field)?;
            resource_group(&field, &mut groups, &mut slices)?;
        }
    }
    Ok(slices)
}

fn count_group(groups: &mut usize, field: &Field<'_>) -> Result<(), Malformed> {
    *groups += 1;
    if *groups > MAX_GROUPS {
        return Err(Malformed::new(
            field.at,
            format!("there are more than {MAX_GROUPS} resources and scopes"),
        ));
    }
    Ok(())
}

/// `ResourceLogs` or `ResourceSpans`. The resource may lie behind the records it belongs to, hence two passes.
fn resource_group<'a>(
    whole: &Field<'a>,
    groups: &mut usize,
    slices: &mut Vec<Slice<'a>>,
) -> Result<(), Malformed> {
    let body = whole.bytes()?;
    let (resource, resource_schema_url) = surroundings(body, whole.value_at)?;
    let mut fields = Fields::new(body, whole.value_at);
    while let Some(field) = fields.next_field()? {
        if field.number == 2 {
            count_group(groups, &field)?;
            scope_group(&field, resource, resource_schema_url, slices)?;
        }
    }
    Ok(())
}

/// `ScopeLogs` or `ScopeSpans`.
fn scope_group<'a>(
    whole: &Field<'a>,
    resource: &'a [u8],
    resource_schema_url: &'a [u8],
    slices: &mut Vec<Slice<'a>>,
) -> Result<(), Malformed> {
    let body = whole.bytes()?;
    let (scope, scope_schema_url) = surroundings(body, whole.value_at)?;
    let mut fields = Fields::new(body, whole.value_at);
    while let Some(field) = fields.next_field()? {
        if field.number == 2 {
            if slices.len() == MAX_ITEMS {
                return Err(Malformed::new(
                    field.at,
                    format!("there are more than {MAX_ITEMS} records"),
                ));
            }
            let item = field.bytes()?;
            slices.push(Slice {
                resource,
                resource_schema_url,
                scope,
                scope_schema_url,
                item,
            });
        }
    }
    Ok(())
}

/// Field 1 (resource or scope) and field 3 (its schema URL) of a group.
fn surroundings(body: &[u8], base: usize) -> Result<(&[u8], &[u8]), Malformed> {
    let (mut about, mut schema_url) = (None, None);
    let mut fields = Fields::new(body, base);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => once(&mut about, field.bytes()?, &field)?,
            3 => once(&mut schema_url, field.text()?.as_bytes(), &field)?,
            _ => {}
        }
    }
    Ok((about.unwrap_or_default(), schema_url.unwrap_or_default()))
}
