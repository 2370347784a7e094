//! The recorder's own reads: marked, bounded, and never in the way of the user's request.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, ETAG, LAST_MODIFIED},
};
use url::Url;
use vocabulary::{
    action::{Access, Effect, Kind, Outcome},
    attribute,
    content::Content,
};

use super::address::{self, same_origin};
use crate::{
    ActionHandle, Attributes,
    capture::step::{self, End, Fault, Plan},
    spool::lock,
};

/// The header that marks the recorder's own requests; its value is the action they belong to.
pub const OWN_READ: HeaderName = HeaderName::from_static("recount-own-read");

/// How much the recorder may read on its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Requests in the layer's life.
    pub reads: u64,
    /// Longest time one may take.
    pub time: Duration,
    /// Longest body, in bytes; a longer one is not kept.
    pub bytes: usize,
    /// Requests in one minute, for servers that meter reads.
    pub per_minute: u64,
}

impl Default for Budget {
    /// 10,000 requests of at most 2 seconds and 4 MiB, 1,000 in a minute.
    fn default() -> Self {
        Self {
            reads: 10_000,
            time: Duration::from_secs(2),
            bytes: 4 << 20,
            per_minute: 1_000,
        }
    }
}

/// Counts against a [`Budget`].
#[derive(Debug, Default)]
pub(super) struct Spent {
    all: AtomicU64,
    /// When the minute began, and how many there were in it.
    minute: Mutex<Option<(Instant, u64)>>,
}

impl Spent {
    /// Takes one read from the budget; else why there is none.
    fn take(&self, budget: &Budget) -> Result<(), &'static str> {
        if self.all.fetch_add(1, Ordering::Relaxed) >= budget.reads {
            self.all.fetch_sub(1, Ordering::Relaxed);
            return Err("the budget of own reads is used up");
        }
        let mut minute = lock(&self.minute);
        let (began, count) = minute
            .filter(|(began, _)| began.elapsed() < Duration::from_secs(60))
            .unwrap_or_else(|| (Instant::now(), 0));
        *minute = Some((began, (count + 1).min(budget.per_minute)));
        if count >= budget.per_minute {
            self.all.fetch_sub(1, Ordering::Relaxed);
            return Err("the budget of own reads of this minute is used up");
        }
        Ok(())
    }
}

/// An own read as it was answered.
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// `None` if it was longer than asked for.
    pub(super) body: Option<Vec<u8>>,
}

/// How a client sends the recorder's own reads: the way that the user's requests go.
#[async_trait::async_trait]
pub(super) trait Reader: Send + Sync {
    /// A `GET`; the error is in words that hold no URL.
    async fn get(&self, url: &Url, headers: HeaderMap, most: usize) -> Result<Answered, String>;
}

/// The state of a resource as the recorder read it.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) content: Content,
    pub(super) etag: Option<HeaderValue>,
    pub(super) modified: Option<HeaderValue>,
    /// Whether the server answered with the resource, or that there is none.
    pub(super) read: bool,
}

impl State {
    pub(super) fn not_read(why: &str) -> Self {
        Self {
            content: Content::not_captured(None, why),
            etag: None,
            modified: None,
            read: false,
        }
    }
}

/// Reads `url`, on behalf of `action`, as the user's request `like` would be allowed to.
pub(super) async fn read(
    action: &ActionHandle,
    url: &Url,
    like: (&Url, &HeaderMap),
    reader: &dyn Reader,
    limits: (&Budget, &Spent),
) -> State {
    let (budget, spent) = limits;
    if let Err(why) = spent.take(budget) {
        return State::not_read(why);
    }
    let address = address::address(url);
    let mut attributes = Attributes::new();
    attributes
        .str(attribute::URL_FULL, &address.full)
        .removed(attribute::URL_FULL, address.removed)
        .str(attribute::HTTP_METHOD, "GET");
    let plan = Plan {
        kind: Kind::Http,
        access: Access::Read,
        name: format!("own read of {}", url.path()),
        operation: "GET".to_owned(),
        target: address.target,
        input: Content::absent(),
        attributes,
    };
    let own = plan
        .in_session(action.session())
        .part_of(action.id())
        .recorder_own();
    let Ok(begun) = own.begin().await else {
        return State::not_read("the own read could not be recorded");
    };
    let asked = answer(url, headers(url, like, action), reader, budget.bytes);
    let (state, end) = match tokio::time::timeout(budget.time, asked).await {
        Ok(Ok((status, state))) => (state, end(Outcome::Success, status.to_string(), None)),
        Ok(Err(message)) => {
            let fault = Fault {
                class: "http".to_owned(),
                native: None,
                message: message.clone(),
            };
            (
                State::not_read(&format!("the own read failed: {message}")),
                end(Outcome::Failure, "failed".to_owned(), Some(fault)),
            )
        }
        Err(_) => {
            let why = format!(
                "the own read took longer than {} ms",
                budget.time.as_millis()
            );
            (
                State::not_read(&why),
                end(Outcome::Timeout, "timed out".to_owned(), None),
            )
        }
    };
    step::end(begun, end);
    state
}

fn end(outcome: Outcome, result: String, fault: Option<Fault>) -> End {
    End {
        outcome,
        effect: Effect::None,
        result,
        output: None,
        fault,
        attributes: Attributes::new(),
    }
}

/// The credentials of the user's request where they go to the same place anyway, and what the user accepts.
fn headers(url: &Url, like: (&Url, &HeaderMap), action: &ActionHandle) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let (user_url, user_headers) = like;
    if same_origin(user_url, url) {
        for name in [AUTHORIZATION, COOKIE, HeaderName::from_static("x-api-key")] {
            for value in user_headers.get_all(&name) {
                headers.append(name.clone(), value.clone());
            }
        }
    }
    if let Some(accept) = user_headers.get(ACCEPT) {
        headers.insert(ACCEPT, accept.clone());
    }
    if let Ok(action) = HeaderValue::from_str(&action.id().to_string()) {
        headers.insert(OWN_READ, action);
    }
    headers
}

async fn answer(
    url: &Url,
    headers: HeaderMap,
    reader: &dyn Reader,
    most: usize,
) -> Result<(StatusCode, State), String> {
    let Answered {
        status,
        headers,
        body,
    } = reader.get(url, headers, most).await?;
    let tags = State {
        etag: headers.get(ETAG).cloned(),
        modified: headers.get(LAST_MODIFIED).cloned(),
        read: true,
        content: Content::absent(),
    };
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        let state = State {
            etag: None,
            modified: None,
            ..tags
        };
        return Ok((status, state));
    }
    if status != StatusCode::OK {
        let why = format!("the own read was answered with {}", status.as_u16());
        return Ok((status, State::not_read(&why)));
    }
    let content = match body {
        Some(body) => Content::redacted(&body, &media_type(&headers)),
        None => Content::not_captured(None, &format!("longer than {most} bytes")),
    };
    Ok((status, State { content, ..tags }))
}

/// The media type that a message states.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let stated = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    stated.unwrap_or("application/octet-stream").to_owned()
}
