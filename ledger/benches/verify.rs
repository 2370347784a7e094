//! Verifying a whole ledger, beside plainly hashing the same bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark may panic"
)]

use std::sync::OnceLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use ledger::reader::Find;
use ledger::reader::Reader;
use ledger::verify::{Trusted, Verifier, verify_all};
use sha2::{Digest, Sha256};

use crate::memory::Memory;

#[path = "../tests/it/memory.rs"]
#[expect(dead_code, reason = "the tests use all of it")]
mod memory;

const STREAMS: usize = 500;
const RECORDS: u64 = 200;

fn main() {
    divan::main();
}

/// 100,000 records of 650 bytes in sessions of 200.
fn ledger() -> &'static Memory {
    static MEMORY: OnceLock<Memory> = OnceLock::new();
    MEMORY.get_or_init(|| {
        let mut memory = Memory::new();
        for stream in 0..STREAMS {
            let at = memory.open(&format!("session-{stream}"), &format!("{stream}"));
            for record in 0..RECORDS {
                memory.record(at, &[record as u8; 650]);
            }
            memory.head(at, true);
        }
        memory.sign();
        memory
    })
}

#[divan::bench]
fn everything(bencher: Bencher<'_, '_>) {
    let ledger = ledger();
    bencher
        .counter(ItemsCount::new(STREAMS as u64 * RECORDS))
        .bench(|| {
            let report = verify_all(ledger, &Trusted::FirstSeen, &mut |_| {}).unwrap();
            assert!(report.findings.is_empty());
            report.records
        });
}

#[divan::bench]
fn plainly_hashing_the_envelopes(bencher: Bencher<'_, '_>) {
    let ledger = ledger();
    bencher
        .counter(ItemsCount::new(STREAMS as u64 * RECORDS))
        .bench(|| {
            let records = ledger.streams.iter().flat_map(|stream| &stream.records);
            let bodies = records.filter_map(|record| record.body.as_ref());
            bodies
                .map(|body| Sha256::digest(&body.envelope)[0])
                .fold(0u8, u8::wrapping_add)
        });
}

#[divan::bench]
fn one_session_of_200(bencher: Bencher<'_, '_>) {
    let ledger = ledger();
    let hint = ledger
        .find(&Find::Stream(ledger.streams[STREAMS / 2].hint.stream))
        .unwrap()
        .remove(0);
    bencher.bench(|| {
        let mut verifier = Verifier::open(ledger, &Trusted::FirstSeen).unwrap();
        let stream = verifier.read_stream(&hint);
        assert!(stream.findings.is_empty());
        stream.records.len()
    });
}
