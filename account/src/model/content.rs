//! Content as the account carries it: never a bare string.

use serde::{Deserialize, Serialize};
use vocabulary::record::ContentState;

/// What went in or came out, or one side of a change, as far as it was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// How much of it is here.
    pub state: ContentState,
    /// Its digest, `sha256:…` or `hmac-sha256:…`.
    pub digest: Option<String>,
    /// Its size in bytes.
    #[serde(with = "super::wide::option")]
    pub size: Option<u64>,
    /// Its media type.
    pub media_type: Option<String>,
    /// The bytes themselves.
    pub inline: Option<Inline>,
    /// Where the bytes are, when not here.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// What was removed before sealing.
    pub redactions: Vec<Redaction>,
    /// Why it is not all here.
    pub why: Option<String>,
}

/// Bytes in a JSON document: text where they are text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Inline {
    /// UTF-8 text, as it was.
    Text(String),
    /// Anything else.
    Bytes {
        /// The bytes in base64 (RFC 4648 §4, padded).
        base64: String,
    },
}

/// Something removed before sealing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redaction {
    /// Where it was.
    pub path: String,
    /// By which rule.
    pub rule: String,
    /// How many bytes it had.
    pub len: u64,
}

impl Content {
    /// Content of which only the state is known.
    #[must_use]
    pub fn only(state: ContentState) -> Self {
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

    /// Text that is all here.
    #[must_use]
    pub fn text(text: &str, media_type: &str) -> Self {
        Self {
            size: Some(text.len() as u64),
            media_type: Some(media_type.to_owned()),
            inline: Some(Inline::Text(text.to_owned())),
            ..Self::only(ContentState::Present)
        }
    }

    /// The text that is here, if it is text.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.inline {
            Some(Inline::Text(text)) => Some(text),
            _ => None,
        }
    }
}
