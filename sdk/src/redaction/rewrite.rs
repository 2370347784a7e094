//! A record's attributes under a policy, whatever wrote them.

use ledger::otlp::{Encoding, Item, Signal, Value as Read};
use vocabulary::attribute;
use vocabulary::attribute::content as key;
use vocabulary::content::{Content, Inline, Redaction};
use vocabulary::digest::SessionKey;

use super::Policy;
use crate::Attributes;
use crate::encode::{delimited, varint};

/// Attributes that hold identifiers, digests and words of the catalogue: nothing is looked for in them.
const STRUCTURE: &[&str] = &[
    attribute::ACTION_ID,
    attribute::ACTION_PARENT,
    attribute::ACTION_KIND,
    attribute::ACTION_ACCESS,
    attribute::DECISION_ID,
    attribute::DIFF_ID,
    attribute::TRANSACTION_ID,
    attribute::RETRY_OF,
    attribute::DURABILITY,
    attribute::OUTCOME,
    attribute::EFFECT,
    attribute::READ_BEFORE,
    attribute::READ_AFTER,
    attribute::SESSION_PARENT,
    attribute::DELEGATE_SESSION,
    attribute::SESSION_KEY,
    attribute::CAPTURE,
    attribute::SCOPE_ENTRIES,
];

/// The attributes as the policy lets them be recorded. `subject` is the resource that contents belong to, where the
/// attributes do not name one themselves.
pub(crate) fn rewrite(
    policy: &Policy,
    session: &SessionKey,
    subject: Option<&str>,
    attributes: &Attributes,
) -> Attributes {
    let mut out = Attributes::new();
    let Ok(item) = Item::decode(Encoding::Protobuf, Signal::Logs, attributes.encoded()) else {
        // Not what this crate encodes: nothing of it is kept that could not be looked at.
        out.bool("recount.redaction.unreadable", true);
        return out;
    };
    out.take_removed(attributes.all_removed());
    let read = &item.attributes;
    let named = read
        .str(attribute::RESOURCE)
        .or_else(|| read.str(attribute::TARGET));
    let subject = named.or(subject);
    for (name, value) in read.iter() {
        if STRUCTURE.contains(&name) {
            out.put_read(name, value);
            continue;
        }
        match content_of(value) {
            Some(content) => {
                let content = policy.applied(content, subject, session);
                out.content(name, &content);
            }
            None => {
                let mut removed = Vec::new();
                let clean = cleaned(policy, name, value, &mut removed);
                out.take_removed(&removed).put_read(name, &clean);
            }
        }
    }
    out
}

/// A value whose texts are clean.
fn cleaned<'a>(
    policy: &Policy,
    path: &str,
    value: &Read<'a>,
    removed: &mut Vec<Redaction>,
) -> Read<'a> {
    match value {
        Read::Str(text) => {
            let (clean, found) = policy.clean(text.as_bytes());
            if found.is_empty() {
                return value.clone();
            }
            removed.extend(found.into_iter().map(|one| Redaction {
                path: path.to_owned(),
                ..one
            }));
            Read::Str(String::from_utf8_lossy(&clean).into_owned().into())
        }
        Read::Array(values) => Read::Array(
            values
                .iter()
                .enumerate()
                .map(|(at, value)| cleaned(policy, &format!("{path}/{at}"), value, removed))
                .collect(),
        ),
        Read::Map(pairs) => Read::Map(
            pairs
                .iter()
                .map(|(name, value)| {
                    let path = format!("{path}/{name}");
                    let value = match name {
                        key::DIGEST => value.clone(),
                        _ => cleaned(policy, &path, value, removed),
                    };
                    (name.to_owned().into(), value)
                })
                .collect(),
        ),
        _ => value.clone(),
    }
}

/// The content that a map is, if it is one.
fn content_of(value: &Read<'_>) -> Option<Content> {
    let map = value.as_map()?;
    let state = map.str(key::STATE)?.parse().ok()?;
    let text = |name: &str| map.str(name).map(str::to_owned);
    let inline = match map.get(key::INLINE) {
        Some(Read::Str(text)) => Some(Inline::Text(text.clone().into_owned())),
        Some(Read::Bytes(bytes)) => Some(Inline::Bytes(bytes.clone().into_owned())),
        _ => None,
    };
    let removal = |value: &Read<'_>| {
        let map = value.as_map()?;
        Some(Redaction {
            path: map.str(key::PATH)?.to_owned(),
            rule: map.str(key::RULE)?.to_owned(),
            len: u64::try_from(map.int(key::LEN)?).ok()?,
        })
    };
    let listed = map.get(key::REDACTIONS).and_then(Read::as_array);
    Some(Content {
        state,
        digest: map.str(key::DIGEST).and_then(|text| text.parse().ok()),
        size: map.int(key::SIZE).and_then(|size| u64::try_from(size).ok()),
        media_type: text(key::MEDIA_TYPE),
        inline,
        reference: text(key::REF),
        redactions: listed
            .unwrap_or_default()
            .iter()
            .filter_map(removal)
            .collect(),
        why: text(key::WHY),
    })
}

impl Attributes {
    /// Adds a value as it was read from an encoded record.
    fn put_read(&mut self, name: &str, value: &Read<'_>) -> &mut Self {
        let pair = pair(name, value);
        delimited(self.buffer(), 0x32, &pair);
        self
    }
}

/// An OTLP `KeyValue`.
fn pair(name: &str, value: &Read<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    delimited(&mut out, 0x0a, name.as_bytes());
    delimited(&mut out, 0x12, &any(value));
    out
}

/// An OTLP `AnyValue`.
fn any(value: &Read<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match value {
        Read::Empty => {}
        Read::Str(text) => delimited(&mut out, 0x0a, text.as_bytes()),
        Read::Bool(yes) => out.extend_from_slice(&[0x10, u8::from(*yes)]),
        Read::Int(number) => {
            out.push(0x18);
            varint(&mut out, number.cast_unsigned());
        }
        Read::Double(number) => {
            out.push(0x21);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Read::Array(values) => {
            let mut list = Vec::new();
            for value in values {
                delimited(&mut list, 0x0a, &any(value));
            }
            delimited(&mut out, 0x2a, &list);
        }
        Read::Map(pairs) => {
            let mut list = Vec::new();
            for (name, value) in pairs.iter() {
                delimited(&mut list, 0x0a, &pair(name, value));
            }
            delimited(&mut out, 0x32, &list);
        }
        Read::Bytes(bytes) => delimited(&mut out, 0x3a, bytes),
    }
    out
}
