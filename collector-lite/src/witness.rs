//! A witness: keeps the newest checkpoint of each log it knows, and cosigns only what extends it.
//!
//! C2SP tlog-witness. [`request`] is the wire, [`judge`] decides, [`shelf`] remembers, [`door`] listens. It needs no
//! ledger and no database, so the smallest machine will do, as long as it is not one that holds a ledger it witnesses.

pub(crate) mod door;
pub(crate) mod judge;
pub(crate) mod request;
pub(crate) mod shelf;
