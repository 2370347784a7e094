//! What passes between client and server, as actions: begun before a request goes on, ended when its answer comes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use recount::capture::files::Snapshot;
use recount::capture::mcp::{Mcp, Reply};
use recount::{Action, Handle, Observed, Refused};
use serde_json::value::RawValue;
use vocabulary::id::SessionId;

use super::files::{self, Roots};
use super::told::Told;
use crate::app::words::count;

/// So many sessions of callers are remembered.
const CALLERS: usize = 1024;

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum From {
    Client,
    Server,
}

impl From {
    const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A request whose answer has not come.
struct Asked {
    method: String,
    params: Option<String>,
    mcp: Mcp,
    /// `None`: it only serves the protocol.
    action: Option<Action>,
    before: Option<Snapshot>,
}

/// What passed and is no action.
#[derive(Debug, Default)]
struct Counts {
    actions: u64,
    served: u64,
    notifications: BTreeMap<String, u64>,
    malformed: u64,
    unread: u64,
    unasked: u64,
}

#[derive(Default)]
struct State {
    /// By who asked, and the JSON of the id.
    asked: HashMap<(From, String), Asked>,
    callers: HashMap<SessionId, Handle>,
    counts: Counts,
}

/// Looks at all that passes; shared by both directions.
pub(super) struct Watcher {
    mcp: Mcp,
    roots: Arc<Roots>,
    state: Mutex<State>,
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watcher({:?})", self.mcp)
    }
}

/// A message as it is written; members that are there twice count as their last.
type Members<'a> = HashMap<String, &'a RawValue>;

/// Why a line must not go on: what to answer instead.
#[derive(Debug)]
pub(super) struct Stopped(pub(super) Vec<u8>);

impl Watcher {
    pub(super) fn new(mcp: Mcp, roots: Arc<Roots>) -> Self {
        Self {
            mcp,
            roots,
            state: Mutex::default(),
        }
    }

    /// The session that calls belong to which name none.
    pub(super) fn session(&self) -> &Handle {
        self.mcp.session()
    }

    /// Looks at a line before it goes on; calls in it that name no session belong to `base`. A request that could not
    /// be recorded stops it.
    pub(super) fn passes(&self, base: &Handle, from: From, line: &[u8]) -> Result<(), Stopped> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let batch = line.trim_ascii_start().first() == Some(&b'[');
        let messages: Option<Vec<Members<'_>>> = match batch {
            true => serde_json::from_slice(line).ok(),
            false => serde_json::from_slice(line).ok().map(|one| vec![one]),
        };
        let Some(messages) = messages else {
            self.lock().counts.malformed += 1;
            return Ok(());
        };
        let mut refused = None;
        for message in &messages {
            if let Err(why) = self.message(base, from, message) {
                refused = Some(why);
            }
        }
        match refused {
            None => Ok(()),
            Some(why) => Err(self.stopped(from, &messages, batch, &why)),
        }
    }

    /// A piece that nobody can read.
    pub(super) fn unread(&self) {
        self.lock().counts.unread += 1;
    }

    /// No answer comes any more.
    pub(super) fn close(&self, why: &str) {
        let asked: Vec<Asked> = self.lock().asked.drain().map(|(_, asked)| asked).collect();
        for asked in asked {
            asked.end(Reply::Lost(why));
        }
    }

    /// What passed, in a few words.
    pub(super) fn counted(&self) -> String {
        let state = self.lock();
        let counts = &state.counts;
        let notifications: u64 = counts.notifications.values().sum();
        let mut said = vec![
            count(counts.actions, "action", "actions"),
            format!(
                "{} of the protocol",
                count(counts.served, "request", "requests")
            ),
        ];
        if notifications > 0 {
            let each: Vec<String> = counts
                .notifications
                .iter()
                .map(|(name, count)| format!("{name} {count}"))
                .collect();
            let all = count(notifications, "notification", "notifications");
            said.push(format!("{all} ({})", each.join(", ")));
        }
        for (number, what) in [
            (counts.malformed, "that are no JSON"),
            (counts.unread, "that could not be read"),
            (counts.unasked, "that answer nothing"),
        ] {
            if number > 0 {
                said.push(format!("{} {what}", count(number, "line", "lines")));
            }
        }
        said.join("; ")
    }

    fn message(&self, base: &Handle, from: From, message: &Members<'_>) -> Result<(), Refused> {
        let method: Option<String> = message
            .get("method")
            .and_then(|method| serde_json::from_str(method.get()).ok());
        let id = message.get("id").map(|id| id.get().to_owned());
        let params = message.get("params").map(|params| params.get());
        match (method, id) {
            (Some(method), Some(id)) if id != "null" => self.asks(base, from, &method, id, params),
            (Some(method), _) => {
                self.notifies(from, method, params);
                Ok(())
            }
            (None, Some(id)) => {
                self.answers(from, id, message);
                Ok(())
            }
            (None, None) => {
                self.lock().counts.malformed += 1;
                Ok(())
            }
        }
    }

    /// A request. The state is not locked while the collector is waited for.
    fn asks(
        &self,
        base: &Handle,
        from: From,
        method: &str,
        id: String,
        params: Option<&str>,
    ) -> Result<(), Refused> {
        let mcp = self.caller(base, params);
        let (mut action, mut before) = (None, None);
        if let Some(builder) = mcp.action(method, params) {
            let begun = builder.begin_blocking()?;
            if method == "tools/call" {
                before = self.roots.before(mcp.session(), params.unwrap_or_default());
            }
            action = Some(begun);
        }
        let mut state = self.lock();
        match &action {
            Some(_) => state.counts.actions += 1,
            None => state.counts.served += 1,
        }
        let asked = Asked {
            method: method.to_owned(),
            params: params.map(str::to_owned),
            mcp,
            action,
            before,
        };
        let older = state.asked.insert((from, id), asked);
        drop(state);
        if let Some(older) = older {
            older.end(Reply::Lost("its id was used again before an answer came"));
        }
        Ok(())
    }

    fn notifies(&self, from: From, method: String, params: Option<&str>) {
        if method == "notifications/cancelled" {
            let params: Members<'_> =
                serde_json::from_str(params.unwrap_or_default()).unwrap_or_default();
            let id = params.get("requestId").map(|id| id.get().to_owned());
            let asked = id.and_then(|id| self.lock().asked.remove(&(from, id)));
            let reason: Option<String> = params
                .get("reason")
                .and_then(|reason| serde_json::from_str(reason.get()).ok());
            if let Some(asked) = asked {
                asked.end(Reply::Cancelled(&reason.unwrap_or_default()));
            }
        }
        // Names come from others: so many different ones, and the rest together.
        let notifications = &mut self.lock().counts.notifications;
        let known = notifications.contains_key(&method) || notifications.len() < 32;
        let name = if known { method } else { "other".to_owned() };
        *notifications.entry(name).or_default() += 1;
    }

    fn answers(&self, from: From, id: String, message: &Members<'_>) {
        let mut state = self.lock();
        let Some(asked) = state.asked.remove(&(from.other(), id)) else {
            state.counts.unasked += 1;
            return;
        };
        drop(state);
        match (message.get("result"), message.get("error")) {
            (Some(result), _) => asked.end(Reply::Result(result.get())),
            (None, Some(error)) => asked.end(Reply::Error(error.get())),
            (None, None) => asked.end(Reply::Lost("an answer without a result or an error")),
        }
    }

    /// The server, in the session that the caller names.
    fn caller(&self, base: &Handle, params: Option<&str>) -> Mcp {
        let told = params.map(Told::read).unwrap_or_default();
        let session = match &told.session {
            Some(session) if session != base.id() => {
                let mut state = self.lock();
                if state.callers.len() >= CALLERS {
                    state.callers.clear();
                }
                let joined = state.callers.entry(session.clone()).or_insert_with(|| {
                    let trace = told.span.map(|(trace, _)| trace);
                    base.recorder().join(session, told.request.as_ref(), trace)
                });
                joined.clone()
            }
            _ => base.clone(),
        };
        match told.span {
            Some(span) => {
                let span = Some(span);
                let observed = Observed { span, target: None };
                self.mcp.in_session(&session.observing(observed))
            }
            None => self.mcp.in_session(&session),
        }
    }

    /// What is answered to requests that did not go on. Those of the same line that were begun did not run either.
    fn stopped(&self, from: From, messages: &[Members<'_>], batch: bool, why: &Refused) -> Stopped {
        let mut answers = Vec::new();
        for message in messages {
            let (Some(id), true) = (message.get("id"), message.contains_key("method")) else {
                continue;
            };
            let asked = self.lock().asked.remove(&(from, id.get().to_owned()));
            if let Some(action) = asked.and_then(|asked| asked.action) {
                action.end(recount::Outcome::NotExecuted, recount::Effect::None);
            }
            let said = format!("not sent, because it could not be recorded: {why}");
            let said = serde_json::Value::from(said);
            answers.push(format!(
                r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":-32000,"message":{said}}}}}"#,
                id.get()
            ));
        }
        let mut line = answers.join(",");
        if batch {
            line = format!("[{line}]");
        }
        line.push('\n');
        Stopped(line.into_bytes())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    fn end(self, reply: Reply<'_>) {
        match self.action {
            Some(action) => {
                if let Some(before) = self.before {
                    files::after(before, &action);
                }
                self.mcp.ended(action, reply);
            }
            None => {
                if let Reply::Result(result) = reply {
                    self.mcp
                        .answered(&self.method, self.params.as_deref(), result);
                }
            }
        }
    }
}
