//! JSON Schemas of records, one per event, and of rows.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use vocabulary::catalogue::{self, Entry, Field, Kind, Need};
use vocabulary::record::ContentState;

use crate::committed;

const FOLDER: &str = "docs/schema/records";

#[test]
fn the_committed_schemas_are_current() {
    let mut names = BTreeSet::new();
    for entry in catalogue::entries() {
        let name = format!("{}.json", entry.event);
        committed::is_current(&format!("{FOLDER}/{name}"), &pretty(&of(entry)));
        names.insert(name);
    }
    committed::holds_only(FOLDER, "json", &names);
    committed::is_current("docs/schema/recount.row-1.json", &pretty(&row()));
}

#[test]
fn a_row_validates_against_its_schema() {
    let schema = jsonschema::validator_for(&row()).unwrap();
    let cells = vec![
        ("id".to_owned(), vocabulary::row::Cell::int(7)),
        ("rate".to_owned(), vocabulary::row::Cell::Real(0.1)),
        ("raw".to_owned(), vocabulary::row::Cell::blob(&[1])),
        ("none".to_owned(), vocabulary::row::Cell::Null),
        (
            "big".to_owned(),
            vocabulary::row::Cell::blob(&vec![1; vocabulary::row::CELL_BYTES + 1]),
        ),
    ];
    let row = vocabulary::row::Row::new("main.t", &["id"], cells);
    let good = serde_json::to_value(&row).unwrap();
    assert!(schema.is_valid(&good), "{good}");
    for (path, wrong) in [
        ("/row", json!("recount.row/2")),
        ("/cells/id", json!(7)),
        ("/key", json!(1)),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(path).unwrap() = wrong;
        assert!(!schema.is_valid(&bad), "{bad}");
    }
}

/// The schema of one event's records, in the JSON form of docs/records.md.
pub(crate) fn of(entry: &Entry) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:recount:records-1:{}", entry.event),
        "title": entry.event.name(),
        "description": entry.when,
        "type": "object",
        "required": ["event", "time", "resource", "attributes"],
        "properties": {
            "event": { "const": entry.event.name() },
            "time": { "$ref": "#/$defs/time" },
            "resource": fields(catalogue::RESOURCE.iter()),
            "attributes": fields(catalogue::EVERY_RECORD.iter().chain(entry.fields)),
        },
        "$defs": definitions(),
    })
}

fn fields<'a>(fields: impl Iterator<Item = &'a Field>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for field in fields {
        let mut schema = value(field.kind);
        schema["description"] = json!(field.doc);
        properties.insert(field.key.to_owned(), schema);
        if field.need == Need::Required {
            required.push(field.key);
        }
    }
    json!({ "type": "object", "required": required, "properties": properties })
}

fn value(kind: Kind) -> Value {
    match kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Word(words) => json!({ "enum": words() }),
        Kind::OpenWord(words) => json!({ "type": "string", "examples": words() }),
        Kind::Uuid => json!({ "$ref": "#/$defs/uuid" }),
        Kind::Resource => json!({ "type": "string", "pattern": "^[a-z0-9_]+:" }),
        Kind::Int => json!({ "$ref": "#/$defs/int" }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Bytes(count) => json!({
            "type": "object", "required": ["base64"], "additionalProperties": false,
            "properties": { "base64": { "type": "string", "minLength": count.div_ceil(3) * 4, "maxLength": count.div_ceil(3) * 4 } },
        }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::Content => json!({ "$ref": "#/$defs/content" }),
        Kind::Candidates => json!({ "$ref": "#/$defs/candidates" }),
        Kind::Discarded => json!({ "type": "array", "items": { "$ref": "#/$defs/discarded" } }),
        Kind::Redactions => json!({ "$ref": "#/$defs/redactions" }),
    }
}

fn definitions() -> Value {
    let states: Vec<&str> = ContentState::ALL
        .iter()
        .map(|state| state.as_str())
        .collect();
    json!({
        "time": {
            "description": "RFC 3339, UTC, six digits.",
            "type": "string",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z$",
        },
        "uuid": {
            "type": "string",
            "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        },
        "int": {
            "description": "A number; a string beyond 2^53.",
            "anyOf": [
                { "type": "integer", "minimum": -9007199254740992i64, "maximum": 9007199254740992i64 },
                { "type": "string", "pattern": "^-?[0-9]+$" },
            ],
        },
        "digest": { "type": "string", "pattern": "^(hmac-)?sha256:[0-9a-f]{64}$" },
        "content": {
            "type": "object",
            "required": ["state"],
            "additionalProperties": false,
            "properties": {
                "state": { "enum": states },
                "digest": { "$ref": "#/$defs/digest" },
                "size": { "type": "integer", "minimum": 0 },
                "media_type": { "type": "string" },
                "inline": { "anyOf": [
                    { "type": "string" },
                    { "type": "object", "required": ["base64"], "additionalProperties": false,
                      "properties": { "base64": { "type": "string" } } },
                ] },
                "ref": { "type": "string" },
                "redactions": { "$ref": "#/$defs/redactions" },
                "why": { "type": "string" },
            },
        },
        "redactions": { "type": "array", "items": {
            "type": "object", "required": ["path", "rule", "len"], "additionalProperties": false,
            "properties": { "path": { "type": "string" }, "rule": { "type": "string" },
                            "len": { "type": "integer", "minimum": 0 } },
        } },
        "candidates": {
            "type": "object", "required": ["count"],
            "properties": {
                "count": { "type": "integer", "minimum": 0 },
                "digest": { "$ref": "#/$defs/digest" },
                "ids": { "type": "array", "items": { "type": "string" } },
            },
        },
        "discarded": {
            "type": "object", "required": ["option", "reason"],
            "properties": { "option": { "type": "string" }, "reason": { "type": "string" } },
        },
    })
}

fn row() -> Value {
    let text = |key: &str| {
        json!({ "type": "object", "required": [key], "additionalProperties": false,
                "properties": { key: { "type": "string" } } })
    };
    let mut cells = vec![
        json!({ "type": "null" }),
        json!({ "type": "object", "required": ["bool"], "additionalProperties": false,
                "properties": { "bool": { "type": "boolean" } } }),
        json!({ "type": "object", "required": ["int"], "additionalProperties": false,
                "properties": { "int": { "type": "string", "pattern": "^-?[0-9]+$" } } }),
        json!({ "type": "object", "required": ["large"], "additionalProperties": false,
                "properties": { "large": { "type": "object", "required": ["of", "size", "digest"] } } }),
        json!({ "type": "object", "required": ["other"], "additionalProperties": false,
                "properties": { "other": { "type": "object", "required": ["native", "text"] } } }),
    ];
    let texts = [
        "decimal",
        "real",
        "text",
        "text_bytes",
        "blob",
        "timestamp",
        "json",
    ];
    cells.extend(texts.map(text));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:recount:row-1",
        "title": "recount.row/1",
        "description": "One database row with exact, typed cells. The key of a cell is its type, its value a text.",
        "type": "object",
        "required": ["row", "table", "key", "cells"],
        "additionalProperties": false,
        "properties": {
            "row": { "const": vocabulary::row::VERSION },
            "table": { "type": "string" },
            "key": { "type": "array", "items": { "type": "string" } },
            "cells": { "type": "object", "additionalProperties": { "anyOf": cells } },
        },
    })
}

pub(crate) fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}
