//! What an answer, or its absence, says about outcome and effect.

use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
use vocabulary::{
    Event,
    action::{Access, Effect, Outcome},
};

use crate::capture::step::Fault;

/// Outcome and effect of an attempt that was answered.
pub(super) fn answered(status: StatusCode, access: Access) -> (Outcome, Effect) {
    let outcome = if status.is_client_error() || status.is_server_error() {
        Outcome::Failure
    } else {
        Outcome::Success
    };
    let effect = match status.as_u16() {
        _ if access == Access::Read => Effect::None,
        // Accepted is not done; what a failing server did first nobody knows; nor what a proxy in between let through.
        202 | 408 | 500..=599 => Effect::Unknown,
        200..=299 => Effect::Committed,
        _ => Effect::None,
    };
    (outcome, effect)
}

/// Outcome and effect of an attempt that was not.
pub(super) fn unanswered(error: &reqwest_middleware::Error, access: Access) -> (Outcome, Effect) {
    let outcome = if error.is_timeout() {
        Outcome::Timeout
    } else {
        Outcome::Failure
    };
    let never_sent = access == Access::Read || error.is_connect() || error.is_builder();
    (
        outcome,
        if never_sent {
            Effect::None
        } else {
            Effect::Unknown
        },
    )
}

/// The error of a status from 400 on.
pub(super) fn status_fault(status: StatusCode) -> Option<Fault> {
    (status.is_client_error() || status.is_server_error()).then(|| Fault {
        class: status.as_str().to_owned(),
        native: Some(status.as_str().to_owned()),
        message: status
            .canonical_reason()
            .unwrap_or("no reason given")
            .to_owned(),
    })
}

/// The error of an attempt that was not answered; no URL in it, it may carry secrets.
pub(super) fn error_fault(error: &reqwest_middleware::Error) -> Fault {
    let class = match error {
        error if error.is_timeout() => "timeout",
        error if error.is_connect() => "connect",
        error if error.is_builder() => "builder",
        error if error.is_body() || error.is_decode() => "body",
        error if error.is_middleware() => "middleware",
        _ => "request",
    };
    let mut message = String::new();
    let mut source: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(cause) = source {
        message = cause.to_string(); // the innermost cause is the system's own words
        source = cause.source();
    }
    if message.is_empty() {
        message = class.to_owned();
    }
    Fault {
        class: class.to_owned(),
        native: None,
        message,
    }
}

/// The security event that a status is.
pub(super) fn security(status: StatusCode) -> Option<Event> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            Some(Event::SecurityAuthFailed)
        }
        StatusCode::FORBIDDEN => Some(Event::SecurityAccessUnauthorized),
        StatusCode::TOO_MANY_REQUESTS => Some(Event::SecurityRateLimited),
        _ => None,
    }
}

/// Seconds after which the server asks to be tried again, where it says so in seconds.
pub(in crate::capture) fn retry_after(headers: &HeaderMap) -> Option<i64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()
}
