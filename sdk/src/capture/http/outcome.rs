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
