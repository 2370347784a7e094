//! The body of `add-checkpoint`: how it is written and read, strictly.

use base64::{Engine, engine::general_purpose::STANDARD};
use ledger::checkpoint::Checkpoint;
use ledger::note::{Note, NoteError};
use ledger::tree::Hash;

/// Most hashes that a proof may have: a tree of 2^63 leaves needs no more.
pub(crate) const MAX_PROOF: usize = 63;

/// Longest body: 63 hashes, and a note with 32 signatures of any kind that is known today.
pub(crate) const MAX_BODY: usize = 160 * 1024;

/// Why a body is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRequest {
    #[error("the body is not text")]
    NotText,
    #[error("the first line is not `old` and a size in decimal")]
    OldSize,
    #[error("no empty line before the checkpoint")]
    NoCheckpoint,
    #[error("more than 63 hashes")]
    TooManyHashes,
    #[error("{0:?} is not a hash in base64")]
    Hash(String),
    #[error(transparent)]
    Note(#[from] NoteError),
}

/// One request, taken apart; nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request<'a> {
    /// Size of the checkpoint that the witness is expected to hold.
    pub(crate) old: u64,
    /// Why the new checkpoint extends it.
    pub(crate) proof: Vec<Hash>,
    /// The checkpoint's note.
    pub(crate) note: Note<'a>,
    /// What its text says.
    pub(crate) checkpoint: Checkpoint,
}

impl<'a> Request<'a> {
    /// Takes a body apart.
    ///
    /// # Errors
    /// Anything that is not exactly of this form.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self, BadRequest> {
        let text = std::str::from_utf8(body).map_err(|_| BadRequest::NotText)?;
        let (head, note) = text.split_once("\n\n").ok_or(BadRequest::NoCheckpoint)?;
        let mut lines = head.split('\n');
        let old = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .and_then(decimal)
            .ok_or(BadRequest::OldSize)?;
        let mut proof = Vec::new();
        for line in lines {
            if proof.len() == MAX_PROOF {
                return Err(BadRequest::TooManyHashes);
            }
            proof.push(hash(line)?);
        }
        let note = Note::parse(note.as_bytes())?;
        let checkpoint = checkpoint(note.text)?;
        Ok(Self {
            old,
            proof,
            note,
            checkpoint,
        })
    }
}

/// The body that asks for a cosignature over `note`.
pub(crate) fn body(old: u64, proof: &[Hash], note: &[u8]) -> Vec<u8> {
    let mut body = format!("old {old}\n");
    for hash in proof {
        body.push_str(&STANDARD.encode(hash));
        body.push('\n');
    }
    body.push('\n');
    let mut body = body.into_bytes();
    body.extend_from_slice(note);
    body
}

/// A size: digits, without leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn hash(line: &str) -> Result<Hash, BadRequest> {
    let bytes = STANDARD.decode(line).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| BadRequest::Hash(line.chars().take(60).collect()))
}

/// The first three lines. Other logs may add lines, which are cosigned and say nothing here.
fn checkpoint(text: &str) -> Result<Checkpoint, NoteError> {
    let third = text.match_indices('\n').nth(2).map(|(at, _)| at + 1);
    let (three, more) = text.split_at(third.unwrap_or(text.len()));
    if more.starts_with('\n') || more.contains("\n\n") {
        return Err(NoteError::Malformed("an empty line in the checkpoint"));
    }
    Checkpoint::parse(three)
}

#[cfg(test)]
mod tests {
    use ledger::leaf::TreeHead;
    use ledger::note::SignerKey;
    use proptest::prelude::*;

    use super::*;

    fn note(text: &str) -> Vec<u8> {
        SignerKey::new("example.test/log", &[1; 32])
            .unwrap()
            .sign(text)
            .unwrap()
    }

    fn text(size: u64) -> String {
        Checkpoint {
            origin: "example.test/log".to_owned(),
            head: TreeHead {
                size,
                root: [8; 32],
            },
        }
        .text()
    }

    #[test]
    fn what_is_not_exactly_a_request_is_refused() {
        let good = String::from_utf8(body(3, &[[1; 32]], &note(&text(5)))).unwrap();
        assert!(Request::parse(good.as_bytes()).is_ok());
        let hash = STANDARD.encode([1; 32]);
        let many = good.replace(&format!("{hash}\n"), &format!("{hash}\n").repeat(64));
        let bad = [
            good.replace("old 3", "old 03"),
            good.replace("old 3", "old +3"),
            good.replace("old 3", "old  3"),
            good.replace("old 3", "OLD 3"),
            good.replace("old 3", "old 18446744073709551616"),
            good.replace("old 3\n", ""),
            good.replace("old 3\n", "old 3\r\n"),
            good.replace(&hash, &hash[..40]),
            good.replace(&hash, &format!("{hash} ")),
            good.replace(&hash, &hash.replace('=', "")),
            good.replace("\n\n", "\n"),
            good.replacen("\n\n", "\n\n\n", 1),
            good.replace("\n5\n", "\n05\n"),
            good.replace("\n5\n", "\n-5\n"),
            good.trim_end().to_owned(),
            many,
            String::new(),
        ];
        for bad in bad {
            assert!(Request::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert_eq!(
            Request::parse(b"\xff\n\n").unwrap_err(),
            BadRequest::NotText
        );
    }

    #[test]
    fn sixty_three_hashes_are_read_and_lines_of_other_logs_are_passed_over() {
        let more = note(&format!("{}extension\n", text(9)));
        let body = body(0, &[[2; 32]; 63], &more);
        let request = Request::parse(&body).unwrap();
        assert_eq!((request.proof.len(), request.checkpoint.head.size), (63, 9));
        assert!(request.note.text.ends_with("extension\n"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(old: u64, size: u64, proof in proptest::collection::vec(any::<Hash>(), 0..=63)) {
            let note = note(&text(size));
            let body = body(old, &proof, &note);
            let request = Request::parse(&body).unwrap();
            prop_assert_eq!(request.old, old);
            prop_assert_eq!(&request.proof, &proof);
            prop_assert_eq!(request.checkpoint.head.size, size);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Request::parse(&bytes);
        }

        #[test]
        fn no_change_of_one_byte_makes_it_panic(at in 0_usize..300, to: u8) {
            let mut body = body(3, &[[1; 32]], &note(&text(5)));
            let at = at % body.len();
            body[at] = to;
            let _ = Request::parse(&body);
        }
    }
}
