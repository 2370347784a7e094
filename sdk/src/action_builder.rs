//! What is known of an action before it runs, and the step that makes it safe to run.

use std::fmt;
use std::time::Duration;

use vocabulary::Event;
use vocabulary::action::{Access, Durability, Effect, Kind, Outcome};
use vocabulary::attribute;
use vocabulary::content::Content;
use vocabulary::id::{ActionId, DecisionId, TransactionId};
use vocabulary::verdict::Verdict;

use crate::encode::Value;
use crate::engine::Acknowledged;
use crate::error::RefusedWhy;
use crate::recorder::Begun;
use crate::{Action, Ambient, Attributes, Handle, Refused, span_id};

/// An action that has not begun. What it does to its target ([`Access`])
/// decides how safe its begin must be before it runs: reading waits for
/// nothing, everything else waits for the collector's receipt.
#[must_use = "an action is recorded only when it begins"]
pub struct ActionBuilder {
    handle: Handle,
    id: ActionId,
    kind: Kind,
    name: String,
    access: Access,
    operation: Option<String>,
    target: Option<String>,
    input: Option<Content>,
    decision: Option<DecisionId>,
    parent: Option<ActionId>,
    durability: Option<Durability>,
    wait: Option<Duration>,
    transaction: Option<TransactionId>,
    more: Attributes,
}

impl fmt::Debug for ActionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "ActionBuilder({} {} {})",
            self.access, self.kind, self.name
        )
    }
}

impl ActionBuilder {
    pub(crate) fn new(handle: &Handle, kind: Kind, name: &str, access: Access) -> Self {
        let ambient = Ambient::current().filter(|ambient| ambient.session().id() == handle.id());
        Self {
            handle: handle.clone(),
            id: ActionId::new(handle.recorder.now_ms(), crate::random::bytes()),
            kind,
            name: name.to_owned(),
            access,
            operation: None,
            target: None,
            input: None,
            decision: ambient.as_ref().and_then(Ambient::decision),
            parent: ambient.as_ref().and_then(Ambient::action),
            durability: None,
            wait: None,
            transaction: None,
            more: Attributes::new(),
        }
    }

    /// The id that the action has, also before it begins.
    pub fn id(&self) -> ActionId {
        self.id
    }

    /// What it does to its target.
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// It only looks: its begin waits for nothing.
    pub fn reads(self) -> Self {
        self.access(Access::Read)
    }

    /// The operation in the interface's own words: `PATCH`, `UPDATE`, `chat`.
    pub fn operation(mut self, words: &str) -> Self {
        self.operation = Some(words.to_owned());
        self
    }

    /// The canonical resource acted on: `http:crm.example.test/accounts/17`.
    pub fn target(mut self, resource: &str) -> Self {
        self.target = Some(resource.to_owned());
        self
    }

    /// What goes in.
    pub fn input(mut self, content: impl Into<Content>) -> Self {
        self.input = Some(content.into());
        self
    }

    /// The decision that led here.
    pub fn because(mut self, decision: impl Into<DecisionId>) -> Self {
        self.decision = Some(decision.into());
        self
    }

    /// The action that this one is part of; without this, the one it begins in.
    pub fn part_of(mut self, action: ActionId) -> Self {
        self.parent = Some(action);
        self
    }

    /// Number of this attempt, from 1.
    pub fn attempt(mut self, number: u32) -> Self {
        self.more.int(attribute::ATTEMPT, i64::from(number));
        self
    }

    /// The action of which this one is a repetition.
    pub fn retry_of(mut self, action: ActionId) -> Self {
        self.more.uuid(attribute::RETRY_OF, action.uuid());
        self
    }

    /// The model's name for the tool call that this action executes.
    pub fn call_id(mut self, id: &str) -> Self {
        self.more.text(attribute::TOOL_CALL_ID, id);
        self
    }

    /// The transaction that decides whether its effects last.
    pub fn transaction(mut self, transaction: TransactionId) -> Self {
        self.transaction = Some(transaction);
        self
    }

    /// The recorder does this itself, to observe: outside the agent's actions
    /// and scope.
    pub fn recorder_own(mut self) -> Self {
        self.more.bool(attribute::RECORDER_OWN, true);
        self
    }

    /// What its begin must reach before it runs, where that is not what its
    /// access asks for.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// How long to wait for the receipt, where that is not the recorder's
    /// `strict_wait`.
    pub fn wait_at_most(mut self, wait: Duration) -> Self {
        self.wait = Some(wait);
        self
    }

    /// Any further attribute of the begin record. Text is written as it is:
    /// credentials must not be in it.
    pub fn attribute(mut self, key: &str, value: Value<'_>) -> Self {
        self.more.put(key, value);
        self
    }

    /// Many further attributes of the begin record.
    pub fn attributes(mut self, more: &Attributes) -> Self {
        self.more.append(more);
        self
    }

    /// Makes the begin safe; only then may the action run.
    ///
    /// Dropping the future while it waits records that the action was not
    /// executed.
    ///
    /// # Errors
    ///
    /// When no receipt came in time, or the record cannot be kept, and the
    /// action's durability is strict. The action must not run then; that it
    /// did not is recorded.
    pub async fn begin(self) -> Result<Action, Refused> {
        let (action, begun, _) = self.write();
        match begun {
            Begun::Kept | Begun::Lost => Ok(action.started()),
            Begun::Refused(why) => Err(action.refuse(why)),
            Begun::Waits(receipt) => answered(action, receipt.await),
        }
    }

    /// As [`ActionBuilder::begin`], blocking the thread.
    ///
    /// # Errors
    ///
    /// As [`ActionBuilder::begin`].
    pub fn begin_blocking(self) -> Result<Action, Refused> {
        let (action, begun, wait) = self.write();
        match begun {
            Begun::Kept | Begun::Lost => Ok(action.started()),
            Begun::Refused(why) => Err(action.refuse(why)),
            Begun::Waits(receipt) => {
                // The flushing thread ends the wait with its reason; the bound
                // is for the case that it cannot run.
                let bound = wait.saturating_add(Duration::from_secs(1));
                let answer = receipt.wait(bound).unwrap_or(Err(RefusedWhy::Closed));
                answered(action, answer)
            }
        }
    }

    /// Records an action that the agent's own rule forbade: begin, verdict and
    /// end `denied`, effect `none`. It must not run. Waits for nothing.
    pub fn denied(mut self, rule: &str, policy_version: &str, reason: &str) -> ActionId {
        self.durability = Some(Durability::Spool);
        let (action, _, _) = self.write();
        action.verdict(Verdict::Deny, rule, policy_version, reason);
        let id = action.id();
        action.end(Outcome::Denied, Effect::None);
        id
    }

    /// Writes the begin record.
    fn write(self) -> (Action, Begun, Duration) {
        let recorder = &self.handle.recorder;
        let durability = self
            .durability
            .unwrap_or_else(|| recorder.durability_of(self.access));
        let mut attributes = self.more;
        attributes.uuid(attribute::ACTION_ID, self.id.uuid());
        if let Some(parent) = self.parent {
            attributes.uuid(attribute::ACTION_PARENT, parent.uuid());
        }
        attributes
            .str(attribute::ACTION_KIND, self.kind.as_str())
            .str(attribute::ACTION_ACCESS, self.access.as_str())
            .text(attribute::ACTION_NAME, &self.name)
            .text(
                attribute::ACTION_OPERATION,
                self.operation.as_deref().unwrap_or(&self.name),
            );
        match &self.target {
            Some(target) => attributes.text(attribute::TARGET, target),
            None => attributes.text(attribute::TARGET, &format!("{}:{}", self.kind, self.name)),
        };
        match &self.input {
            Some(input) => attributes.content(attribute::INPUT, input),
            None => attributes.put(attribute::INPUT, NOT_GIVEN),
        };
        if let Some(decision) = self.decision {
            attributes.uuid(attribute::DECISION_ID, decision.uuid());
        }
        let authorization = self.handle.authorization_in_force();
        attributes
            .str(
                attribute::AUTHORIZATION_ID,
                authorization.as_deref().unwrap_or("none"),
            )
            .str(attribute::DURABILITY, durability.as_str());
        if let Some(transaction) = self.transaction {
            attributes.uuid(attribute::TRANSACTION_ID, transaction.uuid());
        }
        if let Some(observed) = &self.handle.observed {
            if let Some((trace, span)) = &observed.span {
                let named = format!("{}-{}", hex(trace), hex(span));
                attributes.str(attribute::OBSERVED_SPAN, &named);
            }
            attributes.text_if(attribute::OBSERVED_TARGET, observed.target.as_deref());
        }

        let wait = self.wait.unwrap_or_else(|| recorder.strict_wait());
        let strict = (durability == Durability::Strict).then_some(wait);
        let place = self.handle.shared.place(Some(span_id(self.id)));
        let rewritten = self.handle.rewritten(&attributes, None);
        let written = rewritten.as_ref().unwrap_or(&attributes);
        let begun = recorder.begin(Event::ToolInvoke, &place, written, strict);
        if matches!(begun, Begun::Lost) {
            self.handle.lost_one();
        }
        // Only a policy asks for it again.
        let target = self.target.filter(|_| rewritten.is_some());
        let action = Action::new(
            self.handle,
            target,
            self.id,
            self.access,
            self.decision,
            self.transaction,
            durability,
        );
        (action, begun, wait)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Content that nobody gave to the recorder.
const NOT_GIVEN: Value<'static> = Value::Map(&[
    (attribute::content::STATE, Value::Str("not_captured")),
    (
        attribute::content::WHY,
        Value::Str("not given to the recorder"),
    ),
]);

fn answered(action: Action, answer: Acknowledged) -> Result<Action, Refused> {
    match answer {
        Ok(_) => Ok(action.started()),
        Err(why) => Err(action.refuse(why)),
    }
}
