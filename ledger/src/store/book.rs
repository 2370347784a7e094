//! What one transaction writes: batches into streams, statements into the ledger log, and the row of `state`.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, VecDeque};

use rusqlite::Connection;

use super::batch::{Batch, Receipt, Run, StreamBatch, StreamKey, StreamReceipt};
use super::control::{self, ControlLog, WriteError};
use super::duplicates::{Answer, Recent, Runs, Whose};
use super::gaps::Gaps;
use super::owners::Attempts;
use super::streams::{Stream, Streams};
use super::tables::{self, TableError, to_sql};
use crate::leaf::{ControlBody, LedgerId, NO_HEAD, TreeHead};
use crate::tree::Hash;

mod contradictions;
mod growth;

use growth::{append, bind, cover, evidence, link};

/// Records that a stream may have beyond its newest head.
const HEAD_EVERY: u64 = 256;

/// Conflicts that one run of the collector says in leaves of their own.
const CONFLICT_LEAVES: u32 = 10_000;

/// Everything the writer knows; rebuilt from the database after a transaction that failed.
#[derive(Debug)]
pub(crate) struct Book {
    pub(crate) ledger: LedgerId,
    pub(crate) commit: u64,
    pub(crate) control: ControlLog,
    streams: Streams,
    recent: Recent,
    runs: Runs,
    /// Since when a stream has records that no head covers, oldest first; entries may be out of date.
    waiting: VecDeque<(u64, i64)>,
    uncovered: HashMap<i64, u64>,
    /// Streams changed by the transaction under way.
    touched: BTreeSet<i64>,
    /// True once the transaction under way wrote a head or a close.
    headed: bool,
    /// True if the transaction under way is the last one of an orderly stop.
    clean: bool,
    /// Who wrote the last commit, as the row of `state` has it.
    found: i64,
    /// Who writes from now on; `None` until this run says so.
    own: Option<i64>,
    /// Records in all streams.
    records: u64,
    gaps: Gaps,
    /// Exports without numbers of the transaction under way.
    answering: Vec<Hash>,
    /// How long after a close its missing numbers are said, in nanoseconds.
    gap_after_ns: u64,
    /// Conflicts that still get a leaf of their own; a sender that makes more is only refused.
    conflicts_left: u32,
    /// Producers that named another one's session, as far as leaves say so already.
    attempts: Attempts,
}

impl Book {
    /// Reads what the last commit left. `now_ns` is when its uncovered records start to wait for a head, `kept` how many
    /// streams stay in memory.
    pub(crate) fn load(
        connection: &Connection,
        now_ns: u64,
        kept: usize,
    ) -> Result<Self, TableError> {
        let state = tables::state(connection)?;
        let control = ControlLog::load(connection, &state)?;
        let recent = Recent::load(connection)?;
        let mut book = Self {
            ledger: state.ledger,
            commit: state.commit,
            control,
            streams: Streams::new(kept),
            recent,
            runs: Runs::default(),
            waiting: VecDeque::new(),
            uncovered: HashMap::new(),
            touched: BTreeSet::new(),
            headed: false,
            clean: false,
            found: state.holder,
            own: None,
            records: tables::records(connection)?,
            gaps: Gaps::default(),
            answering: Vec::new(),
            gap_after_ns: 0,
            conflicts_left: CONFLICT_LEAVES,
            attempts: Attempts::default(),
        };
        let mut statement =
            connection.prepare("SELECT n FROM stream WHERE uncovered = 1 ORDER BY n")?;
        for n in statement.query_map([], |row| row.get(0))? {
            book.wait_for_head(n?, now_ns);
        }
        Ok(book)
    }

    fn wait_for_head(&mut self, n: i64, now_ns: u64) {
        // A stream waits from its first record that no head covers, not from its last.
        if let Entry::Vacant(entry) = self.uncovered.entry(n) {
            entry.insert(now_ns);
            self.waiting.push_back((now_ns, n));
        }
    }

    /// Says which run writes from now on: each transaction finds the row of `state` as this run left it, or fails.
    pub(crate) fn hold(&mut self, instance: &[u8; 16], gap_after_ns: u64) {
        self.own = Some(tables::holder(instance));
        self.gap_after_ns = gap_after_ns;
    }

    /// Records in all streams.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Whether a batch would open a stream.
    pub(crate) fn opens(
        &mut self,
        connection: &Connection,
        batch: &Batch,
    ) -> Result<bool, WriteError> {
        for stream in &batch.streams {
            if !stream.records.is_empty() && !self.streams.exists(connection, &stream.key)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Starts a transaction at this time.
    pub(crate) fn begin(&mut self, connection: &Connection, now_ns: u64) -> Result<(), WriteError> {
        self.control.at(now_ns);
        self.touched.clear();
        self.headed = false;
        self.clean = false;
        self.gaps.begin();
        self.answering.clear();
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    /// Writes one batch. Its receipt lacks what only the end of the transaction knows.
    pub(crate) fn write(
        &mut self,
        connection: &Connection,
        batch: Batch,
    ) -> Result<Receipt, WriteError> {
        let mut receipt = Receipt {
            commit: self.commit + 1,
            ledger_size: 0,
            ledger_root: [0; 32],
            streams: vec![],
            duplicates: 0,
            conflicts: 0,
            foreign: 0,
        };
        if let Some(answer) = batch.digest.and_then(|digest| self.recent.get(&digest)) {
            receipt.commit = answer.commit;
            receipt.ledger_size = answer.size;
            receipt.ledger_root = answer.root;
            receipt.duplicates = batch.records() as u64;
            return Ok(receipt);
        }
        if batch
            .digest
            .is_some_and(|digest| self.answering.contains(&digest))
        {
            receipt.duplicates = batch.records() as u64;
            return Ok(receipt);
        }
        let foreign = match &batch.owners {
            Some(owners) => self.foreign(connection, &batch, owners)?,
            None => Vec::new(),
        };
        if !foreign.is_empty() && batch.owners.as_ref().is_some_and(|owners| owners.whole) {
            receipt.foreign = batch.records() as u64;
            return Ok(receipt);
        }
        for (place, stream) in batch.streams.into_iter().enumerate() {
            if foreign.contains(&place) {
                receipt.foreign += stream.records.len() as u64;
            } else {
                self.write_stream(connection, stream, &mut receipt)?;
            }
        }
        for refused in &batch.refused {
            self.control
                .append_private(connection, refused, |commitment| {
                    ControlBody::RefusedPayload { commitment }
                })?;
        }
        // A copy of what was kept in part is looked at anew: its old answer would say that all of it was kept.
        if receipt.foreign == 0 {
            self.answering.extend(batch.digest);
        }
        Ok(receipt)
    }

    fn write_stream(
        &mut self,
        connection: &Connection,
        batch: StreamBatch,
        receipt: &mut Receipt,
    ) -> Result<(), WriteError> {
        let before = batch.records.len();
        let keep = match &batch.run {
            Some(run) => self.fresh(connection, &batch.key, run)?,
            None => vec![true; before],
        };
        let kept = keep.iter().filter(|keep| **keep).count();
        let conflicts = self.conflicts(connection, &batch, &keep)?;
        receipt.duplicates += (before - kept) as u64 - conflicts;
        receipt.conflicts += conflicts;
        if kept == 0 && (before > 0 || !self.streams.exists(connection, &batch.key)?) {
            return Ok(());
        }
        let records = if kept == before {
            batch.records
        } else {
            batch.records.retain(&keep)?
        };
        let first_ns = records.received_ns.first().copied().unwrap_or(0);
        let stream = self.streams.of_key(
            connection,
            &mut self.control,
            &self.ledger,
            &batch.key,
            first_ns,
        )?;
        let first = append(connection, stream, &records)?;
        if kept > 0 {
            receipt.streams.push(StreamReceipt {
                stream: stream.id,
                first,
                count: kept as u64,
                root: stream.log.root(),
            });
        }
        for named in &batch.requests {
            if let Some(evidence) = evidence(first, &keep, named.evidence) {
                bind(connection, &mut self.control, stream, named, evidence)?;
            }
        }
        for named in &batch.links {
            if let Some(evidence) = evidence(first, &keep, named.evidence) {
                link(connection, &mut self.control, stream, named, evidence)?;
            }
        }
        self.touched.insert(stream.n);
        self.records += kept as u64;
        if let Some(run) = &batch.run {
            for lost in run
                .lost
                .iter()
                .filter(|lost| keep.get(lost.evidence) == Some(&true))
            {
                Gaps::declare(connection, &mut self.control, stream.id, run, *lost)?;
            }
        }
        if let Some(close) = batch.close {
            if let Some(run) = &batch.run {
                let now_ns = self.control.at(0);
                let whose = Whose::of(&batch.key.producer, batch.key.proof as u8);
                self.gaps.close(
                    stream.id,
                    whose,
                    run,
                    now_ns.saturating_add(self.gap_after_ns),
                );
            }
            let index = self.control.append(
                connection,
                ControlBody::StreamClose {
                    stream: stream.id,
                    head: TreeHead {
                        size: stream.log.size(),
                        root: stream.log.root(),
                    },
                    prev_head_index: stream.head.unwrap_or(NO_HEAD),
                    reason: close.reason,
                    declared: close.declared,
                },
            )?;
            stream.closed = Some(index);
            cover(connection, stream, index)?;
            control::store_tiles(connection, stream.n, stream.log.partial_tile().as_slice())?;
            self.headed = true;
        }
        Ok(())
    }

    /// Whether numbers are awaited that should have come by this time.
    pub(crate) fn gaps_due(&self, until_ns: u64) -> bool {
        self.gaps.is_due(until_ns)
    }

    /// Says which of them have not come.
    pub(crate) fn write_gaps(
        &mut self,
        connection: &Connection,
        until_ns: u64,
    ) -> Result<(), WriteError> {
        self.gaps
            .settle(connection, &mut self.control, &mut self.runs, until_ns)
    }

    /// Which records of a run are not sealed yet; those count as sealed from now on. A sender that showed a credential is
    /// asked for its own numbers only; they count for those who call themselves the same, never the other way round.
    fn fresh(
        &mut self,
        connection: &Connection,
        key: &StreamKey,
        run: &Run,
    ) -> Result<Vec<bool>, WriteError> {
        let whose = Whose::of(&key.producer, key.proof as u8);
        let keep = self.take(connection, &whose, run)?;
        if whose != Whose::Anybody {
            self.take(connection, &Whose::Anybody, run)?;
        }
        Ok(keep)
    }

    /// Takes the numbers of a run; which of them were not taken yet.
    fn take(
        &mut self,
        connection: &Connection,
        whose: &Whose,
        run: &Run,
    ) -> Result<Vec<bool>, WriteError> {
        let column = whose.column(&run.producer);
        let ranges = self.runs.of(connection, &column, &run.run)?;
        let before = ranges.clone();
        let keep = run
            .sequence
            .iter()
            .map(|number| ranges.insert(*number))
            .collect();
        Runs::store(connection, &column, &run.run, &before, ranges)?;
        Ok(keep)
    }

    /// Writes a head for a stream, if it has records that none covers.
    pub(crate) fn write_head(&mut self, connection: &Connection, n: i64) -> Result<(), WriteError> {
        let stream = self.streams.get(connection, n)?;
        if stream.uncovered() > 0 {
            let head = TreeHead {
                size: stream.log.size(),
                root: stream.log.root(),
            };
            let prev_head_index = stream.head.unwrap_or(NO_HEAD);
            let body = match stream.closed {
                None => ControlBody::StreamHead {
                    stream: stream.id,
                    head,
                    prev_head_index,
                },
                // Late records: a further close that links the earlier one and repeats what was declared.
                Some(index) => {
                    let (reason, declared) = tables::close_at(connection, index)?;
                    ControlBody::StreamClose {
                        stream: stream.id,
                        head,
                        prev_head_index,
                        reason,
                        declared,
                    }
                }
            };
            let index = self.control.append(connection, body)?;
            if stream.closed.is_some() {
                stream.closed = Some(index);
                let tile = stream.log.partial_tile();
                control::store_tiles(connection, stream.n, tile.as_slice())?;
            }
            cover(connection, stream, index)?;
            self.headed = true;
        }
        self.touched.insert(n);
        Ok(())
    }

    /// Appends a statement of the collector about itself.
    pub(crate) fn state(
        &mut self,
        connection: &Connection,
        body: ControlBody,
    ) -> Result<u64, WriteError> {
        self.control.append(connection, body)
    }

    /// Says that this transaction is the last one of an orderly stop.
    pub(crate) fn shut(&mut self) {
        self.clean = true;
        self.headed = true;
    }

    /// Writes heads that are due by size and the row of `state`; the next step is COMMIT.
    pub(crate) fn finish(&mut self, connection: &Connection) -> Result<(), WriteError> {
        for n in self.touched.clone() {
            let stream = self.streams.get(connection, n)?;
            if stream.uncovered() >= HEAD_EVERY {
                self.write_head(connection, n)?;
            } else if stream.uncovered() > 0 && !stream.marked {
                connection
                    .prepare_cached("UPDATE stream SET uncovered = 1 WHERE n = ?1")?
                    .execute([n])?;
                stream.marked = true;
            }
        }
        // Last, so that a later copy gets the very answer that the first one gets.
        let answer = Answer {
            commit: self.commit + 1,
            size: self.control.size(),
            root: self.control.root(),
        };
        for digest in std::mem::take(&mut self.answering) {
            self.recent.put(connection, digest, answer)?;
        }
        let own = self.own.unwrap_or(0);
        let changed = connection
            .prepare_cached(
                "UPDATE state SET commit_no = ?1, size = ?2, root = ?3, frontier = ?4, clean = ?5
                 WHERE id = 1 AND commit_no = ?6 AND clean = ?7",
            )?
            .execute((
                to_sql(self.commit + 1),
                to_sql(self.control.size()),
                self.control.root(),
                self.control.frontier(),
                if self.clean { 1 } else { own },
                to_sql(self.commit),
                self.found,
            ))?;
        if changed == 1 {
            Ok(())
        } else {
            Err(TableError::damaged("table state", "another process wrote to the ledger").into())
        }
    }

    /// Takes note that the transaction was committed; true if it wrote a head or a close.
    pub(crate) fn committed(&mut self, now_ns: u64) -> bool {
        self.commit += 1;
        self.found = if self.clean { 1 } else { self.own.unwrap_or(0) };
        for n in std::mem::take(&mut self.touched) {
            match self.streams.peek(n).map(Stream::uncovered) {
                Some(0) => {
                    self.uncovered.remove(&n);
                }
                Some(_) => self.wait_for_head(n, now_ns),
                None => {}
            }
        }
        self.streams.trim();
        self.runs.trim();
        self.gaps.committed();
        self.headed
    }

    /// Streams whose records have waited for a head since `until_ns` or longer, at most `limit`.
    pub(crate) fn due(&mut self, until_ns: u64, limit: usize) -> Vec<i64> {
        let mut due = Vec::new();
        while let Some((since, n)) = self.waiting.front().copied() {
            if self.uncovered.get(&n) == Some(&since) {
                if since > until_ns || due.len() == limit {
                    break;
                }
                self.uncovered.remove(&n);
                due.push(n);
            }
            // Otherwise it was covered meanwhile; if it is uncovered again, a later entry says since when.
            self.waiting.pop_front();
        }
        due
    }

    /// Forgets how streams are called, because the index calls some of them otherwise now.
    pub(crate) fn forget_names(&mut self) {
        self.streams.forget_names();
    }

    /// Forgets all that the failed transaction changed in memory.
    pub(crate) fn reload(
        &mut self,
        connection: &Connection,
        now_ns: u64,
    ) -> Result<(), TableError> {
        let mut before = Self::load(connection, now_ns, self.streams.kept())?;
        std::mem::swap(self, &mut before);
        self.own = before.own;
        self.gap_after_ns = before.gap_after_ns;
        self.conflicts_left = before.conflicts_left;
        self.gaps = before.gaps;
        self.gaps.begin();
        if self.found == before.found {
            Ok(())
        } else {
            let why = "another process wrote to the ledger";
            Err(TableError::damaged("table state", why))
        }
    }
}
