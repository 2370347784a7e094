//! What both protocols of the agent door share: take an export, append it, answer once it is durable.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ::http::HeaderMap;
use axum::body::Body;
use bytes::Bytes;
use ledger::reader::StreamHint;
use ledger::store::{AppendError, Batch, Fatal, Folder, Ledger, Receipt, Setting, StreamReceipt};
use ledger::verify::{Extension, extension};
use tokio::sync::{broadcast, oneshot};

use super::answer::Partial;
use super::body::{self, Compression};
use super::refusal::Refusal;
use super::refused::RefusedLimit;
use super::room::{Room, Rooms};
use crate::clock;
use crate::doorway::Peer;
use crate::error::Error;
use crate::intake::{Door, Export, Intake, Sent, refused_payload};
use crate::producers::sender::Sender;
use crate::producers::watch::Producers;

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// Commits that a live reader may be behind before it misses some, and streams of one commit that it is told of.
const FOLLOWED: usize = 256;
const FOLLOWED_STREAMS: usize = 1024;

/// A body is taken to have at most this many bytes until it shows otherwise, whatever it announces.
const USUAL: usize = 1 << 20;

/// How long a body that is refused unread is listened to.
const FORGET_PATIENCE: Duration = Duration::from_secs(10);

/// Bodies beyond this size are prepared where they cannot hold up other connections.
const LONG_WORK: usize = 256 * 1024;

/// What is told to a producer that names another one's session.
const FOREIGN: &str =
    "the session is another producer's; a producer writes into sessions that it opened itself";

/// Numbers since the start, for `/metrics`.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) exports: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) rejected_records: AtomicU64,
    pub(crate) refused_exports: AtomicU64,
    pub(crate) retryable: AtomicU64,
    pub(crate) metrics_exports: AtomicU64,
    pub(crate) refused_credentials: AtomicU64,
    pub(crate) foreign_records: AtomicU64,
}

pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// What those who follow live are told of one commit. The slowest of them decides how long it is held.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) streams: Vec<StreamReceipt>,
    /// Streams that got records, too, and are not named.
    pub(crate) unsaid: usize,
}

impl Followed {
    fn of(receipt: &Receipt) -> Self {
        let named = receipt.streams.iter().take(FOLLOWED_STREAMS);
        Self {
            streams: named.cloned().collect(),
            unsaid: receipt.streams.len().saturating_sub(FOLLOWED_STREAMS),
        }
    }
}

/// The agent door without its protocols.
#[derive(Debug)]
pub(crate) struct AgentDoor {
    ledger: Arc<Ledger>,
    intake: Intake,
    pub(crate) counters: Counters,
    pub(crate) max_body: usize,
    rooms: Rooms,
    refused: RefusedLimit,
    /// Who may send, and the settings of the collector beside it; none where nobody sends through a door.
    producers: Option<(Arc<Producers>, Vec<Setting>)>,
    /// A view of the ledger for proofs, opened when one is first asked for.
    shown: Mutex<Option<Folder>>,
    /// What was committed, for those who follow it live.
    committed: broadcast::Sender<Arc<Followed>>,
}

impl AgentDoor {
    pub(crate) fn new(ledger: Arc<Ledger>, max_body: usize, max_in_flight: usize) -> Self {
        // A single body, as sent and decompressed, must always fit.
        let least = max_body.saturating_mul(2).saturating_add(USUAL);
        Self {
            ledger,
            intake: Intake::default(),
            counters: Counters::default(),
            max_body,
            rooms: Rooms::new(max_in_flight.max(least)),
            refused: RefusedLimit::default(),
            producers: None,
            shown: Mutex::default(),
            committed: broadcast::channel(FOLLOWED).0,
        }
    }

    /// The same with producers to be known by their credentials; `known` are the settings that are no enrolments.
    pub(crate) fn with(mut self, producers: Arc<Producers>, known: Vec<Setting>) -> Self {
        self.producers = Some((producers, known));
        self
    }

    /// Who sends, by what it shows; looks first whether the enrolments are still those that were read.
    pub(crate) fn sender(
        &self,
        door: Door,
        headers: &HeaderMap,
        peer: Peer,
    ) -> Result<Sender, Refusal> {
        let Some((producers, known)) = &self.producers else {
            return Ok(Sender::unauthenticated(door.unauthenticated()));
        };
        if producers.is_stale() {
            tokio::task::block_in_place(|| producers.look(&self.ledger, known));
        }
        producers.sender(door, headers, peer)
    }

    /// The enrolments, where there is a door to send through.
    pub(crate) fn producers(&self) -> Option<&Producers> {
        self.producers
            .as_ref()
            .map(|(producers, _)| producers.as_ref())
    }

    /// Reads a body as sent, `extra` bytes beyond the limit included, within the memory that all bodies share.
    pub(crate) async fn receive(
        &self,
        body: Body,
        announced: Option<usize>,
        extra: usize,
    ) -> Result<(Bytes, Room), Refusal> {
        let limit = self.max_body.saturating_add(extra);
        let too_big = Refusal::TooBig {
            limit: self.max_body,
            decompressed: false,
        };
        if announced.is_some_and(|announced| announced > limit) {
            body::forget(body, limit, PATIENCE).await;
            return Err(too_big);
        }
        let mut room = self
            .rooms
            .take(announced.unwrap_or(USUAL).min(USUAL))
            .await?;
        let read = body::read(body, limit, PATIENCE, &self.rooms, &mut room).await;
        let sent = read.map_err(|refusal| match refusal {
            Refusal::TooBig { .. } => too_big,
            other => other,
        })?;
        Ok((sent, room))
    }

    /// Lets a sender finish whose body is refused unread: one that is still writing when the connection closes sees a
    /// broken connection instead of the answer.
    pub(crate) async fn forget(&self, body: Body) {
        body::forget(body, self.max_body, FORGET_PATIENCE).await;
    }

    /// Decompresses a body. What turns out to be large is decompressed anew once there is room for the largest.
    pub(crate) async fn decompress(
        &self,
        sent: Bytes,
        compression: Compression,
        mut room: Room,
    ) -> Result<(Bytes, Room), Refusal> {
        if compression == Compression::Identity {
            return Ok((sent, room));
        }
        let modest = USUAL.min(self.max_body);
        self.rooms
            .grow(&mut room, sent.len().saturating_add(modest))
            .await?;
        match body::decompress(sent.clone(), compression, modest) {
            Err(Refusal::TooBig { .. }) if modest < self.max_body => {}
            other => return Ok((other?, room)),
        }
        let largest = sent.len().saturating_add(self.max_body);
        self.rooms.grow(&mut room, largest).await?;
        let whole = || body::decompress(sent, compression, self.max_body);
        Ok((tokio::task::block_in_place(whole)?, room))
    }

    /// Takes up what an earlier run of the collector knew of traces.
    pub(crate) fn recall(&self, hints: &[StreamHint]) {
        self.intake.recall(hints);
    }

    /// Closes the ledger behind the door.
    pub(crate) fn close(&self) -> Result<(), Fatal> {
        self.ledger.close()
    }

    /// Everything committed from now on.
    pub(crate) fn follow(&self) -> broadcast::Receiver<Arc<Followed>> {
        self.committed.subscribe()
    }

    /// Proves that the ledger log goes on from an earlier size, to a sender that had a receipt for it; nothing where it
    /// does not, or the store cannot be read now.
    pub(crate) fn goes_on_from(&self, size: u64) -> Option<Extension> {
        tokio::task::block_in_place(|| self.prove(size))
            .inspect_err(|error| tracing::warn!(%error, "no proof for a sender's receipt"))
            .ok()
            .flatten()
    }

    fn prove(&self, old: u64) -> Result<Option<Extension>, Error> {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = match &mut *shown {
            Some(folder) => folder,
            none => none.insert(self.ledger.reader()?),
        };
        let size = folder.size()?;
        if old > size {
            return Ok(None);
        }
        Ok(Some(extension(folder, old, size)?))
    }

    /// Takes one export: back only once it is durable, or refused.
    pub(crate) async fn take(
        &self,
        export: Export,
        body: Bytes,
    ) -> Result<(Receipt, Partial), Refusal> {
        let taken = self.append_export(&export, &body).await;
        match &taken {
            Ok((receipt, partial)) => {
                add(&self.counters.exports, 1);
                add(&self.counters.bytes, body.len() as u64);
                add(
                    &self.counters.records,
                    receipt.streams.iter().map(|stream| stream.count).sum(),
                );
                add(&self.counters.duplicates, receipt.duplicates);
                add(&self.counters.rejected_records, partial.rejected);
                if self.committed.receiver_count() > 0 {
                    let _ = self.committed.send(Arc::new(Followed::of(receipt)));
                }
            }
            Err(refusal) => {
                self.turned_away(export.door, &export.peer, refusal, Sent::Whole(&body))
            }
        }
        taken
    }

    async fn append_export(
        &self,
        export: &Export,
        body: &Bytes,
    ) -> Result<(Receipt, Partial), Refusal> {
        let prepare = || self.intake.prepare(export, body);
        let ready = if body.len() > LONG_WORK {
            tokio::task::block_in_place(prepare)
        } else {
            prepare()
        }?;
        let links = ready.links();
        let whole = ready
            .batch
            .owners
            .as_ref()
            .is_some_and(|owners| owners.whole);
        let receipt = self.append(ready.batch).await?;
        if receipt.foreign > 0 {
            add(&self.counters.foreign_records, receipt.foreign);
            if whole {
                return Err(Refusal::Foreign(FOREIGN.to_owned()));
            }
        }
        self.intake.committed(&links);
        let mut partial = ready.partial;
        if receipt.conflicts > 0 {
            partial.rejected += receipt.conflicts;
            if partial.message.is_empty() {
                "other bytes are sealed under the same producer, run and number"
                    .clone_into(&mut partial.message);
            }
        }
        if receipt.foreign > 0 {
            partial.rejected += receipt.foreign;
            FOREIGN.clone_into(&mut partial.message);
        }
        Ok((receipt, partial))
    }

    async fn append(&self, batch: Batch) -> Result<Receipt, Refusal> {
        let (sender, answer) = oneshot::channel();
        self.ledger.append(batch, move |outcome| {
            // A sender that has gone away gets no answer; its records stay.
            let _ = sender.send(outcome);
        });
        match answer.await {
            Ok(Ok(receipt)) => Ok(receipt),
            Ok(Err(error)) => Err(refusal(&error)),
            Err(_) => Err(Refusal::Unavailable(
                "the ledger's writer has stopped".to_owned(),
            )),
        }
    }

    /// Counts what was turned away; what is turned away for good leaves a control leaf, unless too many do.
    pub(crate) fn turned_away(&self, door: Door, peer: &str, why: &Refusal, sent: Sent<'_>) {
        if !why.is_final() {
            add(&self.counters.retryable, 1);
            return;
        }
        add(&self.counters.refused_exports, 1);
        if matches!(why, Refusal::Credential(_)) {
            add(&self.counters.refused_credentials, 1);
        }
        let Some(unsaid) = self.refused.admit(clock::now_ns()) else {
            return;
        };
        let mut text = why.to_string();
        if unsaid > 0 {
            text.push_str(&format!(
                " (and {unsaid} more that left no leaf of their own)"
            ));
        }
        let refused = vec![refused_payload(door, peer, &text, sent)];
        self.ledger.append(
            Batch {
                refused,
                ..Batch::default()
            },
            |outcome| {
                if let Err(error) = outcome {
                    tracing::warn!(%error, "a refused payload could not be recorded");
                }
            },
        );
    }
}

/// What an error of the ledger means to a sender. Only a batch that contradicts itself is final.
fn refusal(error: &AppendError) -> Refusal {
    match error {
        AppendError::Busy { .. } => Refusal::Busy(error.to_string()),
        AppendError::Malformed { .. } => Refusal::Malformed(error.to_string()),
        _ => Refusal::Unavailable(error.to_string()),
    }
}
