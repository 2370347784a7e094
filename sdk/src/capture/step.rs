//! What every kind of capture does alike: begin an action, end it with what was seen.

use vocabulary::{
    action::{Access, Effect, Kind, Outcome},
    content::Content,
    id::ActionId,
};

use super::identity::Identity;
use crate::{Action, ActionBuilder, ActionHandle, Attributes, Handle, span_id};

/// What is known of an action before it runs.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    pub(super) access: Access,
    /// Short name to show.
    pub(super) name: String,
    /// The operation in the interface's own words.
    pub(super) operation: String,
    /// The canonical resource acted on.
    pub(super) target: String,
    pub(super) input: Content,
    pub(super) attributes: Attributes,
}

impl Plan {
    /// The action in `session`: part of what the calling code is doing, for the decision it acts on.
    pub(super) fn in_session(self, session: &Handle) -> ActionBuilder {
        session
            .action(self.kind, &self.name, self.access)
            .operation(&self.operation)
            .target(&self.target)
            .input(self.input)
            .attributes(&self.attributes)
    }
}

/// Says that `builder` is one of several attempts, if it is.
pub(super) fn attempt(
    builder: ActionBuilder,
    (number, retry_of): (u32, Option<ActionId>),
) -> ActionBuilder {
    let builder = builder.attempt(number);
    match retry_of {
        Some(before) => builder.retry_of(before),
        None => builder,
    }
}

/// How an action ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) effect: Effect,
    /// The outcome in a few words.
    pub(super) result: String,
    pub(super) output: Option<Content>,
    pub(super) fault: Option<Fault>,
    pub(super) attributes: Attributes,
}

/// What went wrong, in three ways of saying it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) class: String,
    /// The counterpart's own code.
    pub(super) native: Option<String>,
    pub(super) message: String,
}

/// Ends `action`.
pub(super) fn end(action: Action, end: End) {
    action.result(&end.result);
    if let Some(output) = end.output {
        action.output(output);
    }
    if let Some(Fault {
        class,
        native,
        message,
    }) = end.fault
    {
        action.error(&class, native.as_deref(), &message);
    }
    action.attributes(&end.attributes);
    action.end(end.outcome, end.effect);
}

/// What peers and child processes are told of `action`.
pub(crate) fn identity(action: &ActionHandle) -> Identity {
    let session = action.session();
    Identity {
        trace_id: session.trace_id(),
        span_id: span_id(action.id()),
        session: session.id().as_str().to_owned(),
        request: session.request().map(|request| request.as_str().to_owned()),
    }
}
