//! An action that has begun: what becomes of it, whichever way it ends.

mod run;

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};

use vocabulary::action::{Access, Durability, Effect, Outcome};
use vocabulary::content::Content;
use vocabulary::id::{ActionId, DecisionId, DiffId, TransactionId};
use vocabulary::{Event, attribute, verdict};

use crate::encode::{Value, int};
use crate::error::RefusedWhy;
use crate::spool::lock;
use crate::{Ambient, Attributes, Diff, Handle, Refused, span_id};

pub use run::Run;

/// What is known of the end before it comes.
#[derive(Debug, Default)]
struct Ending {
    effect: Option<Effect>,
    diffs: u64,
    /// The effects of the diffs together.
    of_diffs: Option<Effect>,
    more: Attributes,
}

struct Inner {
    handle: Handle,
    /// What it acts on, where a redaction policy needs to know.
    target: Option<String>,
    id: ActionId,
    access: Access,
    decision: Option<DecisionId>,
    transaction: Option<TransactionId>,
    durability: Durability,
    ending: Mutex<Ending>,
}

/// A running action as the code inside it sees it: cheap to clone. It can add
/// what is observed, and cannot end it.
#[derive(Clone)]
pub struct ActionHandle(Arc<Inner>);

impl fmt::Debug for ActionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActionHandle({})", self.0.id)
    }
}

impl ActionHandle {
    /// The action's id.
    pub fn id(&self) -> ActionId {
        self.0.id
    }

    /// Its session.
    pub fn session(&self) -> &Handle {
        &self.0.handle
    }

    /// What its begin reached before it ran.
    pub fn durability(&self) -> Durability {
        self.0.durability
    }

    /// The context for work that is part of this action.
    pub fn ambient(&self) -> Ambient {
        let ambient = Ambient::new(&self.0.handle).with_action(self.0.id);
        match self.0.decision {
            Some(decision) => ambient.with_decision(decision),
            None => ambient,
        }
    }

    /// The value of a W3C `traceparent` that names it: what counterparts and child processes are told.
    pub fn traceparent(&self) -> String {
        crate::capture::identity(self).traceparent()
    }

    /// The value of a W3C `baggage` that names its session and request.
    pub fn baggage(&self) -> String {
        crate::capture::identity(self).baggage()
    }

    /// What came out.
    pub fn output(&self, content: impl Into<Content>) -> &Self {
        lock(&self.0.ending)
            .more
            .content(attribute::OUTPUT, &content.into());
        self
    }

    /// The outcome in a few words: `200 OK`, `3 rows`.
    pub fn result(&self, text: &str) -> &Self {
        lock(&self.0.ending).more.text(attribute::RESULT, text);
        self
    }

    /// What it left behind, where that does not follow from its diffs.
    pub fn effect(&self, effect: Effect) -> &Self {
        lock(&self.0.ending).effect = Some(effect);
        self
    }

    /// The error: its class (a type name or `timeout`), the counterpart's own
    /// code, its message.
    pub fn error(&self, class: &str, native: Option<&str>, message: &str) -> &Self {
        lock(&self.0.ending)
            .more
            .text(attribute::ERROR_TYPE, class)
            .text_if(attribute::ERROR_NATIVE, native)
            .text(attribute::ERROR_MESSAGE, message);
        self
    }

    /// Tokens that a model call used.
    pub fn usage(&self, input_tokens: u64, output_tokens: u64) -> &Self {
        lock(&self.0.ending)
            .more
            .int(attribute::GEN_AI_INPUT_TOKENS, int(input_tokens))
            .int(attribute::GEN_AI_OUTPUT_TOKENS, int(output_tokens));
        self
    }

    /// Any further attribute of the end record. Text is written as it is.
    pub fn attribute(&self, key: &str, value: Value<'_>) -> &Self {
        lock(&self.0.ending).more.put(key, value);
        self
    }

    /// Many further attributes of the end record.
    pub fn attributes(&self, more: &Attributes) -> &Self {
        lock(&self.0.ending).more.append(more);
        self
    }

    /// Records the state before and after of one resource, now.
    pub fn diff(&self, diff: Diff) -> DiffId {
        let diff = diff.in_transaction(self.0.transaction);
        let id = DiffId::new(self.0.handle.recorder().now_ms(), crate::random::bytes());
        let mut attributes = Attributes::new();
        diff.write(id, self.0.id, &mut attributes);
        {
            let mut ending = lock(&self.0.ending);
            ending.diffs += 1;
            ending.of_diffs = Some(together(ending.of_diffs, diff.own_effect()));
        }
        self.record(Event::Diff, &attributes);
        id
    }

    /// What policy, or the agent's own rule, said about it.
    pub fn verdict(
        &self,
        verdict: verdict::Verdict,
        rule: &str,
        policy_version: &str,
        reason: &str,
    ) -> &Self {
        let mut attributes = Attributes::new();
        attributes
            .uuid(attribute::ACTION_ID, self.0.id.uuid())
            .str(attribute::VERDICT, verdict.as_str())
            .text(attribute::RULE, rule)
            .text(attribute::POLICY_VERSION, policy_version)
            .text(attribute::REASON, reason);
        self.record(Event::Verdict, &attributes);
        self
    }

    /// A security event about it.
    pub fn security(&self, event: Event, reason: &str, more: &Attributes) -> &Self {
        self.0.handle.security(event, Some(self.0.id), reason, more);
        self
    }

    /// Records any event with the action's span id.
    pub fn record(&self, event: Event, attributes: &Attributes) {
        self.0.handle.record_about(
            event,
            Some(span_id(self.0.id)),
            attributes,
            self.0.target.as_deref(),
        );
    }

    fn write_end(&self, outcome: Outcome, effect: Option<Effect>) {
        let mut ending = lock(&self.0.ending);
        let effect = effect
            .or(ending.effect)
            .or(ending.of_diffs)
            .unwrap_or_else(|| self.likely_effect(outcome));
        let mut attributes = std::mem::replace(&mut ending.more, Attributes::none());
        attributes
            .uuid(attribute::ACTION_ID, self.0.id.uuid())
            .str(attribute::OUTCOME, outcome.as_str())
            .str(attribute::EFFECT, effect.as_str())
            .int(attribute::DIFFS, int(ending.diffs));
        drop(ending);
        self.record(Event::ToolResult, &attributes);
    }

    /// The effect of an action that says nothing about it. What may have left
    /// something behind and did not say so is unknown, never guessed.
    fn likely_effect(&self, outcome: Outcome) -> Effect {
        match (self.0.access, outcome) {
            (_, Outcome::Denied | Outcome::NotExecuted) | (Access::Read, _) => Effect::None,
            (Access::Write | Access::Delete | Access::Send, Outcome::Success) => {
                match self.0.transaction {
                    Some(_) => Effect::Pending,
                    None => Effect::Committed,
                }
            }
            _ => Effect::Unknown,
        }
    }
}

/// The effect of several diffs: the least settled of them.
fn together(one: Option<Effect>, other: Effect) -> Effect {
    let weight = |effect| match effect {
        Effect::None => 0,
        Effect::RolledBack => 1,
        Effect::Committed => 2,
        Effect::Pending => 3,
        Effect::Unknown => 4,
    };
    match one {
        Some(one) if weight(one) >= weight(other) => one,
        _ => other,
    }
}

/// An action that has begun and may run. Ends by [`Action::run`], by one of
/// the `end…` methods, or when it is dropped: then it was cancelled (or, while
/// the thread panics, failed). Dropping never blocks.
#[must_use = "an action that is dropped at once is recorded as cancelled"]
pub struct Action {
    handle: ActionHandle,
    /// What it means to be dropped now; `None` once the end is recorded.
    when_dropped: Option<Outcome>,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Action({})", self.handle.0.id)
    }
}

impl std::ops::Deref for Action {
    type Target = ActionHandle;

    fn deref(&self) -> &ActionHandle {
        &self.handle
    }
}

impl Action {
    pub(crate) fn new(
        handle: Handle,
        target: Option<String>,
        id: ActionId,
        access: Access,
        decision: Option<DecisionId>,
        transaction: Option<TransactionId>,
        durability: Durability,
    ) -> Self {
        let ending = Mutex::default();
        let inner = Inner {
            handle,
            target,
            id,
            access,
            decision,
            transaction,
            durability,
            ending,
        };
        Self {
            handle: ActionHandle(Arc::new(inner)),
            when_dropped: Some(Outcome::NotExecuted),
        }
    }

    /// From here on the action may run.
    pub(crate) fn started(mut self) -> Self {
        self.when_dropped = Some(Outcome::Cancelled);
        self
    }

    /// It must not run.
    pub(crate) fn refuse(self, why: RefusedWhy) -> Refused {
        let refused = Refused {
            action: self.id(),
            why,
        };
        self.error("refused", None, &refused.why.to_string());
        self.end(Outcome::NotExecuted, Effect::None);
        refused
    }

    /// A handle for the code inside it.
    pub fn handle(&self) -> ActionHandle {
        self.handle.clone()
    }

    /// Runs a future as this action and gives its own output, untouched. An
    /// `Err` is recorded as failure with its message, a panic as failure too
    /// (and goes on); dropping the future (a timeout, a lost `select!`) as
    /// cancelled with unknown effect. What begins inside is part of it.
    pub fn run<F, T, E>(self, future: F) -> Run<F>
    where
        F: Future<Output = Result<T, E>>,
        E: fmt::Display,
    {
        let ambient = self.ambient();
        Run {
            future,
            action: Some(self),
            ambient,
        }
    }

    /// Runs a future that cannot fail as this action.
    pub async fn run_value<F: Future>(self, future: F) -> F::Output {
        let wrapped = async { Ok::<_, std::convert::Infallible>(future.await) };
        match self.run(wrapped).await {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// Runs a closure as this action, blocking; else as [`Action::run`].
    pub fn run_blocking<T, E: fmt::Display>(
        self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let ambient = self.ambient();
        match catch_unwind(AssertUnwindSafe(|| ambient.run(work))) {
            Ok(result) => {
                self.end_with(&result);
                result
            }
            Err(panic) => {
                self.end_panicked(&*panic);
                resume_unwind(panic)
            }
        }
    }

    /// Runs a closure that cannot fail as this action, blocking.
    pub fn run_value_blocking<T>(self, work: impl FnOnce() -> T) -> T {
        match self.run_blocking(|| Ok::<_, std::convert::Infallible>(work())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// Ends it with a known outcome and effect.
    pub fn end(mut self, outcome: Outcome, effect: Effect) {
        self.when_dropped = None;
        self.handle.write_end(outcome, Some(effect));
    }

    /// Ends it with success; the effect follows from diffs and access.
    pub fn end_success(self) {
        self.end_as(Outcome::Success);
    }

    /// Ends it with failure; the effect follows from diffs and access.
    pub fn end_failure(self, class: &str, native: Option<&str>, message: &str) {
        self.error(class, native, message);
        self.end_as(Outcome::Failure);
    }

    /// Ends it with an outcome; the effect follows from diffs and access.
    pub fn end_as(mut self, outcome: Outcome) {
        self.when_dropped = None;
        self.handle.write_end(outcome, None);
    }

    /// Ends it as denied by a rule: it did not run.
    pub fn end_denied(self, rule: &str, policy_version: &str, reason: &str) {
        self.verdict(verdict::Verdict::Deny, rule, policy_version, reason);
        self.end(Outcome::Denied, Effect::None);
    }

    /// Ends it by the result of its work.
    pub fn end_with<T, E: fmt::Display>(self, result: &Result<T, E>) {
        match result {
            Ok(_) => self.end_success(),
            Err(error) => self.end_failure(short_type_name::<E>(), None, &error.to_string()),
        }
    }

    fn end_panicked(self, panic: &(dyn Any + Send)) {
        let message = panic
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "not a text".to_owned());
        self.end_failure("panic", None, &message);
    }
}

impl Drop for Action {
    fn drop(&mut self) {
        let Some(outcome) = self.when_dropped.take() else {
            return;
        };
        if outcome == Outcome::Cancelled && std::thread::panicking() {
            self.handle
                .error("panic", None, "the thread panicked while the action ran");
            self.handle.write_end(Outcome::Failure, None);
        } else {
            self.handle.write_end(outcome, None);
        }
    }
}

/// The last part of a type's path, without its parameters.
fn short_type_name<E>() -> &'static str {
    let name = std::any::type_name::<E>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name)
}
