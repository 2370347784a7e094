//! Promises between crates: what the integration tests share.
