//! One enrolment: a producer's name, and what its exports must show.

use std::fmt;

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use vocabulary::Timestamp;
use webpki::EndEntityCert;

/// Longest name, in bytes.
const MAX_NAME: usize = 64;

/// How every token begins, so that whoever finds one knows what it opens; the rules that keep credentials out of
/// records know it, too.
const PREFIX: &str = "rct_";

/// What an enrolled producer is called. It never looks like a sender without a credential, which is called
/// `unauthenticated:<door>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name(String);

/// Why a text is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not {wanted}")]
pub(crate) struct Wrong {
    pub(crate) value: String,
    pub(crate) wanted: &'static str,
}

fn wrong(value: &str, wanted: &'static str) -> Wrong {
    Wrong {
        value: value.chars().take(100).collect(),
        wanted,
    }
}

impl Name {
    pub(crate) fn parse(text: &str) -> Result<Self, Wrong> {
        let inner = |c: char| c.is_ascii_alphanumeric() || "._-@/".contains(c);
        let fits = (1..=MAX_NAME).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(inner);
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(wrong(
            text,
            "a producer's name: 1 to 64 letters, digits and ._-@/, a letter or digit first",
        ))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256 of a token; the token itself is kept nowhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenHash(pub(crate) [u8; 32]);

impl TokenHash {
    pub(crate) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// A short name for it, to tell a renewed token from the one before.
    pub(crate) fn short(&self) -> String {
        hex(&self.0).chars().take(16).collect()
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({})", self.short())
    }
}

/// SHA-256 of a certificate's public key: its SubjectPublicKeyInfo in DER, as HTTP public key pinning (RFC 7469) has it.
/// It stays the same when a certificate is renewed for the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CertificateKey(pub(crate) [u8; 32]);

impl CertificateKey {
    /// That of a certificate in DER; `None` if it is none.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let certificate = EndEntityCert::try_from(certificate).ok()?;
        Some(Self(
            Sha256::digest(certificate.subject_public_key_info()).into(),
        ))
    }

    /// A short name for it.
    pub(crate) fn short(&self) -> String {
        hex(&self.0).chars().take(16).collect()
    }
}

/// A new token: 256 random bits.
pub(crate) fn new_token() -> Result<String, getrandom::Error> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret)?;
    Ok(format!("{PREFIX}{}", hex(&secret)))
}

/// 32 bytes in 64 hexadecimal digits.
pub(crate) fn bytes32(text: &str, wanted: &'static str) -> Result<[u8; 32], Wrong> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect();
    let pairs = digits.as_deref().map(<[u8]>::as_chunks::<2>);
    let bytes = pairs
        .filter(|(_, rest)| rest.is_empty())
        .map(|(pairs, _)| pairs.iter().map(|[high, low]| high << 4 | low));
    let bytes: Option<[u8; 32]> =
        bytes.and_then(|bytes| bytes.collect::<Vec<u8>>().try_into().ok());
    bytes.ok_or_else(|| wrong(text, wanted))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    crate::agent_door::receipt::hex(bytes)
}

/// A producer as it was enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enrolment {
    pub(crate) name: Name,
    pub(crate) enrolled: Timestamp,
    /// From when on its credentials are refused.
    pub(crate) revoked: Option<Timestamp>,
    /// Its token; without one the user or the certificate alone is its credential.
    pub(crate) token: Option<TokenHash>,
    /// The keys of its client certificates: the one in use, and the one that comes next.
    pub(crate) certificates: Vec<CertificateKey>,
    /// The user that it must run as, which only a Unix socket shows.
    pub(crate) uid: Option<u32>,
    /// The public key that signs its records.
    pub(crate) key: Option<[u8; 32]>,
    /// Whether it is a recorder beside agents, which no agent controls.
    pub(crate) recorder: bool,
}

impl Enrolment {
    pub(crate) fn is_active(&self) -> bool {
        self.revoked.is_none()
    }

    /// What a leaf says of it: words and `name=value`, with blanks between.
    pub(crate) fn described(&self) -> String {
        if let Some(at) = self.revoked {
            return format!("revoked at={at}");
        }
        let mut text = String::from("enrolled");
        if let Some(token) = &self.token {
            text.push_str(&format!(" token={}", token.short()));
        }
        for certificate in &self.certificates {
            text.push_str(&format!(" certificate={}", certificate.short()));
        }
        if let Some(uid) = self.uid {
            text.push_str(&format!(" uid={uid}"));
        }
        if let Some(key) = &self.key {
            text.push_str(&format!(" key={}", hex(key)));
        }
        if self.recorder {
            text.push_str(" recorder");
        }
        text + &format!(" at={}", self.enrolled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_be_mistaken_for_something_else() {
        for good in ["billing", "a", "team/billing-agent@host.example", "7of9"] {
            assert_eq!(Name::parse(good).unwrap().as_str(), good);
        }
        let long = "x".repeat(65);
        for bad in [
            "",
            "unauthenticated:otlp-http",
            "a b",
            ".a",
            "ä",
            "a\n",
            &long,
        ] {
            let error = Name::parse(bad).unwrap_err().to_string();
            assert!(error.contains("producer's name"), "{error}");
        }
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let (one, two) = (new_token().unwrap(), new_token().unwrap());
        assert!(
            one.len() == PREFIX.len() + 64 && one.starts_with(PREFIX),
            "{one}"
        );
        assert_ne!(one, two);
        assert_ne!(TokenHash::of(&one), TokenHash::of(&two));
        let found = vocabulary::redaction::find(format!("it is {one}").as_bytes());
        assert_eq!(found.len(), 1, "no record holds one: {found:?}");
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits() {
        assert_eq!(bytes32(&"0a".repeat(32), "a key"), Ok([10; 32]));
        for bad in [
            "",
            "0a",
            &"0a".repeat(33),
            &"0g".repeat(32),
            &"0".repeat(63),
        ] {
            assert!(bytes32(bad, "a key").is_err(), "{bad}");
        }
    }
}
