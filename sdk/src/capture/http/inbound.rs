//! Requests that a service receives: the session that their caller names, continued or linked.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, request::Parts};
use http_body::Body;
use vocabulary::session::{EndReason, TriggerKind};

use super::{Tee, tee::Ended};
use crate::{Ambient, Handle, InContext as _, Principal, Recorder, Session, settings::Inherited};

/// Who sent a request, as the service found out. A header that anyone can write proves nobody.
#[derive(Debug)]
pub enum Caller {
    /// Somebody whom the service knows and lets speak for their own sessions: a client certificate, a verified token.
    Known(Principal),
    /// Anybody else.
    Unknown,
}

type Knows = dyn Fn(&Parts) -> Caller + Send + Sync;

/// A layer for servers (`axum::Router::layer`, any `tower` stack). What a handler records belongs
///
/// - to the session that the caller names in `baggage`, where the closure knows the caller: it *joins* it, with
///   neither a start nor an end of its own;
/// - else to a session of its own for this request, whose origin says which session and request the caller named. It
///   is linked by these words and nothing else: it is found under neither.
///
/// The handler runs in that context, and finds it as an [`Ambient`] among the request's extensions too.
#[derive(Clone)]
pub struct Inbound {
    recorder: Recorder,
    knows: Arc<Knows>,
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbound({:?})", self.recorder)
    }
}

impl Inbound {
    /// Records with `recorder`; `knows` decides who a caller is, by the head of the request.
    pub fn new(
        recorder: &Recorder,
        knows: impl Fn(&Parts) -> Caller + Send + Sync + 'static,
    ) -> Self {
        Self {
            recorder: recorder.clone(),
            knows: Arc::new(knows),
        }
    }

    /// The session that a request belongs to, and its owner where it is one of its own.
    fn session(&self, parts: &Parts) -> (Handle, Option<Session>) {
        let told = told(&parts.headers);
        let caller = (self.knows)(parts);
        if let (Caller::Known(_), Some(session)) = (&caller, &told.session) {
            let request = told.request.as_ref();
            let joined = self.recorder.join(session, request, told.trace_id);
            return (joined, None);
        }
        let mut origin = format!("{} {}", parts.method, parts.uri.path());
        if let Some(session) = &told.session {
            origin.push_str(&format!(", from a caller that names session {session}"));
        }
        if let Some(request) = &told.request {
            origin.push_str(&format!(" of request {request}"));
        }
        let mut builder = self
            .recorder
            .session_without_request()
            .trigger(TriggerKind::Api, origin);
        if let Caller::Known(principal) = caller {
            builder = builder.asked_by(principal);
        }
        let session = builder.start_blocking();
        (session.handle(), Some(session))
    }
}

/// What the headers of a request say about session, request and trace.
fn told(headers: &HeaderMap) -> Inherited {
    let one = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let baggage: Vec<&str> = headers
        .get_all("baggage")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    Inherited::read(None, one("traceparent"), Some(&baggage.join(",")))
}

impl<S> tower_layer::Layer<S> for Inbound {
    type Service = InboundService<S>;

    fn layer(&self, inner: S) -> InboundService<S> {
        InboundService {
            inner,
            inbound: self.clone(),
        }
    }
}

/// A service whose requests are received in a session; see [`Inbound`].
#[derive(Debug, Clone)]
pub struct InboundService<S> {
    inner: S,
    inbound: Inbound,
}

type Answered<R, E> = Pin<Box<dyn Future<Output = Result<Response<Tee<R>>, E>> + Send>>;

impl<S, B, R> tower_service::Service<Request<B>> for InboundService<S>
where
    S: tower_service::Service<Request<B>, Response = Response<R>>,
    S::Future: Send + 'static,
    R: Body<Data = Bytes> + Unpin + Send + 'static,
    R::Error: fmt::Display,
{
    type Response = Response<Tee<R>>;
    type Error = S::Error;
    type Future = Answered<R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let (handle, session) = self.inbound.session(&parts);
        let ambient = Ambient::new(&handle);
        parts.extensions.insert(ambient.clone());
        let answer = ambient.run(|| self.inner.call(Request::from_parts(parts, body)));
        let answer = answer.in_context(ambient);
        Box::pin(async move {
            // Dropped midway, the session is abandoned: the caller went away.
            let response = answer.await?;
            let failed = response.status().is_server_error();
            Ok(response.map(|body| {
                Tee::new(body, move |passed| {
                    let reason = match (failed, passed.ended) {
                        (true, _) | (_, Ended::Failed(_)) => EndReason::Failed,
                        _ => EndReason::Completed,
                    };
                    if let Some(session) = session {
                        session.end_blocking(reason);
                    }
                })
            }))
        })
    }
}
