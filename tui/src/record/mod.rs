//! The recording commands: SDK clients of a collector, which never open a ledger.

mod declared;
pub(crate) mod http;
pub(crate) mod llm;
pub(crate) mod mcp;
pub(crate) mod relay;
pub(crate) mod run;
pub(crate) mod sender;
