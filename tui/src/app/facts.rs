//! What a filter sees of the rows of the lists: of a timeline's rows and of Home's sessions.

use std::borrow::Cow;

use account::filter::{Facts, Flag, Number, Text};
use account::model::{Account, Action, Diff, Evidence, Session};
use vocabulary::Timestamp;
use vocabulary::id::SessionRef;
use vocabulary::problem::ProblemKind;
use vocabulary::record::IntegrityStatus;
use vocabulary::session::OutcomeStatus;
use vocabulary::source::Source;
use vocabulary::verdict::Verdict;

use super::model::{Opened, SessionRow};
use super::rows::{self, Item, Row};
use crate::notes::{Noted, Standing};

/// One row of a timeline, beside the account it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowFacts<'a> {
    pub(crate) opened: &'a Opened,
    pub(crate) row: &'a Row,
    pub(crate) noted: &'a Noted,
}

impl<'a> RowFacts<'a> {
    fn account(&self) -> &'a Account {
        &self.opened.account
    }

    fn action(&self) -> Option<&'a Action> {
        match self.row.item {
            Item::Action(n) => Some(&self.account().actions[n]),
            _ => None,
        }
    }

    /// The changes of the row.
    fn diffs(&self) -> impl Iterator<Item = &'a Diff> {
        let of_action = self
            .action()
            .map(|action| self.opened.rows.diffs_of_action(&action.id));
        let own = match self.row.item {
            Item::Diff(n) => Some(n),
            _ => None,
        };
        let account = self.account();
        let all = of_action.into_iter().flatten().copied().chain(own);
        all.map(|n| &account.diffs[n])
    }

    fn problem(&self) -> Option<ProblemKind> {
        let problem = self.account().problems.get(self.row.problem? as usize)?;
        Some(problem.kind)
    }

    fn session_name(&self) -> SessionRef {
        let account = self.account();
        match self.row.item {
            Item::Start(n) | Item::End(n) => account.sessions[n].name,
            Item::Asked(n) => account.asked[n].session,
            Item::Scope(n) => account.scope[n].session,
            Item::Authorization(n) => account.authorization[n].session,
            Item::Context(n) => account.context[n].session,
            Item::Action(n) => account.actions[n].session,
            Item::Decision(n) => account.decisions[n].session,
            Item::Reasoning(n) => account.reasoning[n].session,
            Item::Diff(n) => account.diffs[n].session,
        }
    }

    fn session(&self) -> Option<&'a Session> {
        let name = self.session_name();
        let mut all = self.account().sessions.iter();
        all.find(|session| session.name == name)
    }

    fn evidence(&self) -> &'a Evidence {
        rows::evidence(self.account(), self.row.item)
    }

    /// What the session says of who, where and for whom.
    fn of_session(&self, key: Text) -> Vec<Cow<'a, str>> {
        let account = self.account();
        let session = self.session();
        let agent = session.map(|session| &session.agent);
        match key {
            Text::Request => {
                let aliases = account.request.aliases.iter().map(String::as_str);
                let all = std::iter::once(account.request.id.as_str()).chain(aliases);
                all.map(Cow::from).collect()
            }
            Text::Session => {
                let id = session.map(|session| Cow::from(session.id.as_str()));
                let name = Cow::from(self.session_name().to_string());
                id.into_iter().chain([name]).collect()
            }
            Text::Agent => {
                let agent = agent.into_iter().flat_map(|agent| [&agent.name, &agent.id]);
                agent.flatten().map(|it| it.as_str().into()).collect()
            }
            Text::Owner => some(agent.and_then(|agent| agent.owner.as_deref())),
            Text::Host => some(agent.and_then(|agent| agent.host.as_deref())),
            Text::User => {
                let asked = account.asked.iter();
                let asked = asked.filter(|asked| asked.session == self.session_name());
                let names = asked.flat_map(|it| [&it.principal.display, &it.principal.subject]);
                names.flatten().map(|it| it.as_str().into()).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What an investigator wrote about any record of the row.
    fn standing(&self) -> impl Iterator<Item = &'a Standing> {
        let refs = rows::refs(self.account(), self.row.item);
        let noted = self.noted;
        refs.iter().filter_map(|record| noted.records.get(record))
    }

    fn mark(&self) -> &'static str {
        rows::mark(self.account(), self.row).word
    }
}

fn some(text: Option<&str>) -> Vec<Cow<'_, str>> {
    text.map(Cow::from).into_iter().collect()
}

impl Facts for RowFacts<'_> {
    fn words(&self) -> Cow<'_, str> {
        rows::what(self.account(), self.row.item).into()
    }

    fn texts(&self, key: Text) -> Vec<Cow<'_, str>> {
        let action = self.action();
        match key {
            Text::Kind => vec![rows::kind(self.account(), self.row.item).into()],
            Text::Access => some(action.and_then(|it| it.access).map(|it| it.as_str())),
            Text::Tool => {
                let names = action.map(|it| [&it.name, &it.operation]);
                let names = names.into_iter().flatten().flatten();
                names.map(|name| name.as_str().into()).collect()
            }
            Text::Path => {
                let target = action.and_then(|it| it.target.resource.as_deref());
                let changed = self.diffs().map(|diff| diff.resource.as_str());
                target.into_iter().chain(changed).map(Cow::from).collect()
            }
            Text::Verdict => some(action.and_then(|it| it.verdict).map(|it| it.as_str())),
            Text::Rule => some(action.and_then(|it| it.rule.as_deref())),
            Text::Outcome => some(action.map(|it| it.outcome.as_str())),
            Text::Effect => some(action.map(|it| it.effect.as_str())),
            Text::Exit => {
                let result = action.and_then(|it| it.result.as_deref());
                some(result.and_then(|result| result.strip_prefix("exit ")))
            }
            Text::Model => {
                let detail = action.map(|it| &it.target.detail);
                let named = detail
                    .into_iter()
                    .flatten()
                    .filter(|(key, _)| key.ends_with(".model"));
                named.map(|(_, value)| value.as_str().into()).collect()
            }
            Text::Problem => some(self.problem().map(ProblemKind::as_str)),
            Text::Integrity => vec![self.account().integrity.status.as_str().into()],
            Text::Trace => some(action.and_then(|it| it.trace_id.as_deref())),
            Text::Approver => {
                let who = self.account().who.iter();
                let who = who.filter(|it| it.role.as_str() == "approved");
                let who = who.filter(|it| it.session == self.session_name());
                who.filter_map(|it| it.identity.as_deref())
                    .map(Cow::from)
                    .collect()
            }
            Text::Tag => {
                let tags = self.standing().flat_map(|it| &it.tags);
                tags.map(|tag| tag.as_str().into()).collect()
            }
            Text::Note => {
                let comments = self.standing().flat_map(|it| &it.comments);
                comments.map(|(_, _, text)| text.as_str().into()).collect()
            }
            of_session => self.of_session(of_session),
        }
    }

    fn number(&self, key: Number) -> Option<u64> {
        let action = self.action();
        match key {
            Number::Seq => self.row.shown_by.map(|it| it.index),
            Number::Tokens => {
                let usage = &action?.usage;
                match (usage.input_tokens, usage.output_tokens) {
                    (None, None) => None,
                    (sent, got) => Some(sent.unwrap_or(0).saturating_add(got.unwrap_or(0))),
                }
            }
            Number::Attempt => action?.attempt,
            Number::Took => {
                let action = action?;
                Some(action.ended_at?.since_ns(action.began_at?) / 1_000_000)
            }
        }
    }

    fn time(&self) -> Option<Timestamp> {
        self.row.at
    }

    fn is(&self, flag: Flag) -> bool {
        let verdict = self.action().and_then(|it| it.verdict);
        let problem = |kinds: &[ProblemKind]| self.problem().is_some_and(|it| kinds.contains(&it));
        match flag {
            Flag::Problem => self.row.problem.is_some(),
            Flag::Denied => {
                matches!(self.mark(), "DENY" | "RETRY") || verdict == Some(Verdict::Deny)
            }
            Flag::Asked => verdict == Some(Verdict::Ask),
            Flag::Approved => self.mark() == "APPR",
            Flag::Human => super::travel::is_human(self.opened, self.row),
            Flag::Error => matches!(self.mark(), "ERR" | "TIME" | "PERM"),
            Flag::Lost => matches!(self.mark(), "NOEND" | "LOST" | "GAP"),
            Flag::Changed => self.row.changed,
            Flag::Outside => {
                problem(&[ProblemKind::EffectOutsideScope])
                    || self.diffs().any(|diff| diff.in_scope == Some(false))
            }
            Flag::Live => self.action().is_some_and(|it| it.ended_at.is_none()),
            Flag::Broken => problem(&[ProblemKind::RecordBroken, ProblemKind::Contradiction]),
            Flag::Secret => {
                let removed = |it: &Action| {
                    !it.input.redactions.is_empty() || !it.output.redactions.is_empty()
                };
                problem(&[ProblemKind::SecretRemoved]) || self.action().is_some_and(removed)
            }
            Flag::Stated => self.evidence().source == Source::Stated,
            Flag::Observed => self.evidence().source == Source::Observed,
            Flag::Noted => self.standing().next().is_some(),
            Flag::Marked => self.standing().any(|it| it.marked),
        }
    }
}

impl Facts for SessionRow {
    fn words(&self) -> Cow<'_, str> {
        self.text().into()
    }

    fn texts(&self, key: Text) -> Vec<Cow<'_, str>> {
        let one = |text: &'_ str| vec![Cow::from(text.to_owned())];
        match key {
            Text::Request => one(&self.request),
            Text::Session => one(&self.session),
            Text::Agent => one(&self.agent),
            Text::User => one(&self.asked_by),
            Text::Outcome => one(self.status.as_str()),
            Text::Integrity => one(self.integrity.as_str()),
            Text::Problem => self.flags.split(' ').map(Cow::from).collect(),
            Text::Kind => self.kinds.iter().map(|it| it.as_str().into()).collect(),
            Text::Verdict => self.verdicts.iter().map(|it| it.as_str().into()).collect(),
            Text::Path => self.touched.iter().map(|it| it.as_str().into()).collect(),
            _ => Vec::new(),
        }
    }

    fn number(&self, key: Number) -> Option<u64> {
        match key {
            Number::Took => Some(self.ended?.since_ns(self.started?) / 1_000_000),
            _ => None,
        }
    }

    fn time(&self) -> Option<Timestamp> {
        self.started
    }

    fn is(&self, flag: Flag) -> bool {
        let flagged = |words: &[&str]| self.flags.split(' ').any(|word| words.contains(&word));
        match flag {
            Flag::Problem => !self.flags.is_empty(),
            Flag::Denied => flagged(&["DENY", "RETRY"]) || self.status == OutcomeStatus::Denied,
            Flag::Approved => flagged(&["APPR"]),
            Flag::Error => {
                flagged(&["ERR", "TIME", "PERM"]) || self.status == OutcomeStatus::Failed
            }
            Flag::Lost => flagged(&["NOEND", "LOST", "GAP"]),
            Flag::Changed => !self.changed.is_empty(),
            Flag::Outside => flagged(&["OUT"]),
            Flag::Live => self.status == OutcomeStatus::Running,
            Flag::Broken => self.integrity == IntegrityStatus::Broken,
            Flag::Secret => flagged(&["SECRET"]),
            Flag::Asked => self.verdicts.iter().any(|it| it == "ask"),
            Flag::Human | Flag::Noted | Flag::Marked => false,
            Flag::Stated | Flag::Observed => false,
        }
    }
}
