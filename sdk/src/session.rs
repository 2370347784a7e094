//! A session: its owner, and the handle that everything else records with.

use std::collections::HashSet;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use vocabulary::action::{Access, Effect, Kind, Outcome, TransactionOutcome};
use vocabulary::attribute;
use vocabulary::content::Content;
use vocabulary::decision::{ContextKind, Trust};
use vocabulary::digest::{Digest, SessionKey};
use vocabulary::id::{ActionId, RequestId, SessionId, TransactionId};
use vocabulary::{Event, verdict};

use crate::encode::{Value, int, write_pair};
use crate::error::RefusedWhy;
use crate::item::Place;
use crate::recorder::Begun;
use crate::redaction::{self, ContentPolicy, Policy};
use crate::spool::lock;
use crate::{
    ActionBuilder, Ambient, Attributes, Authorization, DecisionBuilder, End, Handoff, Recorder,
    SessionBuilder,
};

/// What all handles of one session share.
pub(crate) struct Shared {
    pub(crate) id: SessionId,
    pub(crate) request: Option<RequestId>,
    pub(crate) trace_id: [u8; 16],
    pub(crate) key: SessionKey,
    /// Encoded `session.id` and `recount.request.id`.
    pub(crate) prefix: Vec<u8>,
    authorization: Mutex<Option<Arc<str>>>,
    scope_version: AtomicU32,
    ended: AtomicBool,
    losses: AtomicU64,
    records: AtomicU64,
    told: Mutex<HashSet<Digest>>,
    /// What it said that it can see, for a quick look: every call of a capture says it.
    sees: Mutex<Vec<String>>,
    /// The redaction policy, where it is not the recorder's.
    pub(crate) policy: OnceLock<Arc<Policy>>,
}

impl Shared {
    pub(crate) fn new(
        id: SessionId,
        request: Option<RequestId>,
        trace_id: [u8; 16],
        key: SessionKey,
    ) -> Self {
        let named = request.as_ref().map_or(id.as_str(), RequestId::as_str);
        let prefix = prefix(&id, Some(named));
        Self {
            id,
            request,
            trace_id,
            key,
            prefix,
            authorization: Mutex::default(),
            scope_version: AtomicU32::new(0),
            ended: AtomicBool::new(false),
            losses: AtomicU64::new(0),
            records: AtomicU64::new(0),
            told: Mutex::default(),
            sees: Mutex::default(),
            policy: OnceLock::new(),
        }
    }

    /// Of a session that somebody else opened. What its request is called is the opener's to say: nothing is said
    /// where nothing is known.
    pub(crate) fn joined(
        id: SessionId,
        request: Option<RequestId>,
        trace_id: [u8; 16],
        key: SessionKey,
    ) -> Self {
        let prefix = prefix(&id, request.as_ref().map(RequestId::as_str));
        Self {
            prefix,
            ..Self::new(id, request, trace_id, key)
        }
    }

    pub(crate) fn place(&self, span_id: Option<[u8; 8]>) -> Place<'_> {
        Place {
            prefix: &self.prefix,
            trace_id: self.trace_id,
            span_id,
            counted: Some(&self.records),
        }
    }
}

/// Encoded `session.id` and `recount.request.id`.
fn prefix(id: &SessionId, request: Option<&str>) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(96);
    write_pair(&mut prefix, attribute::SESSION_ID, Value::Str(id.as_str()));
    if let Some(request) = request {
        write_pair(&mut prefix, attribute::REQUEST_ID, Value::Str(request));
    }
    prefix
}

/// A session as the code that works in it sees it: cheap to clone, usable from
/// any thread or task. Only its owner, [`Session`], can end it.
#[derive(Clone)]
pub struct Handle {
    pub(crate) recorder: Recorder,
    pub(crate) shared: Arc<Shared>,
    /// What actions that begin with this handle are observations of.
    pub(crate) observed: Option<Arc<Observed>>,
}

/// What a recorder that stands beside the caller was told of a call: its actions with a handle of
/// [`Handle::observing`] are observations of that one, and the account tells both as one action.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// The trace and the span that the caller named, as in a `traceparent`.
    pub span: Option<([u8; 16], [u8; 8])>,
    /// The resource as the caller addressed it, where it is not the action's target.
    pub target: Option<String>,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.shared.id)
    }
}

impl Handle {
    /// A handle whose actions say what they are observations of.
    #[must_use]
    pub fn observing(&self, observed: Observed) -> Self {
        Self {
            observed: Some(Arc::new(observed)),
            ..self.clone()
        }
    }

    /// Keeps so much of contents from now on, for a session that was joined; where that was said already, it stays.
    pub fn keep(&self, content: ContentPolicy) {
        let base = self.recorder.policy();
        let base = base.map_or_else(Policy::new, |base| Policy::clone(base));
        let _ = self.shared.policy.set(Arc::new(base.content(content)));
    }

    /// The session's id.
    pub fn id(&self) -> &SessionId {
        &self.shared.id
    }

    /// The request it works on.
    pub fn request(&self) -> Option<&RequestId> {
        self.shared.request.as_ref()
    }

    /// The recorder it records with.
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// The W3C trace id of the session's records.
    pub fn trace_id(&self) -> [u8; 16] {
        self.shared.trace_id
    }

    /// The key of the session's HMAC digests.
    pub fn key(&self) -> &SessionKey {
        &self.shared.key
    }

    /// An action of any kind, not begun yet.
    pub fn action(&self, kind: Kind, name: &str, access: Access) -> ActionBuilder {
        ActionBuilder::new(self, kind, name, access)
    }

    /// A call of one of the agent's own tools. Its access is `execute`, which
    /// waits for the collector; [`ActionBuilder::reads`] says that it only looks.
    pub fn tool(&self, name: &str) -> ActionBuilder {
        self.action(Kind::Tool, name, Access::Execute)
            .attribute(attribute::TOOL_NAME, name.into())
    }

    /// A choice, not recorded yet.
    pub fn decide(&self, question: &str) -> DecisionBuilder {
        DecisionBuilder::new(self, question)
    }

    /// What was asked, in the asker's words.
    pub fn intent(&self, content: impl Into<Content>) {
        let mut attributes = Attributes::new();
        attributes.content(attribute::INTENT, &content.into());
        self.record(Event::Intent, &attributes);
    }

    /// Declares what the session is going to touch, as a new version.
    /// Entries are `ACCESS KIND:PATTERN`, kept as they are written.
    pub fn scope<S: AsRef<str>>(&self, entries: impl IntoIterator<Item = S>, declared_by: &str) {
        let version = self.shared.scope_version.fetch_add(1, Ordering::Relaxed) + 1;
        let entries: Vec<S> = entries.into_iter().collect();
        let mut attributes = Attributes::new();
        attributes
            .int(attribute::SCOPE_VERSION, i64::from(version))
            .texts(attribute::SCOPE_ENTRIES, &entries)
            .text(attribute::SCOPE_DECLARED_BY, declared_by);
        self.record(Event::Scope, &attributes);
    }

    /// Says under which authorization the session acts from now on.
    pub fn authorization(&self, authorization: &Authorization) {
        *lock(&self.shared.authorization) = Some(authorization.id.as_str().into());
        let mut attributes = Attributes::new();
        authorization.write(&mut attributes);
        self.record(Event::Authorization, &attributes);
    }

    /// The id of the authorization in force.
    pub fn authorization_in_force(&self) -> Option<Arc<str>> {
        lock(&self.shared.authorization).clone()
    }

    /// Says that something was loaded into the context: a model, a prompt, a
    /// document, a message. Content that the session has told before is not
    /// told again: the digest, under the session's key, names it.
    pub fn context(
        &self,
        kind: ContextKind,
        name: &str,
        trust: Trust,
        bytes: &[u8],
        media_type: &str,
    ) -> Digest {
        let (clean, redactions) = vocabulary::redaction::replace_bytes(bytes);
        let mut content = Content::keyed(&clean, media_type, &self.shared.key);
        content.redactions = redactions;
        if let Some(policy) = self.policy() {
            content = policy.applied(content, None, &self.shared.key);
        }
        let digest = content
            .digest
            .unwrap_or_else(|| Digest::keyed(content.bytes().unwrap_or(&clean), &self.shared.key));
        if !lock(&self.shared.told).insert(digest) {
            return digest;
        }
        let mut attributes = Attributes::new();
        attributes
            .str(attribute::CONTEXT_KIND, kind.as_str())
            .text(attribute::CONTEXT_NAME, name)
            .str(attribute::CONTEXT_TRUST, trust.as_str())
            .content(attribute::CONTENT, &content);
        self.record(Event::Context, &attributes);
        digest
    }

    /// Says what recorders in this session can see from now on: `kind:depth`,
    /// depth being `none`, `calls`, `content` or `diffs`. Each text is told once.
    pub fn can_see(&self, capture: &str) {
        let mut sees = lock(&self.shared.sees);
        if sees.iter().any(|seen| seen == capture) {
            return;
        }
        sees.push(capture.to_owned());
        drop(sees);
        // Keyed like content, with a byte in front that no JSON or text begins with.
        let name = Digest::keyed(format!("\0{capture}").as_bytes(), &self.shared.key);
        if lock(&self.shared.told).insert(name) {
            let mut attributes = Attributes::new();
            attributes.texts(attribute::CAPTURE, &[capture]);
            self.record(Event::Capture, &attributes);
        }
    }

    /// Says that something changed midway: `kind` is `model`, `prompt`,
    /// `tools` or `policy`.
    pub fn config_change(&self, kind: &str, name: &str, before: Option<&Content>, after: &Content) {
        let mut attributes = Attributes::new();
        attributes
            .text(attribute::CONFIG_KIND, kind)
            .text(attribute::CONFIG_NAME, name);
        if let Some(before) = before {
            attributes.content(attribute::BEFORE, before);
        }
        attributes.content(attribute::AFTER, after);
        self.record(Event::ConfigChange, &attributes);
    }

    /// Reasoning text of a model.
    pub fn reasoning(&self, content: impl Into<Content>) {
        let mut attributes = Attributes::new();
        attributes.content(attribute::CONTENT, &content.into());
        self.record(Event::Reasoning, &attributes);
    }

    /// Where a long session stands.
    pub fn checkpoint(&self, note: &str) {
        let mut attributes = Attributes::new();
        attributes.text(attribute::SESSION_NOTE, note);
        self.record(Event::SessionCheckpoint, &attributes);
    }

    /// A security event, about an action where there is one. `event` is one of
    /// `Event::Security…`; any other is recorded as it is.
    pub fn security(
        &self,
        event: Event,
        action: Option<ActionId>,
        reason: &str,
        more: &Attributes,
    ) {
        let mut attributes = Attributes::new();
        if let Some(action) = action {
            attributes.uuid(attribute::ACTION_ID, action.uuid());
        }
        attributes.text(attribute::REASON, reason).append(more);
        self.record_at(event, action.map(span_id), &attributes);
    }

    /// What came of an approval of an action, by whom, and which rule asked for it.
    pub fn approval(
        &self,
        action: ActionId,
        approval: verdict::Approval,
        by: &crate::Principal,
        rule: Option<&str>,
        reason: &str,
    ) {
        let mut attributes = Attributes::new();
        attributes
            .uuid(attribute::ACTION_ID, action.uuid())
            .str(attribute::APPROVAL, approval.as_str())
            .text(attribute::APPROVED_BY, &by.line())
            .text_if(attribute::RULE, rule)
            .text(attribute::REASON, reason);
        self.record_at(Event::Approval, Some(span_id(action)), &attributes);
    }

    /// A transaction settled: what became of the diffs that named it.
    pub fn transaction(&self, transaction: TransactionId, outcome: TransactionOutcome) {
        let mut attributes = Attributes::new();
        attributes
            .uuid(attribute::TRANSACTION_ID, transaction.uuid())
            .str(attribute::TRANSACTION_OUTCOME, outcome.as_str());
        self.record(Event::Transaction, &attributes);
    }

    /// What is known later of an action that has no end: how it came out, and
    /// how that became known. Never a guess.
    pub fn reconcile(&self, action: ActionId, outcome: Outcome, effect: Effect, how_known: &str) {
        let mut attributes = Attributes::new();
        attributes
            .uuid(attribute::ACTION_ID, action.uuid())
            .str(attribute::OUTCOME, outcome.as_str())
            .str(attribute::EFFECT, effect.as_str())
            .text(attribute::REASON, how_known);
        self.record_at(Event::ToolReconcile, Some(span_id(action)), &attributes);
    }

    /// A new transaction's id.
    pub fn new_transaction(&self) -> TransactionId {
        TransactionId::new(self.recorder.now_ms(), crate::random::bytes())
    }

    /// Hands work to another agent: a child session, started with the builder
    /// that this returns. The delegation itself is recorded now.
    pub fn delegate(&self, agent: &str) -> SessionBuilder {
        let child = SessionBuilder::child_of(self, agent);
        let mut attributes = Attributes::new();
        attributes
            .str(attribute::DELEGATE_SESSION, child.session_id().as_str())
            .text(attribute::DELEGATE_AGENT, agent);
        self.record(Event::Delegate, &attributes);
        child
    }

    /// Hands work to an agent elsewhere, which starts the child session with
    /// [`SessionBuilder::handed_over`]. The delegation itself is recorded now.
    pub fn hand_over(&self, agent: &str) -> Handoff {
        let child = self.delegate(agent);
        Handoff {
            session: child.session_id().clone(),
            parent: self.id().clone(),
            request: self.request().cloned(),
            trace_id: self.trace_id(),
            by: self.recorder.agent_name().to_owned(),
        }
    }

    /// Records any event of the catalogue in this session. What cannot be kept
    /// is counted and told by an `agent.loss`.
    pub fn record(&self, event: Event, attributes: &Attributes) {
        self.record_at(event, None, attributes);
    }

    /// As [`Handle::record`], with the span id of an action ([`span_id`]).
    pub fn record_at(&self, event: Event, span_id: Option<[u8; 8]>, attributes: &Attributes) {
        let rewritten = self.rewritten(attributes, None);
        let attributes = rewritten.as_ref().unwrap_or(attributes);
        let kept = self
            .recorder
            .append(event, &self.shared.place(span_id), attributes);
        if !kept {
            self.lost_one();
        }
    }

    /// The redaction policy in force, where there is one.
    pub(crate) fn policy(&self) -> Option<&Policy> {
        let own = self.shared.policy.get();
        own.or(self.recorder.policy()).map(AsRef::as_ref)
    }

    /// What is recorded instead of `attributes`, where a policy has a say; `subject` is the resource that contents
    /// belong to, where they do not name it.
    pub(crate) fn rewritten(
        &self,
        attributes: &Attributes,
        subject: Option<&str>,
    ) -> Option<Attributes> {
        let policy = self.policy()?;
        let key = &self.shared.key;
        Some(redaction::rewrite(policy, key, subject, attributes))
    }

    /// As [`Handle::record_at`], about a resource that the attributes do not name.
    pub(crate) fn record_about(
        &self,
        event: Event,
        span_id: Option<[u8; 8]>,
        attributes: &Attributes,
        subject: Option<&str>,
    ) {
        match self.rewritten(attributes, subject) {
            Some(rewritten) => {
                let place = self.shared.place(span_id);
                if !self.recorder.append(event, &place, &rewritten) {
                    self.lost_one();
                }
            }
            None => self.record_at(event, span_id, attributes),
        }
    }

    /// Counts a record of this session that could not be kept.
    pub(crate) fn lost_one(&self) {
        self.shared.losses.fetch_add(1, Ordering::Relaxed);
    }

    /// Records any event and waits, at most so long, until a collector has
    /// sealed it: for programs whose whole purpose is the record. Unlike
    /// [`Handle::record`] it can fail; the record may then be sealed later.
    ///
    /// # Errors
    ///
    /// When no receipt came in time, or the collector refused the record.
    pub fn seal_blocking(
        &self,
        event: Event,
        attributes: &Attributes,
        at_most: Duration,
    ) -> Result<(), RefusedWhy> {
        let rewritten = self.rewritten(attributes, None);
        let attributes = rewritten.as_ref().unwrap_or(attributes);
        let place = self.shared.place(None);
        match self
            .recorder
            .begin(event, &place, attributes, Some(at_most))
        {
            Begun::Kept | Begun::Lost => Ok(()),
            Begun::Refused(why) => Err(why),
            Begun::Waits(answer) => match answer.wait(at_most) {
                Some(answer) => answer.map(|_| ()),
                None => Err(RefusedWhy::NoReceipt {
                    endpoint: "the collector".to_owned(),
                    waited: at_most,
                    last: self.recorder.last_error().unwrap_or_default(),
                }),
            },
        }
    }

    /// How many records of this session could not be kept.
    pub fn losses(&self) -> u64 {
        self.shared.losses.load(Ordering::Relaxed)
    }

    /// Runs a closure with this session as its context.
    pub fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        Ambient::new(self).run(work)
    }
}

/// The span id of an action: the random half of its UUID.
pub fn span_id(action: ActionId) -> [u8; 8] {
    let [.., a, b, c, d, e, f, g, h] = *action.as_bytes();
    [a, b, c, d, e, f, g, h]
}

/// The owner of a session: ends it. Dropped without an end, the session is
/// recorded as abandoned. Everything a [`Handle`] can do, it can too.
#[derive(Debug)]
#[must_use = "a session that is dropped at once is recorded as abandoned"]
pub struct Session {
    handle: Handle,
}

impl Session {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle }
    }

    /// A handle to give away.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Ends the session. Does not wait for a collector: see [`Recorder::close`].
    pub async fn end(self, how: impl Into<End>) {
        self.end_blocking(how);
    }

    /// As [`Session::end`], waiting until a collector has sealed the end.
    ///
    /// # Errors
    ///
    /// As [`Handle::seal_blocking`]; the session has ended either way.
    pub fn end_sealed_blocking(
        self,
        how: impl Into<End>,
        at_most: Duration,
    ) -> Result<(), RefusedWhy> {
        let attributes = self.end_attributes(&how.into());
        self.shared.ended.store(true, Ordering::Release);
        self.seal_blocking(Event::SessionEnd, &attributes, at_most)
    }

    /// As [`Session::end`], without a future.
    pub fn end_blocking(self, how: impl Into<End>) {
        let attributes = self.end_attributes(&how.into());
        self.shared.ended.store(true, Ordering::Release);
        self.record(Event::SessionEnd, &attributes);
    }

    fn end_attributes(&self, how: &End) -> Attributes {
        let mut attributes = Attributes::new();
        attributes
            .str(attribute::SESSION_END_REASON, how.reason.as_str())
            .text_if(attribute::SESSION_SUMMARY, how.summary.as_deref());
        let records = self.shared.records.load(Ordering::Relaxed) + 1;
        attributes.int(attribute::SESSION_RECORDS, int(records));
        let losses = self.losses();
        if losses > 0 {
            attributes.int(attribute::LOSS_COUNT, int(losses));
        }
        attributes
    }
}

impl Deref for Session {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.shared.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        let why = if std::thread::panicking() {
            "its owner panicked"
        } else {
            "its owner dropped it without an end"
        };
        let mut attributes = Attributes::new();
        attributes.str(attribute::SESSION_NOTE, why);
        self.record(Event::SessionAbandoned, &attributes);
    }
}
