//! The layer for clients that are `tower` services.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    sync::Mutex,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, header::HOST};
use http_body::Body;
use http_body_util::BodyExt as _;
use url::Url;
use vocabulary::{
    action::{Access, Effect, Outcome},
    content::Content,
};

use super::{
    Budget, Recorded, Replay, Rule, Tee, Unrecorded, address, asked, context_of,
    finish::finish,
    own::{Answered, Reader, media_type},
    propagate::Peers,
    watch::{Asked, Watching},
};
use crate::{
    Ambient, Attributes, Handle, Recorder, Refused,
    capture::{
        Retries,
        step::{self, End, Fault},
    },
    spool::lock,
};

/// Records the requests of a client that is a `tower` service, as [`Layer`](super) does for `reqwest`.
///
/// It belongs innermost: what retries, follows redirects or gives up after a time goes around it, so that each request
/// that is sent passes through it. A request without a host in its URI is named by its `Host` header.
#[derive(Debug, Clone)]
pub struct TowerLayer {
    recorder: Recorder,
    session: Option<Handle>,
    watching: Watching,
    peers: Peers,
}

impl TowerLayer {
    /// Records into the ambient session, or `recorder`'s `unattributed` one; has no rules, tells no host.
    pub fn new(recorder: &Recorder) -> Self {
        Self {
            recorder: recorder.clone(),
            session: None,
            watching: Watching::default(),
            peers: Peers::default(),
        }
    }

    /// Records into `session`, unless a request names another.
    #[must_use]
    pub fn session(mut self, session: &Handle) -> Self {
        self.session = Some(session.clone());
        self
    }

    /// Adds a rule; of several that match a request the first counts.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.watching.rules.push(rule);
        self
    }

    /// Sends `traceparent` and `baggage` with the session and request to `host` (or `host:port`), and to no host that
    /// was not named like this.
    #[must_use]
    pub fn tell(mut self, host: &str) -> Self {
        self.peers.add(host);
        self
    }

    /// Bounds the recorder's own reads.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.watching.budget = budget;
        self
    }
}

impl<S> tower_layer::Layer<S> for TowerLayer {
    type Service = TowerService<S>;

    fn layer(&self, inner: S) -> TowerService<S> {
        TowerService {
            inner,
            layer: self.clone(),
        }
    }
}

/// A client whose requests are recorded; see [`TowerLayer`].
#[derive(Debug, Clone)]
pub struct TowerService<S> {
    inner: S,
    layer: TowerLayer,
}

/// Why a request got no answer.
#[derive(Debug)]
pub enum TowerError<E> {
    /// The recorder refused: it was not sent.
    Refused(Refused),
    /// The client's own error.
    Inner(E),
}

impl<E: fmt::Display> fmt::Display for TowerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => refused.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> Error for TowerError<E> {}

/// Own reads go through the same client.
struct ByService<S, B>(Mutex<S>, std::marker::PhantomData<fn() -> B>);

#[async_trait::async_trait]
impl<S, B, R> Reader for ByService<S, B>
where
    S: tower_service::Service<Request<Replay<B>>, Response = Response<R>> + Clone + Send,
    S::Future: Send,
    S::Error: fmt::Display + Send,
    B: Body + Unpin + Send,
    B::Error: Send,
    R: Body<Data = Bytes> + Unpin + Send,
    R::Error: fmt::Display + Send,
{
    async fn get(&self, url: &Url, headers: HeaderMap, most: usize) -> Result<Answered, String> {
        let mut service = lock(&self.0).clone();
        let mut request = Request::new(Replay::empty());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = url.as_str().parse().map_err(|_| "no uri".to_owned())?;
        *request.headers_mut() = headers;
        std::future::poll_fn(|context| service.poll_ready(context))
            .await
            .map_err(|error| error.to_string())?;
        let response = service.call(request).await.map_err(|e| e.to_string())?;
        let (parts, mut rest) = response.into_parts();
        let mut body = Some(Vec::new());
        while let Some(kept) = &mut body {
            let Some(frame) = rest.frame().await else {
                break;
            };
            let frame = frame.map_err(|error| error.to_string())?;
            kept.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            if kept.len() > most {
                body = None;
            }
        }
        Ok(Answered {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }
}

type Sent<R, E> = Pin<Box<dyn Future<Output = Result<Response<Tee<R>>, TowerError<E>>> + Send>>;

impl<S, B, R> tower_service::Service<Request<B>> for TowerService<S>
where
    S: tower_service::Service<Request<Replay<B>>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: fmt::Display + Send + 'static,
    B: Body + Unpin + Send + 'static,
    B::Data: Send,
    B::Error: Send,
    R: Body<Data = Bytes> + Unpin + Send + 'static,
    R::Error: fmt::Display + Send,
{
    type Response = Response<Tee<R>>;
    type Error = TowerError<S::Error>;
    type Future = Sent<R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(TowerError::Inner)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that is ready is used, as `tower` asks for.
        let other = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, other);
        let layer = self.layer.clone();
        let context = context_of(
            &layer.recorder,
            layer.session.as_ref(),
            request.extensions(),
        );
        Box::pin(async move { layer.send(inner, request, context).await })
    }
}

impl TowerLayer {
    async fn send<S, B, R>(
        &self,
        mut inner: S,
        request: Request<B>,
        context: Ambient,
    ) -> Result<Response<Tee<R>>, TowerError<S::Error>>
    where
        S: tower_service::Service<Request<Replay<B>>, Response = Response<R>> + Clone + Send,
        S::Future: Send,
        S::Error: fmt::Display + Send,
        B: Body + Unpin + Send,
        B::Error: Send,
        R: Body<Data = Bytes> + Unpin + Send,
        R::Error: fmt::Display + Send,
    {
        let (mut parts, body) = request.into_parts();
        let (replay, body) = Replay::of(body).await;
        if parts.extensions.get::<Unrecorded>().is_some() {
            let response = inner.call(Request::from_parts(parts, replay)).await;
            let response = response.map_err(TowerError::Inner)?;
            return Ok(response.map(|body| Tee::new(body, |_| ())));
        }
        context
            .session()
            .can_see(match self.watching.rules.is_empty() {
                true => "http:content",
                false => "http:diffs",
            });
        let url = url_of(&parts);
        let access = parts.extensions.get::<Access>().copied();
        let access = access.unwrap_or_else(|| asked::access_of(&parts.method));
        let input = match &body {
            Some(bytes) if bytes.is_empty() => Content::absent(),
            Some(bytes) => Content::redacted(bytes, &media_type(&parts.headers)),
            None => Content::not_captured(None, "the body is a stream"),
        };
        let address = address::address(&url);
        let plan = asked::plan(&parts.method, &url, &parts.headers, access, &address, input);
        let retries = parts.extensions.get::<Retries>().cloned();
        let number = retries.as_ref().map_or((1, None), Retries::next);
        let builder = context.run(|| plan.in_session(context.session()));
        let action = step::attempt(builder, number).begin().await;
        let action = action.map_err(TowerError::Refused)?;
        if let Some(retries) = &retries {
            retries.made(action.id());
        }
        let user_headers = parts.headers.clone();
        let reader = ByService(Mutex::new(inner.clone()), std::marker::PhantomData);
        let asked = Asked {
            method: &parts.method.clone(),
            url: &url,
            headers: &mut parts.headers,
            body: body.as_deref(),
        };
        let watched = self.watching.before(&action, asked, &reader).await;
        self.peers
            .tell(&url, &step::identity(&action), &mut parts.headers);
        match inner.call(Request::from_parts(parts, replay)).await {
            Ok(response) => {
                let changed = match watched {
                    Some(watched) => {
                        let answer = (response.status(), response.headers());
                        let like = (&url, &user_headers);
                        self.watching
                            .after(&action, watched, access, answer, like, &reader)
                            .await
                    }
                    None => Vec::new(),
                };
                let end = asked::end(&action, access, response.status(), response.headers());
                let media_type = media_type(response.headers());
                let (mut parts, body) = response.into_parts();
                parts.extensions.insert(Recorded {
                    action: action.id(),
                });
                let body = Tee::new(body, move |passed| {
                    finish(action, end, changed, passed, &media_type)
                });
                Ok(Response::from_parts(parts, body))
            }
            Err(error) => {
                // What failed is not known here, so nor is whether the request arrived.
                let effect = match access {
                    Access::Read => Effect::None,
                    _ => Effect::Unknown,
                };
                if let Some(watched) = watched {
                    watched.unanswered(&action, effect);
                }
                let end = End {
                    outcome: Outcome::Failure,
                    effect,
                    result: "no answer".to_owned(),
                    output: None,
                    fault: Some(Fault {
                        class: "request".to_owned(),
                        native: None,
                        message: error.to_string(),
                    }),
                    attributes: Attributes::new(),
                };
                step::end(action, end);
                Err(TowerError::Inner(error))
            }
        }
    }
}

/// The URL that a request goes to, as far as it says.
fn url_of(parts: &http::request::Parts) -> Url {
    let uri = &parts.uri;
    let stated = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = uri
        .authority()
        .map(|authority| authority.as_str())
        .or(stated)
        .unwrap_or("unknown.invalid");
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let text = format!("{}://{host}{path}", uri.scheme_str().unwrap_or("http"));
    Url::parse(&text).unwrap_or_else(|_| nowhere())
}

#[expect(clippy::expect_used, reason = "a constant that is a URL")]
fn nowhere() -> Url {
    Url::parse("http://unknown.invalid/").expect("a URL")
}
