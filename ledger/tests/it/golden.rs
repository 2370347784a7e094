//! The small ledger that the first release wrote, kept in `tests/golden/1`: every later version must verify it.
//!
//! `RECOUNT_WRITE_GOLDEN=1` writes the folder if it is not there. One that is there is never changed.

use std::fs;
use std::path::{Path, PathBuf};

use ledger::leaf::RefusedPayload;
use ledger::note::VerifierKey;
use ledger::reader::{Find, Reader};
use ledger::store::{Close, Folder};
use ledger::verify::{Trusted, Verifier, verify_all};

use super::support::{Place, append, batch, item, numbered, numbered_item, part};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/1")
}

/// What is kept: everything except the private key and the lock.
const KEPT: [&str; 4] = ["ledger.db", "last_signed", "acked", "ledger.pub"];

/// Two runs of a collector: a closed session of more than a tile, one of an SDK's run, one that stays open and
/// gets a late record, and a refused payload.
fn write(to: &Path) {
    let place = Place::new();
    let ledger = place.open();
    append(
        &ledger,
        vec![part("closed", 0, 200), numbered("sdk", "run-1", 0, 5)],
    );
    let mut end = part("closed", 200, 300);
    end.close = Some(Close {
        reason: 1,
        declared: 300,
    });
    append(&ledger, vec![end, part("open", 0, 3)]);
    ledger.close().unwrap();
    let ledger = place.open();
    let mut late = batch(vec![part("closed", 300, 301)]);
    late.refused.push(RefusedPayload {
        door: 1,
        why: "malformed".to_owned(),
        digest: [9; 32],
        size: 12,
        peer: "127.0.0.1".to_owned(),
    });
    ledger.append_and_wait(late).unwrap();
    ledger.close().unwrap();
    fs::create_dir_all(to).unwrap();
    for name in KEPT {
        fs::copy(place.dir().join(name), to.join(name)).unwrap();
    }
}

#[test]
fn the_ledger_of_the_first_release_verifies() {
    let dir = golden();
    if std::env::var_os("RECOUNT_WRITE_GOLDEN").is_some() && !dir.exists() {
        write(&dir);
    }
    let key = fs::read_to_string(dir.join("ledger.pub")).unwrap();
    let trusted = Trusted::Pinned(VerifierKey::parse(key.trim_end()).unwrap());
    let folder = Folder::open(&dir).unwrap();
    let report = verify_all(&folder, &trusted, &mut |_| {}).unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(folder.check().unwrap(), []);
    assert_eq!((report.streams, report.records, report.open), (3, 309, 0));

    let mut verifier = Verifier::open(&folder, &trusted).unwrap();
    for (label, records) in [("closed", 301), ("sdk", 5), ("open", 3)] {
        let hints = folder.find(&Find::Session(label.to_owned())).unwrap();
        assert_eq!(hints.len(), 1);
        let stream = verifier.read_stream(&hints[0]);
        assert_eq!(stream.findings, []);
        assert_eq!(stream.records.len(), records);
        for (i, record) in (0..).zip(&stream.records) {
            let sent = if label == "sdk" {
                numbered_item(label, i)
            } else {
                item(label, i)
            };
            assert_eq!(record.envelope().unwrap().item, sent);
        }
        let request = format!("request of {label}");
        assert_eq!(verifier.bindings(&request).streams, [stream.stream]);
    }
}
