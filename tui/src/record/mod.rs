//! The recording commands: SDK clients of a collector, which never open a ledger.

pub(crate) mod sender;
