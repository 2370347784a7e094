//! Records into rows: each record adds what it says, and what belongs together is joined at the end.
//!
//! Nothing here depends on the order in which records arrive: begins and ends, verdicts, diffs and transactions
//! find each other by id after all of them were read. Rows of another producer's claims never touch a session's
//! own facts.

mod action;
mod change;
mod counted;
mod decision;
mod observed;
mod session;
pub(crate) mod signed;
mod span;

use std::collections::HashMap;
use vocabulary::Timestamp;
use vocabulary::action::TransactionOutcome;
use vocabulary::event::Event;
use vocabulary::id::{RecordRef, SessionRef};
use vocabulary::problem::ProblemKind;
use vocabulary::source::Source;
use vocabulary::verdict::{Approval, Verdict};

use crate::model::{self, Standing};
use crate::told::Told;
use ledger::otlp::Signal;

pub(crate) use action::Act;
pub(crate) use change::Change;
pub(crate) use counted::Ended;
pub(crate) use session::{Imported, Run};

/// Everything that the records said, joined.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    pub(crate) runs: Vec<Run>,
    pub(crate) acts: Vec<Act>,
    pub(crate) changes: Vec<Change>,
    pub(crate) decisions: Vec<model::Decision>,
    pub(crate) reasoning: Vec<model::Reasoning>,
    pub(crate) context: Vec<model::Context>,
    pub(crate) approvals: Vec<Approved>,
    pub(crate) losses: Vec<model::Loss>,
    /// Removals by rule, with the records that list them.
    pub(crate) removals: Vec<Removal>,
    /// Things worth a problem that no other row holds.
    pub(crate) notes: Vec<Note>,
    /// What the sessions' own producers sent, counted.
    pub(crate) counted: counted::Counted,
    /// What agents signed.
    pub(crate) signatures: signed::Signatures,
    /// What `agent.session.start` and others said about names of the request.
    pub(crate) names: Vec<Named>,
    act_of: HashMap<(SessionRef, bool, String), usize>,
    decision_of: HashMap<(SessionRef, bool, String), usize>,
    /// The call that a decision is: its position, the action that answered with it, the model's name for it.
    calls: Vec<(usize, String, String)>,
    verdicts: Vec<Judged>,
    transactions: HashMap<(SessionRef, String), (TransactionOutcome, RecordRef)>,
    context_seen: HashMap<(SessionRef, String), ()>,
    /// Where what was loaded is in `context`, by kind, name and bytes.
    context_told: HashMap<(SessionRef, String), usize>,
    /// Log records outside the catalogue: trace, span, where, whether claims.
    strays: Vec<(String, String, RecordRef, bool)>,
    /// Reasoning as it was read, and whether it is a claim.
    reasons: Vec<(model::Reasoning, bool)>,
}

/// Somebody's approval or refusal.
#[derive(Debug)]
pub(crate) struct Approved {
    pub(crate) at: RecordRef,
    pub(crate) time: Timestamp,
    pub(crate) action: Option<String>,
    pub(crate) what: Approval,
    pub(crate) by: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) claims: bool,
}

/// What policy said about one action.
#[derive(Debug)]
struct Judged {
    at: RecordRef,
    claims: bool,
    action: Option<String>,
    verdict: Verdict,
    rule: Option<String>,
}

/// Something removed before sealing.
#[derive(Debug)]
pub(crate) struct Removal {
    pub(crate) at: RecordRef,
    pub(crate) rule: String,
    pub(crate) bytes: u64,
}

/// Something worth a problem.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) kind: ProblemKind,
    pub(crate) session: SessionRef,
    pub(crate) action: Option<String>,
    pub(crate) what: String,
    pub(crate) why: String,
    pub(crate) refs: Vec<RecordRef>,
}

/// A name of the request, as one record gives it.
#[derive(Debug)]
pub(crate) struct Named {
    pub(crate) at: RecordRef,
    pub(crate) request: String,
    pub(crate) aliases: Vec<String>,
}

impl Fold {
    /// One record of a session. The session's [`Run`] must be there.
    pub(crate) fn tell(&mut self, told: &Told<'_>) {
        self.seen(told);
        match (told.signal, told.event) {
            (Signal::Traces, _) => self.span(told),
            (Signal::Logs, Some(event)) => self.event(event, told),
            (Signal::Logs, None) => self.stray(told),
        }
    }

    fn event(&mut self, event: Event, told: &Told<'_>) {
        let own = told.standing != Standing::Claims;
        match event {
            Event::SessionStart if own => self.start(told),
            Event::SessionResume if own => self.resumed(told),
            Event::SessionCheckpoint if own => self.stands(told),
            Event::SessionEnd if own => self.end(told),
            Event::SessionAbandoned if own => self.abandoned(told),
            Event::Intent if own => self.intent(told),
            Event::Scope if own => self.scope(told),
            Event::Authorization if own => self.authorization(told),
            Event::Capture if own => self.capture(told),
            Event::Delegate if own => self.delegate(told),
            Event::ToolInvoke => self.invoke(told),
            Event::ToolResult => self.result(told),
            Event::ToolReconcile => self.reconcile(told),
            Event::Verdict => self.verdict(told),
            Event::Approval => self.approval(told),
            Event::Transaction => self.transaction(told),
            Event::Diff => self.diff(told),
            Event::DecisionLog => self.decision(told),
            Event::Reasoning => self.reasoning(told),
            Event::Context | Event::ConfigChange => self.loaded(told, event),
            // What another producer says it lost, or saw, is nothing of this session's.
            Event::Loss if own => self.loss(told),
            Event::LogLine => self.line(told),
            event if event.is_security() && own => self.security(told, event),
            _ => {}
        }
    }

    /// Joins what was told.
    pub(crate) fn finish(mut self) -> Self {
        self.lost_at_end();
        self.join_verdicts();
        self.join_approvals();
        self.join_spans();
        self.join_observed();
        self.order_acts();
        self.settle();
        self.join_decisions();
        self.acts.iter_mut().for_each(Act::weigh);
        self.order();
        self
    }

    /// Actions in the order in which they began, without the recorder's own. Positions change here, once.
    fn order_acts(&mut self) {
        self.acts.retain(|act| !act.recorder_own);
        self.acts.sort_by_key(|act| (act.time, act.first()));
        let slot = |act: &Act| (act.row.session, act.claims, act.row.id.clone());
        self.act_of = self
            .acts
            .iter()
            .enumerate()
            .map(|(index, act)| (slot(act), index))
            .collect();
    }

    /// Rows in the order in which they happened.
    fn order(&mut self) {
        self.changes
            .sort_by_key(|change| (change.row.at, change.row.evidence.refs.first().copied()));
        self.decisions
            .sort_by_key(|row| (row.at, row.evidence.refs.first().copied()));
        self.reasoning
            .sort_by_key(|row| (row.at, row.evidence.refs.first().copied()));
        self.context
            .sort_by_key(|row| (row.at, row.evidence.refs.first().copied()));
    }

    pub(crate) fn run(&mut self, session: SessionRef) -> Option<&mut Run> {
        self.runs.get_mut((session.0 as usize).checked_sub(1)?)
    }

    /// Who says what a row of this record tells.
    fn source(told: &Told<'_>, own: Source) -> Source {
        if told.standing == Standing::Claims {
            Source::Stated
        } else {
            own
        }
    }
}

/// Whether a record is somebody else's claim.
fn claims(told: &Told<'_>) -> bool {
    told.standing == Standing::Claims
}
