//! The context that travels with the running code: session, action in progress, decision.
//!
//! It follows a future through every `.await` (set at each poll, taken away
//! after it) and a thread through its calls. It does not follow a bare
//! `tokio::spawn`, a new thread or a thread pool: wrap what is spawned with
//! [`InContext::in_session`] or [`InContext::in_context`]. What is recorded without
//! one goes to the recorder's `unattributed` session, with a problem.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use vocabulary::id::{ActionId, DecisionId};

use crate::Handle;

thread_local! {
    static CURRENT: RefCell<Option<Ambient>> = const { RefCell::new(None) };
}

/// Session, action in progress and decision that new actions belong to.
///
/// Also fit to be carried by a request (an `http::Extensions` value): a
/// capture takes that one rather than the thread's.
#[derive(Debug, Clone)]
pub struct Ambient {
    session: Handle,
    action: Option<ActionId>,
    decision: Option<DecisionId>,
}

impl Ambient {
    /// A session without an action or decision.
    pub fn new(session: &Handle) -> Self {
        Self {
            session: session.clone(),
            action: None,
            decision: None,
        }
    }

    /// What the code that calls this runs in; `None` when nothing was set.
    pub fn current() -> Option<Self> {
        CURRENT
            .try_with(|current| current.borrow().clone())
            .ok()
            .flatten()
    }

    /// With an action in progress: the parent of actions that begin inside it.
    #[must_use]
    pub fn with_action(mut self, action: ActionId) -> Self {
        self.action = Some(action);
        self
    }

    /// With a decision: the reason of actions that begin inside it.
    #[must_use]
    pub fn with_decision(mut self, decision: DecisionId) -> Self {
        self.decision = Some(decision);
        self
    }

    /// The session.
    pub fn session(&self) -> &Handle {
        &self.session
    }

    /// The action in progress.
    pub fn action(&self) -> Option<ActionId> {
        self.action
    }

    /// The decision.
    pub fn decision(&self) -> Option<DecisionId> {
        self.decision
    }

    /// Puts another context in place and gives the one that was there.
    #[cfg(feature = "tracing")]
    pub(crate) fn swap(ambient: Option<Self>) -> Option<Self> {
        CURRENT
            .try_with(|current| std::mem::replace(&mut *current.borrow_mut(), ambient))
            .ok()
            .flatten()
    }

    /// Runs a closure in this context.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = Entered::enter(self.clone());
        work()
    }
}

/// Puts the former context back, also when the work panics.
struct Entered(Option<Ambient>);

impl Entered {
    fn enter(ambient: Ambient) -> Self {
        let before = CURRENT.try_with(|current| current.borrow_mut().replace(ambient));
        Self(before.ok().flatten())
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| {
            let left = std::mem::replace(&mut *current.borrow_mut(), self.0.take());
            drop(left);
        });
    }
}

pin_project_lite::pin_project! {
    /// A future that runs in a context; see [`InContext`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Within<F> {
        #[pin]
        future: F,
        ambient: Ambient,
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let future = this.future;
        this.ambient.run(|| future.poll(context))
    }
}

/// Gives a future a context of its own, for `tokio::spawn` and the like.
///
/// ```
/// use recount::InContext;
/// # let recorder = recount::Recorder::disabled();
/// # let session = recorder.unattributed();
/// let work = async { 1 + 1 }.in_session(&session);
/// // tokio::spawn(work)
/// # drop(work);
/// ```
pub trait InContext: Future + Sized {
    /// Runs in a session.
    fn in_session(self, session: &Handle) -> Within<Self> {
        self.in_context(Ambient::new(session))
    }

    /// Runs in a context taken elsewhere, e.g. [`Ambient::current`] of the spawning code.
    fn in_context(self, ambient: Ambient) -> Within<Self> {
        Within {
            future: self,
            ambient,
        }
    }
}

impl<F: Future> InContext for F {}
