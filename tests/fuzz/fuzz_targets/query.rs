//! The target `query`; what it asserts is in the crate.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| tui::fuzz::query(bytes));
