//! Digests of content: plain SHA-256, or HMAC-SHA-256 under a session's key.

use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// The key of one session's HMAC digests; sealed in the session's start.
///
/// Content that may be guessed (one message, one short prompt) is named by a
/// digest under this key: a plain hash would let anyone who sees the digest
/// try guesses, even after the content itself was erased.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionKey([u8; 32]);

impl SessionKey {
    /// From 32 random bytes.
    pub const fn new(random: [u8; 32]) -> Self {
        Self(random)
    }

    /// The bytes, as `recount.session.key` carries them.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// A digest and how it was made; written `sha256:<hex>` or `hmac-sha256:<hex>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// SHA-256 of the bytes.
    Sha256([u8; 32]),
    /// HMAC-SHA-256 of the bytes under the session's key.
    HmacSha256([u8; 32]),
}

/// A text that is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a digest like sha256:<64 hex digits>")]
pub struct MalformedDigest {
    /// What was read, at most 100 characters of it.
    pub text: String,
}

impl Digest {
    /// SHA-256 of some bytes.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::Sha256(Sha256::digest(bytes).into())
    }

    /// HMAC-SHA-256 of some bytes under a session's key.
    pub fn keyed(bytes: &[u8], key: &SessionKey) -> Self {
        // Any length is a valid HMAC key, so 32 bytes cannot be refused.
        let mut mac = match Hmac::<Sha256>::new_from_slice(&key.0) {
            Ok(mac) => mac,
            Err(_) => return Self::Sha256([0; 32]),
        };
        mac.update(bytes);
        Self::HmacSha256(mac.finalize().into_bytes().into())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        match self {
            Self::Sha256(bytes) | Self::HmacSha256(bytes) => bytes,
        }
    }

    /// The name of the function, without the colon.
    pub const fn function(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "sha256",
            Self::HmacSha256(_) => "hmac-sha256",
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(76);
        text.push_str(self.function());
        text.push(':');
        for byte in self.as_bytes() {
            text.push(char::from(HEX[usize::from(byte >> 4)]));
            text.push(char::from(HEX[usize::from(byte & 15)]));
        }
        f.pad(&text)
    }
}

impl FromStr for Digest {
    type Err = MalformedDigest;

    fn from_str(text: &str) -> Result<Self, MalformedDigest> {
        let read = || {
            let (function, hex) = text.split_once(':')?;
            let bytes = hex_32(hex)?;
            match function {
                "sha256" => Some(Self::Sha256(bytes)),
                "hmac-sha256" => Some(Self::HmacSha256(bytes)),
                _ => None,
            }
        };
        read().ok_or_else(|| MalformedDigest {
            text: text.chars().take(100).collect(),
        })
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(input)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Exactly 64 lower-case hex digits.
fn hex_32(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (value(pair[0])? << 4) | value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_equal_published_vectors() {
        assert_eq!(
            Digest::sha256(b"abc").to_string(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        // RFC 4231 test case 1 with its 20-byte key zero-padded to 32, which HMAC does anyway.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        assert_eq!(
            Digest::keyed(b"Hi There", &SessionKey::new(key)).to_string(),
            "hmac-sha256:b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn a_digest_is_read_back_and_other_texts_are_refused() {
        let digest = Digest::sha256(b"x");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        for text in ["", "sha256:", "md5:00", &digest.to_string().to_uppercase()] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
