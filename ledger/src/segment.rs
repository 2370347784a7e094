//! A segment: consecutive records of one stream, with the parts they share written once.
//!
//! Its salts and leaves lie in columns of their own, so that erasing a record rewrites one row.
#![forbid(unsafe_code)]

use std::collections::HashMap;

use crate::bytes::{Cursor, put_opaque};
use crate::envelope::{Encoding, Envelope, Signal};

pub use crate::bytes::Malformed;

/// Version byte of the uncompressed form.
pub const VERSION: u8 = 1;
/// Longest uncompressed form that is read, in bytes.
pub const MAX_PLAIN: usize = 1 << 28;

/// Parts or heads that are compared one by one; more are found by hashing.
const FEW: usize = 16;

/// Item length that stands for an erased record.
const ERASED: u32 = u32::MAX;

/// What repeats from record to record: encoding, signal and five parts by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Head {
    encoding: u8,
    signal: u8,
    parts: [u32; 5],
}

/// Builds the uncompressed form, record by record.
#[derive(Debug, Default)]
pub struct Builder<'a> {
    parts: Vec<&'a [u8]>,
    part_numbers: HashMap<&'a [u8], u32>,
    heads: Vec<Head>,
    head_numbers: HashMap<Head, u32>,
    records: Vec<Option<(u32, &'a [u8])>>,
    /// The newest record's head by the places where its parts lie.
    newest: Option<(Encoding, Signal, [&'a [u8]; 5], u32)>,
}

impl<'a> Builder<'a> {
    /// An empty segment.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a record.
    pub fn push(&mut self, envelope: &Envelope<'a>) {
        let [collector, resource, resource_url, scope, scope_url, item] = envelope.parts();
        let places = [collector, resource, resource_url, scope, scope_url];
        let (encoding, signal) = (envelope.encoding, envelope.signal);
        // Records of one export share their parts in place; then there is nothing to compare or hash.
        let number = match &self.newest {
            Some((e, s, newest, number))
                if (*e, *s) == (encoding, signal)
                    && newest
                        .iter()
                        .zip(&places)
                        .all(|(a, b)| std::ptr::eq(*a, *b)) =>
            {
                *number
            }
            _ => {
                let parts = places.map(|part| self.part(part));
                let number = self.head(Head {
                    encoding: encoding as u8,
                    signal: signal as u8,
                    parts,
                });
                self.newest = Some((encoding, signal, places, number));
                number
            }
        };
        self.records.push(Some((number, item)));
    }

    /// Appends the place of an erased record.
    pub fn push_erased(&mut self) {
        self.records.push(None);
    }

    fn part(&mut self, part: &'a [u8]) -> u32 {
        // Most segments have a handful of parts: looking through them costs less than hashing one.
        if self.parts.len() <= FEW {
            if let Some(number) = self.parts.iter().position(|known| *known == part) {
                return number as u32;
            }
            if self.parts.len() == FEW {
                let numbered = self.parts.iter().copied().zip(0..);
                self.part_numbers = numbered.collect();
            }
        } else if let Some(number) = self.part_numbers.get(part) {
            return *number;
        }
        let next = self.parts.len() as u32;
        self.parts.push(part);
        if self.parts.len() > FEW {
            self.part_numbers.insert(part, next);
        }
        next
    }

    fn head(&mut self, head: Head) -> u32 {
        // Heads differ only where parts do, so there are few of them, too, unless nearly every record is masked.
        if self.heads.len() <= FEW {
            if let Some(number) = self.heads.iter().position(|known| *known == head) {
                return number as u32;
            }
            if self.heads.len() == FEW {
                let numbered = self.heads.iter().copied().zip(0..);
                self.head_numbers = numbered.collect();
            }
        } else if let Some(number) = self.head_numbers.get(&head) {
            return *number;
        }
        let next = self.heads.len() as u32;
        self.heads.push(head);
        if self.heads.len() > FEW {
            self.head_numbers.insert(head, next);
        }
        next
    }

    /// The uncompressed form.
    ///
    /// # Errors
    /// A part or an item of 4 GiB or more.
    pub fn encode(&self) -> Result<Vec<u8>, Malformed> {
        let items: usize = self
            .records
            .iter()
            .flatten()
            .map(|(_, item)| item.len())
            .sum();
        let mut out = Vec::with_capacity(items + 8 * self.records.len() + 1024);
        out.push(VERSION);
        out.extend_from_slice(&(self.parts.len() as u32).to_be_bytes());
        for part in &self.parts {
            put_opaque::<u32>(&mut out, part, "part")?;
        }
        out.extend_from_slice(&(self.heads.len() as u32).to_be_bytes());
        for head in &self.heads {
            out.extend_from_slice(&[head.encoding, head.signal]);
            for part in head.parts {
                out.extend_from_slice(&part.to_be_bytes());
            }
        }
        out.extend_from_slice(&(self.records.len() as u32).to_be_bytes());
        for record in &self.records {
            match record {
                Some((_, item)) if item.len() >= ERASED as usize => {
                    return Err(Malformed::TooLong {
                        field: "item",
                        len: item.len(),
                    });
                }
                Some((head, item)) => {
                    out.extend_from_slice(&head.to_be_bytes());
                    put_opaque::<u32>(&mut out, item, "item")?;
                }
                None => {
                    out.extend_from_slice(&0u32.to_be_bytes());
                    out.extend_from_slice(&ERASED.to_be_bytes());
                }
            }
        }
        Ok(out)
    }
}

/// A segment read back: envelopes borrowed from its uncompressed form.
#[derive(Debug)]
pub struct Segment<'a> {
    envelopes: Vec<Option<Envelope<'a>>>,
}

impl<'a> Segment<'a> {
    /// Reads the uncompressed form.
    ///
    /// # Errors
    /// Another version, a number that points nowhere, missing or extra bytes.
    pub fn decode(plain: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor::new(plain);
        cursor.version("segment version", VERSION)?;
        let parts = list(&mut cursor, "part count", 4, |c| c.opaque32("part"))?;
        let heads = list(&mut cursor, "head count", 22, |c| head(c, &parts))?;
        let envelopes = list(&mut cursor, "record count", 8, |c| {
            let number = c.u32("head number")?;
            let len = c.u32("item length")?;
            if len == ERASED {
                return Ok(None);
            }
            let head = heads.get(number as usize);
            let head = head.ok_or(Malformed::Value {
                field: "head number",
                value: u64::from(number),
            })?;
            Ok(Some(Envelope {
                item: c.take(len as usize, "item")?,
                ..*head
            }))
        })?;
        cursor.end("segment")?;
        Ok(Self { envelopes })
    }

    /// How many records the segment holds, erased ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.envelopes.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.envelopes.is_empty()
    }

    /// The records in order; `None` where one was erased.
    #[must_use]
    pub fn envelopes(&self) -> &[Option<Envelope<'a>>] {
        &self.envelopes
    }
}

/// Reads a count and that many things of at least `least` bytes each.
fn list<'a, T>(
    cursor: &mut Cursor<'a>,
    field: &'static str,
    least: usize,
    mut one: impl FnMut(&mut Cursor<'a>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = cursor.u32(field)? as usize;
    // A count that the rest cannot hold must not reserve memory.
    if count.saturating_mul(least) > cursor.rest().len() {
        return Err(Malformed::Value {
            field,
            value: count as u64,
        });
    }
    let mut out = Vec::with_capacity(count);
    for _ in 0..count {
        out.push(one(cursor)?);
    }
    Ok(out)
}

fn head<'a>(cursor: &mut Cursor<'a>, parts: &[&'a [u8]]) -> Result<Envelope<'a>, Malformed> {
    let encoding = Encoding::from_code(cursor.u8("encoding")?)?;
    let signal = Signal::from_code(cursor.u8("signal")?)?;
    let mut part = || {
        let number = cursor.u32("part number")?;
        let part = parts.get(number as usize).copied();
        part.ok_or(Malformed::Value {
            field: "part number",
            value: u64::from(number),
        })
    };
    Ok(Envelope {
        encoding,
        signal,
        collector: part()?,
        resource: part()?,
        resource_schema_url: part()?,
        scope: part()?,
        scope_schema_url: part()?,
        item: &[],
    })
}

/// How a stored segment is packed: its first byte.
#[cfg(feature = "store")]
mod packed {
    use std::cell::RefCell;

    use zstd::bulk::{Compressor, Decompressor};

    use super::MAX_PLAIN;

    // Setting up a context costs as much as packing a dozen records, so each thread keeps its own.
    thread_local! {
        static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
        static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    }

    fn compress(plain: &[u8], level: i32) -> std::io::Result<Vec<u8>> {
        COMPRESSOR.with_borrow_mut(|kept| {
            let mut compressor = match kept.take() {
                Some((of, compressor)) if of == level => compressor,
                _ => Compressor::new(level)?,
            };
            let squeezed = compressor.compress(plain);
            *kept = Some((level, compressor));
            squeezed
        })
    }

    fn decompress(body: &[u8], len: usize) -> std::io::Result<Vec<u8>> {
        DECOMPRESSOR.with_borrow_mut(|kept| {
            let mut decompressor = match kept.take() {
                Some(decompressor) => decompressor,
                None => Decompressor::new()?,
            };
            let plain = decompressor.decompress(body, len);
            *kept = Some(decompressor);
            plain
        })
    }

    /// A stored segment that cannot be unpacked.
    #[derive(Debug, thiserror::Error)]
    pub enum PackError {
        /// Fewer than five bytes, or an unknown codec.
        #[error("a packed segment of {len} bytes starts with codec {codec:?}")]
        Header {
            /// Length of the packed form in bytes.
            len: usize,
            /// Its first byte.
            codec: Option<u8>,
        },
        /// More than [`MAX_PLAIN`].
        #[error("a segment of {len} bytes is larger than the {MAX_PLAIN} that are read")]
        Large {
            /// Uncompressed length in bytes.
            len: usize,
        },
        /// The codec failed, or gave another length than the header says.
        #[error("segment does not unpack: {0}")]
        Codec(String),
    }

    /// Packs the uncompressed form: `u8 codec ‖ u32 plain length ‖ bytes`; codec 0 stored, 1 zstd.
    ///
    /// # Errors
    /// A form longer than [`MAX_PLAIN`]; a failure of zstd.
    pub fn pack(plain: &[u8], level: i32) -> Result<Vec<u8>, PackError> {
        if plain.len() > MAX_PLAIN {
            return Err(PackError::Large { len: plain.len() });
        }
        let squeezed = compress(plain, level).map_err(|e| PackError::Codec(e.to_string()))?;
        let (codec, body) = if squeezed.len() < plain.len() {
            (1, squeezed.as_slice())
        } else {
            (0, plain)
        };
        let mut out = Vec::with_capacity(5 + body.len());
        out.push(codec);
        out.extend_from_slice(&(plain.len() as u32).to_be_bytes());
        out.extend_from_slice(body);
        Ok(out)
    }

    /// Unpacks what [`pack`] packed.
    ///
    /// # Errors
    /// An unknown codec, a length beyond [`MAX_PLAIN`] or unlike the header's, damaged zstd.
    pub fn unpack(packed: &[u8]) -> Result<Vec<u8>, PackError> {
        let header = || PackError::Header {
            len: packed.len(),
            codec: packed.first().copied(),
        };
        let (head, body) = packed.split_first_chunk::<5>().ok_or_else(header)?;
        let len = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        if len > MAX_PLAIN {
            return Err(PackError::Large { len });
        }
        let plain = match head[0] {
            0 => body.to_vec(),
            1 => decompress(body, len).map_err(|e| PackError::Codec(e.to_string()))?,
            _ => return Err(header()),
        };
        if plain.len() == len {
            Ok(plain)
        } else {
            Err(PackError::Codec(format!(
                "{} bytes where the header says {len}",
                plain.len()
            )))
        }
    }
}

#[cfg(feature = "store")]
pub use packed::{PackError, pack, unpack};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_once_whether_they_are_few_or_many() {
        let collectors: Vec<Vec<u8>> = (0..3 * FEW)
            .map(|i| format!("collector {i}").into_bytes())
            .collect();
        let record = |collector: &'_ Vec<u8>| (collector.clone(), b"an item".to_vec());
        let kept: Vec<(Vec<u8>, Vec<u8>)> =
            collectors.iter().chain(&collectors).map(record).collect();
        let envelopes: Vec<Envelope<'_>> = kept
            .iter()
            .map(|(collector, item)| Envelope {
                encoding: Encoding::Json,
                signal: Signal::Logs,
                collector,
                resource: b"a resource",
                resource_schema_url: b"",
                scope: b"",
                scope_schema_url: b"",
                item,
            })
            .collect();
        let mut builder = Builder::new();
        envelopes.iter().for_each(|envelope| builder.push(envelope));
        // Each collector part, the resource, and one for everything empty.
        assert_eq!(
            (builder.parts.len(), builder.heads.len()),
            (3 * FEW + 2, 3 * FEW)
        );
        let plain = builder.encode().unwrap();
        let read = Segment::decode(&plain).unwrap();
        let whole: Vec<Option<Envelope<'_>>> = envelopes.into_iter().map(Some).collect();
        assert_eq!(read.envelopes(), whole);
    }
}
