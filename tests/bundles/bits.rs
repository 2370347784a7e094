//! Every bit of a bundle of 200 records counts: flipped as it is, and flipped with every digest made good.
//!
//! The test command flips one bit in 64 (one in 512 with digests made good); `RECOUNT_EVERY_BIT=1` flips all.

use ledger::bundle::{Bundle, Gathered, Verdict, check};
use ledger::verify::Trusted;
use libtest_mimic::{Failed, Trial};

use super::memory::{Memory, item};
use super::tampering::{files, packed};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("a_flipped_bit_of_a_bundle_is_found", raw),
        Trial::test(
            "a_flipped_bit_of_the_evidence_is_found_though_every_digest_is_made_good",
            made_good,
        ),
        Trial::test("a_bundle_costs_little_more_than_its_records", overhead),
    ]
}

fn every(otherwise: usize) -> usize {
    match std::env::var_os("RECOUNT_EVERY_BIT") {
        Some(_) => 1,
        None => otherwise,
    }
}

/// A bundle of one session, with epochs before and after it.
fn bundle(records: u64) -> Result<Vec<u8>, Failed> {
    let mut memory = Memory::new();
    memory.seal_epoch();
    let at = memory.open("session", "47892");
    (0..records).for_each(|i| memory.record(at, &item(i)));
    memory.head(at, true);
    memory.seal_epoch();
    memory.sign();
    let streams = [memory.streams[at].hint.stream];
    let gathered = Gathered::gather(&memory, &streams, &[], false)?;
    Ok(gathered.pack("0.1.0", "47892", Some(b"{}\n"))?)
}

fn is_intact(bytes: Vec<u8>) -> bool {
    let Ok(bundle) = Bundle::open("it", bytes) else {
        return false;
    };
    // A wrong digest is a finding by itself; the rest need not be recomputed to know the verdict.
    bundle.wrong_digests().is_empty()
        && check(&bundle, &Trusted::FirstSeen, None)
            .is_ok_and(|report| report.verdict() == Verdict::Intact)
}

fn raw() -> Result<(), Failed> {
    let good = bundle(200)?;
    if !is_intact(good.clone()) {
        return Err("the bundle itself does not verify".into());
    }
    let (mut flipped, step) = (0u64, every(64));
    for bit in (0..8 * good.len()).step_by(step) {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        if is_intact(bytes) {
            return Err(format!("bit {bit} of {} is not missed", 8 * good.len()).into());
        }
        flipped += 1;
    }
    println!("{flipped} of {} bits flipped, all found", 8 * good.len());
    Ok(())
}

fn made_good() -> Result<(), Failed> {
    let good = files(&bundle(200)?);
    let (mut flipped, step) = (0u64, every(512));
    for at in 0..good.len() {
        // Nothing vouches for these two, and the verifier says so.
        if matches!(good[at].0.as_str(), "account.json" | "bundle.txt") {
            continue;
        }
        // Small files in full: most of what holds everything together is in them.
        let step = if good[at].1.len() < 1024 {
            step.min(16)
        } else {
            step
        };
        for bit in (0..8 * good[at].1.len()).step_by(step) {
            let mut forged = good.clone();
            forged[at].1[bit / 8] ^= 1 << (bit % 8);
            if packed(&forged).is_some_and(is_intact) {
                return Err(format!("bit {bit} of {} is not missed", good[at].0).into());
            }
            flipped += 1;
        }
    }
    println!("{flipped} bits flipped and digests made good, all found");
    Ok(())
}

/// At most 160 bytes per record and 4 KiB beside envelopes and account, from a hundred records on.
fn overhead() -> Result<(), Failed> {
    for records in [100, 200, 1000] {
        let bytes = bundle(records)?;
        let opened = Bundle::open("it", bytes)?;
        let (all, envelopes, account) = opened.lengths();
        let beside = all - envelopes - account;
        println!("{records} records: {beside} bytes beside {envelopes} of envelopes");
        if beside > 160 * records + 4096 {
            return Err(format!("{beside} bytes for {records} records").into());
        }
    }
    Ok(())
}
