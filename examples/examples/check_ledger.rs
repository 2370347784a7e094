//! Checks a ledger with the crate `ledger` alone: no SDK, no collector, no account.
//!
//! `check_ledger STORE [KEY]`: STORE is a ledger's folder, KEY its public key (the text of `ledger.pub`, kept from when
//! you trusted it). Exit 0: everything recomputes. Exit 3: something does not, and is named.

use ledger::note::VerifierKey;
use ledger::store::Folder;
use ledger::verify::{Trusted, verify_all};
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let store = arguments.next().ok_or("usage: check_ledger STORE [KEY]")?;
    let trusted = match arguments.next() {
        Some(key) => Trusted::Pinned(VerifierKey::parse(&key)?),
        None => Trusted::FirstSeen,
    };
    let folder = Folder::open(Path::new(&store))?;
    let report = verify_all(&folder, &trusted, &mut |_| ())?;
    println!(
        "{} records of {} streams recomputed",
        report.records, report.streams
    );
    println!(
        "{} heads agree; {} records lie beyond the last one",
        report.heads, report.open
    );
    if trusted == Trusted::FirstSeen {
        println!("the key is the ledger's own word: give the one you kept");
    }
    for finding in &report.findings {
        println!("BROKEN {}: {}", finding.place, finding.what);
    }
    Ok(ExitCode::from(if report.findings.is_empty() {
        0
    } else {
        3
    }))
}
