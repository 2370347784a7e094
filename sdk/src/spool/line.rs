//! The records of one run that wait to be sent, in their order.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::lock;
use super::segment::{ENDING, RAN, Segment};
use crate::item::{CHAIN, Chain, Origin};

/// Unsent records of one run, ours or one that another process left behind.
#[derive(Debug)]
pub(crate) struct Line {
    segments: Arc<Mutex<VecDeque<Arc<Segment>>>>,
    /// The chain up to the last acknowledged record.
    chain: Chain,
    /// Bytes that a crash of the host took.
    pub(crate) damaged_bytes: usize,
}

/// Consecutive records, chained and ready to be sent.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) origin: Arc<Origin>,
    bytes: Vec<u8>,
    parts: Vec<Part>,
    first: u64,
}

#[derive(Debug)]
struct Part {
    item: Range<usize>,
    flags: u8,
    chain: Chain,
    segment: Arc<Segment>,
    /// Offset in the segment one past the record.
    end: usize,
}

impl Line {
    pub(crate) fn of(segments: Arc<Mutex<VecDeque<Arc<Segment>>>>, chain: Chain) -> Self {
        Self {
            segments,
            chain,
            damaged_bytes: 0,
        }
    }

    /// The next records, at most so many and so many bytes, but at least one
    /// and all in front of `through`; `None` when there is nothing to send.
    pub(crate) fn batch(&self, records: usize, bytes: usize, through: u64) -> Option<Batch> {
        let segments: Vec<_> = lock(&self.segments).iter().cloned().collect();
        let origin = Arc::clone(&segments.first()?.identity.origin);
        let mut chain = self.chain;
        let mut batch = Batch {
            origin,
            bytes: Vec::new(),
            parts: Vec::new(),
            first: chain.next,
        };
        'all: for segment in &segments {
            for frame in segment.frames(segment.acked()) {
                let full =
                    batch.parts.len() >= records || batch.bytes.len() + frame.item.len() > bytes;
                if full && !batch.parts.is_empty() && chain.next >= through {
                    break 'all;
                }
                let from = batch.bytes.len();
                batch.bytes.extend_from_slice(frame.item);
                let link = chain.extend(frame.item);
                let to = batch.bytes.len();
                batch.bytes[to - CHAIN..].copy_from_slice(&link);
                batch.parts.push(Part {
                    item: from..to,
                    flags: frame.flags,
                    chain,
                    segment: Arc::clone(segment),
                    end: frame.end,
                });
            }
            if !segment.is_full() {
                break;
            }
        }
        (!batch.parts.is_empty()).then_some(batch)
    }

    /// Forgets the first `count` records of a batch, and deletes the files
    /// that hold nothing else.
    pub(crate) fn acknowledge(&mut self, batch: &Batch, count: usize) {
        for part in batch.parts.iter().take(count) {
            part.segment.set_acked(part.end);
            self.chain = part.chain;
        }
        self.delete_finished();
    }

    /// Deletes full files that are acknowledged, except the last one.
    fn delete_finished(&self) {
        let mut segments = lock(&self.segments);
        while let (Some(first), Some(second)) = (segments.front(), segments.get(1)) {
            if !first.is_full() || first.acked() < first.end() {
                return;
            }
            second.set_chain(&self.chain);
            if first.delete().is_err() {
                return; // shipped again by the next process; the collector knows the records
            }
            segments.pop_front();
        }
    }

    /// Deletes all files of a line that will get no more records.
    pub(crate) fn delete(&self) {
        for segment in lock(&self.segments).drain(..) {
            let _ = segment.delete();
        }
    }
}

impl Batch {
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The run that the records belong to.
    pub(crate) fn run(&self) -> uuid::Uuid {
        let run = self.parts.first().map(|part| part.segment.identity.run);
        uuid::Uuid::from_bytes(run.unwrap_or_default())
    }

    /// Sequence of the first record.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// How many records from `from` on may travel in one export: as many as
    /// mix no begin that somebody waits for with one whose action ran at once.
    /// An export is sealed as strict or as spooled, and the second kind must
    /// never be sealed as evidence that it preceded its action.
    pub(crate) fn together(&self, range: &Range<usize>, awaited: &[u64]) -> usize {
        let (mut has_ran, mut has_awaited) = (false, false);
        for (count, index) in range.clone().enumerate() {
            let seq = self.first + index as u64;
            has_awaited |= awaited.contains(&seq);
            has_ran |= self
                .parts
                .get(index)
                .is_some_and(|part| part.flags & RAN != 0);
            if has_ran && has_awaited && count > 0 {
                return count;
            }
        }
        range.len()
    }

    /// The records from a number on, as they are sent.
    pub(crate) fn since(&self, number: u64) -> impl Iterator<Item = (u64, &[u8], &[u8; CHAIN])> {
        (self.first..)
            .zip(&self.parts)
            .skip_while(move |(seq, _)| *seq < number)
            .map(|(seq, part)| (seq, &self.bytes[part.item.clone()], &part.chain.last))
    }

    /// One item, as it is sent.
    pub(crate) fn item(&self, index: usize) -> &[u8] {
        self.parts
            .get(index)
            .map_or(&[], |part| &self.bytes[part.item.clone()])
    }

    /// The export of some consecutive records of the batch.
    pub(crate) fn export(&self, range: Range<usize>) -> Vec<u8> {
        self.origin.export(range.map(|index| self.item(index)))
    }
}

/// Takes over the runs in a folder whose processes are gone. Files that cannot
/// be read as spool are left alone and named.
pub(crate) fn left_behind(folder: &Path) -> (Vec<Line>, Vec<String>) {
    let mut runs: BTreeMap<[u8; 16], Vec<(Segment, super::segment::Left)>> = BTreeMap::new();
    let mut unreadable = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else {
        return (Vec::new(), unreadable);
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths
        .into_iter()
        .filter(|path| path.extension().is_some_and(|end| end == ENDING))
    {
        match Segment::adopt(&path) {
            Ok(Some((segment, left))) => {
                runs.entry(segment.identity.run)
                    .or_default()
                    .push((segment, left));
            }
            Ok(None) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => unreadable.push(format!("{}: {error}", path.display())),
        }
    }
    (runs.into_values().filter_map(line_of).collect(), unreadable)
}

/// The line of one run; `None` when it holds nothing, and then its files go.
fn line_of(mut files: Vec<(Segment, super::segment::Left)>) -> Option<Line> {
    files.sort_by_key(|(segment, _)| segment.identity.number);
    let damaged_bytes = files.iter().map(|(_, left)| left.damaged_bytes).sum();
    let (first, left) = files.first()?;
    let mut chain = left.chain.unwrap_or(Chain {
        last: [0; CHAIN],
        next: first.identity.first_seq,
    });
    for (segment, _) in &files {
        let acked = segment.acked();
        for frame in segment
            .frames(segment.data())
            .take_while(|frame| frame.end <= acked)
        {
            chain.extend(frame.item);
        }
        if acked < segment.end() {
            break;
        }
    }
    let finished = damaged_bytes == 0
        && files
            .iter()
            .all(|(segment, _)| segment.acked() >= segment.end());
    let segments: VecDeque<_> = files
        .into_iter()
        .map(|(segment, _)| Arc::new(segment))
        .collect();
    let mut line = Line::of(Arc::new(Mutex::new(segments)), chain);
    line.damaged_bytes = damaged_bytes;
    if finished {
        line.delete();
        return None;
    }
    Some(line)
}
