//! What is remembered of traces: which session each belongs to, so that records that name none inherit it.
//!
//! Bounded: the oldest traces are forgotten first, and their later records are kept under `trace:<id>`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// How many traces are remembered.
const REMEMBERED: usize = 65_536;

/// What is known of one trace.
#[derive(Debug, Clone, Default)]
struct Known {
    session: Option<Arc<str>>,
    /// Records were kept under `trace:<id>` before the session was known.
    provisional: bool,
    /// That stream was linked to the session by a committed leaf.
    linked: bool,
}

/// The traces seen lately.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    known: HashMap<[u8; 16], Known>,
    order: VecDeque<[u8; 16]>,
}

impl Traces {
    fn entry(&mut self, trace: &[u8; 16]) -> &mut Known {
        if !self.known.contains_key(trace) {
            self.order.push_back(*trace);
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        self.known.entry(*trace).or_default()
    }

    /// A record of this trace names its session. The first name stays: a later one is not this trace's to give.
    pub(crate) fn learn(&mut self, trace: &[u8; 16], session: &str) {
        let known = self.entry(trace);
        if known.session.is_none() {
            known.session = Some(session.into());
        }
    }

    /// The session that a record of this trace inherits; without one the trace becomes provisional.
    pub(crate) fn inherit(&mut self, trace: &[u8; 16]) -> Option<Arc<str>> {
        let known = self.entry(trace);
        known.provisional |= known.session.is_none();
        known.session.clone()
    }

    /// The session to which the stream `trace:<id>` has to be linked, if that is still to be done.
    pub(crate) fn due_link(&self, trace: &[u8; 16]) -> Option<Arc<str>> {
        let known = self.known.get(trace)?;
        if known.provisional && !known.linked {
            known.session.clone()
        } else {
            None
        }
    }

    /// The link is durable.
    pub(crate) fn linked(&mut self, trace: &[u8; 16]) {
        if let Some(known) = self.known.get_mut(trace) {
            known.linked = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_inherits_the_first_session_it_was_given() {
        let mut traces = Traces::default();
        traces.learn(&[1; 16], "first");
        traces.learn(&[1; 16], "second");
        assert_eq!(traces.inherit(&[1; 16]).as_deref(), Some("first"));
        assert_eq!(traces.due_link(&[1; 16]), None);
    }

    #[test]
    fn a_session_that_comes_later_is_linked_once() {
        let mut traces = Traces::default();
        assert_eq!(traces.inherit(&[2; 16]), None);
        assert_eq!(traces.due_link(&[2; 16]), None);
        traces.learn(&[2; 16], "late");
        assert_eq!(traces.due_link(&[2; 16]).as_deref(), Some("late"));
        traces.linked(&[2; 16]);
        assert_eq!(traces.due_link(&[2; 16]), None);
    }

    #[test]
    fn the_oldest_traces_are_forgotten() {
        let mut traces = Traces::default();
        for n in 0..=REMEMBERED as u128 {
            traces.learn(&n.to_be_bytes(), "s");
        }
        assert_eq!(traces.inherit(&0u128.to_be_bytes()), None);
        assert!(traces.known.len() <= REMEMBERED + 1);
    }
}
