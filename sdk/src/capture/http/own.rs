//! The recorder's own reads: marked, bounded, and never in the way of the user's request.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, ETAG},
};
use reqwest::{Request, Url};
use reqwest_middleware::Next;
use vocabulary::{
    action::{Access, Effect, Kind, Outcome},
    attribute,
    content::Content,
};

use super::{address, redirect::same_origin};
use crate::{
    ActionHandle, Attributes,
    capture::step::{self, End, Fault, Plan},
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
}

impl Default for Budget {
    /// 10,000 requests of at most 2 seconds and 4 MiB.
    fn default() -> Self {
        Self {
            reads: 10_000,
            time: Duration::from_secs(2),
            bytes: 4 << 20,
        }
    }
}

/// Counts against a [`Budget`].
#[derive(Debug, Default)]
pub(super) struct Spent(AtomicU64);

/// The state of a resource as the recorder read it.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) content: Content,
    pub(super) etag: Option<HeaderValue>,
    /// Whether the server answered with the resource, or that there is none.
    pub(super) read: bool,
}

impl State {
    pub(super) fn not_read(why: &str) -> Self {
        Self {
            content: Content::not_captured(None, why),
            etag: None,
            read: false,
        }
    }
}

/// Reads `url`, on behalf of `action`, as the user's request `like` would be allowed to.
pub(super) async fn read(
    action: &ActionHandle,
    url: &Url,
    like: (&Url, &HeaderMap),
    next: Next<'_>,
    limits: (&Budget, &Spent),
) -> State {
    let (budget, spent) = limits;
    if spent.0.fetch_add(1, Ordering::Relaxed) >= budget.reads {
        spent.0.fetch_sub(1, Ordering::Relaxed);
        return State::not_read("the budget of own reads is used up");
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
    let request = request(url, like, action);
    let (state, end) =
        match tokio::time::timeout(budget.time, answer(request, next, budget.bytes)).await {
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

/// A plain GET with the credentials of the user's request where they go to the same place anyway.
fn request(url: &Url, like: (&Url, &HeaderMap), action: &ActionHandle) -> Request {
    let mut request = Request::new(Method::GET, url.clone());
    let (user_url, user_headers) = like;
    if same_origin(user_url, url) {
        for name in [AUTHORIZATION, COOKIE, HeaderName::from_static("x-api-key")] {
            for value in user_headers.get_all(&name) {
                request.headers_mut().append(name.clone(), value.clone());
            }
        }
    }
    if let Some(accept) = user_headers.get(ACCEPT) {
        request.headers_mut().insert(ACCEPT, accept.clone());
    }
    if let Ok(action) = HeaderValue::from_str(&action.id().to_string()) {
        request.headers_mut().insert(OWN_READ, action);
    }
    request
}

async fn answer(
    request: Request,
    next: Next<'_>,
    most: usize,
) -> Result<(StatusCode, State), String> {
    let mut extensions = Extensions::new();
    let mut response = next
        .run(request, &mut extensions)
        .await
        .map_err(|error| error.without_url().to_string())?;
    let status = response.status();
    let etag = response.headers().get(ETAG).cloned();
    if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
        return Ok((
            status,
            State {
                content: Content::absent(),
                etag: None,
                read: true,
            },
        ));
    }
    if status != StatusCode::OK {
        return Ok((
            status,
            State::not_read(&format!(
                "the own read was answered with {}",
                status.as_u16()
            )),
        ));
    }
    let media_type = media_type(response.headers());
    let mut body = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|error| error.without_url().to_string())?
    {
        body.extend_from_slice(&chunk);
        if body.len() > most {
            return Ok((
                status,
                State {
                    content: Content::not_captured(None, &format!("longer than {most} bytes")),
                    etag,
                    read: true,
                },
            ));
        }
    }
    Ok((
        status,
        State {
            content: Content::redacted(&body, &media_type),
            etag,
            read: true,
        },
    ))
}

/// The media type that a message states.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let stated = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    stated.unwrap_or("application/octet-stream").to_owned()
}
