//! What is remembered of traces: which session each belongs to, so that records that name none inherit it.
//!
//! Bounded: the oldest traces are forgotten first, and their later records are kept under `trace:<id>`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::Door;

/// How many traces are remembered.
const REMEMBERED: usize = 65_536;

/// What is known of one trace.
#[derive(Debug, Clone, Default)]
struct Known {
    session: Option<Arc<str>>,
    /// Streams `trace:<id>`, one per door, that hold records from before the session was known.
    provisional: Vec<Provisional>,
}

#[derive(Debug, Clone, Copy)]
struct Provisional {
    door: Door,
    /// It was linked to the session by a committed leaf.
    linked: bool,
}

/// A provisional stream and the session to which it has to be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DueLink {
    pub(crate) trace: [u8; 16],
    pub(crate) door: Door,
    pub(crate) session: Arc<str>,
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

    /// A stream `trace:<id>` that an earlier run of the collector left, and the session it is linked to, if any.
    pub(crate) fn recall(&mut self, trace: &[u8; 16], door: Door, session: Option<&str>) {
        let known = self.entry(trace);
        known.session = known.session.take().or_else(|| session.map(Arc::from));
        known.provisional.push(Provisional {
            door,
            linked: session.is_some(),
        });
    }

    /// A record of this trace names its session. The first name stays: a later one is not this trace's to give.
    pub(crate) fn learn(&mut self, trace: &[u8; 16], session: &str) {
        let known = self.entry(trace);
        if known.session.is_none() {
            known.session = Some(session.into());
        }
    }

    /// The session that a record of this trace inherits; without one it goes to a provisional stream.
    pub(crate) fn inherit(&mut self, trace: &[u8; 16], door: Door) -> Option<Arc<str>> {
        let known = self.entry(trace);
        if known.session.is_none() && !known.provisional.iter().any(|stream| stream.door == door) {
            known.provisional.push(Provisional {
                door,
                linked: false,
            });
        }
        known.session.clone()
    }

    /// The links that this trace still needs.
    pub(crate) fn due_links(&self, trace: &[u8; 16]) -> impl Iterator<Item = DueLink> {
        let known = self.known.get(trace);
        known.into_iter().flat_map(|known| {
            let unlinked = known.provisional.iter().filter(|stream| !stream.linked);
            unlinked.filter_map(|stream| {
                let session = known.session.clone()?;
                Some(DueLink {
                    trace: *trace,
                    door: stream.door,
                    session,
                })
            })
        })
    }

    /// The link is durable.
    pub(crate) fn linked(&mut self, link: &DueLink) {
        let Some(known) = self.known.get_mut(&link.trace) else {
            return;
        };
        for stream in known
            .provisional
            .iter_mut()
            .filter(|stream| stream.door == link.door)
        {
            stream.linked = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(traces: &Traces, trace: [u8; 16]) -> Vec<(Door, String)> {
        traces
            .due_links(&trace)
            .map(|link| (link.door, link.session.to_string()))
            .collect()
    }

    #[test]
    fn a_trace_inherits_the_first_session_it_was_given() {
        let mut traces = Traces::default();
        traces.learn(&[1; 16], "first");
        traces.learn(&[1; 16], "second");
        assert_eq!(
            traces.inherit(&[1; 16], Door::Http).as_deref(),
            Some("first")
        );
        assert_eq!(due(&traces, [1; 16]), []);
    }

    #[test]
    fn a_session_that_comes_later_is_linked_once_per_door() {
        let mut traces = Traces::default();
        assert_eq!(traces.inherit(&[2; 16], Door::Http), None);
        assert_eq!(traces.inherit(&[2; 16], Door::Grpc), None);
        assert_eq!(traces.inherit(&[2; 16], Door::Http), None);
        assert_eq!(due(&traces, [2; 16]), []);
        traces.learn(&[2; 16], "late");
        assert_eq!(
            due(&traces, [2; 16]),
            [(Door::Http, "late".into()), (Door::Grpc, "late".into())]
        );
        let links: Vec<DueLink> = traces.due_links(&[2; 16]).collect();
        traces.linked(&links[0]);
        assert_eq!(due(&traces, [2; 16]), [(Door::Grpc, "late".into())]);
    }

    #[test]
    fn what_an_earlier_run_left_is_linked_or_inherited() {
        let mut traces = Traces::default();
        traces.recall(&[3; 16], Door::Http, None);
        traces.recall(&[4; 16], Door::Http, Some("known"));
        traces.learn(&[3; 16], "late");
        assert_eq!(due(&traces, [3; 16]), [(Door::Http, "late".into())]);
        assert_eq!(
            traces.inherit(&[4; 16], Door::Grpc).as_deref(),
            Some("known")
        );
        assert_eq!(due(&traces, [4; 16]), []);
    }

    #[test]
    fn the_oldest_traces_are_forgotten() {
        let mut traces = Traces::default();
        for n in 0..=REMEMBERED as u128 {
            traces.learn(&n.to_be_bytes(), "s");
        }
        assert_eq!(traces.inherit(&0u128.to_be_bytes(), Door::Http), None);
        assert!(traces.known.len() <= REMEMBERED + 1);
    }
}
