//! A file in memory that one thread appends to and others read: the crate's only `unsafe`.
#![allow(
    unsafe_code,
    reason = "a shared mapping cannot be borrowed as a slice while another part of it is written; \
              plain `write` calls cost ten times as much per record (docs/decisions)"
)]

use std::fs::File;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::MmapRaw;

/// A mapped file of fixed length whose beginning, up to a mark, never changes.
///
/// INVARIANT: bytes in front of the mark are immutable and may be borrowed;
/// bytes behind it are touched by [`Map::append`] only, which needs the one
/// [`Pen`] of the map. The mark only grows. The header's numbers are atomics
/// and are never borrowed as bytes.
///
/// Another process that truncates the file makes reading it a bus error. The
/// spool's folder is its user's own (mode 0700), and the collector's `adopt`
/// reads the file instead of mapping it.
pub(super) struct Map {
    map: MmapRaw,
    /// Length of the header, in front of which nothing is borrowed.
    header: usize,
    mark: AtomicU64,
}

/// The right to append to one map.
#[derive(Debug)]
pub(crate) struct Pen(());

impl Map {
    /// Maps all of a file whose header is `header` bytes long and whose bytes
    /// are valid up to `mark`.
    pub(super) fn new(file: &File, header: usize, mark: usize) -> io::Result<(Self, Pen)> {
        let map = MmapRaw::map_raw(file)?;
        if header > map.len() || mark < header || mark > map.len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "spool shorter than its header says",
            ));
        }
        let mark = AtomicU64::new(mark as u64);
        Ok((Self { map, header, mark }, Pen(())))
    }

    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// One past the last valid byte.
    pub(super) fn mark(&self) -> usize {
        self.mark.load(Ordering::Acquire) as usize
    }

    /// Copies some parts behind the mark and moves it past them; false when
    /// there is no room, and then nothing has changed.
    pub(super) fn append(&self, _pen: &mut Pen, parts: [&[u8]; 4]) -> bool {
        let from = self.mark.load(Ordering::Relaxed) as usize;
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if len > self.map.len() - from {
            return false;
        }
        let mut at = from;
        for part in parts {
            // SAFETY: `at + part.len() <= from + len <= map.len()`, checked
            // above; the range lies behind the mark, so nobody has borrowed
            // it, and `_pen` is exclusive, so nobody else writes it.
            unsafe {
                ptr::copy_nonoverlapping(part.as_ptr(), self.map.as_mut_ptr().add(at), part.len())
            };
            at += part.len();
        }
        self.mark.store(at as u64, Ordering::Release);
        self.expect(at, len);
        true
    }

    /// Asks the processor to have the next bytes behind the mark at hand when
    /// the next record comes: they were last touched by another one, and
    /// waiting for them was a tenth of the cost of a record. Only speed
    /// depends on it.
    #[inline]
    fn expect(&self, at: usize, len: usize) {
        #[cfg(target_arch = "x86_64")]
        for line in (at..(at + len).min(self.map.len())).step_by(64) {
            use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
            // SAFETY: `line` lies inside the mapping, and a prefetch neither
            // reads nor writes as far as the program can see.
            unsafe { _mm_prefetch::<_MM_HINT_ET0>(self.map.as_ptr().add(line).cast()) };
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = (at, len);
    }

    /// The valid bytes from `from` (not in the header) to the mark.
    pub(super) fn valid_from(&self, from: usize) -> &[u8] {
        let (from, to) = (from.max(self.header), self.mark());
        if from >= to {
            return &[];
        }
        // SAFETY: `header <= from < to <= map.len()`; the bytes in front of
        // the mark were written before the mark was released, which `mark()`
        // acquired, and are never written again.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().add(from), to - from) }
    }

    /// Writes a number of the header, at an offset divisible by eight. What
    /// is stored survives the process, not the host, until it is flushed.
    pub(super) fn set_number(&self, offset: usize, value: u64) {
        if !offset.is_multiple_of(8) || offset + 8 > self.header {
            return;
        }
        // SAFETY: inside the header, which is never borrowed; aligned, since a
        // mapping begins at a page and the offset is divisible by eight; all
        // accesses to it are atomic.
        let number = unsafe { &*self.map.as_mut_ptr().add(offset).cast::<AtomicU64>() };
        number.store(value.to_be(), Ordering::Release);
    }

    /// Brings all pages in, ready to be written, so that appending meets no
    /// page fault. Only speed depends on it.
    pub(super) fn warm(&self) {
        #[cfg(target_os = "linux")]
        let _ = self.map.advise(memmap2::Advice::PopulateWrite);
    }

    /// Asks the operating system to write a range to the device, and waits.
    pub(super) fn flush(&self, from: usize, to: usize) -> io::Result<()> {
        self.map.flush_range(from, to.saturating_sub(from))
    }
}
