//! What is known of a session when it starts.

use std::fmt;
use std::sync::Arc;

use vocabulary::Event;
use vocabulary::attribute;
use vocabulary::content::Content;
use vocabulary::digest::SessionKey;
use vocabulary::id::{RequestId, SessionId};
use vocabulary::principal::{PrincipalKind, PrincipalProof};
use vocabulary::session::TriggerKind;

use crate::redaction::ContentPolicy;
use crate::session::Shared;
use crate::{Attributes, Authorization, Handle, Handoff, Principal, Recorder, Session};

/// What is known of a session when it starts. Everything is optional; what is
/// left out is listed in the account's `unknown[]`, with how to record it.
#[must_use = "a session is recorded only when it is started"]
pub struct SessionBuilder {
    recorder: Recorder,
    id: SessionId,
    request: Option<RequestId>,
    trace_id: [u8; 16],
    key: SessionKey,
    parent: Option<SessionId>,
    aliases: Vec<String>,
    trigger: Option<(TriggerKind, Option<String>)>,
    principal: Option<Principal>,
    on_behalf_of: Vec<String>,
    agent: Vec<(&'static str, String)>,
    intent: Option<Content>,
    scope: Vec<String>,
    declared_by: Option<String>,
    authorization: Option<Authorization>,
    content: Option<ContentPolicy>,
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionBuilder({})", self.id)
    }
}

impl SessionBuilder {
    pub(crate) fn new(recorder: &Recorder, request: Option<&str>) -> Self {
        let id = SessionId::new(recorder.now_ms(), crate::random::bytes());
        let inherited = recorder.inherited();
        let request = request
            .and_then(as_request)
            .or_else(|| inherited.request.clone());
        Self {
            recorder: recorder.clone(),
            id,
            request,
            trace_id: inherited.trace_id.unwrap_or_else(crate::random::bytes),
            key: SessionKey::new(crate::random::bytes()),
            parent: inherited.session.clone(),
            aliases: Vec::new(),
            trigger: None,
            principal: None,
            on_behalf_of: Vec::new(),
            agent: Vec::new(),
            intent: None,
            scope: Vec::new(),
            declared_by: None,
            authorization: None,
            content: None,
        }
    }

    pub(crate) fn child_of(parent: &Handle, agent: &str) -> Self {
        let mut child = Self::new(&parent.recorder, None);
        child.request = parent.request().cloned();
        child.trace_id = parent.trace_id();
        child.parent = Some(parent.id().clone());
        child.trigger = Some((TriggerKind::Delegation, Some(parent.id().to_string())));
        child.principal = Some(Principal::agent(parent.recorder.agent_name()));
        child.agent.push((attribute::AGENT_NAME, agent.to_owned()));
        child
    }

    /// The id that the session will have.
    pub fn session_id(&self) -> &SessionId {
        &self.id
    }

    /// Names the request. Text that is no request id (empty, or longer than
    /// 512 bytes) is cut or left out: recording does not fail for it.
    pub fn request(mut self, id: &str) -> Self {
        self.request = as_request(id);
        self
    }

    /// Another name of the request: a ticket, a message id.
    pub fn alias(mut self, name: impl Into<String>) -> Self {
        self.aliases.push(name.into());
        self
    }

    /// Makes it a child of a session, also one of another process.
    pub fn parent(mut self, session: &SessionId) -> Self {
        self.parent = Some(session.clone());
        self
    }

    /// What set it going, and where that came from (a chat, a crontab line).
    pub fn trigger(mut self, kind: TriggerKind, origin: impl Into<String>) -> Self {
        self.trigger = Some((kind, Some(origin.into())));
        self
    }

    /// Who asked for it.
    pub fn asked_by(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        self
    }

    /// On whose behalf, nearest first; may be called more than once.
    pub fn on_behalf_of(mut self, principal: &Principal) -> Self {
        self.on_behalf_of.push(principal.line());
        self
    }

    /// The agent of this session, where it is not the recorder's own.
    pub fn agent(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.agent.retain(|(key, _)| *key != attribute::AGENT_NAME);
        self.agent.push((attribute::AGENT_NAME, name.into()));
        self.agent.push((attribute::AGENT_VERSION, version.into()));
        self
    }

    /// Who owns the agent of this session, where it is not the recorder's owner.
    pub fn owner(mut self, owner: impl Into<String>) -> Self {
        self.agent.push((attribute::AGENT_OWNER, owner.into()));
        self
    }

    /// What was asked, in the asker's words.
    pub fn intent(mut self, content: impl Into<Content>) -> Self {
        self.intent = Some(content.into());
        self
    }

    /// What it is going to touch: entries `ACCESS KIND:PATTERN`.
    pub fn scope<S: Into<String>>(mut self, entries: impl IntoIterator<Item = S>) -> Self {
        self.scope.extend(entries.into_iter().map(Into::into));
        self
    }

    /// Who declared the scope; without this, the agent.
    pub fn scope_declared_by(mut self, who: impl Into<String>) -> Self {
        self.declared_by = Some(who.into());
        self
    }

    /// Under which authorization it acts.
    pub fn authorization(mut self, authorization: Authorization) -> Self {
        self.authorization = Some(authorization);
        self
    }

    /// How much of contents this session keeps, where that is not what the
    /// recorder's redaction policy says.
    pub fn content_policy(mut self, content: ContentPolicy) -> Self {
        self.content = Some(content);
        self
    }

    /// Takes the id that a delegation announced, where the session starts in
    /// another process than the one that delegated.
    pub fn announced_as(mut self, id: SessionId) -> Self {
        self.id = id;
        self
    }

    /// Makes it the child session that another agent announced, under the same
    /// request and trace.
    pub fn handed_over(mut self, handoff: &Handoff) -> Self {
        self.id = handoff.session.clone();
        self.parent = Some(handoff.parent.clone());
        self.request = handoff.request.clone();
        self.trace_id = handoff.trace_id;
        self.trigger = Some((TriggerKind::Delegation, Some(handoff.parent.to_string())));
        self.principal = Some(Principal::agent(&handoff.by));
        self
    }

    /// The trace id of its records, where it goes on with one: a session that
    /// is resumed after a crash.
    pub fn trace_id(mut self, trace_id: [u8; 16]) -> Self {
        self.trace_id = trace_id;
        self
    }

    /// The key of its HMAC digests, where another process must make equal ones.
    pub fn key(mut self, key: [u8; 32]) -> Self {
        self.key = SessionKey::new(key);
        self
    }

    /// Starts it: writes start, intent, scope and authorization to the spool.
    /// They reach the collector ahead of the first action that waits for it.
    pub async fn start(self) -> Session {
        self.start_blocking()
    }

    /// As [`SessionBuilder::start`], without a future.
    pub fn start_blocking(self) -> Session {
        let mut attributes = Attributes::new();
        self.write_start(&mut attributes);
        let declared_by = self
            .declared_by
            .unwrap_or_else(|| self.recorder.agent_name().to_owned());
        let shared = Shared::new(self.id, self.request, self.trace_id, self.key);
        let handle = Handle {
            recorder: self.recorder,
            shared: Arc::new(shared),
            observed: None,
        };
        if let Some(content) = self.content {
            handle.keep(content);
        }
        handle.record(Event::SessionStart, &attributes);
        if let Some(policy) = handle.policy() {
            let told = Content::json(&policy.told());
            handle.config_change("policy", "redaction", None, &told);
        }
        if let Some(intent) = self.intent {
            handle.intent(intent);
        }
        if !self.scope.is_empty() {
            handle.scope(&self.scope, &declared_by);
        }
        if let Some(authorization) = &self.authorization {
            handle.authorization(authorization);
        }
        Session::new(handle)
    }

    /// Goes on with a session that a former process started: writes that it is
    /// resumed, and nothing else of what the builder knows. `key` is the one
    /// of its start, where digests must go on matching ([`SessionBuilder::key`]).
    pub fn resume(mut self, session: &SessionId, why: &str) -> Session {
        self.id = session.clone();
        let shared = Shared::new(self.id, self.request, self.trace_id, self.key);
        let handle = Handle {
            recorder: self.recorder,
            shared: Arc::new(shared),
            observed: None,
        };
        if let Some(content) = self.content {
            handle.keep(content);
        }
        let mut attributes = Attributes::new();
        attributes.text(attribute::SESSION_NOTE, why);
        handle.record(Event::SessionResume, &attributes);
        Session::new(handle)
    }

    fn write_start(&self, attributes: &mut Attributes) {
        if let Some(parent) = &self.parent {
            attributes.str(attribute::SESSION_PARENT, parent.as_str());
        }
        attributes.texts_if(attribute::REQUEST_ALIASES, &self.aliases);
        let (kind, origin) = match &self.trigger {
            Some((kind, origin)) => (*kind, origin.as_deref()),
            None => (TriggerKind::Unknown, None),
        };
        attributes
            .str(attribute::TRIGGER_KIND, kind.as_str())
            .text_if(attribute::TRIGGER_ORIGIN, origin);
        match &self.principal {
            Some(principal) => principal.write(attributes),
            None => {
                attributes
                    .str(attribute::PRINCIPAL_KIND, PrincipalKind::Unknown.as_str())
                    .str(attribute::PRINCIPAL_SUBJECT, "unknown")
                    .str(attribute::PRINCIPAL_PROOF, PrincipalProof::Unknown.as_str());
            }
        }
        attributes.texts_if(attribute::ON_BEHALF_OF, &self.on_behalf_of);
        for (key, value) in &self.agent {
            attributes.text(key, value);
        }
        for removed in self.recorder.removed_from_resource() {
            let path = format!("resource/{}", removed.path);
            attributes.removed(&path, [removed.clone()]);
        }
        attributes.bytes(attribute::SESSION_KEY, self.key.as_bytes());
    }
}

/// The text as a request id; cut to what one may hold.
pub(crate) fn as_request(text: &str) -> Option<RequestId> {
    let cut = text.floor_char_boundary(vocabulary::id::NAME_BYTES);
    text.get(..cut)?.parse().ok()
}
