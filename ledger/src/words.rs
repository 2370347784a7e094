//! A ledger's fingerprint in words that a person can read to another: BIP-39, 24 words of the English list.
#![forbid(unsafe_code)]

use bip39::Mnemonic;

use crate::fingerprint::Fingerprint;
use crate::note::VerifierKey;
use crate::verify::Trusted;

/// Text that names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAKey {
    /// It looks like a verifier key and is none.
    #[error(transparent)]
    Key(#[from] crate::note::NoteError),
    /// It looks like words and is no fingerprint.
    #[error("not 24 words that init printed: {0}")]
    Words(String),
}

impl Fingerprint {
    /// The 24 words, separated by spaces.
    #[must_use]
    pub fn words(&self) -> String {
        Mnemonic::from_entropy(&self.0).map_or_else(|_| String::new(), |words| words.to_string())
    }

    /// The words in lines of six, for paper.
    #[must_use]
    pub fn word_lines(&self) -> Vec<String> {
        let words = self.words();
        let words: Vec<&str> = words.split(' ').collect();
        words.chunks(6).map(|six| six.join(" ")).collect()
    }

    /// Reads 24 words, in any case and with any white space between them. The checksum catches a wrong word.
    ///
    /// # Errors
    /// Another number of words, a word that is not on the list, a wrong checksum.
    pub fn from_words(text: &str) -> Result<Self, NotAKey> {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        let mnemonic = Mnemonic::parse_normalized(&words.join(" "))
            .map_err(|error| NotAKey::Words(error.to_string()))?;
        let (entropy, length) = mnemonic.to_entropy_array();
        match (entropy.first_chunk::<32>(), length) {
            (Some(bytes), 32) => Ok(Self(*bytes)),
            _ => Err(NotAKey::Words(format!("{} words", words.len()))),
        }
    }
}

impl Trusted {
    /// What a person names to be believed: a verifier key as in `ledger.pub`, or the words that `init` printed.
    ///
    /// # Errors
    /// Text that is neither.
    pub fn named(text: &str) -> Result<Self, NotAKey> {
        let text = text.trim();
        if text.contains('+') {
            return Ok(Self::Pinned(VerifierKey::parse(text)?));
        }
        Fingerprint::from_words(text).map(Self::Words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_and_a_wrong_one_is_noticed() {
        // The vector of BIP-39 for 32 bytes of 0x7f.
        let fingerprint = Fingerprint([0x7f; 32]);
        let words = fingerprint.words();
        assert!(words.starts_with("legal winner thank year wave sausage worth useful legal"));
        assert!(words.ends_with("worth title"));
        assert_eq!(Fingerprint::from_words(&words), Ok(fingerprint));
        let loud = words.to_uppercase().replace(' ', "\n  ");
        assert_eq!(Fingerprint::from_words(&loud), Ok(fingerprint));
        assert_eq!(fingerprint.word_lines().len(), 4);
        for bad in [
            words.replacen("legal", "winner", 1),
            words.replace("title", "useful"),
            words.replace(" title", ""),
            "legal winner thank year wave sausage worth useful legal winner thank yellow".into(),
            String::new(),
        ] {
            assert!(Fingerprint::from_words(&bad).is_err(), "{bad}");
        }
    }
}
