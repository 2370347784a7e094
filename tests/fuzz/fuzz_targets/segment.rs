//! The target `segment`; what it asserts is in the crate.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| recount::fuzz::segment(bytes));
