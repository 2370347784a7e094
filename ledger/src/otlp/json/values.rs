//! `AnyValue` and `KeyValue` lists from OTLP/JSON, counted and with bounded depth.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::scalar::{Base64, Double, Number, Text};
use crate::otlp::value::{Attributes, Value};
use crate::otlp::{MAX_DEPTH, MAX_VALUES};

/// Counts values against [`MAX_VALUES`] while one record is read.
#[derive(Debug)]
pub(super) struct Budget(Cell<u32>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MAX_VALUES))
    }
}

impl Budget {
    fn spend<E: Error>(&self) -> Result<(), E> {
        let left = self
            .0
            .get()
            .checked_sub(1)
            .ok_or_else(|| E::custom("there are too many values"))?;
        self.0.set(left);
        Ok(())
    }
}

/// Reads one `AnyValue`.
pub(super) fn value(budget: &Budget) -> AnyValue<'_> {
    AnyValue { budget, depth: 1 }
}

/// Reads the attribute list of a record.
pub(super) fn attributes(budget: &Budget) -> KeyValues<'_> {
    KeyValues { budget, depth: 0 }
}

#[derive(Clone, Copy)]
pub(super) struct AnyValue<'b> {
    budget: &'b Budget,
    depth: u32,
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.depth > MAX_DEPTH {
            return Err(D::Error::custom("values nest too deep"));
        }
        self.budget.spend()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Empty)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut held = None;
        while let Some(Text(key)) = map.next_key()? {
            let read = match key.as_ref() {
                "stringValue" => map
                    .next_value::<Option<Text<'de>>>()?
                    .map(|text| Value::Str(text.0)),
                "boolValue" => map.next_value::<Option<bool>>()?.map(Value::Bool),
                "intValue" => map
                    .next_value::<Option<Number<i64>>>()?
                    .map(|number| Value::Int(number.0)),
                "doubleValue" => map.next_value::<Double>()?.0.map(Value::Double),
                "bytesValue" => map
                    .next_value::<Option<Base64>>()?
                    .map(|bytes| Value::Bytes(Cow::Owned(bytes.0))),
                "arrayValue" => map
                    .next_value_seed(Values(Members(self)))?
                    .map(Value::Array),
                "kvlistValue" => {
                    let list = KeyValues {
                        budget: self.budget,
                        depth: self.depth,
                    };
                    map.next_value_seed(Values(list))?.map(Value::Map)
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    None
                }
            };
            if read.is_some() && held.replace(read).is_some() {
                return Err(A::Error::custom("a value is set twice"));
            }
        }
        Ok(held.flatten().unwrap_or_default())
    }
}

/// The `{"values": […]}` around the members of a list or a map; `null` is unset.
struct Values<S>(S);

impl<'de, S> DeserializeSeed<'de> for Values<S>
where
    S: DeserializeSeed<'de>,
    S::Value: Default,
{
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S> Visitor<'de> for Values<S>
where
    S: DeserializeSeed<'de>,
    S::Value: Default,
{
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with values")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut seed = Some(self.0);
        let mut members = None;
        while let Some(Text(key)) = map.next_key()? {
            if key != "values" {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let seed = seed
                .take()
                .ok_or_else(|| A::Error::custom("values occur twice"))?;
            members = Some(map.next_value_seed(seed)?);
        }
        Ok(Some(members.unwrap_or_default()))
    }
}

/// The members of an `ArrayValue` within the given value.
struct Members<'b>(AnyValue<'b>);

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = Vec<Value<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = Vec<Value<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let member = AnyValue {
            budget: self.0.budget,
            depth: self.0.depth + 1,
        };
        let mut members = Vec::new();
        while let Some(value) = seq.next_element_seed(member)? {
            members.push(value);
        }
        Ok(members)
    }
}

/// A list of `KeyValue`; `depth` is that of the value it belongs to, 0 for a record's own.
#[derive(Clone, Copy)]
pub(super) struct KeyValues<'b> {
    budget: &'b Budget,
    depth: u32,
}

impl<'de> DeserializeSeed<'de> for KeyValues<'_> {
    type Value = Attributes<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeyValues<'_> {
    type Value = Attributes<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of keys and values")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Attributes::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Attributes::default();
        while let Some(pair) = seq.next_element_seed(KeyValue(self))? {
            list.0.push(pair);
        }
        Ok(list)
    }
}

/// One `KeyValue` of the given list.
struct KeyValue<'b>(KeyValues<'b>);

impl<'de> DeserializeSeed<'de> for KeyValue<'_> {
    type Value = (Cow<'de, str>, Value<'de>);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for KeyValue<'_> {
    type Value = (Cow<'de, str>, Value<'de>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a key and a value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let KeyValues { budget, depth } = self.0;
        let (mut key, mut held) = (None, None);
        while let Some(Text(field)) = map.next_key()? {
            let twice = match field.as_ref() {
                "key" => key.replace(map.next_value::<Text<'de>>()?.0).is_some(),
                "value" => held
                    .replace(map.next_value_seed(AnyValue {
                        budget,
                        depth: depth + 1,
                    })?)
                    .is_some(),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if twice {
                return Err(A::Error::custom(format_args!("field {field} occurs twice")));
            }
        }
        if held.is_none() {
            budget.spend()?;
        }
        Ok((key.unwrap_or_default(), held.unwrap_or_default()))
    }
}
