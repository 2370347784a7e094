//! What policy said about an action, and whether effects kept within a scope.

use crate::word::words;

words! {
    /// What policy said about an action.
    pub enum Verdict: "verdict" {
        /// It may run.
        Allow = "allow",
        /// It must not run.
        Deny = "deny",
        /// Somebody must approve it first.
        Ask = "ask",
    }
}

words! {
    /// What came of an approval.
    pub enum Approval: "approval" {
        /// Approved.
        Approved = "approved",
        /// Refused.
        Refused = "refused",
        /// Nobody answered in time.
        Expired = "expired",
    }
}

words! {
    /// Whether observed effects kept within the declared scope.
    pub enum ScopeVerdict: "scope verdict" or Unknown {
        /// All of them, and nothing is missing.
        Within = "within",
        /// At least one did not.
        Exceeded = "exceeded",
        /// Something is missing, so nobody can say.
        Unknown = "unknown",
    }
}
