//! Live tail: every record as it is sealed, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use ledger::door::wire::{HintAnswer, RecordAnswer};
use ledger::reader::{Find, Reader, StreamHint};
use ledger::store::Receipt;
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::answer::read;
use super::{Door, ReaderDoor};

/// What is followed; without either, everything.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Filter {
    session: Option<String>,
    request: Option<String>,
}

impl Filter {
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

struct Tail {
    door: Arc<ReaderDoor>,
    filter: Filter,
    receipts: Receiver<Arc<Receipt>>,
    ready: std::collections::VecDeque<Event>,
}

pub(super) async fn tail(State(door): Door, Query(filter): Query<Filter>) -> Response {
    let receipts = door.agent.follow();
    let tail = Tail {
        door,
        filter,
        receipts,
        ready: [].into(),
    };
    let events = stream::unfold(tail, |mut tail| async move {
        loop {
            if let Some(event) = tail.ready.pop_front() {
                return Some((Ok::<_, Infallible>(event), tail));
            }
            match tail.receipts.recv().await {
                Ok(receipt) => tail.fetch(&receipt).await,
                // What this reader missed is told, and can be read from the streams themselves.
                Err(RecvError::Lagged(missed)) => {
                    let data = serde_json::json!({ "missed_exports": missed }).to_string();
                    tail.ready
                        .push_back(Event::default().event("lagged").data(data));
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
    async fn fetch(&mut self, receipt: &Receipt) {
        for place in &receipt.streams {
            let (stream, first, count) = (place.stream, place.first, place.count);
            let filter = self.filter.clone();
            let found = read(&self.door, move |folder| {
                let hint = folder.find(&Find::Stream(stream))?.into_iter().next();
                match hint.filter(|hint| filter.admits(hint)) {
                    None => Ok(None),
                    Some(hint) => Ok(Some((folder.records(&stream, first, first + count)?, hint))),
                }
            });
            let Ok(Some((records, hint))) = found.await else {
                continue;
            };
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
}
