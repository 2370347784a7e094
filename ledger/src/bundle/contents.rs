//! What stands in a bundle's own files: `bundle.txt`, `ledger` and `streams/…`.
#![forbid(unsafe_code)]

use std::ops::Range;

use super::{FORMAT, MAX_QUERY};
use crate::bytes::{Cursor, Malformed, put_opaque};
use crate::leaf::RECORD_LEAF;
use crate::reader::{StoredControl, StoredPrivate};
use crate::tree::Hash;

const VERSION: u8 = 1;

/// What the exporter said: nothing vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) release: String,
    pub(super) query: String,
}

impl Said {
    /// The lines, if they can be written.
    pub(super) fn encode(&self) -> Option<String> {
        let text = format!("{FORMAT}\nrelease {}\nquery {}\n", self.release, self.query);
        (Self::decode(text.as_bytes()).as_ref() == Some(self)).then_some(text)
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let rest = text.strip_prefix(FORMAT)?.strip_prefix("\nrelease ")?;
        let (release, query) = rest.strip_suffix('\n')?.split_once("\nquery ")?;
        let plain = |c: u8| c.is_ascii_alphanumeric() || b".+-".contains(&c);
        let release_fits = (1..=64).contains(&release.len()) && release.bytes().all(plain);
        let query_fits =
            (1..=MAX_QUERY).contains(&query.len()) && !query.chars().any(char::is_control);
        (release_fits && query_fits).then(|| Self {
            release: release.to_owned(),
            query: query.to_owned(),
        })
    }
}

/// Leaves of the ledger log by index, and the hashes of their common proof.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Carried {
    pub(super) leaves: Vec<StoredControl>,
    pub(super) hashes: Vec<Hash>,
}

impl Carried {
    pub(super) fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let mut out = vec![VERSION];
        out.extend_from_slice(&(self.leaves.len() as u64).to_be_bytes());
        for stored in &self.leaves {
            out.extend_from_slice(&stored.index.to_be_bytes());
            put_opaque::<u32>(&mut out, &stored.leaf, "leaf")?;
            out.push(u8::from(stored.private.is_some()));
            if let Some(private) = &stored.private {
                out.extend_from_slice(&private.salt);
                put_opaque::<u32>(&mut out, &private.body, "private")?;
            }
        }
        out.extend_from_slice(self.hashes.as_flattened());
        Ok(out)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(bytes);
        cursor.version("ledger version", VERSION)?;
        let count = cursor.u64("number of leaves")?;
        let mut leaves: Vec<StoredControl> = Vec::new();
        for _ in 0..count {
            let index = cursor.u64("index")?;
            if leaves.last().is_some_and(|last| last.index >= index) {
                let field = "index of a leaf behind another";
                return Err(Malformed::Value {
                    field,
                    value: index,
                });
            }
            let leaf = cursor.opaque32("leaf")?.to_vec();
            let private = match cursor.u8("private")? {
                0 => None,
                1 => Some(StoredPrivate {
                    salt: cursor.array("salt")?,
                    body: cursor.opaque32("private part")?.to_vec(),
                }),
                other => {
                    return Err(Malformed::Value {
                        field: "private",
                        value: u64::from(other),
                    });
                }
            };
            leaves.push(StoredControl {
                index,
                leaf,
                private,
            });
        }
        let (hashes, rest) = cursor.rest().as_chunks::<32>();
        if rest.is_empty() {
            Ok(Self {
                leaves,
                hashes: hashes.to_vec(),
            })
        } else {
            Err(Malformed::Trailing {
                what: "hashes",
                extra: rest.len(),
            })
        }
    }
}

/// One record of a stream file: where its bytes lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    /// There is nothing at this index.
    Missing,
    /// Leaf, salt and envelope.
    Whole { leaf: usize, envelope: Range<usize> },
    /// The leaf alone.
    Bare { leaf: usize },
}

impl Entry {
    /// Where the salt of a whole record starts.
    pub(super) fn salt_at(leaf: usize) -> usize {
        leaf + RECORD_LEAF
    }
}

const MISSING: u8 = 0;
const WHOLE: u8 = 1;
const BARE: u8 = 2;

/// A stream file while it is written.
pub(super) struct StreamFile {
    out: Vec<u8>,
    count: u64,
}

impl StreamFile {
    pub(super) fn new() -> Self {
        let mut out = vec![VERSION];
        out.extend_from_slice(&[0; 8]);
        Self { out, count: 0 }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn missing(&mut self) {
        self.out.push(MISSING);
        self.count += 1;
    }

    pub(super) fn bare(&mut self, leaf: &[u8; RECORD_LEAF]) {
        self.out.push(BARE);
        self.out.extend_from_slice(leaf);
        self.count += 1;
    }

    pub(super) fn whole(
        &mut self,
        leaf: &[u8; RECORD_LEAF],
        salt: &[u8; 32],
        envelope: &[u8],
    ) -> Result<(), Malformed> {
        self.out.push(WHOLE);
        self.out.extend_from_slice(leaf);
        self.out.extend_from_slice(salt);
        put_opaque::<u32>(&mut self.out, envelope, "envelope")?;
        self.count += 1;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        if let Some(count) = self.out.get_mut(1..9) {
            count.copy_from_slice(&self.count.to_be_bytes());
        }
        self.out
    }
}

/// Where the records of a stream file lie, in offsets from the start of `bytes`.
pub(super) fn entries(bytes: &[u8]) -> Result<Vec<Entry>, Malformed> {
    let mut cursor = Cursor::new(bytes);
    let at = |cursor: &Cursor<'_>| bytes.len() - cursor.rest().len();
    cursor.version("stream version", VERSION)?;
    let count = cursor.u64("number of records")?;
    let mut entries = Vec::new();
    for _ in 0..count {
        let state = cursor.u8("record state")?;
        let leaf = at(&cursor);
        entries.push(match state {
            MISSING => Entry::Missing,
            BARE => {
                cursor.take(RECORD_LEAF, "leaf")?;
                Entry::Bare { leaf }
            }
            WHOLE => {
                cursor.take(RECORD_LEAF + 32, "leaf and salt")?;
                let envelope = cursor.opaque32("envelope")?.len();
                let end = at(&cursor);
                Entry::Whole {
                    leaf,
                    envelope: end - envelope..end,
                }
            }
            other => {
                return Err(Malformed::Value {
                    field: "record state",
                    value: u64::from(other),
                });
            }
        });
    }
    cursor.end("stream")?;
    Ok(entries)
}
