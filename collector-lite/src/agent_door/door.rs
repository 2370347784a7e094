//! What both protocols of the agent door share: take an export, append it, answer once it is durable.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use ledger::store::{AppendError, Batch, Ledger, Receipt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::answer::Partial;
use super::refusal::Refusal;
use super::refused::RefusedLimit;
use crate::clock;
use crate::intake::{Door, Export, Intake, refused_payload};

/// Bytes that one permit of the in-flight limit stands for.
const PERMIT_BYTES: usize = 4096;

/// Bodies beyond this size are prepared where they cannot hold up other connections.
const LONG_WORK: usize = 256 * 1024;

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
}

pub(crate) fn add(counter: &AtomicU64, count: u64) {
    counter.fetch_add(count, Ordering::Relaxed);
}

/// The agent door without its protocols.
#[derive(Debug)]
pub(crate) struct AgentDoor {
    ledger: Arc<Ledger>,
    intake: Intake,
    pub(crate) counters: Counters,
    pub(crate) max_body: usize,
    in_flight: Arc<Semaphore>,
    refused: RefusedLimit,
}

impl AgentDoor {
    pub(crate) fn new(ledger: Arc<Ledger>, max_body: usize, max_in_flight: usize) -> Self {
        // A single body, as sent and decompressed, must always fit.
        let permits = (max_in_flight.max(2 * max_body) / PERMIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Self {
            ledger,
            intake: Intake::default(),
            counters: Counters::default(),
            max_body,
            in_flight: Arc::new(Semaphore::new(permits)),
            refused: RefusedLimit::default(),
        }
    }

    /// Reserves memory for a body, or says that the collector is busy.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let permits = u32::try_from(bytes / PERMIT_BYTES + 1).unwrap_or(u32::MAX);
        Arc::clone(&self.in_flight)
            .try_acquire_many_owned(permits)
            .map_err(|_| Refusal::Busy("too many bytes are being received".to_owned()))
    }

    /// Takes one export: back only once it is durable, or refused.
    pub(crate) async fn take(&self, export: Export, body: Bytes) -> Result<(Receipt, Partial), Refusal> {
        let taken = self.append_export(&export, &body).await;
        match &taken {
            Ok((receipt, partial)) => {
                add(&self.counters.exports, 1);
                add(&self.counters.bytes, body.len() as u64);
                add(&self.counters.records, receipt.streams.iter().map(|stream| stream.count).sum());
                add(&self.counters.duplicates, receipt.duplicates);
                add(&self.counters.rejected_records, partial.rejected);
            }
            Err(refusal) => self.turned_away(export.door, &export.peer, refusal, &body),
        }
        taken
    }

    async fn append_export(&self, export: &Export, body: &Bytes) -> Result<(Receipt, Partial), Refusal> {
        let prepare = || self.intake.prepare(export, body);
        let ready = if body.len() > LONG_WORK { tokio::task::block_in_place(prepare) } else { prepare() }?;
        let links = ready.links();
        let receipt = self.append(ready.batch).await?;
        self.intake.committed(&links);
        Ok((receipt, ready.partial))
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
            Err(_) => Err(Refusal::Unavailable("the ledger's writer has stopped".to_owned())),
        }
    }

    /// Counts what was turned away; what is turned away for good leaves a control leaf, unless too many do.
    pub(crate) fn turned_away(&self, door: Door, peer: &str, why: &Refusal, body: &[u8]) {
        if !why.is_final() {
            add(&self.counters.retryable, 1);
            return;
        }
        add(&self.counters.refused_exports, 1);
        let Some(unsaid) = self.refused.admit(clock::now_ns()) else { return };
        let mut text = why.to_string();
        if unsaid > 0 {
            text.push_str(&format!(" (and {unsaid} more that left no leaf of their own)"));
        }
        let refused = vec![refused_payload(door, peer, &text, body)];
        self.ledger.append(Batch { refused, ..Batch::default() }, |outcome| {
            if let Err(error) = outcome {
                tracing::warn!(%error, "a refused payload could not be recorded");
            }
        });
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
