//! One file of the spool: a header, then frames, one per record.
//!
//! `docs/spool-format.md` is normative; numbers are big-endian.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::map::Map;
pub(crate) use super::map::Pen;
use crate::item::{CHAIN, Chain, Origin};

/// First bytes of each file; the digit is the version of the format.
pub(crate) const MAGIC: &[u8; 16] = b"recount spool 1\n";
/// Bytes in front of the item in a frame: length, checksum, flags.
pub(crate) const FRAME: usize = 9;
/// Flag of a record whose sender waited for the collector.
pub(crate) const STRICT: u8 = 1;
/// Flag of a begin that nobody waited for: its action ran at once.
pub(crate) const RAN: u8 = 2;
/// Name ending of a spool file.
pub(crate) const ENDING: &str = "spool";

const PRODUCER: usize = 16;
const RUN: usize = 32;
const NUMBER: usize = 48;
const FIRST_SEQ: usize = 56;
const DATA: usize = 64;
const HEAD: usize = 72;
const ACKED: usize = 80;
const CHAIN_AT: usize = 88;
const CHAIN_KNOWN: usize = 120;
const LENGTHS: usize = 128;
const PARTS: usize = 136;

/// What the header of a segment says that never changes.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) producer: [u8; 16],
    pub(crate) run: [u8; 16],
    /// Number of this file in its run, from 0.
    pub(crate) number: u64,
    /// Sequence of its first record.
    pub(crate) first_seq: u64,
    pub(crate) origin: std::sync::Arc<Origin>,
}

/// A mapped file of the spool, locked for as long as it is held.
pub(crate) struct Segment {
    pub(crate) identity: Identity,
    path: PathBuf,
    map: Map,
    /// Holds the lock of the file, by which others see that we live.
    file: File,
    data: usize,
    acked: AtomicU64,
    flushed: AtomicU64,
    full: AtomicBool,
}

impl fmt::Debug for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Segment({})", self.path.display())
    }
}

impl Segment {
    /// Creates, fills with zeros (so that the device's space is ours before a
    /// mapped write needs it), locks and maps a new file.
    pub(crate) fn create(folder: &Path, identity: Identity, len: usize) -> io::Result<(Self, Pen)> {
        let run = uuid::Uuid::from_bytes(identity.run);
        let name = format!("{run}-{:08}.{ENDING}", identity.number);
        let (path, new) = (folder.join(&name), folder.join(format!("{name}.new")));
        let header = header(&identity);
        let len = len.max(header.len() + FRAME);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        let made = (|| {
            file.try_lock().map_err(io::Error::from)?;
            file.write_all(&header)?;
            let zeros = vec![0; 64 * 1024];
            let mut left = len - header.len();
            while left > 0 {
                let part = left.min(zeros.len());
                file.write_all(&zeros[..part])?;
                left -= part;
            }
            std::fs::rename(&new, &path)?;
            Map::new(&file, header.len(), header.len())
        })();
        match made {
            Ok((map, pen)) => {
                let segment = Self::of(identity, path, file, map, header.len());
                Ok((segment, pen))
            }
            Err(error) => {
                let _ = std::fs::remove_file(&new);
                Err(error)
            }
        }
    }

    /// Opens a file that a process left behind; `None` when its process still
    /// lives, or somebody else took it first.
    pub(crate) fn adopt(path: &Path) -> io::Result<Option<(Self, Left)>> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
        }
        if !path.exists() {
            return Ok(None); // its owner finished it between our look and our lock
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.read_to_end(&mut bytes)?;
        let parsed = Parsed::read(&bytes).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "not a spool file, or its header is damaged",
            )
        })?;
        let (map, _) = Map::new(&file, parsed.data, parsed.end)?;
        let left = Left {
            chain: parsed.chain,
            damaged_bytes: parsed.head.saturating_sub(parsed.end),
        };
        let segment = Self::of(parsed.identity, path.to_owned(), file, map, parsed.data);
        segment.acked.store(parsed.acked as u64, Ordering::Release);
        segment.full.store(true, Ordering::Release);
        Ok(Some((segment, left)))
    }

    fn of(identity: Identity, path: PathBuf, file: File, map: Map, data: usize) -> Self {
        Self {
            identity,
            path,
            map,
            file,
            data,
            acked: AtomicU64::new(data as u64),
            flushed: AtomicU64::new(0),
            full: AtomicBool::new(false),
        }
    }

    /// Makes appending cheaper, at a price now.
    pub(crate) fn warm(&self) {
        self.map.warm();
    }

    /// Says the sequence of the first record, before it is appended.
    pub(crate) fn set_first_seq(&self, seq: u64) {
        self.map.set_number(FIRST_SEQ, seq);
    }

    /// Appends one item, given in parts, as a frame; false when it does not fit.
    pub(crate) fn append(&self, pen: &mut Pen, flags: u8, [a, b, c]: [&[u8]; 3]) -> bool {
        let Ok(len) = u32::try_from(a.len() + b.len() + c.len()) else {
            return false;
        };
        let mut frame = [0; FRAME];
        frame[..4].copy_from_slice(&len.to_be_bytes());
        frame[4..8].copy_from_slice(&checksum(flags, [a, b, c]).to_be_bytes());
        frame[8] = flags;
        let fits = self.map.append(pen, [&frame, a, b, c]);
        if fits {
            self.map.set_number(HEAD, self.map.mark() as u64);
        }
        fits
    }

    /// Bytes of the file.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// Offset of the first frame.
    pub(crate) fn data(&self) -> usize {
        self.data
    }

    /// The frames from an offset on that begins one.
    pub(crate) fn frames(&self, from: usize) -> Frames<'_> {
        Frames {
            bytes: self.map.valid_from(from),
            at: 0,
            base: from,
        }
    }

    /// Where the last frame ends.
    pub(crate) fn end(&self) -> usize {
        self.map.mark()
    }

    /// Says that no frame will follow.
    pub(crate) fn set_full(&self) {
        self.full.store(true, Ordering::Release);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Where the first frame begins that nobody acknowledged.
    pub(crate) fn acked(&self) -> usize {
        self.acked.load(Ordering::Acquire) as usize
    }

    /// Remembers that everything in front of an offset is acknowledged.
    pub(crate) fn set_acked(&self, offset: usize) {
        self.acked.store(offset as u64, Ordering::Release);
        self.map.set_number(ACKED, offset as u64);
    }

    /// Remembers the chain in front of the first frame, so that the files
    /// before this one can go. On the device when it returns.
    pub(crate) fn set_chain(&self, chain: &Chain) {
        for (place, part) in chain.last.chunks_exact(8).enumerate() {
            let mut number = [0; 8];
            number.copy_from_slice(part);
            self.map
                .set_number(CHAIN_AT + 8 * place, u64::from_be_bytes(number));
        }
        self.map.set_number(CHAIN_KNOWN, 1);
        let _ = self.map.flush(0, self.data);
    }

    /// Writes to the device what is not there yet.
    pub(crate) fn flush(&self) -> io::Result<()> {
        let (from, to) = (self.flushed.load(Ordering::Acquire) as usize, self.end());
        if to > from {
            self.map.flush(from, to)?;
            self.map.flush(0, PARTS)?;
            self.flushed.fetch_max(to as u64, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Whether everything in it is on the device.
    pub(crate) fn is_flushed(&self) -> bool {
        self.flushed.load(Ordering::Acquire) as usize >= self.end()
    }

    /// Gives the file up, as it is.
    pub(crate) fn unlock(&self) {
        let _ = self.file.unlock();
    }

    /// Deletes the file.
    pub(crate) fn delete(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)?;
        let _ = self.file.unlock();
        Ok(())
    }
}

/// What a process left in a segment besides its records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    /// The chain in front of its first frame; `None` when the file before it
    /// must say it.
    pub(crate) chain: Option<Chain>,
    /// Bytes that were written and cannot be read back (the host went down).
    pub(crate) damaged_bytes: usize,
}

/// One record in a segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub(crate) item: &'a [u8],
    pub(crate) flags: u8,
    /// Offset one past the frame.
    pub(crate) end: usize,
}

/// Frames in their order; stops at the first one that is not whole.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    bytes: &'a [u8],
    at: usize,
    base: usize,
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        let rest = self.bytes.get(self.at..)?;
        let (head, rest) = rest.split_at_checked(FRAME)?;
        let len = u32::from_be_bytes(array(head, 0)?) as usize;
        // The chain's place is part of every item: a shorter one was never written.
        let item = rest.get(..len).filter(|item| item.len() > CHAIN)?;
        if checksum(head[8], [item]).to_be_bytes() != head[4..8] {
            return None;
        }
        self.at += FRAME + len;
        Some(Frame {
            item,
            flags: head[8],
            end: self.base + self.at,
        })
    }
}

/// CRC-32 of the flags and the item.
fn checksum<const N: usize>(flags: u8, item: [&[u8]; N]) -> u32 {
    let mut sum = crc32fast::Hasher::new_with_initial(sum_of_byte(flags));
    for part in item {
        sum.update(part);
    }
    sum.finalize()
}

/// CRC-32 of one byte.
fn sum_of_byte(byte: u8) -> u32 {
    let mut sum = u32::from(!byte);
    for _ in 0..8 {
        sum = (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
    }
    !(sum ^ 0x00ff_ffff)
}

fn header(identity: &Identity) -> Vec<u8> {
    let origin = &identity.origin;
    let data = (PARTS + origin.resource.len() + origin.scope.len()).next_multiple_of(4096);
    let mut out = Vec::with_capacity(data);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&identity.producer);
    out.extend_from_slice(&identity.run);
    for number in [
        identity.number,
        identity.first_seq,
        data as u64,
        data as u64,
        data as u64,
    ] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    out.extend_from_slice(&[0; CHAIN]);
    let known = u64::from(identity.number == 0);
    out.extend_from_slice(&known.to_be_bytes());
    for part in [&origin.resource, &origin.scope] {
        out.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    }
    out.extend_from_slice(&origin.resource);
    out.extend_from_slice(&origin.scope);
    out.resize(data, 0);
    out
}

struct Parsed {
    identity: Identity,
    data: usize,
    head: usize,
    acked: usize,
    /// End of the last whole frame.
    end: usize,
    chain: Option<Chain>,
}

impl Parsed {
    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.get(..16)? != MAGIC {
            return None;
        }
        let number = |at| Some(u64::from_be_bytes(array(bytes, at)?));
        let offset = |at| usize::try_from(number(at)?).ok();
        let resource_len = u32::from_be_bytes(array(bytes, LENGTHS)?) as usize;
        let scope_len = u32::from_be_bytes(array(bytes, LENGTHS + 4)?) as usize;
        let (data, acked) = (offset(DATA)?, offset(ACKED)?);
        let scope_at = PARTS.checked_add(resource_len)?;
        let parts_end = scope_at.checked_add(scope_len)?;
        if parts_end > data || acked < data || data > bytes.len() {
            return None;
        }
        let origin = Origin {
            resource: bytes.get(PARTS..scope_at)?.to_vec(),
            scope: bytes.get(scope_at..parts_end)?.to_vec(),
        };
        let first_seq = number(FIRST_SEQ)?;
        let last = array(bytes, CHAIN_AT)?;
        let known = number(CHAIN_KNOWN)? == 1;
        let frames = Frames {
            bytes: bytes.get(data..)?,
            at: 0,
            base: data,
        };
        let (count, end) = frames.fold((0, data), |(count, _), frame| (count + 1, frame.end));
        // Sequence numbers are sent as `int64`.
        i64::try_from(first_seq.checked_add(count)?).ok()?;
        Some(Self {
            identity: Identity {
                producer: array(bytes, PRODUCER)?,
                run: array(bytes, RUN)?,
                number: number(NUMBER)?,
                first_seq,
                origin: std::sync::Arc::new(origin),
            },
            data,
            head: offset(HEAD)?,
            acked: acked.min(end),
            end,
            chain: known.then_some(Chain {
                last,
                next: first_seq,
            }),
        })
    }
}

/// Whatever the bytes are, what is read of them lies within them.
#[cfg(any(test, fuzzing))]
pub(crate) fn frames_are_within(bytes: &[u8]) {
    let Some(parsed) = Parsed::read(bytes) else {
        return;
    };
    let frames = Frames {
        bytes: bytes.get(parsed.data..).unwrap_or_default(),
        at: 0,
        base: parsed.data,
    };
    let mut before = parsed.data;
    for frame in frames {
        assert!(frame.item.len() > CHAIN && frame.end == before + FRAME + frame.item.len());
        before = frame.end;
    }
    assert!(before == parsed.end && parsed.end <= bytes.len() && parsed.acked <= parsed.end);
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file with these items, and what it says after its process is gone.
    fn file(items: &[Vec<u8>]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity {
            producer: [1; 16],
            run: [2; 16],
            number: 0,
            first_seq: 0,
            origin: std::sync::Arc::new(Origin {
                resource: b"resource".to_vec(),
                scope: b"scope".to_vec(),
            }),
        };
        let (segment, mut pen) = Segment::create(folder.path(), identity, 16 * 1024).unwrap();
        for item in items {
            let (a, b) = item.split_at(item.len() / 2);
            assert!(segment.append(&mut pen, 0, [a, &[], b]));
        }
        let path = segment.path.clone();
        (folder, path)
    }

    fn items_of(path: &Path) -> Option<Vec<Vec<u8>>> {
        let (segment, _) = Segment::adopt(path).ok()??;
        let frames = segment.frames(segment.data());
        Some(frames.map(|frame| frame.item.to_vec()).collect())
    }

    #[test]
    fn the_sum_of_one_byte_is_the_usual_one() {
        for byte in 0..=255 {
            assert_eq!(sum_of_byte(byte), crc32fast::hash(&[byte]), "{byte}");
        }
    }

    #[test]
    fn a_frame_too_short_for_its_chain_ends_the_file() {
        let (folder, path) = file(&[vec![7; 60], vec![8; CHAIN], vec![9; 60]]);
        assert_eq!(items_of(&path), Some(vec![vec![7; 60]]));
        let (lines, _) = super::super::left_behind(folder.path());
        let batch = lines[0].batch(10, 1 << 20, u64::MAX).unwrap();
        assert_eq!(batch.len(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_read_back_is_what_was_written(
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), CHAIN + 1..300), 0..20),
        ) {
            let (_folder, path) = file(&items);
            prop_assert_eq!(items_of(&path), Some(items));
        }

        #[test]
        fn a_damaged_file_gives_a_prefix_of_its_records_or_is_refused(
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), 40..200), 1..20),
            at in 0_usize..8 * 1024,
            flip in 1_u8..=255,
            cut in any::<bool>(),
        ) {
            let (_folder, path) = file(&items);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[at] ^= flip;
            if cut {
                bytes.truncate(at);
            }
            std::fs::write(&path, bytes).unwrap();
            if let Some(found) = items_of(&path) {
                prop_assert!(items.starts_with(&found));
            }
        }

        #[test]
        fn any_header_is_refused_or_gives_a_prefix_of_the_records(
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), 40..200), 1..20),
            fields in prop::collection::vec(
                (prop::sample::select(vec![NUMBER, FIRST_SEQ, DATA, HEAD, ACKED, CHAIN_KNOWN, LENGTHS]),
                 prop_oneof![Just(0), Just(1), Just(u64::MAX), Just(u64::MAX - 3), 0_u64..10_000, any::<u64>()]),
                0..4),
        ) {
            let (folder, path) = file(&items);
            let mut bytes = std::fs::read(&path).unwrap();
            for (at, value) in fields {
                bytes[at..at + 8].copy_from_slice(&value.to_be_bytes());
            }
            std::fs::write(&path, &bytes).unwrap();
            if let Some(found) = items_of(&path) {
                // Where `data` points elsewhere, frames begin elsewhere: then there are none, for no checksum fits.
                let later = (0..=items.len()).any(|from| items[from..].starts_with(&found));
                prop_assert!(later, "{} records", found.len());
            }
            // What the next process does with it: links of the chain, and what is left to send.
            let (lines, _) = super::super::left_behind(folder.path());
            for line in &lines {
                let batch = line.batch(1000, 1 << 20, u64::MAX);
                prop_assert!(batch.is_none_or(|batch| batch.len() <= items.len()));
            }
        }
    }
}
