//! What the rows add up to: scope kept or not, what went wrong, who answers for it, how it ended.

mod failure;
pub(crate) mod integrity;
pub(crate) mod outcome;
pub(crate) mod problems;
pub(crate) mod recovery;
pub(crate) mod scope;
pub(crate) mod unknown;
pub(crate) mod who;
