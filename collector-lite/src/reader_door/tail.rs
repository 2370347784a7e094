//! Live tail: every record as it is sealed, or where it lies, as server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use ::http::StatusCode;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use ledger::door::wire::{HintAnswer, RecordAnswer};
use ledger::leaf::StreamId;
use ledger::reader::{Find, Reader, StreamHint};
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::answer::{Asked, problem, read};
use super::evidence::some_records;
use super::{Door, ReaderDoor, TAILS};
use crate::agent_door::door::Followed;

/// What is followed; without either, everything.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Filter {
    session: Option<String>,
    request: Option<String>,
    /// Whether the records themselves are told, or only where they lie.
    #[serde(default = "told")]
    records: bool,
}

fn told() -> bool {
    true
}

impl Filter {
    /// Whether nothing has to be looked up to know what is told.
    fn takes_all_places(&self) -> bool {
        !self.records && self.session.is_none() && self.request.is_none()
    }

    fn admits(&self, hint: &StreamHint) -> bool {
        let session = |name: &String| hint.label == *name || hint.sessions.contains(name);
        self.session.as_ref().is_none_or(session)
            && self
                .request
                .as_ref()
                .is_none_or(|request| hint.requests.contains(request))
    }
}

/// One sealed record and where it lies.
#[derive(Serialize)]
struct Sealed<'a> {
    stream: String,
    label: &'a str,
    #[serde(flatten)]
    record: RecordAnswer,
}

/// What one reader follows. It holds the events of one step at a time: a reader that stops reading is not read for.
struct Tail {
    door: Arc<ReaderDoor>,
    filter: Filter,
    sealed: Receiver<Arc<Followed>>,
    /// Where the records lie that are still to be told.
    due: VecDeque<Due>,
    ready: VecDeque<Event>,
    _place: OwnedSemaphorePermit,
}

#[derive(Clone, Copy)]
struct Due {
    stream: StreamId,
    from: u64,
    to: u64,
}

impl Due {
    fn told(self) -> serde_json::Value {
        serde_json::json!({ "stream": self.stream.to_string(), "from": self.from, "to": self.to })
    }
}

pub(super) async fn tail(State(door): Door, Asked(filter): Asked<Filter>) -> Response {
    let Ok(place) = Arc::clone(&door.tails).try_acquire_owned() else {
        let what = format!("{TAILS} readers follow already");
        return problem(StatusCode::SERVICE_UNAVAILABLE, &what);
    };
    let sealed = door.agent.follow();
    let tail = Tail {
        door,
        filter,
        sealed,
        due: [].into(),
        ready: [].into(),
        _place: place,
    };
    let events = stream::unfold(tail, |mut tail| async move {
        loop {
            if let Some(event) = tail.ready.pop_front() {
                return Some((Ok::<_, Infallible>(event), tail));
            }
            if let Some(due) = tail.due.pop_front() {
                tail.fetch(due).await;
                continue;
            }
            match tail.sealed.recv().await {
                Ok(followed) => tail.take_up(&followed),
                // What this reader missed is told, and can be read from the streams themselves.
                Err(RecvError::Lagged(missed)) => {
                    tail.say("lagged", &serde_json::json!({ "missed_exports": missed }));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    });
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

impl Tail {
    fn take_up(&mut self, followed: &Followed) {
        let due = followed.streams.iter().map(|place| Due {
            stream: place.stream,
            from: place.first,
            to: place.first.saturating_add(place.count),
        });
        if self.filter.takes_all_places() {
            for due in due {
                self.say("sealed", &due.told());
            }
        } else {
            self.due.extend(due);
        }
        if followed.unsaid > 0 {
            self.say(
                "lagged",
                &serde_json::json!({ "missed_streams": followed.unsaid }),
            );
        }
    }

    fn say(&mut self, event: &str, data: &serde_json::Value) {
        let event = Event::default().event(event).data(data.to_string());
        self.ready.push_back(event);
    }

    /// Tells where records lie that the filter admits; none of them is read.
    async fn place(&mut self, due: Due, filter: Filter) {
        let found = read(&self.door, move |folder| {
            let hint = folder.find(&Find::Stream(due.stream))?.into_iter().next();
            Ok(hint.is_some_and(|hint| filter.admits(&hint)))
        });
        match found.await {
            Ok(true) => self.say("sealed", &due.told()),
            Ok(false) => {}
            Err(_) => self.say("lagged", &due.told()),
        }
    }

    /// Reads as many of the records as one answer may hold.
    async fn fetch(&mut self, due: Due) {
        let filter = self.filter.clone();
        if !filter.records {
            return self.place(due, filter).await;
        }
        let found = read(&self.door, move |folder| {
            let hint = folder.find(&Find::Stream(due.stream))?.into_iter().next();
            match hint.filter(|hint| filter.admits(hint)) {
                None => Ok(None),
                Some(hint) => {
                    let part = some_records(folder, &due.stream, due.from, due.to)?;
                    Ok(Some((part, hint)))
                }
            }
        });
        let ((records, next), hint) = match found.await {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(_) => return self.say("lagged", &due.told()),
        };
        if next < due.to && !records.is_empty() {
            self.due.push_front(Due { from: next, ..due });
        }
        let hint = HintAnswer::from(&hint);
        for record in &records {
            let sealed = Sealed {
                stream: hint.stream.clone(),
                label: &hint.label,
                record: record.into(),
            };
            if let Ok(event) = Event::default().event("record").json_data(&sealed) {
                self.ready.push_back(event);
            }
        }
    }
}
