//! What a filter sees of an account's actions, wherever they are listed without notes and screens.

use std::borrow::Cow;
use std::collections::HashMap;

use vocabulary::Timestamp;
use vocabulary::action::Outcome;
use vocabulary::id::SessionRef;
use vocabulary::problem::ProblemKind;
use vocabulary::source::Source;
use vocabulary::verdict::{Approval, Verdict};

use super::{Facts, Flag, Number, Text};
use crate::model::{Account, Action, Diff, Problem};

/// An account's actions, with what else is told about each.
#[derive(Debug)]
pub struct Actions<'a> {
    account: &'a Account,
    diffs: HashMap<(SessionRef, &'a str), Vec<&'a Diff>>,
    problems: HashMap<(SessionRef, &'a str), Vec<&'a Problem>>,
}

/// One action of an account, as a filter sees it.
#[derive(Debug, Clone, Copy)]
pub struct ActionRow<'a> {
    of: &'a Actions<'a>,
    /// The action.
    pub action: &'a Action,
}

impl<'a> Actions<'a> {
    /// Joins changes and problems to the actions of an account.
    #[must_use]
    pub fn of(account: &'a Account) -> Self {
        let mut actions = Self {
            account,
            diffs: HashMap::new(),
            problems: HashMap::new(),
        };
        for diff in account.diffs.iter() {
            if let Some(id) = diff.action.as_deref() {
                let slot = (diff.session, id);
                actions.diffs.entry(slot).or_default().push(diff);
            }
        }
        for problem in account.problems.iter() {
            if let (Some(session), Some(id)) = (problem.session, problem.action.as_deref()) {
                let slot = (session, id);
                actions.problems.entry(slot).or_default().push(problem);
            }
        }
        actions
    }

    /// Every action, in the account's order.
    pub fn rows(&self) -> impl Iterator<Item = ActionRow<'_>> {
        let all = self.account.actions.iter();
        all.map(|action| ActionRow { of: self, action })
    }
}

impl ActionRow<'_> {
    fn diffs(&self) -> &[&Diff] {
        let slot = (self.action.session, self.action.id.as_str());
        self.of.diffs.get(&slot).map_or(&[], Vec::as_slice)
    }

    fn problems(&self) -> &[&Problem] {
        let slot = (self.action.session, self.action.id.as_str());
        self.of.problems.get(&slot).map_or(&[], Vec::as_slice)
    }

    fn has(&self, kinds: &[ProblemKind]) -> bool {
        self.problems().iter().any(|it| kinds.contains(&it.kind))
    }

    /// What the session says of who, where and for whom.
    fn of_session(&self, key: Text) -> Vec<Cow<'_, str>> {
        let (account, name) = (self.of.account, self.action.session);
        let session = account.sessions.iter().find(|it| it.name == name);
        let agent = session.map(|it| &it.agent);
        let some = |text: Option<&str>| text.map(|it| Cow::from(it.to_owned()));
        match key {
            Text::Request => {
                let aliases = account.request.aliases.iter().map(String::as_str);
                let all = std::iter::once(account.request.id.as_str()).chain(aliases);
                all.map(Cow::from).collect()
            }
            Text::Session => {
                let id = some(session.map(|it| it.id.as_str()));
                id.into_iter().chain([name.to_string().into()]).collect()
            }
            Text::Agent => {
                let agent = agent.into_iter().flat_map(|it| [&it.name, &it.id]);
                agent.flatten().map(|it| it.as_str().into()).collect()
            }
            Text::Owner => some(agent.and_then(|it| it.owner.as_deref()))
                .into_iter()
                .collect(),
            Text::Host => some(agent.and_then(|it| it.host.as_deref()))
                .into_iter()
                .collect(),
            Text::User => {
                let asked = account.asked.iter().filter(|it| it.session == name);
                let names = asked.flat_map(|it| [&it.principal.display, &it.principal.subject]);
                names.flatten().map(|it| it.as_str().into()).collect()
            }
            _ => Vec::new(),
        }
    }
}

impl Facts for ActionRow<'_> {
    fn words(&self) -> Cow<'_, str> {
        let action = self.action;
        let error = action.error.as_ref().and_then(|it| it.message.as_deref());
        let words = [
            action.operation.as_deref(),
            action.name.as_deref(),
            action.target.resource.as_deref(),
            action.result.as_deref(),
            error,
        ];
        let words: Vec<&str> = words.into_iter().flatten().collect();
        words.join(" ").into()
    }

    fn texts(&self, key: Text) -> Vec<Cow<'_, str>> {
        let action = self.action;
        let some = |text: Option<&str>| -> Vec<Cow<'_, str>> {
            text.map(|it| Cow::from(it.to_owned()))
                .into_iter()
                .collect()
        };
        match key {
            Text::Kind => vec![action.kind.as_str().into()],
            Text::Access => some(action.access.map(|it| it.as_str())),
            Text::Tool => {
                let names = [&action.name, &action.operation].into_iter().flatten();
                names.map(|it| it.as_str().into()).collect()
            }
            Text::Path => {
                let target = action.target.resource.as_deref();
                let changed = self.diffs().iter().map(|it| it.resource.as_str());
                target.into_iter().chain(changed).map(Cow::from).collect()
            }
            Text::Verdict => some(action.verdict.map(|it| it.as_str())),
            Text::Rule => some(action.rule.as_deref()),
            Text::Outcome => some(Some(action.outcome.as_str())),
            Text::Effect => some(Some(action.effect.as_str())),
            Text::Exit => {
                let result = action.result.as_deref();
                some(result.and_then(|it| it.strip_prefix("exit ")))
            }
            Text::Model => {
                let detail = action.target.detail.iter();
                let named = detail.filter(|(key, _)| key.ends_with(".model"));
                named.map(|(_, value)| value.as_str().into()).collect()
            }
            Text::Problem => {
                let kinds = self.problems().iter().map(|it| it.kind.as_str());
                kinds.map(Cow::from).collect()
            }
            Text::Integrity => some(Some(self.of.account.integrity.status.as_str())),
            Text::Trace => some(action.trace_id.as_deref()),
            Text::Approver => {
                let names = action.approvals.iter().filter_map(|it| it.by.as_deref());
                names.map(Cow::from).collect()
            }
            // Notes lie beside the ledger, on the investigator's machine.
            Text::Tag | Text::Note => Vec::new(),
            of_session => self.of_session(of_session),
        }
    }

    fn number(&self, key: Number) -> Option<u64> {
        let action = self.action;
        match key {
            Number::Seq => action.evidence.refs.first().map(|it| it.index),
            Number::Attempt => action.attempt,
            Number::Took => Some(action.ended_at?.since_ns(action.began_at?) / 1_000_000),
            Number::Tokens => match (action.usage.input_tokens, action.usage.output_tokens) {
                (None, None) => None,
                (sent, got) => Some(sent.unwrap_or(0).saturating_add(got.unwrap_or(0))),
            },
        }
    }

    fn time(&self) -> Option<Timestamp> {
        self.action.began_at.or(self.action.ended_at)
    }

    fn is(&self, flag: Flag) -> bool {
        use ProblemKind as Kind;
        let action = self.action;
        let answered = |what| action.approvals.iter().any(|it| it.approval == what);
        match flag {
            Flag::Problem => !self.problems().is_empty(),
            Flag::Denied => {
                action.verdict == Some(Verdict::Deny) || action.outcome == Outcome::Denied
            }
            Flag::Asked => action.verdict == Some(Verdict::Ask),
            Flag::Approved => answered(Approval::Approved) || self.has(&[Kind::ApprovedException]),
            Flag::Human => action.verdict == Some(Verdict::Ask) || !action.approvals.is_empty(),
            Flag::Error => matches!(action.outcome, Outcome::Failure | Outcome::Timeout),
            Flag::Lost => self.has(&[
                Kind::DanglingAction,
                Kind::RecordMissing,
                Kind::LossDeclared,
            ]),
            Flag::Changed => !self.diffs().is_empty(),
            Flag::Outside => {
                let outside = |it: &&Diff| it.in_scope == Some(false);
                self.has(&[Kind::EffectOutsideScope]) || self.diffs().iter().any(outside)
            }
            Flag::Live => action.ended_at.is_none(),
            Flag::Broken => !action.evidence.doubt.is_empty() || self.has(&[Kind::RecordBroken]),
            Flag::Secret => {
                let removed = !action.input.redactions.is_empty();
                removed || !action.output.redactions.is_empty()
            }
            Flag::Stated => action.evidence.source == Source::Stated,
            Flag::Observed => action.evidence.source == Source::Observed,
            Flag::Noted | Flag::Marked => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Actions;
    use crate::filter::Filter;
    use crate::model::Account;

    fn kept(text: &str) -> (usize, usize) {
        let sample = include_str!("../../samples/renewal.json");
        let account: Account = serde_json::from_str(sample).unwrap();
        let filter = Filter::parse(text, &|text| text.parse().ok()).unwrap();
        let actions = Actions::of(&account);
        let kept = actions.rows().filter(|row| filter.keeps(row)).count();
        (kept, account.actions.len())
    }

    #[test]
    fn each_filter_keeps_some_actions_and_not_all() {
        for text in [
            "kind:http",
            "access:write",
            "path:crm.example.test/accounts/1031",
            "is:denied",
            "rule:R-7",
            "is:changed",
            "is:outside",
            "is:problem",
            "problem:effect_outside_scope",
            "outcome:failure",
            "is:secret",
            "seq:100..120",
            "tokens>0",
            "kind:http -is:changed",
            "chat",
        ] {
            let (kept, all) = kept(text);
            assert!(kept > 0 && kept < all, "{text} keeps {kept} of {all}");
        }
        assert_eq!(kept("tag:anything").0, 0);
    }
}
