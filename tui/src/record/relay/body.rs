//! Bodies that pass: read by one side as fast as the other takes them, and watched on the way.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

/// Why a body failed.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A body that a relay answers with.
pub(crate) type Body = UnsyncBoxBody<Bytes, BodyError>;

/// How a body came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All of it passed.
    Whole,
    /// Who sent it failed midway.
    Failed(String),
    /// Who read it went away.
    Dropped,
}

/// Looks at what passes.
pub(crate) trait Watch: Send + 'static {
    /// The next bytes; they are on their way to the reader already decided, so this must be quick.
    fn passed(&mut self, data: &Bytes);
    /// The end, told once.
    fn ended(self, how: Ended);
}

/// A body that is all there.
pub(crate) fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// `inner`, with somebody looking on.
pub(crate) fn watched<B, W>(inner: B, watch: W) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
    W: Watch + Unpin,
{
    let mut body = Watched {
        inner,
        watch: Some(watch),
    };
    if body.inner.is_end_stream() {
        body.end(Ended::Whole);
    }
    body.map_err(|error| Box::new(error) as BodyError)
        .boxed_unsync()
}

struct Watched<B, W: Watch> {
    inner: B,
    watch: Option<W>,
}

impl<B, W: Watch> Watched<B, W> {
    /// Beside the way: what passes last must not wait for its record to be written.
    fn end(&mut self, how: Ended) {
        let Some(watch) = self.watch.take() else {
            return;
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { watch.ended(how) })),
            Err(_) => watch.ended(how),
        }
    }
}

impl<B, W> http_body::Body for Watched<B, W>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error,
    W: Watch + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => self.end(Ended::Whole),
            Poll::Ready(Some(Err(error))) => {
                let why = innermost(error);
                self.end(Ended::Failed(why));
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let (Some(data), Some(watch)) = (frame.data_ref(), &mut self.watch) {
                    watch.passed(data);
                }
                if self.inner.is_end_stream() {
                    self.end(Ended::Whole); // the reader need not ask again
                }
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B, W: Watch> Drop for Watched<B, W> {
    fn drop(&mut self) {
        self.end(Ended::Dropped);
    }
}

/// The system's own words: no URL is in them, which may carry secrets.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
