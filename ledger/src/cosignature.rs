//! Cosignatures (C2SP tlog-cosignature, Ed25519): a witness says when it saw a checkpoint as the largest of its log.
#![forbid(unsafe_code)]

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::note::{Note, NoteError, SignerKey, VerifierKey};

/// Type byte of a key that makes timestamped Ed25519 cosignatures.
pub const COSIGNATURE: u8 = 4;

/// What is signed: two lines that keep it apart from every other signature, then the checkpoint's text.
fn message(time: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {time}\n{text}").into_bytes()
}

/// A witness's public key with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey(VerifierKey);

impl WitnessKey {
    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// A name that cannot stand on a signature line; bytes that are no point, or a weak one.
    pub fn new(name: &str, key: &[u8; 32]) -> Result<Self, NoteError> {
        VerifierKey::new(name, key).map(Self)
    }

    /// Reads `name+hex(id)+base64(0x04 ‖ key)`.
    ///
    /// # Errors
    /// Anything else, also a key id that is not the key's, and a key of another type.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        VerifierKey::parse_typed(vkey, COSIGNATURE).map(Self)
    }

    /// The witness's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The four bytes that stand for the key on a signature line.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.0.typed_id(COSIGNATURE)
    }

    /// The key's 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    /// When the witness cosigned this note last: Unix seconds; `None` if it did not.
    ///
    /// # Errors
    /// A line that claims to be by this witness and is not.
    pub fn cosigned(&self, note: &Note<'_>) -> Result<Option<u64>, NoteError> {
        let id = self.id();
        let mut newest = None;
        for line in note
            .signatures
            .iter()
            .filter(|line| line.name == self.name() && line.id == id)
        {
            let time =
                self.check(note.text, &line.signature)
                    .ok_or_else(|| NoteError::Signature {
                        name: self.name().to_owned(),
                    })?;
            newest = newest.max(Some(time));
        }
        Ok(newest)
    }

    /// The time of a cosignature that holds.
    fn check(&self, text: &str, signature: &[u8]) -> Option<u64> {
        let (time, signature) = signature.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        let signature = <&[u8; 64]>::try_from(signature).ok()?;
        let fits = i64::try_from(time).is_ok();
        (fits && self.0.verifies(&message(time, text), signature)).then_some(time)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_typed(f, COSIGNATURE)
    }
}

/// A witness's private key. Its bytes are wiped when it is dropped. It signs nothing else: the message does not name
/// the witness, so one key must never serve two.
#[derive(Debug)]
pub struct Cosigner(SignerKey);

impl Cosigner {
    /// A key from its 32-byte seed.
    ///
    /// # Errors
    /// A name that cannot stand on a signature line.
    pub fn new(name: &str, seed: &[u8; 32]) -> Result<Self, NoteError> {
        SignerKey::new(name, seed).map(Self)
    }

    /// The public half.
    #[must_use]
    pub fn key(&self) -> WitnessKey {
        WitnessKey(self.0.verifier())
    }

    /// The signature line over a checkpoint's text at `time` (Unix seconds), with its newline.
    #[must_use]
    pub fn cosign(&self, text: &str, time: u64) -> String {
        let key = self.key();
        let mut signature = key.id().to_vec();
        signature.extend_from_slice(&time.to_be_bytes());
        signature.extend_from_slice(&self.0.sign_bytes(&message(time, text)));
        format!("\u{2014} {} {}\n", key.name(), STANDARD.encode(signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::SignerKey;

    const TEXT: &str = "example.test/log\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";

    fn cosigned(time: u64) -> (Vec<u8>, WitnessKey) {
        let log = SignerKey::new("example.test/log", &[1; 32]).unwrap();
        let witness = Cosigner::new("witness.example.test/w1", &[2; 32]).unwrap();
        let mut note = log.sign(TEXT).unwrap();
        note.extend_from_slice(witness.cosign(TEXT, time).as_bytes());
        (note, witness.key())
    }

    #[test]
    fn a_cosignature_says_when_and_by_whom() {
        let (note, key) = cosigned(1_679_315_147);
        let note = Note::parse(&note).unwrap();
        assert_eq!(key.cosigned(&note), Ok(Some(1_679_315_147)));
        let other = Cosigner::new("witness.example.test/w1", &[3; 32]).unwrap();
        assert_eq!(other.key().cosigned(&note), Ok(None));
    }

    #[test]
    fn another_time_or_text_breaks_it() {
        let (note, key) = cosigned(7);
        let mut parsed = Note::parse(&note).unwrap();
        parsed.signatures[1].signature[7] ^= 1;
        assert!(key.cosigned(&parsed).is_err());
        let text = String::from_utf8(note).unwrap().replace("\n3\n", "\n4\n");
        assert!(
            key.cosigned(&Note::parse(text.as_bytes()).unwrap())
                .is_err()
        );
    }

    #[test]
    fn a_time_beyond_63_bits_is_refused() {
        let (note, key) = cosigned(1 << 63);
        assert!(key.cosigned(&Note::parse(&note).unwrap()).is_err());
    }

    #[test]
    fn the_key_is_read_as_it_is_written_and_is_no_log_key() {
        let (_, key) = cosigned(1);
        assert_eq!(WitnessKey::parse(&key.to_string()), Ok(key.clone()));
        assert!(VerifierKey::parse(&key.to_string()).is_err());
        let log = SignerKey::new("example.test/log", &[1; 32]).unwrap();
        assert!(WitnessKey::parse(&log.verifier().to_string()).is_err());
    }

    /// The example of the specification: its cosignature has the shape that is read here.
    #[test]
    fn the_specifications_example_is_a_cosignature_by_its_shape() {
        let note = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
            \u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";
        let note = Note::parse(note.as_bytes()).unwrap();
        let signature = &note.signatures[0].signature;
        assert_eq!(signature.len(), 72);
        assert_eq!(signature[..8], 1_679_315_147_u64.to_be_bytes());
    }
}
