//! Identifiers, and the short references an account uses for its own rows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A text that is no identifier of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {kind}")]
pub struct MalformedId {
    /// What was asked for, e.g. `record reference`.
    pub kind: &'static str,
    /// What was read.
    pub text: String,
}

/// Longest name a session or request may have, in bytes.
pub const NAME_BYTES: usize = 512;

/// Identifiers that somebody outside chose: any text that is not empty and not
/// longer than [`NAME_BYTES`].
macro_rules! names {
    ($( $(#[$meta:meta])* $name:ident: $kind:literal; )+) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                if text.is_empty() || text.len() > NAME_BYTES {
                    return Err(MalformedId { kind: $kind, text: shortened(text) });
                }
                Ok(Self(text.into()))
            }
        }

        text_form!($name);
    )+ };
}

/// Identifiers that are UUIDs which we make, version 7.
macro_rules! uuids {
    ($( $(#[$meta:meta])* $name:ident: $kind:literal; )+) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes one from a time and 10 random bytes.
            pub fn new(unix_ms: u64, random: [u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid())
            }

            /// The UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// Its 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = MalformedId;
            fn from_str(text: &str) -> Result<Self, MalformedId> {
                Uuid::try_parse(text)
                    .map(Self)
                    .map_err(|_| MalformedId { kind: $kind, text: shortened(text) })
            }
        }

        text_form!($name);
    )+ };
}

/// Display and serde for types that are written as one text.
macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        text_form!(serde $name);
    };
    (serde $name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(input)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

names! {
    /// What the outside calls one request: `47892`, a ticket, a message id.
    RequestId: "request id";
    /// What a producer calls one run of an agent.
    SessionId: "session id";
}

impl SessionId {
    /// Makes one from a time and 10 random bytes: `s-` and a UUIDv7.
    pub fn new(unix_ms: u64, random: [u8; 10]) -> Self {
        let uuid = uuid::Builder::from_unix_timestamp_millis(unix_ms, &random).into_uuid();
        Self(format!("s-{uuid}").into())
    }
}

uuids! {
    /// One attempted step.
    ActionId: "action id";
    /// One choice.
    DecisionId: "decision id";
    /// One diff.
    DiffId: "diff id";
    /// One transaction.
    TransactionId: "transaction id";
    /// One recorder instance.
    ProducerId: "producer id";
    /// One run of a producer's process.
    RunId: "run id";
}

/// A session of one account: `s1`, `s2`, … in the order of their start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionRef(pub u32);

/// A stream of one account: its session and a letter, `s1a`, `s1b`, … `s1z`, `s1aa`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamRef {
    /// The session it belongs to.
    pub session: SessionRef,
    /// Which of its streams, from 0.
    pub stream: u32,
}

/// A record of one account: its stream and its index in that log, `s1a#14`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordRef {
    /// The stream.
    pub stream: StreamRef,
    /// Index in the stream's log, from 0.
    pub index: u64,
}

impl fmt::Display for SessionRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("s{}", self.0))
    }
}

impl fmt::Display for StreamRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}{}", self.session, letters(self.stream)))
    }
}

impl fmt::Display for RecordRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}#{}", self.stream, self.index))
    }
}

impl FromStr for SessionRef {
    type Err = MalformedId;
    fn from_str(text: &str) -> Result<Self, MalformedId> {
        text.strip_prefix('s')
            .and_then(plain_number)
            .map(Self)
            .ok_or_else(|| MalformedId {
                kind: "session reference",
                text: shortened(text),
            })
    }
}

impl FromStr for StreamRef {
    type Err = MalformedId;
    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let read = || {
            let split = text.len()
                - text
                    .bytes()
                    .rev()
                    .take_while(u8::is_ascii_lowercase)
                    .count();
            let (session, letters) = text.split_at_checked(split)?;
            Some(Self {
                session: session.parse().ok()?,
                stream: letters_number(letters)?,
            })
        };
        read().ok_or_else(|| MalformedId {
            kind: "stream reference",
            text: shortened(text),
        })
    }
}

impl FromStr for RecordRef {
    type Err = MalformedId;
    fn from_str(text: &str) -> Result<Self, MalformedId> {
        let read = || {
            let (stream, index) = text.split_once('#')?;
            Some(Self {
                stream: stream.parse().ok()?,
                index: plain_number(index)?,
            })
        };
        read().ok_or_else(|| MalformedId {
            kind: "record reference",
            text: shortened(text),
        })
    }
}

text_form!(serde SessionRef);
text_form!(serde StreamRef);
text_form!(serde RecordRef);

/// Digits only, no sign, no leading zero.
fn plain_number<N: FromStr>(text: &str) -> Option<N> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// 0 → a, 25 → z, 26 → aa.
fn letters(number: u32) -> String {
    let mut left = u64::from(number) + 1;
    let mut letters = Vec::new();
    while left > 0 {
        left -= 1;
        letters.push(char::from(b'a' + (left % 26) as u8));
        left /= 26;
    }
    letters.iter().rev().collect()
}

/// The inverse of [`letters`].
fn letters_number(letters: &str) -> Option<u32> {
    let mut number: u32 = 0;
    for byte in letters.bytes() {
        number = number
            .checked_mul(26)?
            .checked_add(u32::from(byte - b'a') + 1)?;
    }
    number.checked_sub(1)
}

/// At most 80 characters of a text, for messages.
fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_written_as_the_design_shows_and_read_back() {
        let session = SessionRef(1);
        for (stream, text) in [
            (0, "s1a#14"),
            (25, "s1z#14"),
            (26, "s1aa#14"),
            (701, "s1zz#14"),
        ] {
            let reference = RecordRef {
                stream: StreamRef { session, stream },
                index: 14,
            };
            assert_eq!(reference.to_string(), text);
            assert_eq!(text.parse::<RecordRef>().unwrap(), reference);
        }
    }

    #[test]
    fn a_reference_with_missing_or_doubtful_parts_is_refused() {
        for text in [
            "", "s", "s1", "a#1", "s1a", "s1a#", "s1a#-1", "s01a#1", "s1a#+1", "s1é#1",
        ] {
            assert!(text.parse::<RecordRef>().is_err(), "{text}");
        }
    }

    #[test]
    fn ids_made_later_sort_later() {
        assert!(ActionId::new(1, [0xff; 10]) < ActionId::new(2, [0; 10]));
    }

    #[test]
    fn an_empty_request_is_refused() {
        assert!("".parse::<RequestId>().is_err());
        assert_eq!("47892".parse::<RequestId>().unwrap().as_str(), "47892");
    }
}
