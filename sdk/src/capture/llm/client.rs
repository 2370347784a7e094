//! A small client for chat completions, responses and messages, every call recorded.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use http::StatusCode;
use reqwest::Url;
use serde::Serialize;
use vocabulary::id::ActionId;

use super::{Api, Endpoint, Reply, Retries};
use crate::capture::{driver::Driver, step};
use crate::{Handle, Recorder, Refused};

/// The version of the interface that [`Client::messages`] asks for.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// A client for one provider. The key goes into the `authorization` header (`x-api-key` for messages) and into no
/// record.
#[derive(Clone)]
pub struct Client {
    recorder: Recorder,
    http: reqwest::Client,
    base: Url,
    key: Option<String>,
    provider: Option<String>,
    tells: bool,
    /// Started by the first call that blocks.
    driver: Arc<OnceLock<Driver>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("host", &host(&self.base))
            .finish_non_exhaustive()
    }
}

/// A call that gave no reply.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// The recorder refused: nothing was sent.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The request cannot be written as JSON.
    #[error("the request cannot be written as json")]
    Request(#[from] serde_json::Error),
    /// No answer came.
    #[error("no answer from the model")]
    NoAnswer(#[source] reqwest::Error),
    /// The thread for calls that block cannot be started, or ended.
    #[error("no thread for a call that blocks: {0}")]
    Thread(#[source] io::Error),
    /// The provider answered with an error.
    #[error("the model's provider answered with status {status}")]
    Status {
        /// The status.
        status: u16,
        /// Seconds after which it asks to be tried again.
        retry_after: Option<i64>,
        /// The body as it came.
        body: String,
        /// The action that the call was.
        action: ActionId,
    },
}

impl Client {
    /// A client for the provider at `base`, as `https://api.openai.com/v1` or `https://api.anthropic.com/v1`. Calls
    /// outside a session go to `recorder`'s `unattributed` one.
    ///
    /// # Errors
    /// If `base` is no absolute URL.
    pub fn new(
        recorder: &Recorder,
        http: reqwest::Client,
        base: &str,
        key: Option<&str>,
    ) -> Result<Self, MalformedBase> {
        let wrong = |why: String| MalformedBase {
            base: base.to_owned(),
            why,
        };
        let url = Url::parse(base).map_err(|error| wrong(error.to_string()))?;
        if url.cannot_be_a_base() {
            return Err(wrong("no path can follow it".to_owned()));
        }
        Ok(Self {
            recorder: recorder.clone(),
            http,
            base: url,
            key: key.map(str::to_owned),
            provider: None,
            tells: false,
            driver: Arc::default(),
        })
    }

    /// Names the provider otherwise than `openai`, or `anthropic` for messages.
    #[must_use]
    pub fn provider(mut self, name: &str) -> Self {
        self.provider = Some(name.to_owned());
        self
    }

    /// Sends `traceparent` and `baggage` with the session and request to the endpoint, so that a relay or a gateway
    /// there can say whose call it was. Off: a provider outside learns nothing.
    #[must_use]
    pub fn tell(mut self) -> Self {
        self.tells = true;
        self
    }

    /// The thread that drives calls that block.
    fn driver(&self) -> io::Result<&Driver> {
        match self.driver.get() {
            Some(driver) => Ok(driver),
            None => {
                let started = Driver::start()?;
                Ok(self.driver.get_or_init(|| started))
            }
        }
    }

    /// A call with `request`, anything that is written as a chat request in JSON: those bytes are sent and recorded.
    pub fn chat<R: Serialize + ?Sized>(&self, request: &R) -> Chat<'_> {
        self.call(Api::ChatCompletions, request)
    }

    /// As [`Client::chat`], of OpenAI's responses.
    pub fn responses<R: Serialize + ?Sized>(&self, request: &R) -> Chat<'_> {
        self.call(Api::Responses, request)
    }

    /// As [`Client::chat`], of Anthropic's messages.
    pub fn messages<R: Serialize + ?Sized>(&self, request: &R) -> Chat<'_> {
        self.call(Api::Messages, request)
    }

    fn call<R: Serialize + ?Sized>(&self, api: Api, request: &R) -> Chat<'_> {
        Chat {
            client: self,
            api,
            request: serde_json::to_string(request),
            session: None,
            retries: None,
        }
    }
}

/// A base that is no URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{base:?} is no absolute url: {why}")]
pub struct MalformedBase {
    /// The base as given.
    pub base: String,
    /// What is wrong with it.
    pub why: String,
}

/// A call about to be made; awaited, it is. [`Chat::send_blocking`] is for code that cannot await.
#[derive(Debug)]
#[must_use = "nothing is sent until it is awaited, or sent blocking"]
pub struct Chat<'a> {
    client: &'a Client,
    api: Api,
    request: serde_json::Result<String>,
    session: Option<Handle>,
    retries: Option<Retries>,
}

impl<'a> Chat<'a> {
    /// Records it in `session` instead of the ambient one.
    pub fn in_session(mut self, session: &Handle) -> Self {
        self.session = Some(session.clone());
        self
    }

    /// Counts it among the attempts at one thing.
    pub fn attempt_of(mut self, retries: &Retries) -> Self {
        self.retries = Some(retries.clone());
        self
    }

    /// Makes the call and blocks the thread until its answer is there. A `reqwest::Client` keeps its connections with
    /// the runtime that opened them, so give one to calls that block and another to those that are awaited.
    ///
    /// ```no_run
    /// # fn example(session: &recount::Handle) -> Result<(), Box<dyn std::error::Error>> {
    /// use recount::capture::llm::Client;
    ///
    /// let llm = Client::new(session.recorder(), reqwest::Client::new(), "http://127.0.0.1:8080/v1", None)?;
    /// let ask = serde_json::json!({"model": "small-1", "messages": [{"role": "user", "content": "hello"}]});
    /// let reply = llm.chat(&ask).in_session(session).send_blocking()?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As awaiting it, or if the thread that does the work cannot be started.
    pub fn send_blocking(self) -> Result<Reply, ChatError> {
        let client = self.client.clone();
        let driver = self.client.driver().map_err(ChatError::Thread)?;
        let work = async move {
            let call = Chat {
                client: &client,
                api: self.api,
                request: self.request,
                session: self.session,
                retries: self.retries,
            };
            call.send().await
        };
        driver.wait(work).map_err(ChatError::Thread)?
    }

    async fn send(self) -> Result<Reply, ChatError> {
        let Client {
            recorder,
            http,
            base,
            key,
            provider,
            tells,
            ..
        } = self.client;
        let api = self.api;
        let body = self.request?;
        let session = self
            .session
            .unwrap_or_else(|| recorder.here().session().clone());
        let to = Endpoint {
            provider: provider.as_deref().unwrap_or(api.provider()),
            host: &host(base),
        };
        let call = session.llm(api, to, &body, self.retries.as_ref()).await?;
        let mut request = http
            .post(at(base, api))
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(body);
        if api == Api::Messages {
            request = request.header("anthropic-version", ANTHROPIC_VERSION);
        }
        request = match key {
            Some(key) if api == Api::Messages => request.header("x-api-key", key),
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        if *tells {
            let identity = step::identity(&call.begun);
            request = request
                .header("traceparent", identity.traceparent())
                .header("baggage", identity.baggage());
        }
        let answer = async {
            let response = request.send().await?;
            let (status, after) = (
                response.status(),
                crate::capture::http::retry_after(response.headers()),
            );
            Ok::<_, reqwest::Error>((status, after, response.text().await?))
        };
        match answer.await {
            Ok((status, retry_after, text)) => {
                let reply = call.answered(status.as_u16(), retry_after, &text);
                if status.is_success() {
                    Ok(reply)
                } else {
                    Err(error(status, retry_after, reply))
                }
            }
            Err(error) => {
                let class = match &error {
                    error if error.is_timeout() => "timeout",
                    error if error.is_connect() => "connect",
                    _ => "request",
                };
                let sent = !error.is_connect();
                let error = error.without_url();
                call.failed(class, &error.to_string(), sent);
                Err(ChatError::NoAnswer(error))
            }
        }
    }
}

fn error(status: StatusCode, retry_after: Option<i64>, reply: Reply) -> ChatError {
    ChatError::Status {
        status: status.as_u16(),
        retry_after,
        body: reply.body,
        action: reply.action,
    }
}

/// Where an interface is, below the provider's base.
fn at(base: &Url, api: Api) -> Url {
    let mut url = base.clone();
    let path = format!("{}{}", base.path().trim_end_matches('/'), api.path());
    url.set_path(&path);
    url
}

/// Host, and port where it is not the scheme's own.
fn host(url: &Url) -> String {
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

impl<'a> IntoFuture for Chat<'a> {
    type Output = Result<Reply, ChatError>;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Self::Output> + Send + 'a>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
