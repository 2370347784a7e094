//! A request body whose beginning was read before it is sent.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use vocabulary::content::INLINE_BYTES;

/// The body of a request that passed a `TowerLayer`: the same frames, the first of which were looked at.
pub struct Replay<B: Body> {
    read: VecDeque<Frame<Bytes>>,
    /// Bytes in `read`.
    size: u64,
    failed: Option<B::Error>,
    rest: Option<B>,
}

impl<B: Body> fmt::Debug for Replay<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl<B: Body + Unpin> Replay<B> {
    /// No body.
    pub(super) fn empty() -> Self {
        Self {
            read: VecDeque::new(),
            size: 0,
            failed: None,
            rest: None,
        }
    }

    /// Reads a body that says that it is short; any other is passed on as it comes. Also says all of what was read,
    /// if that is all there is.
    pub(super) async fn of(mut body: B) -> (Self, Option<Vec<u8>>) {
        let mut replay = Self::empty();
        if body.is_end_stream() {
            return (replay, Some(Vec::new()));
        }
        let short = body
            .size_hint()
            .exact()
            .is_some_and(|size| size <= INLINE_BYTES as u64);
        if !short {
            replay.rest = Some(body);
            return (replay, None);
        }
        let mut all = Vec::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => {
                    let frame = whole(frame);
                    if let Some(data) = frame.data_ref() {
                        all.extend_from_slice(data);
                        replay.size += data.len() as u64;
                    }
                    replay.read.push_back(frame);
                }
                Err(error) => {
                    replay.failed = Some(error);
                    return (replay, None);
                }
            }
        }
        (replay, Some(all))
    }
}

fn whole<D: bytes::Buf>(frame: Frame<D>) -> Frame<Bytes> {
    frame.map_data(|mut data| data.copy_to_bytes(data.remaining()))
}

impl<B: Body + Unpin> Body for Replay<B>
where
    B::Error: Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        if let Some(frame) = this.read.pop_front() {
            if let Some(data) = frame.data_ref() {
                this.size -= data.len() as u64;
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Some(Err(error)));
        }
        match &mut this.rest {
            Some(rest) => Pin::new(rest)
                .poll_frame(context)
                .map(|frame| frame.map(|frame| frame.map(whole))),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty()
            && self.failed.is_none()
            && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.rest {
            Some(rest) => rest.size_hint(),
            None if self.failed.is_some() => SizeHint::default(),
            None => SizeHint::with_exact(self.size),
        }
    }
}
