//! Where a fact comes from: the records that show it, and how strong they are.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use vocabulary::Source;

/// A stream within one account: `s1a` is the first stream of the first session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamTag {
    /// The session's number in this account, from 1.
    pub session: u32,
    /// The stream's number within the session, from 0 (`a`).
    pub stream: u32,
}

/// One record: a stream of the account and the record's index in its log, written `s1a#14`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ref {
    /// The stream that holds the record.
    pub stream: StreamTag,
    /// The record's index in the stream's log, from 0.
    pub index: u64,
}

/// A text that is not a reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a reference such as s1a#14: `{0}`")]
pub struct RefError(pub String);

/// What every row carries: the records that show it and who says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The records behind the row; empty for a fact about something absent.
    pub refs: Vec<Ref>,
    /// The weakest source among the row's fields.
    pub source: Source,
    /// The fields whose source is another one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub source_of: BTreeMap<String, Source>,
}

impl Evidence {
    /// Evidence of one source.
    #[must_use]
    pub fn new(source: Source, refs: Vec<Ref>) -> Self {
        Self {
            refs,
            source,
            source_of: BTreeMap::new(),
        }
    }

    /// The same evidence, with fields that have another source.
    #[must_use]
    pub fn with(mut self, fields: &[(&str, Source)]) -> Self {
        self.source_of.extend(
            fields
                .iter()
                .map(|(field, source)| ((*field).to_owned(), *source)),
        );
        self
    }
}

impl fmt::Display for StreamTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = [0_u8; 8];
        let mut at = letters.len();
        let mut left = u64::from(self.stream) + 1;
        while left > 0 {
            at -= 1;
            letters[at] = b'a' + ((left - 1) % 26) as u8;
            left = (left - 1) / 26;
        }
        write!(f, "s{}", self.session)?;
        letters[at..]
            .iter()
            .try_for_each(|letter| write!(f, "{}", *letter as char))
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.stream, self.index)
    }
}

impl FromStr for StreamTag {
    type Err = RefError;

    fn from_str(text: &str) -> Result<Self, RefError> {
        let wrong = || RefError(text.to_owned());
        let body = text.strip_prefix('s').ok_or_else(wrong)?;
        let split = body
            .find(|c: char| c.is_ascii_lowercase())
            .ok_or_else(wrong)?;
        let (digits, letters) = body.split_at(split);
        let mut stream = 0_u64;
        for letter in letters.bytes() {
            if !letter.is_ascii_lowercase() || letters.len() > 6 {
                return Err(wrong());
            }
            stream = stream * 26 + u64::from(letter - b'a') + 1;
        }
        Ok(Self {
            session: digits.parse().map_err(|_| wrong())?,
            stream: u32::try_from(stream - 1).map_err(|_| wrong())?,
        })
    }
}

impl FromStr for Ref {
    type Err = RefError;

    fn from_str(text: &str) -> Result<Self, RefError> {
        let wrong = || RefError(text.to_owned());
        let (stream, index) = text.split_once('#').ok_or_else(wrong)?;
        Ok(Self {
            stream: stream.parse().map_err(|_| wrong())?,
            index: index.parse().map_err(|_| wrong())?,
        })
    }
}

/// Written and read as their text form.
macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}
as_text!(StreamTag);
as_text!(Ref);

#[cfg(test)]
mod tests {
    use super::{Ref, StreamTag};

    #[test]
    fn a_reference_reads_back_as_it_was_written() {
        for (stream, text) in [
            (0, "s1a#14"),
            (25, "s1z#14"),
            (26, "s1aa#14"),
            (701, "s1zz#14"),
            (702, "s1aaa#14"),
        ] {
            let made = Ref {
                stream: StreamTag { session: 1, stream },
                index: 14,
            };
            assert_eq!(made.to_string(), text);
            assert_eq!(text.parse::<Ref>().unwrap(), made);
        }
        for wrong in [
            "", "14", "s1#14", "s1a#", "sa#1", "s1a", "S1a#1", "s1A#1", "s1a1#1",
        ] {
            assert!(wrong.parse::<Ref>().is_err(), "{wrong}");
        }
    }
}
