//! A thread that drives futures for callers without a runtime: what makes blocking twins block.

use std::fmt;
use std::future::Future;
use std::io;
use std::panic::resume_unwind;
use std::sync::{Arc, mpsc};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::{Ambient, InContext};

/// A thread with a runtime of its own; clones share it, and it ends with the last of them.
#[derive(Clone)]
pub(super) struct Driver(Arc<Thread>);

struct Thread {
    runtime: Handle,
    /// Dropped with the last clone, by which the thread sees that it is over.
    _stop: oneshot::Sender<()>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Driver")
    }
}

impl Driver {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        std::thread::Builder::new()
            .name("recount-drive".to_owned())
            .spawn(move || {
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Self(Arc::new(Thread {
            runtime: handle,
            _stop: stop,
        })))
    }

    /// Blocks until the future is done, which runs in the caller's context; a panic in it goes on here.
    pub(super) fn wait<F>(&self, future: F) -> io::Result<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match Ambient::current() {
            Some(ambient) => self.wait_here(future.in_context(ambient)),
            None => self.wait_here(future),
        }
    }

    fn wait_here<F>(&self, future: F) -> io::Result<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (giver, taker) = mpsc::sync_channel(1);
        let work = self.0.runtime.spawn(future);
        self.0.runtime.spawn(async move {
            let _ = giver.send(work.await);
        });
        match taker.recv() {
            Ok(Ok(output)) => Ok(output),
            Ok(Err(error)) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(error) => Err(io::Error::other(error)),
            },
            Err(_) => Err(io::Error::other(
                "the thread that drives blocking calls ended",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_future_runs_to_its_end_in_the_context_of_the_caller() {
        let recorder = crate::Recorder::testing();
        let session = recorder.session("1").start_blocking();
        let driver = Driver::start().unwrap();
        let here = || Ambient::current().map(|ambient| ambient.session().id().clone());
        let work = async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            here()
        };
        let found = session.run(|| driver.wait(work)).unwrap();
        assert_eq!(found.as_ref(), Some(session.id()));
        assert_eq!(driver.wait(async move { here() }).unwrap(), None);
    }

    #[test]
    #[should_panic(expected = "as it was thrown")]
    fn a_panic_goes_on_in_the_caller() {
        let driver = Driver::start().unwrap();
        let _ = driver.wait(async { panic!("as it was thrown") });
    }
}
