//! The proxy between an HTTP client and an HTTP server (streamable HTTP): JSON answers, event streams, resumption.
//!
//! Requests are told apart by the protocol's own session (`Mcp-Session-Id`) where there is one: an answer may then come
//! on another stream than the one that was asked on. Where there is none (the generation without sessions), an answer
//! comes with the request's own response or never.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use recount::Handle;

use super::files::Roots;
use super::watcher::{From, Stopped, Watcher};
use crate::args::{Mcp, Relaying};
use crate::command::Context;
use crate::failure::{Exit, Failure};
use crate::record::relay::{
    self, Body, Busy, Call, Ended, Relay, Upstream, Watch, full, media_type, own_answer,
};

/// A longer message would pass unread, and is refused.
const LONGEST: usize = 64 << 20;

/// So many sessions of the protocol are open at once.
const SESSIONS: usize = 4096;

/// The header that names a session of the protocol.
const SESSION: &str = "mcp-session-id";

/// Serves until it is told to stop.
pub(super) fn run(context: &Context, args: &Mcp, relaying: &Relaying) -> Result<Exit, Failure> {
    relay::run(context, "mcp", relaying, |recorder, upstream| {
        let client = Upstream::client().build().map_err(|error| Failure::Usage {
            what: format!("no client for --upstream: {error}"),
            hint: "look at the proxy variables of the environment".to_owned(),
        })?;
        Ok(Http {
            name: args.name.clone().unwrap_or_else(|| upstream.host()),
            roots: Arc::new(Roots::of(&args.root, recorder.spool_folder())?),
            upstream,
            client,
            open: Mutex::default(),
        })
    })
}

struct Http {
    upstream: Upstream,
    client: reqwest::Client,
    name: String,
    roots: Arc<Roots>,
    /// By the protocol's own session.
    open: Mutex<HashMap<String, Arc<Watcher>>>,
}

impl Relay for Http {
    async fn answer(&self, call: Call) -> Response<Body> {
        let (session, busy) = (call.session(None), call.busy());
        let named = call
            .parts
            .headers
            .get(SESSION)
            .and_then(|id| id.to_str().ok())
            .map(str::to_owned);
        let watcher = self.watcher(named.as_deref(), &session);
        let Call { parts, body, .. } = call;
        let Ok(body) = Limited::new(body, LONGEST).collect().await else {
            let why = "the message is too long to be recorded, or broke off";
            return own_answer(StatusCode::PAYLOAD_TOO_LARGE, "mcp", why);
        };
        let body = body.to_bytes();
        if parts.method == Method::POST {
            // A begin may wait for the collector.
            let passes = || watcher.passes(&session, From::Client, &body);
            if let Err(Stopped(answer)) = tokio::task::block_in_place(passes) {
                let mut response = Response::new(full(answer));
                let json = http::HeaderValue::from_static("application/json");
                response
                    .headers_mut()
                    .insert(http::header::CONTENT_TYPE, json);
                return response;
            }
        }
        let sent = self
            .client
            .execute(self.upstream.request(&parts, body.into()));
        match sent.await {
            Err(error) => {
                let (response, why) = self.upstream.unanswered(&error);
                watcher.close(&why);
                response
            }
            Ok(response) => {
                let ends = parts.method == Method::DELETE && response.status().is_success();
                if let (Some(named), true) = (&named, ends) {
                    self.lock().remove(named);
                    watcher.close("the client ended the session");
                }
                let reading = Reading::of(&response);
                let keeps = named.is_some() && response.status().is_success();
                let passing = Passing {
                    watcher,
                    session,
                    reading,
                    status: response.status(),
                    keeps,
                    _busy: busy,
                };
                self.upstream.answer(response, passing)
            }
        }
    }
}

impl Http {
    /// What looks at a session of the protocol; without one, at a single request.
    fn watcher(&self, named: Option<&str>, session: &Handle) -> Arc<Watcher> {
        let new = || {
            let mcp = session.mcp(&self.name);
            Arc::new(Watcher::new(mcp, Arc::clone(&self.roots)))
        };
        let Some(named) = named else {
            return new();
        };
        let mut open = self.lock();
        if open.len() >= SESSIONS && !open.contains_key(named) {
            for (_, watcher) in open.drain() {
                watcher.close("too many sessions were open");
            }
        }
        Arc::clone(open.entry(named.to_owned()).or_insert_with(new))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Watcher>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How messages stand in a response.
enum Reading {
    /// All of it is one.
    Json(Vec<u8>),
    /// Each event is one.
    Events(Events),
    /// There are none.
    Nothing,
}

impl Reading {
    fn of(response: &reqwest::Response) -> Self {
        match media_type(response.headers()).split(';').next() {
            Some("application/json") => Self::Json(Vec::new()),
            Some("text/event-stream") => Self::Events(Events::default()),
            _ => Self::Nothing,
        }
    }
}

/// Looks at a response as it passes.
struct Passing {
    watcher: Arc<Watcher>,
    session: Handle,
    reading: Reading,
    status: StatusCode,
    /// Whether an answer may still come on another stream.
    keeps: bool,
    _busy: Busy,
}

impl Watch for Passing {
    fn passed(&mut self, data: &Bytes) {
        match &mut self.reading {
            Reading::Json(begun) if begun.len() + data.len() <= LONGEST => {
                begun.extend_from_slice(data);
            }
            Reading::Json(_) => {
                self.watcher.unread();
                self.reading = Reading::Nothing;
            }
            Reading::Events(events) => {
                for message in events.take(data) {
                    // What the server asks is spooled: nothing stops it.
                    let _ = self.watcher.passes(&self.session, From::Server, &message);
                }
            }
            Reading::Nothing => {}
        }
    }

    fn ended(self, how: Ended) {
        if let Reading::Json(message) = &self.reading
            && how == Ended::Whole
        {
            let _ = self.watcher.passes(&self.session, From::Server, message);
        }
        if self.keeps {
            return;
        }
        let why = match how {
            Ended::Whole => format!("status {} without an answer", self.status.as_u16()),
            Ended::Failed(why) => why,
            Ended::Dropped => "the client went away".to_owned(),
        };
        self.watcher.close(&why);
    }
}

/// The data of server-sent events.
#[derive(Debug, Default)]
struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    after_return: bool,
}

impl Events {
    /// Takes the next bytes; gives the data of events that are complete with them.
    fn take(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut complete = Vec::new();
        for byte in bytes {
            let ends = matches!(byte, b'\n' | b'\r');
            // `\r\n` is one end.
            let second = *byte == b'\n' && std::mem::take(&mut self.after_return);
            self.after_return = *byte == b'\r';
            if second {
                continue;
            }
            if !ends {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            if line.is_empty() {
                let data = std::mem::take(&mut self.data);
                complete.extend((!data.is_empty()).then_some(data));
            } else if let Some(data) = line.strip_prefix(b"data:") {
                if !self.data.is_empty() {
                    self.data.push(b'\n');
                }
                let data = data.strip_prefix(b" ").unwrap_or(data);
                if self.data.len() + data.len() <= LONGEST {
                    self.data.extend_from_slice(data);
                }
            }
        }
        complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_in_whatever_pieces_they_come() {
        let stream =
            b": hi\nid: 1\ndata: {\"a\":\r\ndata:1}\r\n\r\nevent: x\n\ndata: two\n\ndata: no end";
        for size in 1..stream.len() {
            let mut events = Events::default();
            let read: Vec<Vec<u8>> = stream
                .chunks(size)
                .flat_map(|chunk| events.take(chunk))
                .collect();
            assert_eq!(read, [b"{\"a\":\n1}".to_vec(), b"two".to_vec()]);
        }
    }
}
