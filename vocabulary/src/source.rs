//! How a fact is known: seen by a recorder, said by the agent, or computed.

use crate::word::words;

words! {
    /// How a fact is known, strongest first.
    pub enum Source: "source" {
        /// A recorder saw it.
        Observed = "observed",
        /// Computed from other facts.
        Derived = "derived",
        /// The agent, or another producer, said it.
        Stated = "stated",
    }
}

impl Source {
    /// The weaker of two: what a row that mixes them may claim.
    pub fn weakest(self, other: Self) -> Self {
        self.max(other)
    }
}
