//! An answer that one thread gives and another waits for, in a future or blocking; no runtime needed.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::spool::lock;

struct Inner<T> {
    state: Mutex<State<T>>,
    given: Condvar,
}

struct State<T> {
    answer: Option<T>,
    waker: Option<Waker>,
}

/// The side that answers; the first answer counts.
pub(crate) struct Giver<T>(Arc<Inner<T>>);

/// The side that waits.
pub(crate) struct Taker<T>(Arc<Inner<T>>);

pub(crate) fn pair<T>() -> (Giver<T>, Taker<T>) {
    let state = Mutex::new(State {
        answer: None,
        waker: None,
    });
    let inner = Arc::new(Inner {
        state,
        given: Condvar::new(),
    });
    (Giver(Arc::clone(&inner)), Taker(inner))
}

impl<T> Giver<T> {
    pub(crate) fn give(&self, answer: T) {
        let waker = {
            let mut state = lock(&self.0.state);
            if state.answer.is_none() {
                state.answer = Some(answer);
            }
            state.waker.take()
        };
        self.0.given.notify_all();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Taker<T> {
    /// Blocks the thread until there is an answer, at most for so long.
    pub(crate) fn wait(&self, at_most: Duration) -> Option<T> {
        let state = lock(&self.0.state);
        let waited = self
            .0
            .given
            .wait_timeout_while(state, at_most, |state| state.answer.is_none());
        let mut state = match waited {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        };
        state.answer.take()
    }
}

impl<T> Future for Taker<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let mut state = lock(&self.0.state);
        match state.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
