//! The closed catalogue of event names: what kinds of record there are.

use std::borrow::Cow;

use crate::word::words;

words! {
    /// What one record reports; the OTLP `event_name` of its log record.
    pub enum Event: "event name" {
        /// A session begins: who set it going, for which request, by which agent.
        SessionStart = "agent.session.start",
        /// A session goes on after a restart of its process.
        SessionResume = "agent.session.resume",
        /// A running session says where it stands.
        SessionCheckpoint = "agent.session.checkpoint",
        /// Somebody else found the session without an end and closes it.
        SessionAbandoned = "agent.session.abandoned",
        /// The session ended, and how.
        SessionEnd = "agent.session.end",
        /// What was asked, in the asker's words.
        Intent = "agent.intent",
        /// What the session is declared to touch.
        Scope = "agent.scope",
        /// Under which policy and permissions it acts, granted by whom.
        Authorization = "agent.authorization",
        /// What policy said about an action.
        Verdict = "agent.verdict",
        /// A person (or another authority) approved or refused.
        Approval = "agent.approval",
        /// Work is handed to another agent.
        Delegate = "agent.delegate",
        /// An action is about to run (the begin of any action).
        ToolInvoke = "agent.tool.invoke",
        /// An action ended, or did not run.
        ToolResult = "agent.tool.result",
        /// What is known later about an action that had no end.
        ToolReconcile = "agent.tool.reconcile",
        /// A transaction settled: the effects of its diffs.
        Transaction = "agent.transaction",
        /// A choice the agent made.
        DecisionLog = "agent.decision.log",
        /// Reasoning text of a model.
        Reasoning = "agent.reasoning",
        /// State before and after of one resource.
        Diff = "agent.diff",
        /// Something was loaded into the context: a model, a prompt, a document.
        Context = "agent.context",
        /// What this recorder can see, and at which depth.
        Capture = "agent.capture",
        /// Model, prompt, tool set or policy changed.
        ConfigChange = "agent.config.change",
        /// A counterpart did not accept the credential.
        SecurityAuthFailed = "agent.security.auth_failed",
        /// A counterpart refused access.
        SecurityAccessUnauthorized = "agent.security.access_unauthorized",
        /// A counterpart limited the rate.
        SecurityRateLimited = "agent.security.rate_limited",
        /// A filter removed or refused output.
        SecurityOutputFiltered = "agent.security.output_filtered",
        /// An access lay outside the declared scope.
        SecurityScopeExceeded = "agent.security.scope_exceeded",
        /// Sensitive data was met.
        SecuritySensitiveData = "agent.security.sensitive_data",
        /// Something looked like a probe.
        SecurityProbe = "agent.security.probe",
        /// A control was bypassed.
        SecurityBypass = "agent.security.bypass",
        /// The recorder could not keep something: what, and how much.
        Loss = "agent.loss",
        /// The producer is alive.
        Heartbeat = "agent.heartbeat",
        /// One line of text or JSON from outside.
        LogLine = "agent.log.line",
    }
}

impl Event {
    /// A second name under which [`Event::Verdict`] is accepted.
    pub const VERDICT_ALIAS: &'static str = "agent.policy.decision";

    /// The event name on the wire.
    pub const fn name(self) -> &'static str {
        self.as_str()
    }

    /// The event of a name on the wire, aliases included; `None` for names
    /// outside the catalogue, which are kept and shown by [`shown`].
    pub fn from_name(name: &str) -> Option<Self> {
        if name == Self::VERDICT_ALIAS {
            return Some(Self::Verdict);
        }
        Self::parse(name)
    }

    /// Whether the event is one of `agent.security.*`.
    pub fn is_security(self) -> bool {
        self.as_str().starts_with("agent.security.")
    }
}

/// The name to show for a record: its own when the catalogue has it, else
/// marked with `x-`.
pub fn shown(name: &str) -> Cow<'_, str> {
    match Event::from_name(name) {
        Some(event) => Cow::Borrowed(event.name()),
        None => Cow::Owned(format!("x-{name}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_outside_the_catalogue_is_shown_marked() {
        assert_eq!(shown("agent.dream"), "x-agent.dream");
        assert_eq!(shown("agent.diff"), "agent.diff");
        assert_eq!(shown("agent.policy.decision"), "agent.verdict");
    }
}
