//! Content as records carry it, read into the account's shape.

use ledger::otlp::{Attributes, Value};
use vocabulary::attribute::content as key;
use vocabulary::record::ContentState;

use crate::model::{Content, Inline, Redaction};

/// The content under `name`; `None` when the record has no such attribute.
pub(crate) fn read(attributes: &Attributes<'_>, name: &str) -> Option<Content> {
    attributes.get(name).map(of)
}

/// A value as content: a map is the shape of `docs/records.md`, anything else the content itself.
pub(crate) fn of(value: &Value<'_>) -> Content {
    match value {
        Value::Map(map) => stated(map),
        Value::Str(text) => whole(
            Inline::Text(text.to_string()),
            text.len(),
            Some("text/plain; charset=utf-8"),
        ),
        Value::Bytes(bytes) => whole(Inline::new(bytes), bytes.len(), None),
        Value::Empty => Content::absent(),
        other => {
            let text = json(other).to_string();
            let size = text.len();
            whole(Inline::Text(text), size, Some("application/json"))
        }
    }
}

fn stated(map: &Attributes<'_>) -> Content {
    let text = |name: &str| map.str(name).map(str::to_owned);
    let Some(state) = map.str(key::STATE) else {
        let text = json(&Value::Map(map.clone())).to_string();
        let size = text.len();
        return whole(Inline::Text(text), size, Some("application/json"));
    };
    Content {
        state: ContentState::read(state),
        digest: map.str(key::DIGEST).and_then(|digest| digest.parse().ok()),
        size: map.int(key::SIZE).and_then(|size| u64::try_from(size).ok()),
        media_type: text(key::MEDIA_TYPE),
        inline: map.get(key::INLINE).and_then(|value| match value {
            Value::Str(text) => Some(Inline::Text(text.to_string())),
            Value::Bytes(bytes) => Some(Inline::new(bytes)),
            _ => None,
        }),
        reference: text(key::REF),
        redactions: redactions(map.get(key::REDACTIONS)),
        why: text(key::WHY),
    }
}

/// A list of removals, in a content or beside the attributes of a record.
pub(crate) fn redactions(value: Option<&Value<'_>>) -> Vec<Redaction> {
    let members = value.and_then(Value::as_array).unwrap_or_default();
    let redaction = |map: &Attributes<'_>| Redaction {
        path: map.str(key::PATH).unwrap_or_default().to_owned(),
        rule: map.str(key::RULE).unwrap_or_default().to_owned(),
        len: map
            .int(key::LEN)
            .and_then(|len| u64::try_from(len).ok())
            .unwrap_or_default(),
    };
    members
        .iter()
        .filter_map(Value::as_map)
        .map(redaction)
        .collect()
}

fn whole(inline: Inline, size: usize, media_type: Option<&str>) -> Content {
    Content {
        size: Some(size as u64),
        media_type: media_type.map(str::to_owned),
        inline: Some(inline),
        state: ContentState::Present,
        ..Content::absent()
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// An attribute value as JSON, to be shown; never hashed.
fn json(value: &Value<'_>) -> serde_json::Value {
    match value {
        Value::Empty => serde_json::Value::Null,
        Value::Str(text) => text.as_ref().into(),
        Value::Bool(value) => (*value).into(),
        Value::Int(number) => (*number).into(),
        Value::Double(number) => (*number).into(),
        Value::Bytes(bytes) => base64(bytes).into(),
        Value::Array(members) => members.iter().map(json).collect(),
        Value::Map(map) => map
            .iter()
            .map(|(key, value)| (key.to_owned(), json(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}
