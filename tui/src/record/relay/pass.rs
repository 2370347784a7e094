//! Calls that are recorded as what they are over HTTP: through the SDK's own layer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::{Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use recount::capture::http::{Beginning, Layer};
use recount::{Kind, Recorder, Refused};
use reqwest_middleware::ClientWithMiddleware;
use vocabulary::content::INLINE_BYTES;

use super::body::{Body, Ended, Watch, innermost};
use super::{Busy, Call, Upstream, addressed, own_answer};
use crate::failure::Failure;

/// The layer of a relay: it follows nothing, and who leaves an answer before its end went away.
pub(crate) fn layer(recorder: &Recorder) -> Layer {
    Layer::new(recorder).redirects(0).beside_the_caller()
}

/// A client with this layer.
pub(crate) fn client(layer: Layer) -> Result<ClientWithMiddleware, Failure> {
    let built = layer.client(Upstream::client());
    built.map_err(|error| Failure::Unavailable {
        place: "the client for the upstream".to_owned(),
        what: innermost(&error),
        hint: "look at the system's certificates".to_owned(),
    })
}

/// Sends a call on, recorded, and hands on the answer as it comes.
pub(crate) async fn pass(
    client: &ClientWithMiddleware,
    upstream: &Upstream,
    call: Call,
) -> Response<Body> {
    let target = addressed(&Kind::Http, &call.host(), call.parts.uri.path());
    let (session, busy) = (call.session(Some(target)), call.busy());
    let mut extensions = http::Extensions::new();
    extensions.insert(session);
    let sent = match Sent::read(call.body).await {
        Ok(sent) => sent,
        Err(error) => return unread(upstream.relay(), &error),
    };
    let body = match sent {
        Sent::All(bytes) => bytes.into(),
        Sent::Begun(beginning, rest) => {
            let size = rest.size_hint().exact();
            let size = size.map(|rest| rest + beginning.len() as u64);
            extensions.insert(Beginning {
                bytes: beginning.clone(),
                size,
            });
            reqwest::Body::wrap(Chained {
                beginning: Some(beginning),
                rest,
            })
        }
    };
    let request = upstream.request(&call.parts, body);
    match client
        .execute_with_extensions(request, &mut extensions)
        .await
    {
        Ok(response) => upstream.answer(response, Blind(busy)),
        Err(error) => match refusal(&error) {
            Some(refused) => upstream.refused(refused),
            None => upstream.unanswered(&error).0,
        },
    }
}

fn refusal(error: &reqwest_middleware::Error) -> Option<&Refused> {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    if let reqwest_middleware::Error::Middleware(error) = error
        && let Some(refused) = error.downcast_ref::<Refused>()
    {
        return Some(refused);
    }
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return Some(refused);
        }
        cause = error.source();
    }
    None
}

/// The caller went away, or sends what is no body.
fn unread(relay: &str, error: &hyper::Error) -> Response<Body> {
    let why = format!("the request could not be read: {}", innermost(error));
    own_answer(StatusCode::BAD_REQUEST, relay, &why)
}

/// The layer watches already.
struct Blind(#[expect(dead_code, reason = "held for the session's sake")] Busy);

impl Watch for Blind {
    fn passed(&mut self, _: &Bytes) {}

    fn ended(self, _: Ended) {}
}

/// A request's body, read as far as it is recorded: a record comes before the call it is about.
enum Sent {
    All(Bytes),
    Begun(Bytes, Incoming),
}

impl Sent {
    async fn read(mut body: Incoming) -> Result<Self, hyper::Error> {
        let mut beginning = BytesMut::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                beginning.extend_from_slice(&data);
            }
            if beginning.len() > INLINE_BYTES {
                return Ok(Self::Begun(beginning.freeze(), body));
            }
        }
        Ok(Self::All(beginning.freeze()))
    }
}

/// What was read ahead, then the rest.
struct Chained {
    beginning: Option<Bytes>,
    rest: Incoming,
}

impl http_body::Body for Chained {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.beginning.take() {
            Some(beginning) => Poll::Ready(Some(Ok(Frame::data(beginning)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.beginning.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.beginning.as_ref().map_or(0, Bytes::len) as u64;
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + ahead);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + ahead);
        }
        hint
    }
}

impl Call {
    /// All of the request's body, which must not be longer than `most`; else what to answer.
    pub(crate) async fn collected(&mut self, most: usize) -> Result<Bytes, Response<Body>> {
        let mut all = BytesMut::new();
        while let Some(frame) = self.body.frame().await {
            let frame = frame.map_err(|error| unread(self.relay, &error))?;
            if let Ok(data) = frame.into_data() {
                all.extend_from_slice(&data);
            }
            if all.len() > most {
                let why = format!("the request is longer than {most} bytes");
                return Err(own_answer(StatusCode::PAYLOAD_TOO_LARGE, self.relay, &why));
            }
        }
        Ok(all.freeze())
    }
}
