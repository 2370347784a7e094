//! The target `producers`; what it asserts is in the crate.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| collector_lite::fuzz::producers(bytes));
