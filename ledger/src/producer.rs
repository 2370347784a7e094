//! The chain that runs through one producer's records, and the signatures over its links.
//!
//! A link shows origin and omission; a signature shows that the holder of an
//! agent's key made everything up to a link. Neither shows inclusion.
#![forbid(unsafe_code)]

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::tree::Hash;

/// Tag of a link, padded with zeros to 32 bytes where it is hashed.
pub const CHAIN_TAG: &str = "recount/producer/v1";
/// Tag of a signature, padded likewise.
pub const SIGNATURE_TAG: &str = "recount/producer-sig/v1";

/// `SHA-256(pad32(tag) ‖ before ‖ u64be(number) ‖ item)`; `item` is SHA-256 of
/// the item whose chain bytes are zero, `before` is zero for number 0.
#[must_use]
pub fn link(before: &Hash, number: u64, item: &Hash) -> Hash {
    Sha256::new()
        .chain_update(padded(CHAIN_TAG))
        .chain_update(before)
        .chain_update(number.to_be_bytes())
        .chain_update(item)
        .finalize()
        .into()
}

/// What a signature is over: a link, whose it is, and the session it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed<'a> {
    /// The producer's UUID.
    pub producer: [u8; 16],
    /// The UUID of its run.
    pub run: [u8; 16],
    /// Number of the record whose link it is.
    pub number: u64,
    /// The link.
    pub link: Hash,
    /// The session that the record belongs to, as its producer calls it.
    pub session: &'a str,
}

impl Signed<'_> {
    /// `pad32(tag) ‖ producer ‖ run ‖ u64be(number) ‖ link ‖ u16be(length) ‖ session`.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let session = self.session.as_bytes();
        let mut message = Vec::with_capacity(106 + session.len());
        message.extend_from_slice(&padded(SIGNATURE_TAG));
        message.extend_from_slice(&self.producer);
        message.extend_from_slice(&self.run);
        message.extend_from_slice(&self.number.to_be_bytes());
        message.extend_from_slice(&self.link);
        let length = u16::try_from(session.len()).unwrap_or(u16::MAX);
        message.extend_from_slice(&length.to_be_bytes());
        message.extend_from_slice(session);
        message
    }

    /// Whether this key signed it. Weak keys and malleable encodings are refused.
    #[must_use]
    pub fn is_signed(&self, key: &[u8; 32], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(key).is_ok_and(|key| {
            key.verify_strict(&self.message(), &Signature::from_bytes(signature))
                .is_ok()
        })
    }
}

/// An agent's private key. Its bytes are wiped when it is dropped.
pub struct AgentKey(SigningKey);

impl std::fmt::Debug for AgentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AgentKey")
    }
}

impl AgentKey {
    /// The key of a 32-byte Ed25519 seed.
    #[must_use]
    pub fn new(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The key of a seed in lower-case hexadecimal, as its file has it; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        crate::hex::parse(text.trim_end()).map(|seed| Self::new(&seed))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs a link.
    #[must_use]
    pub fn sign(&self, what: &Signed<'_>) -> [u8; 64] {
        self.0.sign(&what.message()).to_bytes()
    }
}

fn padded(tag: &str) -> [u8; 32] {
    let mut padded = [0; 32];
    for (to, from) in padded.iter_mut().zip(tag.bytes()) {
        *to = from;
    }
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: Signed<'_> = Signed {
        producer: [1; 16],
        run: [2; 16],
        number: 7,
        link: [3; 32],
        session: "s-1",
    };

    #[test]
    fn a_link_covers_the_one_before_its_number_and_its_item() {
        let one = link(&[1; 32], 7, &[2; 32]);
        assert_ne!(one, link(&[3; 32], 7, &[2; 32]));
        assert_ne!(one, link(&[1; 32], 8, &[2; 32]));
        assert_ne!(one, link(&[1; 32], 7, &[3; 32]));
    }

    #[test]
    fn a_signature_holds_for_exactly_what_was_signed() {
        let key = AgentKey::parse(&format!("{}\n", "42".repeat(32))).unwrap();
        let signature = key.sign(&SIGNED);
        assert!(SIGNED.is_signed(&key.public(), &signature));
        let others = [
            Signed {
                producer: [9; 16],
                ..SIGNED
            },
            Signed {
                run: [9; 16],
                ..SIGNED
            },
            Signed {
                number: 8,
                ..SIGNED
            },
            Signed {
                link: [9; 32],
                ..SIGNED
            },
            Signed {
                session: "s-2",
                ..SIGNED
            },
        ];
        for other in others {
            assert!(!other.is_signed(&key.public(), &signature), "{other:?}");
        }
        assert!(!SIGNED.is_signed(&AgentKey::new(&[1; 32]).public(), &signature));
        assert!(!SIGNED.is_signed(&[0; 32], &signature));
    }
}
