//! Attribute values and attribute lists, borrowed from the bytes they were read from.

use std::borrow::Cow;

/// An OTLP `AnyValue`. Strings and bytes borrow from the wire wherever the encoding allows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    /// No value was set, which OTLP distinguishes from an empty string.
    #[default]
    Empty,
    /// A string.
    Str(Cow<'a, str>),
    /// A boolean.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// A double, not-a-number included.
    Double(f64),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// A list of values.
    Array(Vec<Value<'a>>),
    /// A list of keys and values, in the order of the wire.
    Map(Attributes<'a>),
}

impl<'a> Value<'a> {
    /// The string, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, if this is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The boolean, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The bytes, if this is a byte string; a text string is not one.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The members, if this is a list.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value<'a>]> {
        match self {
            Self::Array(members) => Some(members),
            _ => None,
        }
    }

    /// The keys and values, if this is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&Attributes<'a>> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }
}

/// Keys and values in the order of the wire.
///
/// OTLP forbids a key to occur twice but nothing enforces it, and readers differ in which value they take. Here
/// every lookup takes the **first**, [`Attributes::last`] shows the other, and [`Attributes::is_ambiguous`] tells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attributes<'a>(pub(crate) Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Attributes<'a> {
    /// The first value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.0
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// The last value under `key`.
    #[must_use]
    pub fn last(&self, key: &str) -> Option<&Value<'a>> {
        self.0
            .iter()
            .rev()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Whether `key` occurs more than once with differing values.
    #[must_use]
    pub fn is_ambiguous(&self, key: &str) -> bool {
        self.get(key) != self.last(key)
    }

    /// The first value under `key`, if it is a string.
    #[must_use]
    pub fn str(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    /// The first value under `key`, if it is an integer.
    #[must_use]
    pub fn int(&self, key: &str) -> Option<i64> {
        self.get(key)?.as_int()
    }

    /// The first value under `key`, if it is a boolean.
    #[must_use]
    pub fn bool(&self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    /// The first value under `key`, if it is a byte string.
    #[must_use]
    pub fn bytes(&self, key: &str) -> Option<&[u8]> {
        self.get(key)?.as_bytes()
    }

    /// The first value under `key`, if it is a map.
    #[must_use]
    pub fn map(&self, key: &str) -> Option<&Attributes<'a>> {
        self.get(key)?.as_map()
    }

    /// The strings of the list under `key`; members of other types are left out.
    pub fn strings<'s>(&'s self, key: &str) -> impl Iterator<Item = &'s str> + use<'s, 'a> {
        let members = self.get(key).and_then(Value::as_array).unwrap_or_default();
        members.iter().filter_map(Value::as_str)
    }

    /// Every key and value, duplicates included, in the order of the wire.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value<'a>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// How many keys there are, duplicates counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no keys at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<(Cow<'a, str>, Value<'a>)> for Attributes<'a> {
    fn from_iter<T: IntoIterator<Item = (Cow<'a, str>, Value<'a>)>>(iter: T) -> Self {
        Self(iter.into_iter().collect())
    }
}
