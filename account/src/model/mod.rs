//! The account: everything known about one request, as `recount.account/1` spells it.

mod deed;
mod evidence;
mod integrity;
mod list;
mod story;
mod things;
pub(crate) mod wide;
mod words;

pub use deed::{
    Action, ActionError, Allower, Answered, Candidates, Counts, Decision, Diff, Discarded, Problem,
    Reasoning, Target, Unknown, Usage,
};
pub use evidence::Evidence;
pub use integrity::{
    Broken, Checked, Checkpoint, Conflict, Declared, Gap, Integrity, LedgerRow, Loss,
};
pub use list::List;
pub use story::{
    Agent, Asked, Authorization, Context, Outside, Principal, Produced, Query, Request, Scope,
    Session, SessionOutcome, Stream, Summary, Trigger, Who,
};
pub use things::{Things, fully, plainly};
pub use words::{QueryKind, Standing};

pub use vocabulary::content::{Content, Inline, Redaction};

use serde::{Deserialize, Serialize};

/// The name and version of the shape below; a removed or changed key makes it `/2`.
pub const SCHEMA: &str = "recount.account/1";

/// How many items of a list are written unless everything is asked for.
pub const PAGE: usize = 1_000;

/// What one agent did for one request, why, on whose authority, and whether the record is whole.
///
/// All keys are always present. Times are UTC; integers beyond 2^53 are written as strings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// [`SCHEMA`].
    pub schema: String,
    /// What was asked for and how it resolved.
    pub query: Query,
    /// What the outside calls it.
    pub request: Request,
    /// The runs of agents that served the request, parents before their children.
    pub sessions: List<Session>,
    /// What was asked, by whom.
    pub asked: List<Asked>,
    /// What was declared to be touched, one row per session and version.
    pub scope: List<Scope>,
    /// Under which policy and permissions, one row per period.
    pub authorization: List<Authorization>,
    /// What was loaded: models, prompts, tools, documents.
    pub context: List<Context>,
    /// Every attempted step, in the order in which it began.
    pub actions: List<Action>,
    /// Every choice, in the order in which it was recorded.
    pub decisions: List<Decision>,
    /// Every piece of reasoning that was recorded, in that order; stated.
    #[serde(default)]
    pub reasoning: List<Reasoning>,
    /// Every change, in the order in which it was recorded.
    pub diffs: List<Diff>,
    /// What is wrong or missing, worst first.
    pub problems: List<Problem>,
    /// Who is responsible, by role.
    pub who: List<Who>,
    /// How it ended.
    pub outcome: Summary,
    /// How far the record can be relied on.
    pub integrity: Integrity,
    /// What could not be told, why, and how to record it next time.
    pub unknown: List<Unknown>,
}

impl Account {
    /// The same account with no list longer than `limit`; what was cut is counted in the list.
    #[must_use]
    pub fn paged(&self, limit: usize) -> Self {
        Self {
            schema: self.schema.clone(),
            query: self.query.clone(),
            request: self.request.clone(),
            sessions: self.sessions.cut(limit),
            asked: self.asked.cut(limit),
            scope: self.scope.cut(limit),
            authorization: self.authorization.cut(limit),
            context: self.context.cut(limit),
            actions: self.actions.cut(limit),
            decisions: self.decisions.cut(limit),
            reasoning: self.reasoning.cut(limit),
            diffs: self.diffs.cut(limit),
            problems: self.problems.cut(limit),
            who: self.who.cut(limit),
            outcome: self.outcome.paged(limit),
            integrity: self.integrity.clone(),
            unknown: self.unknown.cut(limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Account;

    #[test]
    fn the_sample_reads_and_writes_back_the_same() {
        let text = include_str!("../../samples/renewal.json");
        let account: Account = serde_json::from_str(text).unwrap();
        let read: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_value(&account).unwrap(), read);
        assert_eq!(account.paged(3).actions.next(), Some(3));
    }
}
