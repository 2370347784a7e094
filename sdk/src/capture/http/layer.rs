//! The middleware for `reqwest`.

use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{ClientWithMiddleware, Middleware, Next};
use vocabulary::action::Access;

use super::{
    Budget, Rule, Unrecorded, address, attempt, context_of,
    propagate::Peers,
    redirect::{self, Again},
    watch::Watching,
};
use crate::{Handle, Recorder, capture::Retries};

/// How many redirects are followed unless told otherwise; what `reqwest` does.
const REDIRECTS: usize = 10;

/// The middleware for `reqwest`.
///
/// ```no_run
/// # async fn example(session: &recount::Handle) -> Result<(), Box<dyn std::error::Error>> {
/// use recount::capture::http::{Layer, Rule};
///
/// let crm = Layer::new(session.recorder())
///     .session(session)
///     .tell("crm.example.test")
///     .rule(Rule::for_writes(["PATCH", "DELETE"], "https://crm.example.test/accounts/{id}")?.answers_with_resource())
///     .client(reqwest::Client::builder())?;
/// crm.get("https://crm.example.test/accounts/17").send().await?;
/// # Ok(()) }
/// ```
///
/// It belongs innermost: added last, so that each attempt of a retrying layer passes through it.
#[derive(Debug, Clone)]
pub struct Layer {
    recorder: Recorder,
    session: Option<Handle>,
    pub(super) watching: Watching,
    pub(super) peers: Peers,
    redirects: usize,
    /// Whether the client below was built here and follows no redirects by itself: a client that does would hand
    /// our headers to wherever it is led.
    pub(super) follows: bool,
    /// Whether the caller is another program.
    pub(super) beside: bool,
}

impl Layer {
    /// Records into the ambient session, or `recorder`'s `unattributed` one; has no rules, tells no host.
    pub fn new(recorder: &Recorder) -> Self {
        Self {
            recorder: recorder.clone(),
            session: None,
            watching: Watching::default(),
            peers: Peers::default(),
            redirects: REDIRECTS,
            follows: false,
            beside: false,
        }
    }

    /// Records into `session`, unless a request names another.
    pub fn session(mut self, session: &Handle) -> Self {
        self.session = Some(session.clone());
        self
    }

    /// Adds a rule; of several that match a request the first counts.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.watching.rules.push(rule);
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

    /// Says that the layer stands beside the caller, in a relay: who leaves an answer before its end went away, and
    /// its call is cancelled.
    pub fn beside_the_caller(mut self) -> Self {
        self.beside = true;
        self
    }

    /// Bounds the recorder's own reads.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.watching.budget = budget;
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
        let context = context_of(&self.recorder, self.session.as_ref(), extensions);
        context
            .session()
            .can_see(if self.watching.rules.is_empty() {
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
            let follows = self.follows && self.redirects > 0;
            let again = follows.then(|| Again::of(&request));
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
            let followed = again.and_then(|again| {
                redirect::following(response.status(), response.headers(), again)
            });
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
