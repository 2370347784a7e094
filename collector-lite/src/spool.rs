//! The spool that an agent's SDK left behind: read by its format, shipped by `adopt`, deleted once it is sealed.
//!
//! `docs/spool-format.md` is normative. An item's last 32 bytes are the place of its producer chain, filled in when it
//! is sent, as the SDK does.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use vocabulary::wire;

use crate::error::Error;

const MAGIC: &[u8; 16] = b"recount spool 1\n";
const ENDING: &str = "spool";
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
/// Bytes before the item in a frame.
const FRAME: usize = 9;
/// Bytes of the producer chain at the end of an item.
const CHAIN: usize = 32;

/// Records and bytes of one export.
const EXPORT_RECORDS: usize = 1000;
const EXPORT_BYTES: usize = 1 << 20;

/// Everything that one run of a producer left, oldest file first. Held locked.
#[derive(Debug)]
pub(crate) struct LeftRun {
    files: Vec<LeftFile>,
    last: [u8; CHAIN],
    next: u64,
}

#[derive(Debug)]
struct LeftFile {
    path: PathBuf,
    file: File,
    bytes: Vec<u8>,
    run: [u8; 16],
    number: u64,
    first_seq: u64,
    resource: Range<usize>,
    scope: Range<usize>,
    chain: Option<[u8; CHAIN]>,
    acked: usize,
    /// Items with the offset one past their frame.
    items: Vec<(Range<usize>, usize)>,
    damaged: usize,
}

/// Records ready to be sent, and how to remember that they were.
#[derive(Debug)]
pub(crate) struct LeftExport {
    /// An `ExportLogsServiceRequest`.
    pub(crate) body: Vec<u8>,
    pub(crate) records: usize,
    /// Which file, and up to which offset it is then acknowledged.
    file: usize,
    end: usize,
    last: [u8; CHAIN],
    next: u64,
}

/// Finds what was left in a folder. Files whose process lives are passed over; `living` counts them.
pub(crate) fn left_behind(folder: &Path, living: &mut usize) -> Result<Vec<LeftRun>, Error> {
    let failed = |source: io::Error| Error::Spool {
        path: folder.to_path_buf(),
        why: source.to_string(),
    };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
    paths.sort();
    let mut files: Vec<LeftFile> = Vec::new();
    for path in paths {
        match LeftFile::open(&path) {
            Ok(Some(file)) => files.push(file),
            Ok(None) => *living += 1,
            Err(source) => {
                return Err(Error::Spool {
                    path,
                    why: source.to_string(),
                });
            }
        }
    }
    files.sort_by_key(|file| (file.run, file.number));
    let mut runs: Vec<Vec<LeftFile>> = Vec::new();
    for file in files {
        match runs.last_mut() {
            Some(run) if run.last().is_some_and(|last| last.run == file.run) => run.push(file),
            _ => runs.push(vec![file]),
        }
    }
    Ok(runs.into_iter().map(LeftRun::of).collect())
}

impl LeftFile {
    /// Opens a file whose process is gone; `None` while it lives.
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        if !path.exists() {
            return Ok(None); // its owner finished it between our look and our lock
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let damaged = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "not a spool file, or its header is damaged",
            )
        };
        Self::parse(path, file, bytes).map(Some).ok_or_else(damaged)
    }

    fn parse(path: &Path, file: File, bytes: Vec<u8>) -> Option<Self> {
        if bytes.get(..MAGIC.len())? != MAGIC {
            return None;
        }
        let number = |at| Some(u64::from_be_bytes(array(&bytes, at)?));
        let offset = |at| usize::try_from(number(at)?).ok();
        let length = |at| Some(u32::from_be_bytes(array(&bytes, at)?) as usize);
        let scope_at = PARTS.checked_add(length(LENGTHS)?)?;
        let scope_end = scope_at.checked_add(length(LENGTHS + 4)?)?;
        let (data, head, acked) = (offset(DATA)?, offset(HEAD)?, offset(ACKED)?);
        if scope_end > data || data > bytes.len() || acked < data {
            return None;
        }
        let chain = array(&bytes, CHAIN_AT)?;
        let known = number(CHAIN_KNOWN)? == 1;
        let items = frames(&bytes, data);
        let first_seq = number(FIRST_SEQ)?;
        // Sequence numbers are sent as `int64`.
        i64::try_from(first_seq.checked_add(items.len() as u64)?).ok()?;
        let end = items.last().map_or(data, |(_, end)| *end);
        Some(Self {
            path: path.to_path_buf(),
            file,
            run: array(&bytes, RUN)?,
            number: number(NUMBER)?,
            first_seq,
            resource: PARTS..scope_at,
            scope: scope_at..scope_end,
            chain: known.then_some(chain),
            acked: acked.min(end),
            damaged: head.saturating_sub(end),
            items,
            bytes,
        })
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.bytes.get(range.clone()).unwrap_or_default()
    }

    /// Remembers in the file what is sealed, so that nobody ships it again.
    fn acknowledge(&mut self, end: usize) -> io::Result<()> {
        self.acked = end;
        self.file.seek(SeekFrom::Start(ACKED as u64))?;
        self.file.write_all(&(end as u64).to_be_bytes())
    }
}

/// Whatever the bytes are, frames lie behind each other and within them.
#[cfg(any(test, fuzzing))]
pub(crate) fn frames_are_within(bytes: &[u8]) {
    let data = array(bytes, DATA).map_or(0, u64::from_be_bytes);
    let mut before = usize::try_from(data).unwrap_or(usize::MAX);
    for (item, end) in frames(bytes, before) {
        assert!(item.start == before + FRAME && item.end == end && end <= bytes.len());
        assert!(item.len() > CHAIN);
        before = end;
    }
}

/// The whole frames from `at` on; stops at the first one that is not.
fn frames(bytes: &[u8], mut at: usize) -> Vec<(Range<usize>, usize)> {
    let mut items = Vec::new();
    while let Some(head) = array::<FRAME>(bytes, at) {
        let [a, b, c, d, sum @ .., flags] = head;
        let start = at + FRAME;
        let Some(end) = start.checked_add(u32::from_be_bytes([a, b, c, d]) as usize) else {
            break;
        };
        let Some(item) = bytes.get(start..end).filter(|item| item.len() > CHAIN) else {
            break;
        };
        let mut crc = crc32fast::Hasher::new();
        crc.update(&[flags]);
        crc.update(item);
        if crc.finalize().to_be_bytes() != sum {
            break;
        }
        items.push((start..end, end));
        at = end;
    }
    items
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

/// The next link of a producer chain, over an item whose chain bytes are zero.
fn link(last: &[u8; CHAIN], number: u64, item: &[u8]) -> [u8; CHAIN] {
    let mut tag = [0; 32];
    for (to, from) in tag.iter_mut().zip(wire::PRODUCER_CHAIN_TAG.bytes()) {
        *to = from;
    }
    Sha256::new()
        .chain_update(tag)
        .chain_update(last)
        .chain_update(number.to_be_bytes())
        .chain_update(Sha256::digest(item))
        .finalize()
        .into()
}

impl LeftRun {
    /// Takes up the chain where the acknowledged records end.
    fn of(files: Vec<LeftFile>) -> Self {
        let first = files.first();
        let mut run = Self {
            last: first.and_then(|file| file.chain).unwrap_or_default(),
            next: first.map_or(0, |file| file.first_seq),
            files,
        };
        for file in &run.files {
            for (item, _) in file.items.iter().take_while(|(_, end)| *end <= file.acked) {
                run.last = link(&run.last, run.next, file.part(item));
                run.next += 1;
            }
        }
        run
    }

    /// Bytes that were written and cannot be read back.
    pub(crate) fn damaged(&self) -> usize {
        self.files.iter().map(|file| file.damaged).sum()
    }

    /// The next export; `None` when everything is acknowledged.
    pub(crate) fn export(&self) -> Option<LeftExport> {
        let unsent = |file: &LeftFile| file.items.last().is_some_and(|(_, end)| *end > file.acked);
        let (number, file) = self
            .files
            .iter()
            .enumerate()
            .find(|(_, file)| unsent(file))?;
        let (mut last, mut next, mut end) = (self.last, self.next, file.acked);
        let (mut items, mut size) = (Vec::new(), 0);
        for (range, past) in file.items.iter().filter(|(_, end)| *end > file.acked) {
            size += range.len();
            if items.len() == EXPORT_RECORDS || (size > EXPORT_BYTES && !items.is_empty()) {
                break;
            }
            let mut item = file.part(range).to_vec();
            last = link(&last, next, &item);
            let place = item.len() - CHAIN;
            for (to, from) in item.iter_mut().skip(place).zip(last) {
                *to = from;
            }
            items.push(item);
            next += 1;
            end = *past;
        }
        let body = request(file.part(&file.resource), file.part(&file.scope), &items);
        Some(LeftExport {
            body,
            records: items.len(),
            file: number,
            end,
            last,
            next,
        })
    }

    /// The export is sealed.
    pub(crate) fn acknowledge(&mut self, export: &LeftExport) -> Result<(), Error> {
        (self.last, self.next) = (export.last, export.next);
        let Some(file) = self.files.get_mut(export.file) else {
            return Ok(());
        };
        file.acknowledge(export.end).map_err(|source| Error::Spool {
            path: file.path.clone(),
            why: source.to_string(),
        })
    }

    /// Removes the files of a run that is sealed whole; one with damage stays, for the SDK to report as a loss.
    pub(crate) fn remove(self) -> Result<(), Error> {
        if self.damaged() > 0 {
            return Ok(());
        }
        for file in &self.files {
            std::fs::remove_file(&file.path).map_err(|source| Error::Spool {
                path: file.path.clone(),
                why: source.to_string(),
            })?;
        }
        Ok(())
    }
}

/// An `ExportLogsServiceRequest` of one resource and one scope.
fn request(resource: &[u8], scope: &[u8], items: &[Vec<u8>]) -> Vec<u8> {
    let mut scope_logs = Vec::new();
    put(&mut scope_logs, 0x0a, scope);
    for item in items {
        put(&mut scope_logs, 0x12, item);
    }
    let mut resource_logs = Vec::new();
    put(&mut resource_logs, 0x0a, resource);
    put(&mut resource_logs, 0x12, &scope_logs);
    let mut out = Vec::new();
    put(&mut out, 0x0a, &resource_logs);
    out
}

fn put(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    let mut length = bytes.len();
    while length >= 0x80 {
        out.push((length as u8) | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file with these items as the SDK writes it, its chain at the end of each left to the sender.
    fn spooled(items: &[Vec<u8>], first_seq: u64) -> Vec<u8> {
        let mut frames = Vec::new();
        for item in items {
            let mut crc = crc32fast::Hasher::new();
            crc.update(&[0]);
            crc.update(item);
            frames.extend_from_slice(&(item.len() as u32).to_be_bytes());
            frames.extend_from_slice(&crc.finalize().to_be_bytes());
            frames.push(0);
            frames.extend_from_slice(item);
        }
        let mut bytes = vec![0; 4096];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        let end = 4096 + frames.len() as u64;
        for (at, value) in [
            (FIRST_SEQ, first_seq),
            (DATA, 4096),
            (HEAD, end),
            (ACKED, 4096),
        ] {
            bytes[at..at + 8].copy_from_slice(&value.to_be_bytes());
        }
        bytes.extend_from_slice(&frames);
        bytes
    }

    /// Everything that `adopt` would ship from this one file; `None` if it refuses it.
    fn shipped(bytes: &[u8]) -> Option<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.spool"), bytes).unwrap();
        let mut runs = left_behind(folder.path(), &mut 0).ok()?;
        let mut all = Vec::new();
        while let Some(export) = runs[0].export() {
            runs[0].acknowledge(&export).unwrap();
            all.extend_from_slice(&export.body);
        }
        Some(all)
    }

    fn holds(shipped: &[u8], item: &[u8]) -> bool {
        let kept = &item[..item.len() - CHAIN];
        shipped.windows(kept.len()).any(|window| window == kept)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_bytes_are_refused_or_shipped_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            shipped(&bytes);
            shipped(&[&MAGIC[..], &bytes].concat());
        }

        #[test]
        fn of_a_damaged_file_a_prefix_is_shipped_or_nothing(
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), 48..200), 1..12),
            at in prop_oneof![0_usize..PARTS, 4096_usize..6000],
            value in any::<u8>(),
            cut in prop::option::of(0_usize..6000),
            first_seq in prop_oneof![Just(0), Just(u64::MAX - 3), any::<u64>()],
        ) {
            let mut bytes = spooled(&items, first_seq);
            let at = at.min(bytes.len() - 1);
            bytes[at] = value;
            bytes.truncate(cut.unwrap_or(usize::MAX));
            if let Some(shipped) = shipped(&bytes) {
                let there: Vec<bool> = items.iter().map(|item| holds(&shipped, item)).collect();
                // What the file says is acknowledged is not shipped again; what follows damage is not shipped at all.
                let acked = u64::from_be_bytes(array(&bytes, ACKED).unwrap());
                if acked == 4096 {
                    prop_assert!(there.is_sorted_by(|a, b| a >= b), "{there:?}");
                }
            }
        }

        #[test]
        fn a_whole_file_is_shipped_whole(
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), 48..200), 1..12),
        ) {
            let shipped = shipped(&spooled(&items, 7)).unwrap();
            prop_assert!(items.iter().all(|item| holds(&shipped, item)));
        }
    }
}
