//! As much of OTLP's protobuf as an import writes.

/// Appends a message, a text or bytes under a field number below 16.
pub(super) fn bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    out.push(field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a fixed64.
pub(super) fn fixed(out: &mut Vec<u8>, field: u8, value: u64) {
    out.push(field << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What an attribute holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
    Int(u64),
    Map(&'a [(&'a str, Value<'a>)]),
}

/// Appends a `KeyValue` under a field number.
pub(super) fn attribute(out: &mut Vec<u8>, field: u8, key: &str, value: Value<'_>) {
    let mut any = Vec::new();
    match value {
        Value::Text(text) => bytes(&mut any, 1, text.as_bytes()),
        Value::Int(number) => {
            any.push(3 << 3);
            varint(&mut any, number);
        }
        Value::Map(pairs) => {
            let mut map = Vec::new();
            for (key, value) in pairs {
                attribute(&mut map, 1, key, *value);
            }
            bytes(&mut any, 6, &map);
        }
        Value::Bytes(content) => bytes(&mut any, 7, content),
    }
    let mut pair = Vec::with_capacity(any.len() + key.len() + 16);
    bytes(&mut pair, 1, key.as_bytes());
    bytes(&mut pair, 2, &any);
    bytes(out, field, &pair);
}
