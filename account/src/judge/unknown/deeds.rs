//! What actions and diffs leave open.

use vocabulary::action::{Access, Effect, Outcome};
use vocabulary::record::ContentState;

use super::Facts;
use crate::fold::{Act, Change};
use crate::model::{Account, Content};

/// What an action's row does not say about itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActTraits {
    remark: bool,
    span: bool,
    dangling: bool,
}

impl From<&Act> for ActTraits {
    fn from(act: &Act) -> Self {
        Self {
            remark: act.remark,
            span: act.is_span(),
            dangling: act.is_dangling(),
        }
    }
}

/// What a diff's row does not say about itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChangeTraits {
    claims: bool,
    no_patch: Option<&'static str>,
}

impl From<&Change> for ChangeTraits {
    fn from(change: &Change) -> Self {
        Self {
            claims: change.claims,
            no_patch: change.no_patch,
        }
    }
}

pub(super) fn actions(account: &Account, acts: &[ActTraits], facts: &mut Facts) {
    const LIST: &str = "actions";
    for (index, (row, act)) in account.actions.iter().zip(acts).enumerate() {
        if act.remark {
            let how = "record an action instead (`recount run`, or an SDK)";
            facts.at(
                LIST,
                index,
                "outcome",
                "it is something that was said, not attempted",
                how,
            );
            facts.at(
                LIST,
                index,
                "effect",
                "it is something that was said, not attempted",
                how,
            );
            continue;
        }
        let from = if act.span {
            "a span does not say"
        } else {
            "no record says"
        };
        let ended = "end every action, or settle it with `agent.tool.reconcile`";
        if row.began_at.is_none() {
            facts.at(
                LIST,
                index,
                "began_at",
                "its begin is not there",
                "record the begin before it runs",
            );
        }
        if act.dangling {
            facts.at(
                LIST,
                index,
                "ended_at",
                "it began and no end was recorded",
                ended,
            );
        }
        if row.kind.as_str() == "unknown" {
            facts.at(
                LIST,
                index,
                "kind",
                from,
                "set `recount.action.kind` on its begin",
            );
        }
        if row.outcome == Outcome::Unknown {
            facts.at(LIST, index, "outcome", "no end says how it ended", ended);
        }
        if row.effect == Effect::Unknown {
            facts.at(
                LIST,
                index,
                "effect",
                from,
                "set `recount.effect` on its end",
            );
        }
        if row.access.is_none() {
            facts.at(
                LIST,
                index,
                "access",
                from,
                "set `recount.action.access` on its begin",
            );
        }
        if row.target.resource.is_none() {
            facts.at(
                LIST,
                index,
                "target/resource",
                from,
                "set `recount.target` on its begin",
            );
        }
        if row.authorization.is_none() {
            facts.at(
                LIST,
                index,
                "authorization",
                from,
                "set `recount.authorization.id` on its begin",
            );
        }
        if row.decision.is_none() && row.access != Some(Access::Read) {
            facts.at(
                LIST,
                index,
                "decision",
                from,
                "set `recount.decision.id` on its begin",
            );
        }
        if row.durability.is_none() {
            facts.at(
                LIST,
                index,
                "durability",
                from,
                "record it with an SDK that waits for the receipt",
            );
        }
        for (content, field) in [(&row.input, "input"), (&row.output, "output")] {
            if content.state == ContentState::Unknown {
                facts.at(
                    LIST,
                    index,
                    field,
                    why(content),
                    "record the content, or its digest",
                );
            }
        }
    }
}

pub(super) fn diffs(account: &Account, changes: &[ChangeTraits], facts: &mut Facts) {
    const LIST: &str = "diffs";
    for (index, (row, change)) in account.diffs.iter().zip(changes).enumerate() {
        for (content, field) in [(&row.before, "before"), (&row.after, "after")] {
            if content.state == ContentState::Unknown {
                facts.at(
                    LIST,
                    index,
                    field,
                    why(content),
                    "let the recorder read the resource",
                );
            }
        }
        if let Some(why) = change.no_patch {
            facts.at(
                LIST,
                index,
                "patch",
                why,
                "let the recorder keep both sides whole",
            );
        }
        if row.in_scope.is_none() && !change.claims {
            let why = "no scope was in force when it happened";
            facts.at(
                LIST,
                index,
                "in_scope",
                why,
                "declare a scope before the first action",
            );
        }
        if matches!(row.effect, Effect::Unknown | Effect::Pending) {
            let why = "no record says what became of its transaction";
            facts.at(
                LIST,
                index,
                "effect",
                why,
                "record the transaction's outcome (`agent.transaction`)",
            );
        }
        if row.read_before.is_none() {
            let why = "the diff does not say how the state before was read";
            facts.at(LIST, index, "read_before", why, "set `recount.read_before`");
        }
        if row.read_after.is_none() {
            let why = "the diff does not say how the state after was read";
            facts.at(LIST, index, "read_after", why, "set `recount.read_after`");
        }
    }
}

pub(super) fn reasoning(account: &Account, facts: &mut Facts) {
    for (index, row) in account.reasoning.iter().enumerate() {
        if row.content.state == ContentState::Unknown {
            let how = "record the reasoning's text (`recount.content`)";
            facts.at("reasoning", index, "content", why(&row.content), how);
        }
    }
}

fn why(content: &Content) -> &str {
    content.why.as_deref().unwrap_or("no record says")
}
