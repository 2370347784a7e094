//! Content: what a record holds of some bytes, and says about the rest.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::{Digest, SessionKey};
use crate::record::ContentState;

/// How many bytes of one content travel inline; of a longer one, the first
/// ones do, and digest and size are of the whole.
pub const INLINE_BYTES: usize = 256 * 1024;

/// What a record holds of some bytes. Never a bare string, so that "there is
/// none", "we do not know" and "we did not keep it" cannot be confused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// What of it is there.
    pub state: ContentState,
    /// Of the whole, after redaction: what was removed is in no digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Bytes of the whole, after redaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Media type, e.g. `text/markdown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The bytes, or the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<Inline>,
    /// Where the bytes are instead: a record of the same session by digest, or
    /// a place outside.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// What was removed before sealing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub redactions: Vec<Redaction>,
    /// Why it is not all there, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Bytes inside a record. In JSON a string where they are UTF-8, else
/// `{"base64": "…"}`; on the wire a string or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    /// Bytes that are UTF-8.
    Text(String),
    /// Bytes that are not.
    Bytes(Vec<u8>),
}

/// One removal: where, by which rule, how many bytes. Never the value, and
/// never a hash of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redaction {
    /// Where in the content: a JSON Pointer, a header or argument name, or
    /// `@` and the byte offset after redaction.
    pub path: String,
    /// The rule of [`crate::redaction`] that fired.
    pub rule: String,
    /// How many bytes were removed.
    pub len: u64,
}

impl Content {
    /// All of some bytes, or the first [`INLINE_BYTES`] of more. Remove
    /// credentials first ([`crate::redaction`], or [`Content::redacted`]).
    pub fn from_bytes(bytes: &[u8], media_type: &str) -> Self {
        Self::of(bytes, media_type, Digest::sha256(bytes))
    }

    /// All of some text.
    pub fn text(text: &str) -> Self {
        Self::from_bytes(text.as_bytes(), "text/plain; charset=utf-8")
    }

    /// A JSON value as its own text.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::from_bytes(value.to_string().as_bytes(), "application/json")
    }

    /// Bytes with their credentials removed; `redactions` says which.
    pub fn redacted(bytes: &[u8], media_type: &str) -> Self {
        let (clean, redactions) = crate::redaction::replace_bytes(bytes);
        Self {
            redactions,
            ..Self::from_bytes(&clean, media_type)
        }
    }

    /// Bytes named by an HMAC under the session's key: messages, tool
    /// definitions, retrieved items.
    pub fn keyed(bytes: &[u8], media_type: &str, key: &SessionKey) -> Self {
        Self::of(bytes, media_type, Digest::keyed(bytes, key))
    }

    /// As [`Content::keyed`], without the bytes: another record of the session
    /// has them under this digest.
    pub fn cited(bytes: &[u8], media_type: &str, key: &SessionKey) -> Self {
        let digest = Digest::keyed(bytes, key);
        Self {
            digest: Some(digest),
            size: Some(bytes.len() as u64),
            media_type: Some(media_type.to_owned()),
            reference: Some(digest.to_string()),
            ..Self::bare(ContentState::Present)
        }
    }

    /// There is none, and that is a fact.
    pub fn absent() -> Self {
        Self::bare(ContentState::Absent)
    }

    /// Nobody knows whether there is any.
    pub fn unknown(why: &str) -> Self {
        Self {
            why: Some(why.to_owned()),
            ..Self::bare(ContentState::Unknown)
        }
    }

    /// It exists and was not kept; the size may be known.
    pub fn not_captured(size: Option<u64>, why: &str) -> Self {
        Self {
            size,
            why: Some(why.to_owned()),
            ..Self::bare(ContentState::NotCaptured)
        }
    }

    /// All of it was removed by one rule.
    pub fn removed(path: &str, rule: &str, len: u64) -> Self {
        let redaction = Redaction {
            path: path.to_owned(),
            rule: rule.to_owned(),
            len,
        };
        Self {
            redactions: vec![redaction],
            ..Self::bare(ContentState::Redacted)
        }
    }

    /// The inline bytes, whichever form they have.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.inline.as_ref().map(Inline::as_bytes)
    }

    /// The inline bytes as text, when they are UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        match &self.inline {
            Some(Inline::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether all bytes are inline (nothing truncated, erased, elsewhere).
    pub fn is_whole(&self) -> bool {
        self.state == ContentState::Present && self.inline.is_some()
    }

    /// Whether the inline bytes have the size and digest that are stated;
    /// `None` when that cannot be checked (truncated, keyed, not inline).
    pub fn is_consistent(&self) -> Option<bool> {
        let (true, Some(bytes)) = (self.is_whole(), self.bytes()) else {
            return None;
        };
        let sized = self.size.is_none_or(|size| size == bytes.len() as u64);
        match self.digest {
            Some(digest @ Digest::Sha256(_)) => Some(sized && digest == Digest::sha256(bytes)),
            _ if !sized => Some(false),
            _ => None,
        }
    }

    fn bare(state: ContentState) -> Self {
        Self {
            state,
            digest: None,
            size: None,
            media_type: None,
            inline: None,
            reference: None,
            redactions: Vec::new(),
            why: None,
        }
    }

    fn of(bytes: &[u8], media_type: &str, digest: Digest) -> Self {
        let kept = beginning(bytes);
        let truncated = kept.len() < bytes.len();
        let state = if truncated {
            ContentState::Truncated
        } else {
            ContentState::Present
        };
        Self {
            digest: Some(digest),
            size: Some(bytes.len() as u64),
            media_type: Some(media_type.to_owned()),
            inline: Some(Inline::new(kept)),
            why: truncated.then(|| format!("longer than {INLINE_BYTES} bytes")),
            ..Self::bare(state)
        }
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Content {
    fn from(text: String) -> Self {
        Self::text(&text)
    }
}

impl From<&serde_json::Value> for Content {
    fn from(value: &serde_json::Value) -> Self {
        Self::json(value)
    }
}

/// The first [`INLINE_BYTES`]; up to three fewer where the cut would split a
/// character, so that the beginning of a text is a text.
fn beginning(bytes: &[u8]) -> &[u8] {
    let Some(cut) = bytes.get(..INLINE_BYTES) else {
        return bytes;
    };
    if cut.len() == bytes.len() {
        return bytes;
    }
    match std::str::from_utf8(cut) {
        Err(error) if error.error_len().is_none() => &cut[..error.valid_up_to()],
        _ => cut,
    }
}

impl Inline {
    /// Chooses the form by the bytes.
    pub fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes(bytes.to_vec()),
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum InlineJson<'a> {
    Text(Cow<'a, str>),
    Bytes { base64: Cow<'a, str> },
}

impl Serialize for Inline {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => InlineJson::Text(text.into()),
            Self::Bytes(bytes) => InlineJson::Bytes {
                base64: STANDARD.encode(bytes).into(),
            },
        }
        .serialize(out)
    }
}

impl<'de> Deserialize<'de> for Inline {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        match InlineJson::deserialize(input)? {
            InlineJson::Text(text) => Ok(Self::Text(text.into_owned())),
            InlineJson::Bytes { base64 } => STANDARD
                .decode(base64.as_bytes())
                .map(Self::Bytes)
                .map_err(serde::de::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_beyond_the_limit_keeps_its_beginning_and_the_digest_of_the_whole() {
        let mut bytes = vec![b'a'; INLINE_BYTES - 1];
        bytes.extend("é and more".as_bytes());
        let content = Content::from_bytes(&bytes, "text/plain");
        assert_eq!(content.state, ContentState::Truncated);
        assert_eq!(content.bytes().unwrap().len(), INLINE_BYTES - 1);
        assert!(content.as_text().is_some());
        assert_eq!(content.size, Some(bytes.len() as u64));
        assert_eq!(content.digest, Some(Digest::sha256(&bytes)));
        assert_eq!(content.is_consistent(), None);
    }

    #[test]
    fn content_of_exactly_the_limit_is_whole() {
        let content = Content::from_bytes(&vec![0xff; INLINE_BYTES], "application/octet-stream");
        assert_eq!(content.state, ContentState::Present);
        assert_eq!(content.is_consistent(), Some(true));
    }

    #[test]
    fn text_and_other_bytes_survive_json() {
        for bytes in [&b"plain"[..], b"\xff\x00", b""] {
            let content = Content::from_bytes(bytes, "x/y");
            let json = serde_json::to_string(&content).unwrap();
            assert_eq!(serde_json::from_str::<Content>(&json).unwrap(), content);
        }
    }

    #[test]
    fn an_absent_side_is_a_state_and_nothing_else() {
        assert_eq!(
            serde_json::to_string(&Content::absent()).unwrap(),
            r#"{"state":"absent"}"#
        );
    }

    #[test]
    fn a_message_is_named_under_the_session_key_only() {
        let (one, two) = (SessionKey::new([1; 32]), SessionKey::new([2; 32]));
        let kept = Content::keyed(b"hello", "text/plain", &one);
        let cited = Content::cited(b"hello", "text/plain", &one);
        assert_eq!(kept.digest, cited.digest);
        assert_eq!(cited.inline, None);
        assert_ne!(
            kept.digest,
            Content::keyed(b"hello", "text/plain", &two).digest
        );
    }

    #[test]
    fn a_removed_credential_is_in_no_digest() {
        let secret = format!("key sk-{} end", "a".repeat(32));
        let content = Content::redacted(secret.as_bytes(), "text/plain");
        assert_eq!(content.as_text(), Some("key [removed:openai_key] end"));
        assert_eq!(content.redactions[0].rule, "openai_key");
        assert_eq!(content.redactions[0].len, 35);
        assert_eq!(content.is_consistent(), Some(true));
    }
}
