//! HTTP through `reqwest` or `tower`: each attempt an action, each write with a resource rule a diff.
//!
//! The layer only observes. It adds no header to a host that was not named with `Layer::tell`, sends `If-Match`
//! only where a [`Rule`] asks for it, and its own reads, made only for rules, are marked, bounded, and change nothing
//! in what the user gets. It follows redirects itself, one recorded request at a time, so that no host is given what
//! was meant for another; for that `Layer::client` switches the client's own following off. It sets no `referer`.
//!
//! An action ends when its response body was read to the end, failed, or was dropped. Recorded are the method, the
//! URL and headers without credentials, both bodies up to 256 KiB, and the status; a status from 400 on is a failure.
//!
//! Extensions of a request steer one request: a [`Handle`] (or an [`Ambient`]) records it in another session, [`Retries`] numbers
//! attempts, an [`Access`](crate::Access) says what the method does not (a `POST` is a `write` unless told), [`Unrecorded`] leaves it out.
//! Code without a runtime uses `Layer::blocking_client`.
//! Clients that insist on a plain `reqwest::Client` bypass middleware, and are not seen.
//!
//! `reqwest` needs the feature `http`. With the feature `tower`, `TowerLayer` does the same for any client that is a
//! `tower` service, and `Inbound` receives what such layers tell: it continues the session of a caller that the
//! service knows, and links that of any other.

mod address;
mod asked;
mod finish;
mod outcome;
mod own;
mod propagate;
mod rule;
mod tee;
mod watch;

#[cfg(feature = "http")]
mod attempt;
#[cfg(feature = "http")]
mod blocking;
#[cfg(feature = "http")]
mod layer;
#[cfg(feature = "http")]
mod redirect;
#[cfg(feature = "http")]
mod unanswered;

#[cfg(feature = "tower")]
mod inbound;
#[cfg(feature = "tower")]
mod replay;
#[cfg(feature = "tower")]
mod tower;

#[cfg(feature = "http")]
#[cfg(test)]
mod tests;
#[cfg(feature = "tower")]
#[cfg(test)]
mod tower_tests;

use http::Extensions;
use vocabulary::id::ActionId;

#[cfg(feature = "http")]
pub(super) use self::outcome::retry_after;

#[cfg(feature = "http")]
pub use self::{
    blocking::{Answer, Blocking, BlockingError},
    layer::{Layer, TooManyRedirects},
};
#[cfg(feature = "tower")]
pub use self::{
    inbound::{Caller, Inbound, InboundService},
    replay::Replay,
    tower::{TowerError, TowerLayer, TowerService},
};
pub use self::{
    own::{Budget, OWN_READ},
    rule::{MalformedRule, Rule},
    tee::Tee,
};
pub use super::Retries;
use crate::{Ambient, Handle, Recorder};

/// A request that is not to be recorded: it is recorded otherwise, as a call of a language model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unrecorded;

/// An extension of a request whose body is a stream: how it begins, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// The first bytes.
    pub bytes: bytes::Bytes,
    /// How many there are in all, where that is known.
    pub size: Option<u64>,
}

/// An extension of every response that passed the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The action that the request was.
    pub action: ActionId,
}

/// What a request is part of: what it says itself, the session of the layer, or what the calling code is in.
fn context_of(recorder: &Recorder, session: Option<&Handle>, extensions: &Extensions) -> Ambient {
    if let Some(context) = extensions.get::<Ambient>() {
        return context.clone();
    }
    let here = Ambient::current();
    match extensions.get::<Handle>().or(session) {
        None => recorder.here(),
        Some(named) => here
            .filter(|here| here.session().id() == named.id())
            .unwrap_or_else(|| Ambient::new(named)),
    }
}
