//! What can be wrong or missing, worst first.

use crate::word::words;

words! {
    /// How bad a problem is, worst first.
    pub enum Severity: "severity" {
        /// The record cannot be trusted, or the agent left its scope.
        Critical = "critical",
        /// Somebody should look at it now.
        High = "high",
        /// Somebody should look at it.
        Medium = "medium",
        /// Good to know.
        Low = "low",
    }
}

words! {
    /// What is wrong or missing. The order of declaration is the order in
    /// which problems are shown: worst first.
    pub enum ProblemKind: "problem kind" {
        /// Sealed bytes do not verify.
        RecordBroken = "record_broken",
        /// An effect lies outside the declared scope.
        EffectOutsideScope = "effect_outside_scope",
        /// Two things were seen that cannot both be true, by the collector or by two recorders.
        Contradiction = "contradiction",
        /// What was denied was tried again.
        DeniedThenRetried = "denied_then_retried",
        /// The scope was widened while the session ran.
        ScopeWidened = "scope_widened",
        /// Somebody else's session was named by a producer of its own.
        IdentityClaimed = "identity_claimed",
        /// A record that must exist is not there.
        RecordMissing = "record_missing",
        /// An action has a begin and no end.
        DanglingAction = "dangling_action",
        /// A counterpart refused for lack of permission.
        PermissionRefused = "permission_refused",
        /// A verdict forbade an action.
        Denied = "denied",
        /// An exception to policy was approved.
        ApprovedException = "approved_exception",
        /// An action failed and nothing made up for it.
        ErrorUnrecovered = "error_unrecovered",
        /// A recorder said that it lost something.
        LossDeclared = "loss_declared",
        /// Somebody else wrote in between.
        WriteConflict = "write_conflict",
        /// The state before a write was read without a lock.
        ReadUnlocked = "read_unlocked",
        /// A credential was removed before sealing.
        SecretRemoved = "secret_removed",
        /// An action was recorded outside any session.
        Unattributed = "unattributed",
        /// A counterpart limited the rate.
        RateLimited = "rate_limited",
        /// An action failed and a later one made up for it.
        ErrorRecovered = "error_recovered",
        /// A record arrived after its session had ended.
        LateRecord = "late_record",
        /// Two clocks disagree.
        ClockDisagrees = "clock_disagrees",
        /// The collector refused part of what was sent.
        InputRefused = "input_refused",
    }
}

impl ProblemKind {
    /// How bad problems of this kind are.
    pub const fn severity(self) -> Severity {
        match self {
            Self::RecordBroken | Self::EffectOutsideScope => Severity::Critical,
            Self::Contradiction
            | Self::DeniedThenRetried
            | Self::ScopeWidened
            | Self::IdentityClaimed
            | Self::RecordMissing
            | Self::DanglingAction
            | Self::PermissionRefused => Severity::High,
            Self::Denied
            | Self::ApprovedException
            | Self::ErrorUnrecovered
            | Self::LossDeclared
            | Self::WriteConflict
            | Self::ReadUnlocked
            | Self::SecretRemoved
            | Self::Unattributed => Severity::Medium,
            Self::RateLimited
            | Self::ErrorRecovered
            | Self::LateRecord
            | Self::ClockDisagrees
            | Self::InputRefused => Severity::Low,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_declared_worst_first() {
        let severities: Vec<_> = ProblemKind::ALL
            .iter()
            .map(|kind| kind.severity())
            .collect();
        assert!(severities.is_sorted());
        assert_eq!(ProblemKind::ALL.len(), 22);
    }
}
