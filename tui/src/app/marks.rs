//! The short words that stand for a state, on every screen, before any colour does.

use account::model::{Action, Problem};
use vocabulary::action::{Effect, Outcome};
use vocabulary::problem::ProblemKind;
use vocabulary::record::IntegrityStatus;
use vocabulary::verdict::Verdict;

use super::look::Token;

/// A state: its word of at most six characters and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The word.
    pub word: &'static str,
    /// Its meaning.
    pub token: Token,
}

const fn mark(word: &'static str, token: Token) -> Mark {
    Mark { word, token }
}

/// The mark of a row that has no verdict and no outcome.
pub const NONE: Mark = mark("-", Token::Dim);

/// The mark of a problem.
pub fn of_problem(problem: &Problem) -> Mark {
    match problem.kind {
        ProblemKind::RecordBroken => mark("BROKEN", Token::Error),
        ProblemKind::EffectOutsideScope => mark("OUT", Token::Error),
        ProblemKind::Contradiction => mark("CONFL", Token::Error),
        ProblemKind::DeniedThenRetried => mark("RETRY", Token::Deny),
        ProblemKind::ScopeWidened => mark("WIDER", Token::Ask),
        ProblemKind::IdentityClaimed => mark("CLAIM", Token::Error),
        ProblemKind::RecordMissing => mark("GAP", Token::Lost),
        ProblemKind::DanglingAction => mark("NOEND", Token::Lost),
        ProblemKind::PermissionRefused => mark("PERM", Token::Error),
        ProblemKind::Denied => mark("DENY", Token::Deny),
        ProblemKind::ApprovedException => mark("APPR", Token::Ask),
        ProblemKind::ErrorUnrecovered => mark("ERR", Token::Error),
        ProblemKind::LossDeclared => mark("LOST", Token::Lost),
        ProblemKind::WriteConflict => mark("RACE", Token::Ask),
        ProblemKind::ReadUnlocked => mark("UNLCK", Token::Ask),
        ProblemKind::SecretRemoved => mark("SECRET", Token::Ask),
        ProblemKind::Unattributed => mark("UNATTR", Token::Ask),
        ProblemKind::RateLimited => mark("RATE", Token::Ask),
        ProblemKind::ErrorRecovered => mark("ERR", Token::Ask),
        ProblemKind::LateRecord => mark("LATE", Token::Ask),
        ProblemKind::ClockDisagrees => mark("CLOCK", Token::Ask),
        ProblemKind::InputRefused => mark("INPUT", Token::Ask),
    }
}

/// Whether a problem is about the record itself, not about what the agent did.
pub fn is_finding(kind: ProblemKind) -> bool {
    matches!(
        kind,
        ProblemKind::RecordBroken
            | ProblemKind::Contradiction
            | ProblemKind::RecordMissing
            | ProblemKind::LossDeclared
            | ProblemKind::IdentityClaimed
            | ProblemKind::LateRecord
            | ProblemKind::ClockDisagrees
            | ProblemKind::InputRefused
            | ProblemKind::DanglingAction
            | ProblemKind::Unattributed
    )
}

/// The mark of an action: what policy said, else how it ended.
pub fn of_action(action: &Action) -> Mark {
    match (action.verdict, action.outcome) {
        (Some(Verdict::Deny), _) | (_, Outcome::Denied) => mark("DENY", Token::Deny),
        (_, Outcome::Failure) => mark("ERR", Token::Error),
        (_, Outcome::Timeout) => mark("TIME", Token::Error),
        (_, Outcome::Cancelled) => mark("CANCEL", Token::Ask),
        (_, Outcome::NotExecuted) => mark("NOTRUN", Token::Ask),
        (_, Outcome::Escalated) => mark("ASKED", Token::Ask),
        // A begin without an end is a problem, and the problem's mark says so; a log line has no outcome at all.
        (_, Outcome::Unknown) => NONE,
        (_, Outcome::Success) if action.effect == Effect::RolledBack => mark("UNDONE", Token::Ask),
        (Some(Verdict::Ask), Outcome::Success) => mark("APPR", Token::Ask),
        (_, Outcome::Success) => mark("ok", Token::Good),
    }
}

/// The mark of a record's integrity.
pub fn of_integrity(status: IntegrityStatus) -> Mark {
    match status {
        IntegrityStatus::Intact => mark("INTACT", Token::Good),
        IntegrityStatus::Open => mark("OPEN", Token::Ask),
        IntegrityStatus::Incomplete => mark("INCOMPLETE", Token::Lost),
        IntegrityStatus::Broken => mark("BROKEN", Token::Error),
        IntegrityStatus::Unchecked => mark("UNCHECKED", Token::Ask),
    }
}
