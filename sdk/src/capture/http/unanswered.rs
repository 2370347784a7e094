//! What an error of `reqwest` says about outcome and effect.

use vocabulary::action::{Access, Effect, Outcome};

use crate::capture::step::Fault;

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
