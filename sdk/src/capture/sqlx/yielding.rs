//! Streams written as asynchronous blocks that hand out one item after another.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use futures_util::stream::{BoxStream, Stream};

/// Where the block puts its items.
#[derive(Debug)]
pub(in crate::capture) struct Out<T>(Arc<Mutex<Option<T>>>);

impl<T> Out<T> {
    /// Hands out `item`, and goes on once the next one is asked for.
    pub(in crate::capture) async fn give(&self, item: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(item);
        let mut given = false;
        poll_fn(|_| {
            // Whoever polls takes the item before polling again, so nobody needs to be woken.
            if std::mem::replace(&mut given, true) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// A block under way; gone once it ended.
struct Yielding<F, T> {
    block: Option<Pin<Box<F>>>,
    item: Arc<Mutex<Option<T>>>,
}

/// The stream of what `block` gives; an error of the block itself is its last item.
pub(in crate::capture) fn stream<'e, T, E, F>(
    block: impl FnOnce(Out<T>) -> F,
) -> BoxStream<'e, Result<T, E>>
where
    F: Future<Output = Result<(), E>> + Send + 'e,
    T: Send + 'e,
    E: 'e,
{
    let item = Arc::new(Mutex::new(None));
    let block = block(Out(Arc::clone(&item)));
    Box::pin(Yielding {
        block: Some(Box::pin(block)),
        item,
    })
}

impl<F, T, E> Stream for Yielding<F, T>
where
    F: Future<Output = Result<(), E>>,
{
    type Item = Result<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(block) = self.block.as_mut() else {
            return Poll::Ready(None);
        };
        match block.as_mut().poll(context) {
            Poll::Ready(ended) => {
                self.block = None;
                Poll::Ready(ended.err().map(Err))
            }
            Poll::Pending => {
                let item = self
                    .item
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .take();
                item.map_or(Poll::Pending, |item| Poll::Ready(Some(Ok(item))))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    #[tokio::test]
    async fn items_come_in_order_and_an_error_ends_them() {
        let given = stream(|out| async move {
            for item in 0..3 {
                tokio::task::yield_now().await;
                out.give(item).await;
            }
            Err("over")
        });
        let all: Vec<Result<i32, &str>> = given.collect().await;
        assert_eq!(all, [Ok(0), Ok(1), Ok(2), Err("over")]);
    }
}
