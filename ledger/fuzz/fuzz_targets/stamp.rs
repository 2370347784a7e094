//! The target `stamp`; what it asserts is in the library.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ledger_fuzz::run("stamp", bytes));
