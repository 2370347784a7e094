//! Rows about what was done: actions, decisions, changes, problems and what is not known.

use super::{Content, Evidence, Things};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vocabulary::Timestamp;
use vocabulary::action::{
    Access, Durability, Effect, Kind, Outcome, PatchFormat, ReadAfter, ReadBefore,
};
use vocabulary::decision::{MadeBy, Point};
use vocabulary::id::{RecordRef, SessionRef};
use vocabulary::problem::{ProblemKind, Severity};
use vocabulary::verdict::{Approval, Verdict};

/// One attempted step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Its id.
    pub id: String,
    /// The session, by its name in this account.
    pub session: SessionRef,
    /// The action it was part of, by id.
    pub parent: Option<String>,
    /// Through what kind of interface.
    pub kind: Kind,
    /// What it did to its target.
    pub access: Option<Access>,
    /// What it was called.
    pub name: Option<String>,
    /// The operation, e.g. a method or a statement's verb.
    pub operation: Option<String>,
    /// What it was aimed at.
    pub target: Target,
    /// When it began.
    pub began_at: Option<Timestamp>,
    /// When it ended; `null` when it never did.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: Outcome,
    /// What became of the world.
    pub effect: Effect,
    /// What went in.
    pub input: Content,
    /// What came out.
    pub output: Content,
    /// The result in a few words, e.g. `200 OK`.
    pub result: Option<String>,
    /// What went wrong; `null` when nothing did.
    pub error: Option<ActionError>,
    /// Which attempt it was, from 1.
    #[serde(with = "super::wide::option")]
    pub attempt: Option<u64>,
    /// The earlier attempt, by action id.
    pub retry_of: Option<String>,
    /// The model's id for the tool call.
    pub call_id: Option<String>,
    /// The decision that led to it, by id.
    pub decision: Option<String>,
    /// The authorization in force, by id.
    pub authorization: Option<String>,
    /// What policy said; `null` when no verdict was recorded.
    pub verdict: Option<Verdict>,
    /// The rule that said it.
    pub rule: Option<String>,
    /// What it consumed.
    pub usage: Usage,
    /// What its begin had reached before it ran.
    pub durability: Option<Durability>,
    /// How often the same record of it was received; 1 is not written.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub received: u64,
    /// Who was asked about it and what they answered, in order; not written where nobody was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<Answered>,
    /// Records of other producers that show the same action.
    pub corroborated_by: Vec<RecordRef>,
    /// The trace it belongs to, hex.
    pub trace_id: Option<String>,
    /// Its span, hex.
    pub span_id: Option<String>,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

fn once() -> u64 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde calls"
)]
fn is_once(times: &u64) -> bool {
    *times == 1
}

/// One person's answer about an action, as the agent recorded it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// What was answered.
    pub approval: Approval,
    /// By whom; `null` when nobody is named.
    pub by: Option<String>,
    /// When.
    pub at: Timestamp,
    /// The record of it.
    #[serde(rename = "ref")]
    pub shown_by: RecordRef,
}

/// What an action was aimed at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The canonical resource, `KIND:RESOURCE`.
    pub resource: Option<String>,
    /// What else is known about it, by attribute name.
    pub detail: BTreeMap<String, String>,
}

/// What went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionError {
    /// The class, as in `error.type`.
    pub class: Option<String>,
    /// The counterpart's own code.
    pub native: Option<String>,
    /// Its words.
    pub message: Option<String>,
}

/// What a call of a model consumed, in tokens; `null` where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens that went in.
    #[serde(with = "super::wide::option")]
    pub input_tokens: Option<u64>,
    /// Tokens that came out.
    #[serde(with = "super::wide::option")]
    pub output_tokens: Option<u64>,
}

/// One choice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Its id.
    pub id: String,
    /// The session, by its name in this account.
    pub session: SessionRef,
    /// When.
    pub at: Option<Timestamp>,
    /// At which point of the work.
    pub point: Option<Point>,
    /// What chose.
    pub made_by: Option<MadeBy>,
    /// What was to be decided.
    pub question: Option<String>,
    /// By what it was decided.
    pub criteria: Option<String>,
    /// How candidates were ordered.
    pub ordering: Option<String>,
    /// How many there were to choose from.
    pub candidates: Candidates,
    /// What was considered.
    pub considered: Vec<String>,
    /// What was chosen.
    pub chosen: Vec<String>,
    /// What was not, and why.
    pub discarded: Vec<Discarded>,
    /// The reason, in the decider's own words.
    pub rationale: Option<String>,
    /// The actions that name this decision, by id; derived.
    pub led_to: Vec<String>,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// How many there were to choose from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidates {
    /// How many.
    #[serde(with = "super::wide::option")]
    pub count: Option<u64>,
    /// The digest of the whole list.
    pub digest: Option<String>,
}

/// An option that was not chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discarded {
    /// Which.
    pub option: String,
    /// Why; `null` when nothing was said.
    pub reason: Option<String>,
}

/// What an agent said about why it does what it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reasoning {
    /// The session, by its name in this account.
    pub session: SessionRef,
    /// When.
    pub at: Option<Timestamp>,
    /// The decision that it is about, by id; `null` when it names none.
    pub decision: Option<String>,
    /// Its words; stated.
    pub content: Content,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// The state of one resource before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// Its id.
    pub id: String,
    /// The session, by its name in this account.
    pub session: SessionRef,
    /// The action that made it, by id.
    pub action: Option<String>,
    /// When it was recorded.
    pub at: Option<Timestamp>,
    /// What changed, `KIND:RESOURCE`.
    pub resource: String,
    /// Its action's kind.
    pub kind: Kind,
    /// The state before.
    pub before: Content,
    /// The state after.
    pub after: Content,
    /// The difference; `null` when the sides cannot be compared.
    pub patch: Option<serde_json::Value>,
    /// How the difference is written.
    pub patch_format: Option<PatchFormat>,
    /// How the state before was read.
    pub read_before: Option<ReadBefore>,
    /// How the state after was read.
    pub read_after: Option<ReadAfter>,
    /// What became of it.
    pub effect: Effect,
    /// Whether the scope in force covers it; `null` when there was none.
    pub in_scope: Option<bool>,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// Something wrong or missing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What sort of thing.
    pub kind: ProblemKind,
    /// How grave.
    pub severity: Severity,
    /// The session, by its name in this account; `null` when it is about none.
    pub session: Option<SessionRef>,
    /// The action concerned, by id.
    pub action: Option<String>,
    /// What happened, in a few words.
    pub what: String,
    /// What makes it a problem, or what became of it.
    pub why: String,
    /// Who could have allowed it, as far as anybody is named; empty where nobody's leave was lacking.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub could_allow: Vec<Allower>,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// Somebody who could have allowed what was not allowed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Allower {
    /// Who.
    pub identity: String,
    /// What makes it theirs to allow.
    pub why: String,
    /// What shows it.
    #[serde(flatten)]
    pub evidence: Evidence,
}

/// How much was done, counted from the rows above.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Attempted actions.
    #[serde(with = "super::wide")]
    pub actions: u64,
    /// Attempted actions by kind.
    pub by_kind: BTreeMap<String, u64>,
    /// Attempted actions by outcome.
    pub by_outcome: BTreeMap<String, u64>,
    /// Different targets that were read with success, by kind.
    pub read: BTreeMap<String, u64>,
    /// Different resources that changed for good, by kind.
    pub changed: BTreeMap<String, u64>,
    /// The targets that were read, by what they are called; most first.
    #[serde(default)]
    pub read_as: Vec<Things>,
    /// The resources that changed for good, by what they are called; most first.
    #[serde(default)]
    pub changed_as: Vec<Things>,
    /// Changes that stand.
    #[serde(with = "super::wide")]
    pub effects: u64,
    /// Changes beyond the scope in force.
    #[serde(with = "super::wide")]
    pub effects_outside: u64,
    /// Changes that were taken back.
    #[serde(with = "super::wide")]
    pub rolled_back: u64,
    /// Errors with no later success.
    #[serde(with = "super::wide")]
    pub unrecovered: u64,
    /// Decisions.
    #[serde(with = "super::wide")]
    pub decisions: u64,
}

/// A fact that cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// Where it would stand in this document, as an RFC 6901 JSON Pointer.
    pub fact: String,
    /// Why it is not known.
    pub why: String,
    /// How to have it next time.
    pub how_to_record: String,
}
