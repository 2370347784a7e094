//! Looking for readable copies of what was erased.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ledger::reader::{LentBody, Reader};
use ledger::store::{ErasedRange, Folder};
use memchr::memmem;

use crate::error::Error;

/// So many payloads of one range are looked for: the first and the last ones. More would take longer and show no more,
/// since a segment goes as a whole.
const SAMPLES: u64 = 64;

/// Bytes of the end of an SDK's record that a spool does not hold: the place of the producer chain.
const CHAIN: usize = 32;

/// A shorter payload says too little to be looked for: it would be found in other records.
const SHORTEST: usize = 24;

/// Bytes that only the erased payloads hold.
#[derive(Debug)]
pub(super) struct Needles {
    items: Vec<Vec<u8>>,
    ranges: Vec<ErasedRange>,
}

impl Needles {
    /// Takes samples before the payloads go.
    pub(super) fn of(folder: &Folder, ranges: &[ErasedRange]) -> Result<Self, Error> {
        let mut items = Vec::new();
        for range in ranges {
            let end = range.first + range.count;
            let early = range.first..end.min(range.first + SAMPLES);
            let late = end.saturating_sub(SAMPLES).max(early.end)..end;
            for part in [early, late] {
                folder.scan(&range.stream, part.start, part.end, &mut |record| {
                    if let LentBody::Whole { envelope, .. } = record.body {
                        let kept = envelope.item.len().saturating_sub(CHAIN);
                        let item = envelope.item.get(..kept).unwrap_or_default();
                        if item.len() >= SHORTEST {
                            items.push(item.to_vec());
                        }
                    }
                })?;
            }
        }
        Ok(Self {
            items,
            ranges: ranges.to_vec(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Records of the ranges that still decode.
    pub(super) fn left_in_store(&self, store: &Path) -> Result<Vec<String>, Error> {
        let folder = Folder::open(store)?;
        let mut left = Vec::new();
        for range in &self.ranges {
            let end = range.first + range.count;
            folder.scan(&range.stream, range.first, end, &mut |record| {
                if !matches!(record.body, LentBody::Erased) {
                    left.push(format!(
                        "record {} of stream {}",
                        record.index, range.stream
                    ));
                }
            })?;
        }
        if store
            .join("ledger.db-wal")
            .metadata()
            .is_ok_and(|meta| meta.len() > 0)
        {
            left.push(format!(
                "{}: another program has the database open; close it and run `recount-collector compact`",
                store.join("ledger.db-wal").display()
            ));
        }
        Ok(left)
    }

    /// Files under a folder that hold one of the payloads as plain bytes.
    pub(super) fn left_in_files(&self, folder: &Path) -> Result<Vec<String>, Error> {
        let finders: Vec<memmem::Finder<'_>> = self.items.iter().map(memmem::Finder::new).collect();
        let mut left = Vec::new();
        for path in files_under(folder)? {
            let failed = |source| Error::File {
                path: path.clone(),
                source,
            };
            if is_blank(&path).map_err(failed)? {
                continue;
            }
            let bytes = std::fs::read(&path).map_err(failed)?;
            if finders.iter().any(|finder| finder.find(&bytes).is_some()) {
                left.push(path.display().to_string());
            }
        }
        Ok(left)
    }
}

/// Whether a file holds zeros only, as the store's reserve does: it takes a look, not a search for each payload.
fn is_blank(path: &Path) -> io::Result<bool> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    let mut file = File::open(path)?;
    let mut part = vec![0; ZEROS.len()];
    loop {
        match file.read(&mut part)? {
            0 => return Ok(true),
            n if part.get(..n) != ZEROS.get(..n) => return Ok(false),
            _ => {}
        }
    }
}

fn files_under(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let failed = |source| Error::File {
            path: next.clone(),
            source,
        };
        for entry in std::fs::read_dir(&next).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    Ok(files)
}
