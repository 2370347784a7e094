//! How a row is written as JSON, and read back exactly.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Cell, Cells, VERSION, Version};
use crate::digest::Digest;

/// The shortest text that reads back as the same 64 bits.
pub(super) fn real_text(value: f64) -> String {
    if value.is_nan() {
        format!("nan:{:016x}", value.to_bits())
    } else {
        // `{:?}` writes the shortest text that round-trips, "-0.0" and "inf" included.
        format!("{value:?}")
    }
}

pub(super) fn real_from(text: &str) -> Option<f64> {
    match text.strip_prefix("nan:") {
        Some(bits) => u64::from_str_radix(bits, 16).ok().map(f64::from_bits),
        None => text.parse().ok(),
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(VERSION)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(input)?;
        if text == VERSION {
            Ok(Self)
        } else {
            Err(serde::de::Error::custom(format!("version {text:?}")))
        }
    }
}

/// A cell as it is written: the type is the key, the value a text.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CellJson {
    Bool(bool),
    Int(String),
    Decimal(String),
    Real(String),
    Text(String),
    TextBytes(String),
    Blob(String),
    Timestamp(String),
    Json(String),
    Large {
        of: String,
        size: String,
        digest: Digest,
    },
    Other {
        native: String,
        text: String,
    },
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let cell = match self.clone() {
            Self::Null => return out.serialize_none(),
            Self::Bool(value) => CellJson::Bool(value),
            Self::Int(text) => CellJson::Int(text),
            Self::Decimal(text) => CellJson::Decimal(text),
            Self::Real(value) => CellJson::Real(real_text(value)),
            Self::Text(text) => CellJson::Text(text),
            Self::TextBytes(bytes) => CellJson::TextBytes(STANDARD.encode(bytes)),
            Self::Blob(bytes) => CellJson::Blob(STANDARD.encode(bytes)),
            Self::Timestamp(text) => CellJson::Timestamp(text),
            Self::Json(text) => CellJson::Json(text),
            Self::Large { of, size, digest } => CellJson::Large {
                of,
                size: size.to_string(),
                digest,
            },
            Self::Other { native, text } => CellJson::Other { native, text },
        };
        cell.serialize(out)
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let wrong = |what: &str, text: &str| {
            serde::de::Error::custom(format!(
                "{what} {:?}",
                text.chars().take(80).collect::<String>()
            ))
        };
        Ok(match Option::<CellJson>::deserialize(input)? {
            None => Self::Null,
            Some(CellJson::Bool(value)) => Self::Bool(value),
            Some(CellJson::Int(text)) if is_integer(&text) => Self::Int(text),
            Some(CellJson::Int(text)) => return Err(wrong("integer", &text)),
            Some(CellJson::Decimal(text)) => Self::Decimal(text),
            Some(CellJson::Real(text)) => {
                Self::Real(real_from(&text).ok_or_else(|| wrong("real", &text))?)
            }
            Some(CellJson::Text(text)) => Self::Text(text),
            Some(CellJson::TextBytes(text)) => {
                Self::TextBytes(STANDARD.decode(&text).map_err(|_| wrong("base64", &text))?)
            }
            Some(CellJson::Blob(text)) => {
                Self::Blob(STANDARD.decode(&text).map_err(|_| wrong("base64", &text))?)
            }
            Some(CellJson::Timestamp(text)) => Self::Timestamp(text),
            Some(CellJson::Json(text)) => Self::Json(text),
            Some(CellJson::Large { of, size, digest }) => {
                let size = size.parse().map_err(|_| wrong("size", &size))?;
                Self::Large { of, size, digest }
            }
            Some(CellJson::Other { native, text }) => Self::Other { native, text },
        })
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

impl Serialize for Cells {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut map = out.serialize_map(Some(self.0.len()))?;
        for (name, cell) in &self.0 {
            map.serialize_entry(name, cell)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Cells {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Cells;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("cells by column name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cells, A::Error> {
                let mut cells: Vec<(String, Cell)> = Vec::new();
                while let Some((name, cell)) = map.next_entry::<String, Cell>()? {
                    if cells.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom(format!("column {name:?} twice")));
                    }
                    cells.push((name, cell));
                }
                Ok(Cells(cells))
            }
        }
        input.deserialize_map(InOrder)
    }
}
