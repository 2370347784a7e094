//! What is remembered of traces: which session each belongs to, so that records that name none inherit it.
//!
//! Bounded: the oldest traces are forgotten first, and their later records are kept under `trace:<id>`.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// How many traces are remembered.
const REMEMBERED: usize = 65_536;

/// A trace, and whose word counts for it: that of everybody (empty), or one producer's.
pub(crate) type Trace = (Arc<str>, [u8; 16]);

/// What is known of one trace.
#[derive(Debug, Clone, Default)]
struct Known {
    session: Option<Arc<str>>,
    /// Streams `trace:<id>`, one per producer, that hold records from before the session was known.
    provisional: Vec<Provisional>,
}

#[derive(Debug, Clone)]
struct Provisional {
    producer: Arc<str>,
    /// It was linked to the session by a committed leaf.
    linked: bool,
}

/// A provisional stream and the session to which it has to be linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DueLink {
    pub(crate) trace: Trace,
    pub(crate) producer: Arc<str>,
    pub(crate) session: Arc<str>,
}

/// The traces seen lately.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    known: HashMap<Trace, Known>,
    order: VecDeque<Trace>,
}

impl Traces {
    fn entry(&mut self, trace: &Trace) -> &mut Known {
        if !self.known.contains_key(trace) {
            self.order.push_back(trace.clone());
            if self.order.len() > REMEMBERED
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        self.known.entry(trace.clone()).or_default()
    }

    /// A stream `trace:<id>` that an earlier run of the collector left, and the session it is linked to, if any.
    pub(crate) fn recall(&mut self, trace: Trace, producer: Arc<str>, session: Option<&str>) {
        let known = self.entry(&trace);
        known.session = known.session.take().or_else(|| session.map(Arc::from));
        known.provisional.push(Provisional {
            producer,
            linked: session.is_some(),
        });
    }

    /// A record of this trace names its session. The first name stays: a later one is not this trace's to give.
    pub(crate) fn learn(&mut self, trace: &Trace, session: &str) {
        let known = self.entry(trace);
        if known.session.is_none() {
            known.session = Some(session.into());
        }
    }

    /// The session that a record of this trace inherits; without one it goes to a provisional stream.
    pub(crate) fn inherit(&mut self, trace: &Trace, producer: &Arc<str>) -> Option<Arc<str>> {
        let known = self.entry(trace);
        if known.session.is_none()
            && !known
                .provisional
                .iter()
                .any(|stream| stream.producer == *producer)
        {
            known.provisional.push(Provisional {
                producer: Arc::clone(producer),
                linked: false,
            });
        }
        known.session.clone()
    }

    /// The links that this trace still needs.
    pub(crate) fn due_links(&self, trace: &Trace) -> impl Iterator<Item = DueLink> {
        let known = self.known.get(trace);
        known.into_iter().flat_map(|known| {
            let unlinked = known.provisional.iter().filter(|stream| !stream.linked);
            unlinked.filter_map(|stream| {
                let session = known.session.clone()?;
                Some(DueLink {
                    trace: trace.clone(),
                    producer: Arc::clone(&stream.producer),
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
            .filter(|stream| stream.producer == link.producer)
        {
            stream.linked = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_all(number: u8) -> Trace {
        ("".into(), [number; 16])
    }

    fn due(traces: &Traces, trace: Trace) -> Vec<(String, String)> {
        traces
            .due_links(&trace)
            .map(|link| (link.producer.to_string(), link.session.to_string()))
            .collect()
    }

    #[test]
    fn a_trace_inherits_the_first_session_it_was_given() {
        let mut traces = Traces::default();
        traces.learn(&of_all(1), "first");
        traces.learn(&of_all(1), "second");
        assert_eq!(
            traces.inherit(&of_all(1), &"http".into()).as_deref(),
            Some("first")
        );
        assert_eq!(due(&traces, of_all(1)), []);
    }

    #[test]
    fn a_session_that_comes_later_is_linked_once_per_producer() {
        let mut traces = Traces::default();
        assert_eq!(traces.inherit(&of_all(2), &"http".into()), None);
        assert_eq!(traces.inherit(&of_all(2), &"grpc".into()), None);
        assert_eq!(traces.inherit(&of_all(2), &"http".into()), None);
        assert_eq!(due(&traces, of_all(2)), []);
        traces.learn(&of_all(2), "late");
        assert_eq!(
            due(&traces, of_all(2)),
            [
                ("http".into(), "late".into()),
                ("grpc".into(), "late".into())
            ]
        );
        let links: Vec<DueLink> = traces.due_links(&of_all(2)).collect();
        traces.linked(&links[0]);
        assert_eq!(due(&traces, of_all(2)), [("grpc".into(), "late".into())]);
    }

    #[test]
    fn one_circle_knows_nothing_of_another() {
        let mut traces = Traces::default();
        let own: Trace = ("billing".into(), [5; 16]);
        assert_eq!(traces.inherit(&own, &"billing".into()), None);
        traces.learn(&of_all(5), "theirs");
        assert_eq!(traces.inherit(&own, &"billing".into()), None);
        assert_eq!(due(&traces, own.clone()), []);
        traces.learn(&own, "mine");
        assert_eq!(due(&traces, own), [("billing".into(), "mine".into())]);
    }

    #[test]
    fn what_an_earlier_run_left_is_linked_or_inherited() {
        let mut traces = Traces::default();
        traces.recall(of_all(3), "http".into(), None);
        traces.recall(of_all(4), "http".into(), Some("known"));
        traces.learn(&of_all(3), "late");
        assert_eq!(due(&traces, of_all(3)), [("http".into(), "late".into())]);
        assert_eq!(
            traces.inherit(&of_all(4), &"grpc".into()).as_deref(),
            Some("known")
        );
        assert_eq!(due(&traces, of_all(4)), []);
    }

    #[test]
    fn the_oldest_traces_are_forgotten() {
        let mut traces = Traces::default();
        for n in 0..=REMEMBERED as u128 {
            traces.learn(&("".into(), n.to_be_bytes()), "s");
        }
        assert_eq!(traces.inherit(&("".into(), [0; 16]), &"http".into()), None);
        assert!(traces.known.len() <= REMEMBERED + 1);
    }
}
