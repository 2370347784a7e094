//! What the rows add up to: scope kept or not, what went wrong, who answers for it, how it ended.

pub(crate) mod allowers;
pub(crate) mod contradictions;
pub(crate) mod declared;
mod denied;
mod failure;
pub(crate) mod integrity;
mod missing;
pub(crate) mod outcome;
pub(crate) mod problems;
pub(crate) mod recovery;
pub(crate) mod refused;
pub(crate) mod scope;
pub(crate) mod things;
mod together;
pub(crate) mod unknown;
pub(crate) mod who;
