//! The recording commands: SDK clients of a collector, which never open a ledger.

pub(crate) mod mcp;
#[expect(dead_code, unused_imports, reason = "the relays are the next to come")]
pub(crate) mod relay;
pub(crate) mod run;
pub(crate) mod sender;
