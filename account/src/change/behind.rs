//! What is behind a change: the record, the action, the agent, the rule, and who allowed or approved it.

use serde::Serialize;
use std::collections::HashMap;
use vocabulary::Timestamp;
use vocabulary::id::{RecordRef, SessionRef};
use vocabulary::verdict::{Approval, Verdict};

use crate::judge::who;
use crate::model::{Account, Action, Diff};

/// What is behind one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Behind {
    /// The request.
    pub request: String,
    /// The session's id.
    pub session: String,
    /// The record of the change, by its name in the account.
    pub record: Option<RecordRef>,
    /// When it was recorded.
    pub at: Option<Timestamp>,
    /// Who asked.
    pub asked_by: Option<String>,
    /// The agent that made it: name, version and host, as it says.
    pub agent: Option<String>,
    /// The begin of the action that made it.
    pub action: Option<RecordRef>,
    /// What the action did to what.
    pub did: Option<String>,
    /// What policy said about the action.
    pub verdict: Option<Verdict>,
    /// The rule that said it.
    pub rule: Option<String>,
    /// The policy in force and who granted it.
    pub allowed_by: Option<String>,
    /// Who approved the action.
    pub approved_by: Option<String>,
    /// The approval.
    pub approval: Option<RecordRef>,
    /// The question of the decision that led to it.
    pub decision: Option<String>,
    /// Whether the scope in force covered it.
    pub in_scope: Option<bool>,
    /// Names of the broken parts of the record that the change depends on; not written where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub doubt: Vec<String>,
}

impl Behind {
    /// What is behind a change, given the action that made it.
    #[must_use]
    pub fn of(account: &Account, diff: &Diff, action: Option<&Action>) -> Self {
        let session = account.sessions.iter().find(|it| it.name == diff.session);
        let asked = account.asked.iter().find(|it| it.session == diff.session);
        let approvals = action.map(|it| it.approvals.as_slice()).unwrap_or_default();
        let approval = approvals
            .iter()
            .rfind(|it| it.approval == Approval::Approved);
        let decision = action.and_then(|it| it.decision.as_ref());
        let decision = decision.and_then(|id| {
            let mut all = account.decisions.iter();
            all.find(|it| it.id == *id && it.session == diff.session)
        });
        Self {
            request: account.request.id.clone(),
            session: session.map(|it| it.id.clone()).unwrap_or_default(),
            record: diff.evidence.refs.first().copied(),
            at: diff.at,
            asked_by: asked.and_then(|it| who::name(&it.principal)),
            agent: session.and_then(|it| who::agent(&it.agent)),
            action: action.and_then(|it| it.evidence.refs.first().copied()),
            did: action.map(did),
            verdict: action.and_then(|it| it.verdict),
            rule: action.and_then(|it| it.rule.clone()),
            allowed_by: action.and_then(|it| allowed(account, it)),
            approved_by: approval.and_then(|it| it.by.clone()),
            approval: approval.map(|it| it.shown_by),
            decision: decision.and_then(|it| it.question.clone()),
            in_scope: diff.in_scope,
            doubt: diff.evidence.doubt.clone(),
        }
    }

    /// `rule R-7: allow`, or that no rule was recorded.
    #[must_use]
    pub fn ruled(&self) -> String {
        match (&self.rule, self.verdict) {
            (Some(rule), Some(verdict)) => format!("rule {rule}: {verdict}"),
            (Some(rule), None) => format!("rule {rule}"),
            (None, Some(verdict)) => format!("{verdict}, rule not named"),
            (None, None) => "no rule recorded".to_owned(),
        }
    }

    /// Who approved it; else under whose policy it ran; else that neither was recorded.
    #[must_use]
    pub fn approved(&self) -> String {
        match (&self.approved_by, &self.approval, &self.allowed_by) {
            (Some(by), _, _) => format!("approved by {by}"),
            (None, Some(_), _) => "approved by somebody not named".to_owned(),
            (None, None, Some(by)) => format!("no approval recorded; allowed by {by}"),
            (None, None, None) => "no approval recorded".to_owned(),
        }
    }
}

/// An account's actions and sessions by their names, for looking many changes up.
#[derive(Debug)]
pub struct Index<'a> {
    account: &'a Account,
    actions: HashMap<(SessionRef, &'a str), &'a Action>,
}

impl<'a> Index<'a> {
    /// Indexes an account.
    #[must_use]
    pub fn of(account: &'a Account) -> Self {
        let actions = account.actions.iter();
        let actions = actions.map(|action| ((action.session, action.id.as_str()), action));
        Self {
            account,
            actions: actions.collect(),
        }
    }

    /// The action behind a change.
    #[must_use]
    pub fn action(&self, diff: &Diff) -> Option<&'a Action> {
        let id = diff.action.as_deref()?;
        self.actions.get(&(diff.session, id)).copied()
    }

    /// What is behind a change.
    #[must_use]
    pub fn behind(&self, diff: &Diff) -> Behind {
        Behind::of(self.account, diff, self.action(diff))
    }
}

fn allowed(account: &Account, action: &Action) -> Option<String> {
    let id = action.authorization.as_ref()?;
    let mut all = account.authorization.iter();
    let row = all.find(|it| it.id.as_ref() == Some(id) && it.session == action.session)?;
    who::granted(row)
}

/// What an action did to what, in a few words.
fn did(action: &Action) -> String {
    let verb = action.operation.as_deref().or(action.name.as_deref());
    let verb = verb.or_else(|| action.access.map(|access| access.as_str()));
    let parts = [
        verb,
        action.target.resource.as_deref(),
        action.result.as_deref(),
    ];
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    match parts.is_empty() {
        true => action.kind.as_str().to_owned(),
        false => parts.join(" "),
    }
}
