//! Whatever order tasks run in, and on whichever threads: each action is in the session of its own task.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use recount::testing::Recorded;
use recount::{Access, Ambient, InContext, Kind, Recorder};

/// What a task does, one after the other; between any two, others run.
#[derive(Debug, Clone)]
enum Step {
    /// An action of its own.
    Act,
    /// An action with steps inside it.
    Inside(Vec<Step>),
    /// A task of the same session, started and not waited for.
    Spawn(Vec<Step>),
    /// A child session that works inside this one.
    Child(Vec<Step>),
}

fn step() -> impl Strategy<Value = Step> {
    let leaf = Just(Step::Act);
    leaf.prop_recursive(3, 12, 3, |inner| {
        let steps = prop::collection::vec(inner, 0..3);
        prop_oneof![
            Just(Step::Act),
            steps.clone().prop_map(Step::Inside),
            steps.clone().prop_map(Step::Spawn),
            steps.prop_map(Step::Child),
        ]
    })
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
type Queue = Arc<Mutex<VecDeque<Task>>>;

/// Pending once.
struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match std::mem::replace(&mut self.0, true) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

/// Does `steps` for the session named `name`, finding the session as captures do.
fn work(recorder: Recorder, name: String, steps: Vec<Step>, queue: Queue) -> Task {
    Box::pin(async move {
        for step in steps {
            Pause(false).await;
            let here = recorder.here();
            let action = || here.session().action(Kind::Tool, &name, Access::Read);
            match step {
                Step::Act => action().begin().await.unwrap().end_success(),
                Step::Inside(steps) => {
                    let inner = work(recorder.clone(), name.clone(), steps, queue.clone());
                    let running = action().begin().await.unwrap();
                    running.run_value(inner).await;
                }
                Step::Spawn(steps) => {
                    let task = work(recorder.clone(), name.clone(), steps, queue.clone());
                    let ambient = Ambient::current().unwrap();
                    queue
                        .lock()
                        .unwrap()
                        .push_back(Box::pin(task.in_context(ambient)));
                }
                Step::Child(steps) => {
                    let child = here.session().delegate("child").start().await;
                    let name = child.id().to_string();
                    let task = work(recorder.clone(), name, steps, queue.clone());
                    task.in_session(&child).await;
                    child.end(recount::EndReason::Completed).await;
                }
            }
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_interleaving_of_tasks_keeps_actions_in_their_own_session(
        scripts in prop::collection::vec(prop::collection::vec(step(), 1..5), 2..5),
        order in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8), 1..200),
    ) {
        let recorder = Recorder::testing();
        let queue: Queue = Arc::default();
        let mut sessions = Vec::new();
        for script in scripts {
            let session = recorder.session_without_request().start_blocking();
            let name = session.id().to_string();
            let task = work(recorder.clone(), name, script, queue.clone());
            queue.lock().unwrap().push_back(Box::pin(task.in_session(&session)));
            sessions.push(session);
        }
        let mut order = order.into_iter().cycle();
        loop {
            let (index, how) = order.next().unwrap();
            let task = {
                let mut queue = queue.lock().unwrap();
                let at = match queue.len() {
                    0 => break,
                    len => index.index(len),
                };
                queue.remove(at)
            };
            let mut task = task.unwrap();
            let mut poll = || {
                let done = task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(Ambient::current().is_none(), "the context stayed on the thread");
                done
            };
            // Now and then on another thread, and now and then it is cancelled.
            let done = match how {
                0 => std::thread::scope(|scope| scope.spawn(poll).join().unwrap()),
                1 => Poll::Ready(()),
                _ => poll(),
            };
            if done.is_pending() {
                queue.lock().unwrap().push_back(task);
            }
        }
        let recorded = Recorded::of(&recorder);
        let begins: Vec<_> = recorded.actions().into_iter().map(|action| action.begin).collect();
        for begin in &begins {
            prop_assert_eq!(begin.str("session.id"), begin.str("recount.action.name"));
            let Some(parent) = begin.str("recount.action.parent") else { continue };
            let parent = begins.iter().find(|other| other.str("recount.action.id") == Some(parent));
            prop_assert_eq!(parent.and_then(|parent| parent.str("session.id")), begin.str("session.id"));
        }
    }
}
