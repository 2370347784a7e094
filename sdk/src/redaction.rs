//! What is removed before anything is written: the policy, and the order in which it is applied.
//!
//! Credentials of common shapes are always removed, by every recorder; nothing here turns that off. A [`Policy`] adds,
//! in this order:
//!
//! 1. **Labels**: fields of JSON contents and cells of rows are `public`, `internal`, `sensitive` or `secret`, by the
//!    resource they belong to; fields that nobody labelled can be taken for `sensitive`.
//! 2. **Credential rules**: those of gitleaks behind a keyword search (feature `detectors`).
//! 3. **Personal data**: e-mail addresses, payment cards, bank accounts, telephone and social security numbers, told by
//!    their shapes and check digits; replaced by a keyed digest, a commitment, a mask, or removed.
//!
//! A list of allowed values is left alone by the second and third. It is applied to every record as it is written,
//! whatever wrote it, also to text. Each removal is in the record's `redactions[]` with its place, rule and length.
//!
//! ```
//! use recount::redaction::{ContentPolicy, Label, Operator, Personal, Policy};
//!
//! let policy = Policy::new()
//!     .key(*b"32 bytes that only you know, kept")
//!     .personal(Personal::Email, Operator::Hmac)
//!     .label("http:crm.example.test/**", "/customer/iban", Label::Secret)?;
//! let (clean, removed) = policy.clean("mail ann@example.test".as_bytes());
//! assert!(clean.starts_with(b"mail [hmac:email:"));
//! assert_eq!((removed[0].rule.as_str(), removed[0].len), ("email", 16));
//! # assert_eq!(policy.content_policy(), ContentPolicy::Redacted);
//! # Ok::<(), recount::redaction::PolicyError>(())
//! ```

mod content;
#[cfg(feature = "detectors")]
mod credentials;
mod escapes;
mod file;
mod find;
mod form;
mod json;
mod marker;
mod personal;
mod pointer;
mod rewrite;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use vocabulary::content::Redaction;
use vocabulary::digest::SessionKey;

pub use self::personal::Personal;
pub(crate) use self::rewrite::rewrite;
use self::{
    find::Cleaner,
    pointer::{Pointer, Resources},
};

/// How much of contents a session keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ContentPolicy {
    /// Everything but credentials.
    Full,
    /// Everything but credentials, labelled fields and personal data.
    #[default]
    Redacted,
    /// No content at all: digest under the session's key, size and type.
    Digest,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Kept; credentials are looked for in it, personal data is not.
    Public,
    /// Kept; credentials and personal data are looked for in it.
    Internal,
    /// Replaced by a digest under the policy's key; removed where it has none.
    Sensitive,
    /// Removed.
    Secret,
}

/// What stands in place of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// It is left as it is.
    Keep,
    /// `[removed:<rule>]`.
    Remove,
    /// `[masked:<rule>:<its last characters>]`, so many of them.
    Mask(u8),
    /// `[hmac:<rule>:<32 hex digits>]`: equal values look equal, in all sessions under one key. Without a key: removed.
    Hmac,
    /// `[commit:<rule>:<32 hex digits of a nonce>:<64 hex digits>]`: equal values look different. The digest is
    /// SHA-256 of salt and value, the salt HMAC-SHA-256 of the nonce: whoever has the key can open one and show it to
    /// a third party, and nobody can once the key is gone. Without a key: removed.
    Commit,
}

/// What was wrong with a policy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// A file could not be read.
    #[error("{}: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not the JSON of a policy.
    #[error("{}: {source}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong and where.
        source: serde_json::Error,
    },
    /// A word that the policy does not know.
    #[error("{word:?} is no {what}; known are {known}")]
    UnknownWord {
        /// As written.
        word: String,
        /// What it should be.
        what: &'static str,
        /// What there is.
        known: &'static str,
    },
    /// A text that is no pattern of resources.
    #[error("{of:?} is no pattern like http:crm.example.test/**: {source}")]
    Pattern {
        /// As written.
        of: String,
        /// What is wrong with it.
        source: vocabulary::scope::MalformedScope,
    },
    /// The key is too short to withstand guessing.
    #[error("the key in {} has {len} bytes, at least 32 are needed: head -c 32 /dev/urandom > FILE", file.display())]
    ShortKey {
        /// The file.
        file: PathBuf,
        /// Its length.
        len: usize,
    },
    /// The credential rules were asked for in a program that was built without them.
    #[error("the policy asks for all credential rules: build recount with the feature `detectors`")]
    NoDetectors,
}

/// One label: which fields of which resources.
#[derive(Debug, Clone)]
struct Labelled {
    of: Resources,
    at: Pointer,
    label: Label,
}

/// What is removed, beyond the credentials that every recorder removes. See the [module](self).
#[derive(Clone, Default)]
pub struct Policy {
    content: ContentPolicy,
    key: Option<SessionKey>,
    labels: Vec<Labelled>,
    /// Resources whose JSON contents keep no string that has no label.
    closed: Vec<Resources>,
    cleaner: Cleaner,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Policy({:?}, {} labels)",
            self.content,
            self.labels.len()
        )
    }
}

impl Policy {
    /// Contents `redacted`, nothing labelled, personal data kept.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the JSON that `docs/instrumenting.md` describes; a relative `key_file` is beside it.
    ///
    /// # Errors
    /// If a file cannot be read, a word is unknown, or the key is too short.
    pub fn from_file(file: impl AsRef<Path>) -> Result<Self, PolicyError> {
        file::read(file.as_ref())
    }

    /// How much of contents is kept.
    #[must_use]
    pub fn content(mut self, content: ContentPolicy) -> Self {
        self.content = content;
        self
    }

    /// How much of contents is kept.
    pub fn content_policy(&self) -> ContentPolicy {
        self.content
    }

    /// The key of digests and commitments. Never in any record.
    #[must_use]
    pub fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        let key = match vocabulary::digest::Digest::sha256(key.as_ref()) {
            vocabulary::digest::Digest::Sha256(key)
            | vocabulary::digest::Digest::HmacSha256(key) => SessionKey::new(key),
        };
        self.key = Some(key);
        self
    }

    /// Says what fields hold: those at `at` in contents that belong to resources `of`. `of` is a pattern as in a
    /// scope entry, without the access; `at` is a JSON Pointer in which `*` stands for one step and
    /// `**` for any number. Of several labels that match a field the first counts; cells of rows are at `/cells/NAME`.
    ///
    /// # Errors
    /// If `of` is no pattern of resources.
    pub fn label(mut self, of: &str, at: &str, label: Label) -> Result<Self, PolicyError> {
        self.labels.push(Labelled {
            of: Resources::parse(of)?,
            at: Pointer::parse(at),
            label,
        });
        Ok(self)
    }

    /// Takes every field without a label for sensitive, in contents that belong to resources `of`.
    ///
    /// # Errors
    /// If `of` is no pattern of resources.
    pub fn closed(mut self, of: &str) -> Result<Self, PolicyError> {
        self.closed.push(Resources::parse(of)?);
        Ok(self)
    }

    /// What is done with personal data of one sort.
    #[must_use]
    pub fn personal(mut self, sort: Personal, operator: Operator) -> Self {
        self.cleaner.personal(sort, operator);
        self
    }

    /// A value that neither the credential rules nor the personal data detectors touch.
    #[must_use]
    pub fn allow(mut self, value: &str) -> Self {
        self.cleaner.allow(value);
        self
    }

    /// Looks for credentials by the rules of gitleaks too.
    #[cfg(feature = "detectors")]
    #[must_use]
    pub fn all_credentials(mut self) -> Self {
        self.cleaner.all_credentials();
        self
    }

    /// Some bytes without credentials and personal data, and what was removed; labels need a resource and are not
    /// applied here. Clean bytes come back as they are, and cleaning twice is cleaning once.
    pub fn clean<'a>(&self, bytes: &'a [u8]) -> (std::borrow::Cow<'a, [u8]>, Vec<Redaction>) {
        let personal = self.content != ContentPolicy::Full;
        self.cleaner.clean(bytes, personal, self.key.as_ref())
    }

    /// The digest part of `[hmac:<rule>:…]` for a known value, to search records for it; `None` without a key.
    pub fn digest_of(&self, value: &str) -> Option<String> {
        Some(marker::hmac(self.key.as_ref()?, value.as_bytes()))
    }

    /// The salt of `[commit:<rule>:<nonce>:…]`, to show a third party what was committed to: SHA-256 of salt and value
    /// is the second part. `None` without a key, or if `nonce` is none.
    pub fn salt_of(&self, nonce: &str) -> Option<[u8; 32]> {
        marker::salt(self.key.as_ref()?, nonce)
    }

    /// What records say of the policy in force: everything but the key and the allowed values.
    pub(crate) fn told(&self) -> serde_json::Value {
        file::told(self)
    }
}
