//! Attributes of one record, encoded as OTLP protobuf while they are added.

use std::cell::RefCell;
use std::fmt;

use vocabulary::attribute::content as key;
use vocabulary::content::{Content, Inline};

/// Tag of `LogRecord.attributes`.
const ATTRIBUTE: u8 = 0x32;
/// How many buffers a thread keeps, and how large one may be to be kept.
const KEPT_BUFFERS: usize = 8;
const KEPT_BYTES: usize = 64 * 1024;

/// One value of an attribute, borrowed from the caller; an OTLP `AnyValue`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Text.
    Str(&'a str),
    /// True or false.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A list.
    List(&'a [Value<'a>]),
    /// A map; keys should differ from each other.
    Map(&'a [(&'a str, Value<'a>)]),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Str(text)
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

thread_local! {
    static BUFFERS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Attributes of one record, in the order in which they were added.
///
/// They are encoded at once into a buffer that the thread uses again, so that
/// adding one allocates nothing. Use [`Attributes::text`], not [`Attributes::str`],
/// for anything that may hold a credential.
///
/// ```
/// # use recount::Attributes;
/// let mut attributes = Attributes::new();
/// attributes.str("file.path", "a.md").int("recount.attempt", 2);
/// ```
pub struct Attributes {
    bytes: Vec<u8>,
}

impl Attributes {
    /// None yet.
    pub fn new() -> Self {
        let bytes = BUFFERS
            .try_with(|pool| pool.borrow_mut().pop())
            .ok()
            .flatten()
            .unwrap_or_else(|| Vec::with_capacity(1024));
        Self { bytes }
    }

    /// Adds any value.
    pub fn put(&mut self, key: &str, value: Value<'_>) -> &mut Self {
        write_pair(&mut self.bytes, key, value);
        self
    }

    /// Adds text exactly as it is.
    pub fn str(&mut self, key: &str, text: &str) -> &mut Self {
        self.put(key, Value::Str(text))
    }

    /// Adds text after removing what looks like a credential from it.
    pub fn text(&mut self, key: &str, text: &str) -> &mut Self {
        self.str(key, &vocabulary::redaction::replace(text).0)
    }

    /// Adds text if there is some.
    pub fn text_if(&mut self, key: &str, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(key, text),
            None => self,
        }
    }

    /// Adds an integer.
    pub fn int(&mut self, key: &str, number: i64) -> &mut Self {
        self.put(key, Value::Int(number))
    }

    /// Adds true or false.
    pub fn bool(&mut self, key: &str, yes: bool) -> &mut Self {
        self.put(key, Value::Bool(yes))
    }

    /// Adds bytes exactly as they are.
    pub fn bytes(&mut self, key: &str, bytes: &[u8]) -> &mut Self {
        self.put(key, Value::Bytes(bytes))
    }

    /// Adds a list of texts, credentials removed.
    pub fn texts<S: AsRef<str>>(&mut self, key: &str, texts: &[S]) -> &mut Self {
        let clean: Vec<_> = texts
            .iter()
            .map(|text| vocabulary::redaction::replace(text.as_ref()).0)
            .collect();
        let values: Vec<Value<'_>> = clean.iter().map(|text| Value::Str(text)).collect();
        self.put(key, Value::List(&values))
    }

    /// Adds a list of texts if there are some.
    pub fn texts_if<S: AsRef<str>>(&mut self, key: &str, texts: &[S]) -> &mut Self {
        if texts.is_empty() {
            self
        } else {
            self.texts(key, texts)
        }
    }

    /// Adds an identifier in its usual form of 36 characters, without allocating.
    pub fn uuid(&mut self, key: &str, uuid: uuid::Uuid) -> &mut Self {
        let mut text = uuid::Uuid::encode_buffer();
        self.put(key, Value::Str(uuid.hyphenated().encode_lower(&mut text)))
    }

    /// Adds a content as the map that `docs/records.md` describes.
    ///
    /// Credentials that are still in its inline bytes are removed first. Where
    /// that changes a content whose digest is of more than the inline bytes
    /// (a truncated one), the digest is left out: it would be of the credential.
    pub fn content(&mut self, name: &str, content: &Content) -> &mut Self {
        let cleaned = cleaned(content);
        let content = cleaned.as_ref().unwrap_or(content);
        let digest = content.digest.map(|digest| digest.to_string());
        let removed: Vec<[(&str, Value<'_>); 3]> = content
            .redactions
            .iter()
            .map(|removed| {
                [
                    (key::PATH, Value::Str(&removed.path)),
                    (key::RULE, Value::Str(&removed.rule)),
                    (key::LEN, Value::Int(int(removed.len))),
                ]
            })
            .collect();
        let removed: Vec<Value<'_>> = removed.iter().map(|map| Value::Map(map)).collect();
        let mut map = Vec::with_capacity(8);
        map.push((key::STATE, Value::Str(content.state.as_str())));
        if let Some(digest) = &digest {
            map.push((key::DIGEST, Value::Str(digest)));
        }
        if let Some(size) = content.size {
            map.push((key::SIZE, Value::Int(int(size))));
        }
        if let Some(media_type) = &content.media_type {
            map.push((key::MEDIA_TYPE, Value::Str(media_type)));
        }
        match &content.inline {
            Some(Inline::Text(text)) => map.push((key::INLINE, Value::Str(text))),
            Some(Inline::Bytes(bytes)) => map.push((key::INLINE, Value::Bytes(bytes))),
            None => {}
        }
        if let Some(reference) = &content.reference {
            map.push((key::REF, Value::Str(reference)));
        }
        if !removed.is_empty() {
            map.push((key::REDACTIONS, Value::List(&removed)));
        }
        if let Some(why) = &content.why {
            map.push((key::WHY, Value::Str(why)));
        }
        self.put(name, Value::Map(&map))
    }

    /// Adds everything that another list has, after what is here.
    pub fn append(&mut self, other: &Self) -> &mut Self {
        self.bytes.extend_from_slice(&other.bytes);
        self
    }

    /// The buffer itself, to write something other than attributes into it.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The encoded `LogRecord.attributes` fields.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for Attributes {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attributes({} bytes)", self.bytes.len())
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        if bytes.capacity() == 0 || bytes.capacity() > KEPT_BYTES {
            return;
        }
        bytes.clear();
        // At the end of a thread the pool may be gone: then the buffer goes too.
        let _ = BUFFERS.try_with(|pool| {
            let mut pool = pool.borrow_mut();
            if pool.len() < KEPT_BUFFERS {
                pool.push(bytes);
            }
        });
    }
}

/// Writes one `LogRecord.attributes` field.
#[inline]
pub(crate) fn write_pair(out: &mut Vec<u8>, key: &str, value: Value<'_>) {
    match value {
        Value::Str(text) if key.len() + text.len() < SHORT => {
            short_pair(out, key, 0x0a, text.as_bytes());
        }
        Value::Bytes(bytes) if key.len() + bytes.len() < SHORT => {
            short_pair(out, key, 0x3a, bytes);
        }
        _ => any_pair(out, key, value),
    }
}

/// Key and value together below this need one byte for each length.
const SHORT: usize = 122;

/// A pair whose lengths all fit one byte: what nearly all pairs are.
#[inline]
fn short_pair(out: &mut Vec<u8>, key: &str, tag: u8, value: &[u8]) {
    let (key_len, len) = (key.len() as u8, value.len() as u8);
    out.reserve(8 + key.len() + value.len());
    out.extend_from_slice(&[ATTRIBUTE, 6 + key_len + len, 0x0a, key_len]);
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(&[0x12, 2 + len, tag, len]);
    out.extend_from_slice(value);
}

fn any_pair(out: &mut Vec<u8>, key: &str, value: Value<'_>) {
    let value_len = value.encoded_len();
    out.push(ATTRIBUTE);
    varint(out, (field_len(key.len()) + field_len(value_len)) as u64);
    delimited(out, 0x0a, key.as_bytes());
    out.push(0x12);
    varint(out, value_len as u64);
    value.encode(out);
}

/// The content without the credentials in its inline bytes, if it had any.
fn cleaned(content: &Content) -> Option<Content> {
    let inline = content.bytes()?;
    if vocabulary::redaction::find(inline).is_empty() {
        return None;
    }
    let media_type = content.media_type.clone().unwrap_or_default();
    let mut clean = Content::redacted(inline, &media_type);
    clean.redactions.extend(content.redactions.iter().cloned());
    if !content.is_whole() {
        clean.state = content.state;
        clean.digest = None;
        clean.size = None;
    }
    clean.media_type.clone_from(&content.media_type);
    clean.reference.clone_from(&content.reference);
    clean.why.clone_from(&content.why);
    Some(clean)
}

impl Value<'_> {
    /// Bytes of the body of the `AnyValue`.
    fn encoded_len(&self) -> usize {
        match self {
            Self::Str(text) => field_len(text.len()),
            Self::Bytes(bytes) => field_len(bytes.len()),
            Self::Bool(_) => 2,
            Self::Int(number) => 1 + varint_len(number.cast_unsigned()),
            Self::Double(_) => 9,
            Self::List(values) => field_len(list_len(values)),
            Self::Map(pairs) => field_len(map_len(pairs)),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Str(text) => delimited(out, 0x0a, text.as_bytes()),
            Self::Bool(yes) => out.extend_from_slice(&[0x10, u8::from(*yes)]),
            Self::Int(number) => {
                out.push(0x18);
                varint(out, number.cast_unsigned());
            }
            Self::Double(number) => {
                out.push(0x21);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Self::List(values) => {
                out.push(0x2a);
                varint(out, list_len(values) as u64);
                for value in *values {
                    out.push(0x0a);
                    varint(out, value.encoded_len() as u64);
                    value.encode(out);
                }
            }
            Self::Map(pairs) => {
                out.push(0x32);
                varint(out, map_len(pairs) as u64);
                for (key, value) in *pairs {
                    let value_len = value.encoded_len();
                    out.push(0x0a);
                    varint(out, (field_len(key.len()) + field_len(value_len)) as u64);
                    delimited(out, 0x0a, key.as_bytes());
                    out.push(0x12);
                    varint(out, value_len as u64);
                    value.encode(out);
                }
            }
            Self::Bytes(bytes) => delimited(out, 0x3a, bytes),
        }
    }
}

fn list_len(values: &[Value<'_>]) -> usize {
    values
        .iter()
        .map(|value| field_len(value.encoded_len()))
        .sum()
}

fn map_len(pairs: &[(&str, Value<'_>)]) -> usize {
    pairs
        .iter()
        .map(|(key, value)| field_len(field_len(key.len()) + field_len(value.encoded_len())))
        .sum()
}

/// Bytes of a length-delimited field with a tag of one byte.
pub(crate) const fn field_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

pub(crate) const fn varint_len(value: u64) -> usize {
    (70 - (value | 1).leading_zeros() as usize) / 7
}

pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn delimited(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Sizes beyond `i64::MAX` do not occur; were one to, it is written as that.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_pairs_are_encoded_alike() {
        for len in 0..300 {
            let text = "v".repeat(len);
            for value in [Value::Str(&text), Value::Bytes(text.as_bytes())] {
                let (mut short, mut any) = (Vec::new(), Vec::new());
                write_pair(&mut short, "recount.target", value);
                any_pair(&mut any, "recount.target", value);
                assert_eq!(short, any, "{len}");
            }
        }
    }

    #[test]
    fn the_length_of_a_varint_is_what_is_written() {
        for shift in 0..64 {
            for value in [1_u64 << shift, (1_u64 << shift) - 1, u64::MAX >> shift] {
                let mut out = Vec::new();
                varint(&mut out, value);
                assert_eq!(out.len(), varint_len(value), "{value}");
            }
        }
    }
}
