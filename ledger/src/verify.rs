//! Checking what a reader returned: every fact that leaves this module was recomputed up to a signature.
//!
//! A [`Verifier`] checks key, checkpoint and genesis once, then proves single leaves of the ledger log by
//! inclusion (O(log n) hashes each) and whole streams by recomputing their roots. [`Verifier::scan`] reads
//! every leaf of the ledger log: only then is it certain that no newer head and no further binding exists.
//! [`verify_all`] recomputes everything there is.
#![forbid(unsafe_code)]

use crate::reader::{ReadError, Reader, StreamHint};
use crate::tree::{self, Hash};

pub mod epochs;
pub mod report;

mod all;
mod carried;
mod check;
mod facts;
mod finding;
mod kept;
mod later;
mod ledger;
mod locate;
mod nodes;
mod opened;
mod pin;
mod proof;
mod reading;
mod receipts;
mod remarks;
mod scan;
mod stream;
mod trust;

pub use all::{verify_all, verify_all_telling};
pub use facts::{
    Bindings, KeyState, Progress, Recomputed, Sealed, VerifiedHead, VerifiedLedger, VerifiedRecord,
    VerifiedStream,
};
pub use finding::{Finding, FindingKind, Place};
pub use kept::Kept;
pub use ledger::Verifier;
pub use nodes::{Extension, extension};
pub use pin::{NotAPin, Pin, Pins};
pub use proof::NoProof;
pub use remarks::{Contradiction, REMARKS, Remarks};
pub use trust::Trusted;

/// Reads and checks one stream; [`Verifier::read_stream`] does the same for several without starting over.
///
/// # Errors
/// Only what keeps the store from being read at all; everything else is a finding.
pub fn read_stream(
    reader: &dyn Reader,
    trusted: &Trusted,
    hint: &StreamHint,
) -> Result<crate::verify::VerifiedStream, ReadError> {
    Ok(Verifier::open(reader, trusted)?.read_stream(hint))
}

/// The proof that the ledger log's first `new` leaves extend its first `old`, for others to check; as many leaves
/// must be stored.
///
/// # Errors
/// As the store fails.
pub fn consistency_proof(reader: &dyn Reader, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
    tree::consistency(&mut nodes::Nodes::new(reader, new), old, new)
}

/// Finds the streams bound to a request by reading every leaf of the ledger log.
///
/// # Errors
/// Only what keeps the store from being read at all; everything else is a finding.
pub fn bindings(
    reader: &dyn Reader,
    trusted: &Trusted,
    request: &str,
) -> Result<Bindings, ReadError> {
    Ok(Verifier::open(reader, trusted)?.bindings(request))
}
