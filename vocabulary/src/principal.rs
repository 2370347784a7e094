//! Words of responsibility: who set a session going and how well that is proven.

use crate::word::{codes, words};

words! {
    /// What sort of principal set a session going.
    pub enum PrincipalKind: "principal kind" or Unknown {
        /// A person.
        Person = "person",
        /// A schedule.
        Schedule = "schedule",
        /// Another system.
        System = "system",
        /// Another agent.
        Agent = "agent",
        /// Nobody knows.
        Unknown = "unknown",
    }
}

words! {
    /// How well a principal is proven. The collector decides this, not the sender.
    pub enum PrincipalProof: "principal proof" or Unknown {
        /// The sender says so.
        Asserted = "asserted",
        /// A token was presented and not checked by the collector.
        TokenPresented = "token_presented",
        /// The agent says that it verified it.
        VerifiedByAgent = "verified_by_agent",
        /// The collector verified it.
        VerifiedByCollector = "verified_by_collector",
        /// Nothing is said about it.
        Unknown = "unknown",
    }
}

codes! { PrincipalProof {
    Unknown = 0, Asserted = 1, TokenPresented = 2, VerifiedByAgent = 3, VerifiedByCollector = 4,
} }

words! {
    /// In which role somebody is responsible.
    pub enum WhoRole: "role" {
        /// Asked for it.
        Asked = "asked",
        /// Ran it.
        Ran = "ran",
        /// Allowed it.
        Allowed = "allowed",
        /// Approved it.
        Approved = "approved",
        /// Owns the agent.
        Owns = "owns",
        /// Brought in records that were written elsewhere.
        Imported = "imported",
    }
}
