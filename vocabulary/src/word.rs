//! How closed sets of words are written: each word once, everything else derived.

use serde::{Deserialize, Deserializer};

/// A string that is not one of the words of its set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a known {set}")]
pub struct UnknownWord {
    /// What the set is called, e.g. `outcome`.
    pub set: &'static str,
    /// The string that was read.
    pub value: String,
}

/// Implemented by every closed set of words.
pub trait Word: Sized + Copy + 'static {
    /// What the set is called in messages, e.g. `outcome`.
    const SET: &'static str;
    /// Every word, in the order of its declaration.
    const ALL: &'static [Self];
    /// The word as it is written everywhere: on the wire, in JSON, on screens.
    fn word(self) -> &'static str;
}

/// Reads an optional word and gives `None` for null and for words that this
/// version does not know. For `#[serde(deserialize_with = "vocabulary::word::lenient")]`.
///
/// # Errors
/// Only when the value is neither null nor a string.
pub fn lenient<'de, D: Deserializer<'de>, W: Word>(input: D) -> Result<Option<W>, D::Error> {
    let read: Option<std::borrow::Cow<'de, str>> = Option::deserialize(input)?;
    Ok(read.and_then(|value| W::ALL.iter().copied().find(|word| word.word() == value)))
}

/// Declares a closed set of words; `or Unknown` names the variant that stands
/// for every other string when a document of a newer version is read.
macro_rules! words {
    (
        $(#[$meta:meta])*
        pub enum $name:ident: $set:literal $(or $unknown:ident)? {
            $( $(#[$vmeta:meta])* $variant:ident = $word:literal, )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[$vmeta])* $variant, )+ }

        impl $name {
            /// Every word, in the order of its declaration.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The word as it is written on the wire, in JSON and on screens.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $word, )+ }
            }

            /// Reads exactly one of the listed words.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $( $word => Some(Self::$variant), )+ _ => None }
            }

            $(
                /// Reads a word; one that this version does not know is `unknown`.
                pub fn read(text: &str) -> Self {
                    Self::parse(text).unwrap_or(Self::$unknown)
                }
            )?
        }

        impl $crate::word::Word for $name {
            const SET: &'static str = $set;
            const ALL: &'static [Self] = $name::ALL;
            fn word(self) -> &'static str { self.as_str() }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::word::UnknownWord;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text).ok_or_else(|| $crate::word::UnknownWord {
                    set: $set,
                    value: text.to_owned(),
                })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(input)?;
                let read = Self::parse(&text);
                $( let read = read.or(Some(Self::$unknown)); )?
                read.ok_or_else(|| serde::de::Error::custom($crate::word::UnknownWord {
                    set: $set,
                    value: text.into_owned(),
                }))
            }
        }
    };
}

/// Gives a set of words the numbers under which the ledger's envelope keeps
/// them. Numbers are frozen: they are never reused or changed.
macro_rules! codes {
    ($name:ident { $( $variant:ident = $code:literal, )+ }) => {
        impl $name {
            /// The number under which the ledger's envelope keeps this word.
            pub const fn code(self) -> u8 {
                match self { $( Self::$variant => $code, )+ }
            }

            /// The word kept under a number; `None` for a number of a newer version.
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $( $code => Some(Self::$variant), )+ _ => None }
            }
        }
    };
}

pub(crate) use {codes, words};

#[cfg(test)]
mod tests {
    use crate::action::{Access, Outcome};

    #[test]
    fn a_set_with_unknown_reads_new_words_as_unknown() {
        let read: Outcome = serde_json::from_str("\"exploded\"").unwrap();
        assert_eq!(read, Outcome::Unknown);
        assert!("exploded".parse::<Outcome>().is_err());
    }

    #[test]
    fn a_set_without_unknown_refuses_new_words_unless_read_leniently() {
        assert!(serde_json::from_str::<Access>("\"append\"").is_err());
        let mut input = serde_json::Deserializer::from_str("\"append\"");
        assert_eq!(super::lenient::<_, Access>(&mut input).unwrap(), None);
        let mut input = serde_json::Deserializer::from_str("\"read\"");
        assert_eq!(
            super::lenient::<_, Access>(&mut input).unwrap(),
            Some(Access::Read)
        );
    }

    #[test]
    fn an_unknown_word_names_its_set_and_the_value() {
        let error = "append".parse::<Access>().unwrap_err();
        assert_eq!(error.to_string(), "\"append\" is not a known access");
    }
}
