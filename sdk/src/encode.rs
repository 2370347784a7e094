//! OTLP protobuf, written by hand: values, pairs, and the lengths in front of them.

/// Tag of `LogRecord.attributes`.
const ATTRIBUTE: u8 = 0x32;

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

/// Writes one `LogRecord.attributes` field.
#[inline(always)]
pub(crate) fn write_pair(out: &mut Vec<u8>, key: &str, value: Value<'_>) {
    match value {
        Value::Str(text) if key.len() + text.len() < SHORT => {
            short_pair(out, key, 0x0a, text.as_bytes());
        }
        Value::Bytes(bytes) if key.len() + bytes.len() < SHORT => {
            short_pair(out, key, 0x3a, bytes);
        }
        Value::Int(number) if key.len() < SHORT - 10 => {
            short_int(out, key, number.cast_unsigned());
        }
        _ => long_pair(out, key, value),
    }
}

/// Key and value together below this need one byte for each length.
pub(crate) const SHORT: usize = 122;

/// A pair whose lengths all fit one byte: what nearly all pairs are. Inlined
/// so that a constant key is copied by a few moves instead of a call.
#[inline(always)]
pub(crate) fn short_pair(out: &mut Vec<u8>, key: &str, tag: u8, value: &[u8]) {
    let (key_len, len) = (key.len() as u8, value.len() as u8);
    out.reserve(8 + key.len() + value.len());
    out.extend_from_slice(&[ATTRIBUTE, 6 + key_len + len, 0x0a, key_len]);
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(&[0x12, 2 + len, tag, len]);
    out.extend_from_slice(value);
}

/// As [`short_pair`], with an integer.
#[inline(always)]
fn short_int(out: &mut Vec<u8>, key: &str, mut number: u64) {
    let (mut digits, mut count) = ([0; 10], 1);
    while number >= 0x80 {
        digits[count - 1] = number as u8 | 0x80;
        number >>= 7;
        count += 1;
    }
    digits[count - 1] = number as u8;
    let (key_len, len) = (key.len() as u8, count as u8);
    out.reserve(8 + key.len() + 10);
    out.extend_from_slice(&[ATTRIBUTE, 5 + key_len + len, 0x0a, key_len]);
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(&[0x12, 1 + len, 0x18]);
    out.extend_from_slice(&digits[..count]);
}

/// A pair of any length.
#[inline(never)]
pub(crate) fn long_pair(out: &mut Vec<u8>, key: &str, value: Value<'_>) {
    let value_len = value.encoded_len();
    out.push(ATTRIBUTE);
    varint(out, (field_len(key.len()) + field_len(value_len)) as u64);
    delimited(out, 0x0a, key.as_bytes());
    out.push(0x12);
    varint(out, value_len as u64);
    value.encode(out);
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
                long_pair(&mut any, "recount.target", value);
                assert_eq!(short, any, "{len}");
            }
        }
    }

    #[test]
    fn integers_are_encoded_alike_on_both_ways() {
        for shift in 0..64 {
            for number in [(1_u64 << shift).cast_signed(), -1, i64::MAX >> shift] {
                let (mut short, mut any) = (Vec::new(), Vec::new());
                write_pair(&mut short, "recount.seq", Value::Int(number));
                long_pair(&mut any, "recount.seq", Value::Int(number));
                assert_eq!(short, any, "{number}");
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
