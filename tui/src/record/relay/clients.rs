//! Whose call it is: the session that the caller names, or one for each caller.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use http::header::{AUTHORIZATION, USER_AGENT};
use recount::redaction::ContentPolicy;
use recount::{EndReason, Handle, Recorder, Session, TriggerKind};
use tokio::time::Instant;
use vocabulary::id::{RequestId, SessionId};

use super::super::declared::Declared;
use super::told::{self, Told};

/// Held while a call is under way: its session does not count as idle.
#[derive(Debug, Clone)]
pub(crate) struct Busy(#[expect(dead_code, reason = "its count is what matters")] Arc<()>);

/// Who called.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) session: Handle,
    pub(super) span: Option<([u8; 16], [u8; 8])>,
    pub(super) busy: Busy,
}

/// What sessions are opened with.
#[derive(Debug, Clone)]
pub(super) struct Defaults {
    pub(super) relay: &'static str,
    pub(super) request: Option<String>,
    pub(super) agent: Option<String>,
    /// How much of contents is kept, where the recorder's policy does not decide.
    pub(super) content: Option<ContentPolicy>,
    pub(super) declared: Declared,
    /// A session without a call for so long ends.
    pub(super) idle: Duration,
}

/// By what calls belong together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// A session that the caller opened.
    Opened(SessionId),
    /// One by a name of the caller's choice.
    Named(SessionId),
    /// One that the agent has a name of its own for.
    Vendor(String, Option<RequestId>),
    /// Who calls, by what, and a fingerprint of its credential that nobody else can make.
    Caller(String, String, u64, Option<RequestId>),
}

enum Open {
    /// Somebody else's: neither started nor ended here.
    Joined(Handle),
    Own(Session),
}

struct Entry {
    open: Open,
    used: Instant,
    busy: Arc<()>,
}

struct Shared {
    recorder: Recorder,
    defaults: Defaults,
    /// New for each run of the relay: a fingerprint says nothing outside it.
    salt: RandomState,
    open: Mutex<HashMap<Key, Entry>>,
}

/// The sessions that are open.
#[derive(Clone)]
pub(super) struct Clients(Arc<Shared>);

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

impl Clients {
    pub(super) fn new(recorder: &Recorder, defaults: Defaults) -> Self {
        Self(Arc::new(Shared {
            recorder: recorder.clone(),
            defaults,
            salt: RandomState::new(),
            open: Mutex::default(),
        }))
    }

    /// The relay's name.
    pub(super) fn relay(&self) -> &'static str {
        self.0.defaults.relay
    }

    /// Who makes a call, and the session that it belongs to; opens one where none is open. What is meant for the
    /// relay alone is taken out of the headers.
    pub(super) fn of(&self, peer: &str, headers: &mut HeaderMap) -> Client {
        let told = told::read(headers);
        let key = self.key(peer, headers, &told);
        let mut open = self.lock();
        let entry = open.entry(key.clone()).or_insert_with(|| Entry {
            open: self.open(&key, &told, headers),
            used: Instant::now(),
            busy: Arc::default(),
        });
        entry.used = Instant::now();
        let session = match &entry.open {
            Open::Joined(handle) => handle.clone(),
            Open::Own(session) => session.handle(),
        };
        Client {
            session,
            span: told.span,
            busy: Busy(Arc::clone(&entry.busy)),
        }
    }

    fn key(&self, peer: &str, headers: &HeaderMap, told: &Told) -> Key {
        if let Some(session) = &told.opened {
            return Key::Opened(session.clone());
        }
        if let Some(session) = &told.named {
            return Key::Named(session.clone());
        }
        if let Some(session) = &told.vendor {
            return Key::Vendor(session.clone(), told.request.clone());
        }
        let credential = [AUTHORIZATION.as_str(), "x-api-key", "api-key"]
            .map(|name| headers.get(name).map(http::HeaderValue::as_bytes));
        let agent = headers.get(USER_AGENT).map(http::HeaderValue::as_bytes);
        Key::Caller(
            peer.to_owned(),
            String::from_utf8_lossy(agent.unwrap_or_default()).into_owned(),
            self.0.salt.hash_one(credential),
            told.request.clone(),
        )
    }

    fn open(&self, key: &Key, told: &Told, headers: &HeaderMap) -> Open {
        let Shared {
            recorder, defaults, ..
        } = &*self.0;
        let request = told.request.as_ref();
        if let Key::Opened(session) = key {
            let trace = told.span.map(|(trace, _)| trace);
            let joined = recorder.join(session, request, trace);
            if let Some(content) = defaults.content {
                joined.keep(content);
            }
            return Open::Joined(joined);
        }
        let vendor = match key {
            Key::Vendor(session, _) => Some(session.as_str()),
            _ => None,
        };
        let named = request.map(RequestId::as_str);
        let mut session = match named.or(defaults.request.as_deref()).or(vendor) {
            Some(request) => recorder.session(request),
            None => recorder.session_without_request(),
        };
        if let Some(vendor) = vendor {
            session = session.alias(vendor);
        }
        if let Key::Named(id) = key {
            session = session.announced_as(id.clone());
        }
        if let Some(content) = defaults.content {
            session = session.content_policy(content);
        }
        session = defaults.declared.tell(session, None);
        let (agent, version) = agent(headers);
        let agent = defaults.agent.as_deref().unwrap_or(agent);
        let origin = format!("recount {}", defaults.relay);
        Open::Own(
            session
                .agent(agent, version)
                .trigger(TriggerKind::Api, origin)
                .start_blocking(),
        )
    }

    /// Ends sessions that had no call for too long.
    pub(super) fn end_idle(&self) {
        let idle = self.0.defaults.idle;
        let ended: Vec<Entry> = self
            .lock()
            .extract_if(|_, entry| {
                Arc::strong_count(&entry.busy) == 1 && entry.used.elapsed() >= idle
            })
            .map(|(_, entry)| entry)
            .collect();
        ended.into_iter().for_each(Entry::end);
    }

    /// Waits until no call is under way and the end of each is recorded, at most so long.
    pub(super) async fn quiet(&self, at_most: Duration) {
        let quiet = async {
            while self
                .lock()
                .values()
                .any(|entry| Arc::strong_count(&entry.busy) > 1)
            {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = tokio::time::timeout(at_most, quiet).await;
    }

    /// Ends all sessions.
    pub(super) fn end_all(&self) {
        let ended: Vec<Entry> = self.lock().drain().map(|(_, entry)| entry).collect();
        ended.into_iter().for_each(Entry::end);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// The relay saw the calls and not the work: it does not know how that came out.
    fn end(self) {
        if let Open::Own(session) = self.open {
            session.end_blocking(EndReason::Unknown);
        }
    }
}

/// The first product that a user agent names, and its version: `OpenAI/Python 2.1.0` is `OpenAI/Python`.
fn agent(headers: &HeaderMap) -> (&str, &str) {
    let told = headers
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let mut words = told.split_whitespace();
    let first = words.next().unwrap_or("unknown");
    match (first.split_once('/'), words.next()) {
        (Some((_, version)), Some(next))
            if !version.starts_with(|c: char| c.is_ascii_digit())
                && next.starts_with(|c: char| c.is_ascii_digit()) =>
        {
            (first, next)
        }
        (Some((name, version)), _) => (name, version),
        (None, _) => (first, "unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recount::testing::Recorded;

    fn clients(recorder: &Recorder) -> Clients {
        let defaults = Defaults {
            relay: "llm",
            request: None,
            agent: None,
            content: None,
            declared: Default::default(),
            idle: Duration::ZERO,
        };
        Clients::new(recorder, defaults)
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn calls_belong_together_by_name_by_vendor_or_by_caller() {
        let recorder = Recorder::testing();
        let clients = clients(&recorder);
        let of = |peer: &str, pairs: &[(&'static str, &str)]| {
            let client = clients.of(peer, &mut headers(pairs));
            client.session.id().to_string()
        };
        let one = of("::1", &[("authorization", "Bearer a")]);
        assert_eq!(one, of("::1", &[("authorization", "Bearer a")]));
        assert_ne!(one, of("::1", &[("authorization", "Bearer b")]));
        assert_ne!(one, of("uid 7 pid 9", &[("authorization", "Bearer a")]));
        let asked = [
            ("authorization", "Bearer a"),
            ("x-recount-request", "47892"),
        ];
        assert_ne!(one, of("::1", &asked));
        let vendor = [("x-claude-code-session-id", "c-1")];
        assert_eq!(of("::1", &vendor), of("::2", &vendor));
        assert_eq!(of("::1", &[("x-recount-session", "mine")]), "mine");
        let baggage = [
            ("baggage", "recount.session.id=theirs"),
            ("x-recount-session", "mine"),
        ];
        assert_eq!(of("::1", &baggage), "theirs");
        clients.end_idle();
        let recorded = Recorded::of(&recorder);
        let count = |name: &str| recorded.names().filter(|told| *told == name).count();
        let (starts, ends) = (count("agent.session.start"), count("agent.session.end"));
        // Nothing is said of a session that the caller opened.
        assert_eq!((starts, ends), (6, 6));
        let all = format!("{:?}", recorded.records());
        assert!(!all.contains("Bearer") && all.contains("c-1"));
    }

    #[test]
    fn a_session_with_a_call_under_way_is_not_idle() {
        let recorder = Recorder::testing();
        let clients = clients(&recorder);
        let client = clients.of("::1", &mut HeaderMap::new());
        let busy = client.busy.clone();
        drop(client);
        clients.end_idle();
        assert_eq!(
            Recorded::of(&recorder).names().last(),
            Some("agent.session.start")
        );
        drop(busy);
        clients.end_idle();
        assert_eq!(
            Recorded::of(&recorder).names().last(),
            Some("agent.session.end")
        );
    }

    #[test]
    fn an_agent_is_called_as_its_user_agent_says() {
        let of = |text: &str| {
            let headers = headers(&[("user-agent", text)]);
            let (name, version) = agent(&headers);
            (name.to_owned(), version.to_owned())
        };
        let pair = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(of("OpenAI/Python 2.1.0"), pair("OpenAI/Python", "2.1.0"));
        assert_eq!(of("curl/8.5.0"), pair("curl", "8.5.0"));
        assert_eq!(of("claude-cli/2.1 (external)"), pair("claude-cli", "2.1"));
        assert_eq!(of("thing"), pair("thing", "unknown"));
    }
}
