//! HTTP through `reqwest`: each attempt an action, each write with a resource rule a diff.
//!
//! ```no_run
//! # async fn example(session: &recount::Handle) -> Result<(), Box<dyn std::error::Error>> {
//! use recount::capture::http::{Layer, Rule};
//!
//! let crm = Layer::new(session.recorder())
//!     .session(session)
//!     .tell("crm.example.test")
//!     .rule(Rule::for_writes(["PATCH", "DELETE"], "https://crm.example.test/accounts/{id}")?.answers_with_resource())
//!     .client(reqwest::Client::builder())?;
//! crm.get("https://crm.example.test/accounts/17").send().await?;
//! # Ok(()) }
//! ```
//!
//! The layer only observes. It adds no header to a host that was not named with [`Layer::tell`], sends `If-Match`
//! only where a [`Rule`] asks for it, and its own reads, made only for rules, are marked, bounded, and change nothing
//! in what the user gets. It follows redirects itself, one recorded request at a time, so that no host is given what
//! was meant for another; for that [`Layer::client`] switches the client's own following off. It sets no `referer`.
//!
//! An action ends when its response body was read to the end, failed, or was dropped. Recorded are the method, the
//! URL and headers without credentials, both bodies up to 256 KiB, and the status; a status from 400 on is a failure.
//!
//! Extensions of a request steer one request: a [`Handle`] (or an [`Ambient`]) records it in another session, [`Retries`] numbers
//! attempts, an [`Access`] says what the method does not (a `POST` is a `write` unless told), [`Unrecorded`] leaves it out.
//! Code without a runtime uses [`Layer::blocking_client`].
//! Clients that insist on a plain `reqwest::Client` bypass middleware, and are not seen.

mod address;
mod attempt;
mod blocking;
mod finish;
mod outcome;
mod own;
mod propagate;
mod redirect;
mod rule;
mod tee;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{ClientWithMiddleware, Middleware, Next};
use vocabulary::{action::Access, id::ActionId};

pub(super) use self::outcome::retry_after;

pub use self::{
    blocking::{Answer, Blocking, BlockingError},
    own::{Budget, OWN_READ},
    rule::{MalformedRule, Rule},
};
use self::{own::Spent, propagate::Peers, redirect::Again};
pub use super::Retries;
use crate::{Ambient, Handle, Recorder};

/// How many redirects are followed unless told otherwise; what `reqwest` does.
const REDIRECTS: usize = 10;

/// The middleware. It belongs innermost: added last, so that each attempt of a retrying layer passes through it.
#[derive(Debug, Clone)]
pub struct Layer {
    recorder: Recorder,
    session: Option<Handle>,
    rules: Vec<Rule>,
    peers: Peers,
    redirects: usize,
    budget: Budget,
    spent: Arc<Spent>,
    /// Whether the client below was built here and follows no redirects by itself: a client that does would hand
    /// our headers to wherever it is led.
    follows: bool,
}

impl Layer {
    /// Records into the ambient session, or `recorder`'s `unattributed` one; has no rules, tells no host.
    pub fn new(recorder: &Recorder) -> Self {
        Self {
            recorder: recorder.clone(),
            session: None,
            rules: Vec::new(),
            peers: Peers::default(),
            redirects: REDIRECTS,
            budget: Budget::default(),
            spent: Arc::new(Spent::default()),
            follows: false,
        }
    }

    /// Records into `session`, unless a request names another.
    pub fn session(mut self, session: &Handle) -> Self {
        self.session = Some(session.clone());
        self
    }

    /// Adds a rule; of several that match a request the first counts.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Sends `traceparent` and `baggage` with the session and request to `host` (or `host:port`), and to no host
    /// that was not named like this. Needs a client made by [`Layer::client`]: one that follows redirects by itself
    /// would take the headers along, so through such a client nobody is told.
    pub fn tell(mut self, host: &str) -> Self {
        self.peers.add(host);
        self
    }

    /// Follows at most so many redirects; with 0 the redirecting answer is the answer.
    pub fn redirects(mut self, most: usize) -> Self {
        self.redirects = most;
        self
    }

    /// Bounds the recorder's own reads.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Builds the client with this layer innermost, and its own following of redirects switched off. Further layers
    /// go around it with [`reqwest_middleware::ClientBuilder::from_client`].
    ///
    /// # Errors
    /// As [`reqwest::ClientBuilder::build`].
    pub fn client(
        mut self,
        builder: reqwest::ClientBuilder,
    ) -> reqwest::Result<ClientWithMiddleware> {
        self.follows = true;
        let client = builder
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(reqwest_middleware::ClientBuilder::new(client)
            .with(self)
            .build())
    }

    /// What a request is part of: what it says itself, the session of the layer, or what the calling code is in.
    fn context_of(&self, extensions: &Extensions) -> Ambient {
        if let Some(context) = extensions.get::<Ambient>() {
            return context.clone();
        }
        let here = Ambient::current();
        match extensions.get::<Handle>().or(self.session.as_ref()) {
            None => self.recorder.here(),
            Some(named) => here
                .filter(|here| here.session().id() == named.id())
                .unwrap_or_else(|| Ambient::new(named)),
        }
    }
}

/// A request that is not to be recorded: it is recorded otherwise, as a call of a language model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unrecorded;

/// An extension of every response that passed the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The action that the request was.
    pub action: ActionId,
}

/// More redirects than are followed.
#[derive(Debug, thiserror::Error)]
#[error("more than {most} redirects, the last to {to}")]
pub struct TooManyRedirects {
    /// How many are followed.
    pub most: usize,
    /// Where the last one led, without credentials.
    pub to: String,
}

#[async_trait::async_trait]
impl Middleware for Layer {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if extensions.get::<Unrecorded>().is_some() {
            return next.run(request, extensions).await;
        }
        let context = self.context_of(extensions);
        context.session().can_see(if self.rules.is_empty() {
            "http:content"
        } else {
            "http:diffs"
        });
        let access = extensions.get::<Access>().copied();
        let retries = match extensions.get::<Retries>() {
            Some(retries) => retries.clone(),
            None => {
                let retries = Retries::new();
                extensions.insert(retries.clone());
                retries
            }
        };
        let number = retries.next();
        let mut request = request;
        for hop in 0_usize.. {
            let again = Again::of(&request);
            let attempt = attempt::Attempt {
                layer: self,
                context: &context,
                access,
                attempt: if hop == 0 { number } else { (1, None) },
            };
            let response = attempt.run(request, extensions, next.clone(), |action| {
                if hop == 0 {
                    retries.made(action);
                }
            });
            let response = response.await?;
            let followed = if self.follows && self.redirects > 0 {
                redirect::following(response.status(), response.headers(), again)
            } else {
                None
            };
            let Some(followed) = followed else {
                return Ok(response);
            };
            if hop >= self.redirects {
                let to = address::address(followed.url()).full;
                return Err(reqwest_middleware::Error::middleware(TooManyRedirects {
                    most: self.redirects,
                    to,
                }));
            }
            request = followed;
        }
        Err(reqwest_middleware::Error::middleware(TooManyRedirects {
            most: usize::MAX,
            to: String::new(),
        }))
    }
}
