//! Cutting an export in OTLP/JSON into the exact text of each record and of what surrounds it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::shape::{Bounded, Object};
use super::{parse, place, text};
use crate::otlp::error::Malformed;
use crate::otlp::slice::Slice;
use crate::otlp::{MAX_GROUPS, MAX_ITEMS, Signal};

#[derive(Deserialize)]
struct ExportLogs<'a> {
    #[serde(borrow, default, rename = "resourceLogs")]
    groups: Bounded<Object<ResourceGroup<'a>>, MAX_GROUPS>,
}

#[derive(Deserialize)]
struct ExportTraces<'a> {
    #[serde(borrow, default, rename = "resourceSpans")]
    groups: Bounded<Object<ResourceGroup<'a>>, MAX_GROUPS>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceGroup<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow)]
    schema_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scope_logs: Bounded<Object<ScopeGroup<'a>>, MAX_GROUPS>,
    #[serde(borrow, default)]
    scope_spans: Bounded<Object<ScopeGroup<'a>>, MAX_GROUPS>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScopeGroup<'a> {
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow)]
    schema_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    log_records: Bounded<&'a RawValue, MAX_ITEMS>,
    #[serde(borrow, default)]
    spans: Bounded<&'a RawValue, MAX_ITEMS>,
}

pub(crate) fn slice_export(signal: Signal, body: &[u8]) -> Result<Vec<Slice<'_>>, Malformed> {
    let groups = match signal {
        Signal::Logs => parse::<Object<ExportLogs<'_>>>(body)?.0.groups,
        Signal::Traces => parse::<Object<ExportTraces<'_>>>(body)?.0.groups,
    };
    let mut slices = Vec::new();
    let mut group_count = groups.0.len();
    for Object(group) in groups.0 {
        let resource = object(body, group.resource)?;
        let resource_schema_url = string(body, group.schema_url)?;
        let scopes = match signal {
            Signal::Logs => group.scope_logs.0,
            Signal::Traces => group.scope_spans.0,
        };
        group_count += scopes.len();
        if group_count > MAX_GROUPS {
            return Err(Malformed::new(
                0,
                format!("there are more than {MAX_GROUPS} resources and scopes"),
            ));
        }
        for Object(scope_group) in scopes {
            let scope = object(body, scope_group.scope)?;
            let scope_schema_url = string(body, scope_group.schema_url)?;
            let items = match signal {
                Signal::Logs => scope_group.log_records.0,
                Signal::Traces => scope_group.spans.0,
            };
            for item in items {
                if slices.len() == MAX_ITEMS {
                    let at = place(body, item);
                    return Err(Malformed::new(
                        at,
                        format!("there are more than {MAX_ITEMS} records"),
                    ));
                }
                let item = object(body, Some(item))?;
                slices.push(Slice {
                    resource,
                    resource_schema_url,
                    scope,
                    scope_schema_url,
                    item,
                });
            }
        }
    }
    Ok(slices)
}

fn object<'a>(body: &[u8], raw: Option<&'a RawValue>) -> Result<&'a [u8], Malformed> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(&[]),
        Some(text) if text.starts_with('{') => Ok(text.as_bytes()),
        Some(text) => {
            let at = (text.as_ptr() as usize).saturating_sub(body.as_ptr() as usize);
            Err(Malformed::new(at, "an object is expected"))
        }
    }
}

fn string<'a>(body: &[u8], raw: Option<&'a RawValue>) -> Result<&'a [u8], Malformed> {
    match raw {
        None => Ok(&[]),
        Some(raw) if raw.get() == "null" => Ok(&[]),
        Some(raw) => {
            text(raw.get().as_bytes()).map_err(|error| error.within(place(body, raw)))?;
            Ok(raw.get().as_bytes())
        }
    }
}
