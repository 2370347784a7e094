//! What could not be kept: counted, until a record can say so.

use std::sync::atomic::Ordering;

use vocabulary::{Event, attribute};

use super::Engine;
use crate::Attributes;
use crate::encode::int;
use crate::item::Place;
use crate::spool::{How, lock};

/// For how many sessions losses are counted apart.
const LOSS_SESSIONS: usize = 64;

/// Records that could not be kept, by session, until a record can say so.
#[derive(Debug, Default)]
pub(super) struct Losses {
    sessions: Vec<Lost>,
}

#[derive(Debug)]
pub(super) struct Lost {
    prefix: Vec<u8>,
    trace_id: [u8; 16],
    count: u64,
    from_seq: u64,
    cause: &'static str,
    why: String,
}

impl Engine {
    /// Counts records that are gone; the next record that can be kept says so.
    pub(crate) fn lose(&self, place: &Place<'_>, count: u64, cause: &'static str, why: &str) {
        let mut losses = lock(&self.losses);
        let known = losses
            .sessions
            .iter()
            .position(|lost| lost.prefix == place.prefix && lost.cause == cause);
        let full = losses.sessions.len() >= LOSS_SESSIONS;
        match known.or(full.then_some(0)) {
            Some(index) => losses.sessions[index].count += count,
            None => losses.sessions.push(Lost {
                prefix: place.prefix.to_vec(),
                trace_id: place.trace_id,
                count,
                from_seq: self.spool.appended(),
                cause,
                why: why.to_owned(),
            }),
        }
        self.has_losses.store(true, Ordering::Relaxed);
    }

    /// Writes an `agent.loss` for each loss that was not told yet.
    pub(crate) fn tell_losses(&self) {
        self.tell_losses_as(How::Spool);
    }

    pub(super) fn tell_losses_as(&self, how: How) {
        let mut losses = lock(&self.losses);
        while let Some(lost) = losses.sessions.pop() {
            let place = Place {
                prefix: &lost.prefix,
                trace_id: lost.trace_id,
                span_id: None,
                counted: None,
            };
            let mut attributes = Attributes::new();
            attributes
                .int(attribute::LOSS_COUNT, int(lost.count))
                .int(attribute::LOSS_FROM_SEQ, int(lost.from_seq))
                .str(attribute::LOSS_CAUSE, lost.cause)
                .text(attribute::REASON, &lost.why);
            if self
                .write(Event::Loss.name(), &place, &attributes, how)
                .is_err()
            {
                losses.sessions.push(lost);
                return;
            }
        }
        self.has_losses.store(false, Ordering::Relaxed);
    }
}
