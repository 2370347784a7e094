//! Salts hide what records say: random, one per record, never derived from the record.

use std::collections::BTreeSet;

use ledger::leaf::RecordLeaf;
use ledger::reader::{Find, Reader, StoredRecord};

use super::support::{Place, append, part};

/// The same three records twice in one ledger: bytes, index in the export and time are alike.
fn twice() -> Vec<StoredRecord> {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 3)]);
    append(&ledger, vec![part("a", 0, 3)]);
    ledger.close().unwrap();
    let folder = place.read();
    let hints = folder.find(&Find::Session("a".into())).unwrap();
    folder.records(&hints[0].stream, 0, u64::MAX).unwrap()
}

#[test]
fn equal_records_have_salts_and_commitments_that_nothing_connects() {
    let records = [twice(), twice()].concat();
    assert_eq!(records.len(), 12);
    let mut envelopes = BTreeSet::new();
    let mut salts = BTreeSet::new();
    let mut commitments = BTreeSet::new();
    for record in &records {
        let body = record.body.as_ref().unwrap();
        assert!(
            body.salt.iter().collect::<BTreeSet<_>>().len() > 8,
            "a salt of few values: {:?}",
            body.salt
        );
        envelopes.insert(body.envelope.clone());
        salts.insert(body.salt);
        commitments.insert(RecordLeaf::decode(&record.leaf).unwrap().commitment);
    }
    assert_eq!(envelopes.len(), 3, "the same bytes were sealed four times");
    assert_eq!((salts.len(), commitments.len()), (12, 12));
}

#[test]
fn a_salt_is_part_of_the_commitment() {
    for record in twice() {
        let body = record.body.unwrap();
        let leaf = RecordLeaf::decode(&record.leaf).unwrap();
        let envelope = ledger::envelope::Envelope::decode(&body.envelope).unwrap();
        assert_eq!(envelope.commitment(&body.salt), leaf.commitment);
        assert_ne!(envelope.commitment(&[0; 32]), leaf.commitment);
    }
}
