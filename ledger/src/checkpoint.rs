//! Checkpoints (C2SP checkpoint v1.0.0): a ledger's size and root, signed.
#![forbid(unsafe_code)]

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::leaf::{LedgerId, TreeHead};
use crate::note::{Note, NoteError, SignerKey, VerifierKey, is_key_name};

/// The origin of a ledger that was given none: `recount.local/` and 16 digits of its id.
#[must_use]
pub fn default_origin(ledger: &LedgerId) -> String {
    let id = ledger.to_string();
    format!("recount.local/{}", &id[..16])
}

/// A checkpoint's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// First line: which ledger.
    pub origin: String,
    /// Size and root of its log.
    pub head: TreeHead,
}

impl Checkpoint {
    /// The three lines that are signed.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.head.size,
            STANDARD.encode(self.head.root)
        )
    }

    /// Reads the three lines. Extension lines are refused: no ledger of ours writes any.
    ///
    /// # Errors
    /// Any other shape.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed;
        let body = text
            .strip_suffix('\n')
            .ok_or(malformed("its text does not end in a newline"))?;
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(malformed("a checkpoint has three lines"));
        };
        if !is_key_name(origin) {
            return Err(malformed(
                "its origin is empty or has spaces or a plus sign",
            ));
        }
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|root| root.try_into().ok());
        let root = root.ok_or(malformed("its root is not 32 bytes in base64"))?;
        let size = parse_size(size).ok_or(malformed("its size is not a decimal number"))?;
        Ok(Self {
            origin: origin.to_owned(),
            head: TreeHead { size, root },
        })
    }

    /// The signed note.
    ///
    /// # Errors
    /// An origin that cannot stand in a note.
    pub fn sign(&self, key: &SignerKey) -> Result<Vec<u8>, NoteError> {
        key.sign(&self.text())
    }

    /// The signed note with a second signature: that of the epoch in which it is made.
    ///
    /// # Errors
    /// An origin that cannot stand in a note.
    pub fn sign_in_epoch(
        &self,
        key: &SignerKey,
        epoch: Option<&SignerKey>,
    ) -> Result<Vec<u8>, NoteError> {
        let mut note = self.sign(key)?;
        if let Some(epoch) = epoch {
            note.extend_from_slice(epoch.line(&self.text()).as_bytes());
        }
        Ok(note)
    }

    /// Reads a note and checks that `key` signed it and that its origin is the key's name.
    ///
    /// # Errors
    /// A malformed note, a missing or false signature, another origin.
    pub fn open(note: &[u8], key: &VerifierKey) -> Result<Self, NoteError> {
        let note = Note::parse(note)?;
        note.verify(key)?;
        let checkpoint = Self::parse(note.text)?;
        if checkpoint.origin == key.name() {
            Ok(checkpoint)
        } else {
            Err(NoteError::Malformed(
                "its origin is not the name of its key",
            ))
        }
    }
}

/// The notes in a file to which checkpoints were appended one after the other: each is a text, an empty line and
/// signature lines, and an empty line follows. A file with one note gives that note.
#[must_use]
pub fn appended(bytes: &[u8]) -> Vec<&[u8]> {
    const EMPTY: &[u8] = b"\n\n";
    let mut notes = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let empty = |from: usize| {
            let behind = rest.get(from..).unwrap_or_default();
            behind
                .windows(EMPTY.len())
                .position(|two| two == EMPTY)
                .map(|at| from + at)
        };
        // The first empty line is in the note, the second behind it.
        let end = empty(0)
            .and_then(|text| empty(text + EMPTY.len()))
            .map(|at| at + 1);
        let (note, behind) = rest.split_at(end.unwrap_or(rest.len()));
        notes.push(note);
        rest = behind.strip_prefix(b"\n").unwrap_or(behind);
    }
    notes
}

/// Decimal without sign or leading zeros.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appended_notes_are_found_one_by_one() {
        let note =
            |size: u8| format!("a\n{size}\nroot\n\n\u{2014} a x\n\u{2014} b y\n").into_bytes();
        let (one, two) = (note(1), note(2));
        let both = [&one[..], b"\n", &two, b"\n"].concat();
        assert_eq!(appended(&both), [&one[..], &two]);
        assert_eq!(appended(&one), [&one[..]]);
        assert!(appended(b"").is_empty());
        assert_eq!(appended(b"nonsense"), [b"nonsense"]);
    }
}
