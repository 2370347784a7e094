//! A response body that is handed on unchanged while its beginning is kept.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use sha2::{Digest as _, Sha256};
use vocabulary::content::INLINE_BYTES;

/// How a body came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// All of it was read.
    Whole,
    /// The connection failed midway.
    Failed(String),
    /// The caller stopped reading.
    Dropped,
}

/// What passed by.
#[derive(Debug)]
pub(super) struct Passed {
    pub(super) ended: Ended,
    /// The first bytes.
    pub(super) beginning: Vec<u8>,
    /// How many there were in all.
    pub(super) size: u64,
    /// SHA-256 of all that passed.
    pub(super) digest: [u8; 32],
}

type Finish = Box<dyn FnOnce(Passed) + Send + Sync>;

/// The body, and what to do at its end: exactly once, when it ends, fails or is dropped.
pub struct Tee<B> {
    inner: B,
    beginning: Vec<u8>,
    size: u64,
    hash: Sha256,
    finish: Option<Finish>,
}

impl<B> fmt::Debug for Tee<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tee")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl<B> Tee<B> {
    /// Wraps `inner`; an empty body is at its end already.
    pub(super) fn new(inner: B, finish: impl FnOnce(Passed) + Send + Sync + 'static) -> Self
    where
        B: http_body::Body,
    {
        let mut tee = Self {
            inner,
            beginning: Vec::new(),
            size: 0,
            hash: Sha256::new(),
            finish: Some(Box::new(finish)),
        };
        if tee.inner.is_end_stream() {
            tee.end(Ended::Whole);
        }
        tee
    }

    fn end(&mut self, ended: Ended) {
        let Some(finish) = self.finish.take() else {
            return;
        };
        finish(Passed {
            ended,
            beginning: std::mem::take(&mut self.beginning),
            size: self.size,
            digest: std::mem::take(&mut self.hash).finalize().into(),
        });
    }

    fn keep(&mut self, data: &Bytes) {
        // One byte beyond what is kept inline, so that a cut can be told from an end.
        let room = (INLINE_BYTES + 1).saturating_sub(self.beginning.len());
        self.beginning
            .extend_from_slice(data.get(..room).unwrap_or(data));
        self.size += data.len() as u64;
        self.hash.update(data);
    }
}

impl<B> http_body::Body for Tee<B>
where
    B: http_body::Body<Data = Bytes, Error: fmt::Display> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.inner).poll_frame(context);
        match &polled {
            Poll::Pending => {}
            Poll::Ready(None) => this.end(Ended::Whole),
            Poll::Ready(Some(Err(error))) => {
                let ended = Ended::Failed(error.to_string());
                this.end(ended);
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.keep(data);
                }
                if this.inner.is_end_stream() {
                    this.end(Ended::Whole); // the reader need not ask again
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

impl<B> Drop for Tee<B> {
    fn drop(&mut self) {
        self.end(Ended::Dropped);
    }
}
