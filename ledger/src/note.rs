//! Signed notes (C2SP signed-note v1.0.0) with Ed25519 signatures.
#![forbid(unsafe_code)]

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// Type byte of an Ed25519 key.
pub const ED25519: u8 = 1;
/// Most signature lines that are read.
pub const MAX_SIGNATURES: usize = 32;
/// Longest note that is read, in bytes.
pub const MAX_NOTE: usize = 1 << 20;

/// What is wrong with a note or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not a note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// Not a verifier key.
    #[error("not a verifier key: {0}")]
    Key(&'static str),
    /// No signature is by the key that was asked for.
    #[error("no signature by {name}")]
    Unsigned {
        /// Name of the key.
        name: String,
    },
    /// A signature claims to be by the key and is not.
    #[error("the signature by {name} does not verify")]
    Signature {
        /// Name of the key.
        name: String,
    },
}

/// Whether a name may stand on a signature line: not empty, no `+`, no white space, nothing unprintable.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c == '+' || c.is_whitespace() || c.is_control())
}

fn key_id(name: &str, kind: u8, key: &[u8]) -> [u8; 4] {
    let digest = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', kind])
        .chain_update(key)
        .finalize();
    [digest[0], digest[1], digest[2], digest[3]]
}

/// Whether the encoded coordinate is below 2^255 - 19: each point has one encoding then.
fn is_canonical(key: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = key;
    *first < 0xed || middle.iter().any(|byte| *byte != 0xff) || last & 0x7f != 0x7f
}

/// A public key with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: VerifyingKey,
}

impl VerifierKey {
    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// A name that cannot stand on a signature line; bytes that are no point, or a weak one.
    pub fn new(name: &str, key: &[u8; 32]) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::Key(
                "its name is empty or has spaces or a plus sign",
            ));
        }
        let key = VerifyingKey::from_bytes(key)
            .map_err(|_| NoteError::Key("not a point of the curve"))?;
        if key.is_weak() {
            return Err(NoteError::Key("a point of small order"));
        }
        if !is_canonical(key.as_bytes()) {
            return Err(NoteError::Key("not the one encoding of its point"));
        }
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }

    /// Reads `name+hex(id)+base64(type ‖ key)`.
    ///
    /// # Errors
    /// Anything else, also a key id that is not the key's.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        Self::parse_typed(vkey, ED25519)
    }

    /// Reads a key whose type byte is `kind`; its 32 bytes are Ed25519's in every type that is known here.
    pub(crate) fn parse_typed(vkey: &str, kind: u8) -> Result<Self, NoteError> {
        let mut fields = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(NoteError::Key("not three fields joined by plus signs"));
        };
        let id = crate::hex::parse::<4>(id)
            .ok_or(NoteError::Key("its id is not eight hexadecimal digits"))?;
        let key = STANDARD
            .decode(key)
            .map_err(|_| NoteError::Key("its key is not base64"))?;
        let Some(key) = key.strip_prefix(&[kind]) else {
            return Err(NoteError::Key(match kind {
                ED25519 => "not an Ed25519 key",
                _ => "not a witness's key, whose type is 04",
            }));
        };
        let key: &[u8; 32] = key.try_into().map_err(|_| NoteError::Key("not 32 bytes"))?;
        let verifier = Self::new(name, key)?;
        if verifier.typed_id(kind) == id {
            Ok(verifier)
        } else {
            Err(NoteError::Key("its id is another key's"))
        }
    }

    /// The key's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The four bytes that stand for the key on a signature line.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.typed_id(ED25519)
    }

    /// The id of the same key when it is used for signatures of another type.
    pub(crate) fn typed_id(&self, kind: u8) -> [u8; 4] {
        key_id(&self.name, kind, self.key.as_bytes())
    }

    /// Writes the key as one of this type.
    pub(crate) fn write_typed(&self, f: &mut fmt::Formatter<'_>, kind: u8) -> fmt::Result {
        let mut key = vec![kind];
        key.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+", self.name)?;
        crate::hex::write(f, &self.typed_id(kind))?;
        write!(f, "+{}", STANDARD.encode(key))
    }

    /// The key's 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Checks one signature, refusing weak keys and malleable encodings.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key
            .verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_typed(f, ED25519)
    }
}

/// A private key with its name. Its bytes are wiped when it is dropped.
pub struct SignerKey {
    name: String,
    key: SigningKey,
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl SignerKey {
    /// A key from its 32-byte seed.
    ///
    /// # Errors
    /// A name that cannot stand on a signature line.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        if !is_key_name(name) {
            return Err(NoteError::Key(
                "its name is empty or has spaces or a plus sign",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            key: SigningKey::from_bytes(seed),
        })
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey {
            name: self.name.clone(),
            key: self.key.verifying_key(),
        }
    }

    /// Signs bytes that are no note; the caller separates their domain by a tag.
    #[must_use]
    pub fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    /// The signature line over a note's text, with its newline, for a note that others sign as well.
    #[must_use]
    pub fn line(&self, text: &str) -> String {
        let mut signature = self.verifier().id().to_vec();
        signature.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("\u{2014} {} {}\n", self.name, STANDARD.encode(signature))
    }

    /// The note over `text` with this key's signature.
    ///
    /// # Errors
    /// Text that does not end in a newline or holds another control character.
    pub fn sign(&self, text: &str) -> Result<Vec<u8>, NoteError> {
        check_text(text)?;
        Ok(format!("{text}\n{}", self.line(text)).into_bytes())
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine<'a> {
    /// Name of the key.
    pub name: &'a str,
    /// Its four bytes.
    pub id: [u8; 4],
    /// The signature, as its key's type shapes it.
    pub signature: Vec<u8>,
}

/// A note taken apart, nothing verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note<'a> {
    /// The signed text, with its last newline.
    pub text: &'a str,
    /// The signature lines in order.
    pub signatures: Vec<SignatureLine<'a>>,
}

fn check_text(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') {
        return Err(NoteError::Malformed("its text does not end in a newline"));
    }
    if text.chars().any(|c| c != '\n' && c.is_control()) {
        return Err(NoteError::Malformed("its text holds a control character"));
    }
    Ok(())
}

impl<'a> Note<'a> {
    /// Takes a note apart, strictly.
    ///
    /// # Errors
    /// Not UTF-8, control characters, no signature, more than [`MAX_SIGNATURES`], a malformed line.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::Malformed("longer than a mebibyte"));
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        check_text(whole)?;
        // The last empty line divides: the text may hold empty lines, the signatures may not.
        let at = whole
            .rfind("\n\n")
            .ok_or(NoteError::Malformed("no empty line before the signatures"))?;
        let (text, lines) = (&whole[..=at], &whole[at + 2..]);
        let lines = lines
            .strip_suffix('\n')
            .ok_or(NoteError::Malformed("no signature"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() == MAX_SIGNATURES {
                return Err(NoteError::Malformed("more than 32 signatures"));
            }
            signatures.push(SignatureLine::parse(line)?);
        }
        Ok(Self { text, signatures })
    }

    /// Checks that the note carries at least one signature by `key`, and that every one by it verifies.
    ///
    /// # Errors
    /// None by it; one that does not verify.
    pub fn verify(&self, key: &VerifierKey) -> Result<(), NoteError> {
        let mut signed = false;
        for line in self
            .signatures
            .iter()
            .filter(|line| line.name == key.name && line.id == key.id())
        {
            let signature = <&[u8; 64]>::try_from(line.signature.as_slice());
            if !signature.is_ok_and(|signature| key.verifies(self.text.as_bytes(), signature)) {
                return Err(NoteError::Signature {
                    name: key.name.clone(),
                });
            }
            signed = true;
        }
        if signed {
            Ok(())
        } else {
            Err(NoteError::Unsigned {
                name: key.name.clone(),
            })
        }
    }
}

impl<'a> SignatureLine<'a> {
    fn parse(line: &'a str) -> Result<Self, NoteError> {
        let rest = line.strip_prefix("\u{2014} ");
        let rest = rest.ok_or(NoteError::Malformed("a signature line without its dash"))?;
        let (name, base64) = rest
            .split_once(' ')
            .ok_or(NoteError::Malformed("a signature without a name"))?;
        if !is_key_name(name) {
            return Err(NoteError::Malformed("a signature by an impossible name"));
        }
        let bytes = STANDARD
            .decode(base64)
            .map_err(|_| NoteError::Malformed("a signature that is not base64"))?;
        match bytes.split_first_chunk::<4>() {
            Some((id, signature)) if !signature.is_empty() => Ok(Self {
                name,
                id: *id,
                signature: signature.to_vec(),
            }),
            _ => Err(NoteError::Malformed("a signature shorter than its key id")),
        }
    }
}
