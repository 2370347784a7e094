//! Accounts of records that a real store sealed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests may panic"
)]

mod broken;
mod claims;
mod conflicts;
mod declared;
mod facts;
mod lacking;
mod listing;
mod meanwhile;
mod observed;
mod plain;
mod queries;
mod reasoning;
mod renewal;
mod settled;
mod story;
mod support;
