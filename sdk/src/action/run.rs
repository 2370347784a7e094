//! A future that runs as an action.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::Action;
use crate::Ambient;

pin_project_lite::pin_project! {
    /// A future that runs as an action; made by [`Action::run`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Run<F> {
        #[pin]
        pub(super) future: F,
        pub(super) action: Option<Action>,
        pub(super) ambient: Ambient,
    }
}

impl<F, T, E> Future for Run<F>
where
    F: Future<Output = Result<T, E>>,
    E: fmt::Display,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T, E>> {
        let this = self.project();
        let future = this.future;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            this.ambient.run(|| future.poll(context))
        }));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => {
                if let Some(action) = this.action.take() {
                    action.end_with(&result);
                }
                Poll::Ready(result)
            }
            Err(panic) => {
                if let Some(action) = this.action.take() {
                    action.end_panicked(&*panic);
                }
                resume_unwind(panic)
            }
        }
    }
}
