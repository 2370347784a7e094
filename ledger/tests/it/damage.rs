//! Flipping bits in a stored ledger: everything that is read is either what was written or found to be damaged.

use std::path::{Path, PathBuf};

use ledger::reader::{Find, Reader};
use ledger::store::{Close, Folder};
use ledger::verify::{FindingKind, Place as Where, Trusted, verify_all};
use rusqlite::Connection;

use super::support::{Place, append, numbered, part};

/// A closed ledger with two full tiles, a partial one, a close, an SDK run, a remembered export.
fn small() -> Place {
    let place = Place::new();
    let ledger = place.open();
    append(&ledger, vec![part("a", 0, 300)]);
    append(&ledger, vec![part("a", 300, 560), numbered("s", "r", 0, 5)]);
    let mut end = part("e", 0, 7);
    end.close = Some(Close {
        reason: 1,
        declared: 7,
    });
    append(&ledger, vec![end]);
    ledger.close().unwrap();
    place
}

struct Stored {
    n: i64,
    bytes: Vec<u8>,
}

/// Flips one bit of a column in one row.
fn flip(place: &Place, table: &str, key: &str, column: &str, pick: &str, byte: usize) -> i64 {
    let database = Connection::open(place.dir().join("ledger.db")).unwrap();
    database
        .execute_batch("DROP TRIGGER IF EXISTS control_stays")
        .unwrap();
    let sql = format!("SELECT {key}, {column} FROM {table} WHERE {pick} LIMIT 1");
    let mut stored = database
        .query_row(&sql, [], |row| {
            Ok(Stored {
                n: row.get(0)?,
                bytes: row.get(1)?,
            })
        })
        .unwrap();
    stored.bytes[byte] ^= 0x10;
    database
        .execute(
            &format!("UPDATE {table} SET {column} = ?1 WHERE {key} = ?2"),
            (&stored.bytes, stored.n),
        )
        .unwrap();
    let guard = "CREATE TRIGGER control_stays BEFORE UPDATE OF leaf ON control BEGIN SELECT RAISE(ABORT, 'a leaf never changes'); END";
    database.execute_batch(guard).unwrap();
    stored.n
}

fn found(dir: &Path) -> Vec<(FindingKind, Where, String)> {
    let folder = match Folder::open(dir) {
        Ok(folder) => folder,
        Err(error) => return vec![(FindingKind::Unreadable, Where::Ledger, error.to_string())],
    };
    let findings = match verify_all(&folder, &Trusted::FirstSeen, &mut |_| {}) {
        Ok(report) => report.findings,
        Err(error) => return vec![(FindingKind::Unreadable, Where::Ledger, error.to_string())],
    };
    findings
        .into_iter()
        .map(|finding| (finding.kind, finding.place, finding.what))
        .collect()
}

fn has(
    found: &[(FindingKind, Where, String)],
    kind: FindingKind,
    fits: impl Fn(&Where) -> bool,
) -> bool {
    found
        .iter()
        .any(|(found, place, _)| *found == kind && fits(place))
}

fn record(place: &Where, index: u64) -> bool {
    matches!(place, Where::Records { from, to, .. } if (*from..*to).contains(&index))
}

#[test]
fn a_flipped_bit_in_a_salt_or_leaf_or_payload_names_its_record() {
    let place = small();
    flip(&place, "segment", "n", "salts", "first = 300", 32 * 7 + 3);
    let salt = found(&place.dir());
    assert!(
        has(&salt, FindingKind::Payload, |at| record(at, 307)),
        "{salt:?}"
    );

    let place = small();
    flip(&place, "segment", "n", "leaves", "first = 300", 54 * 9 + 12);
    let leaf = found(&place.dir());
    assert!(
        has(&leaf, FindingKind::Leaf, |at| record(at, 309)),
        "{leaf:?}"
    );

    let place = small();
    flip(&place, "segment", "n", "payload", "first = 300", 40);
    let payload = found(&place.dir());
    assert!(
        has(
            &payload,
            FindingKind::Payload,
            |at| matches!(at, Where::Records { from, .. } if *from >= 300)
        ),
        "{payload:?}"
    );
}

#[test]
fn a_flipped_bit_in_a_head_a_tile_or_a_private_part_is_found_there() {
    let place = small();
    let head = flip(
        &place,
        "control",
        "n",
        "leaf",
        "substr(leaf, 2, 1) = x'04'",
        60,
    );
    let heads = found(&place.dir());
    let here = |at: &Where| matches!(at, Where::Control { from, to } if (*from..*to).contains(&(head as u64)));
    assert!(has(&heads, FindingKind::Control, here), "{heads:?}");

    let place = small();
    flip(
        &place,
        "tile",
        "id",
        "hashes",
        "log > 0 AND length(hashes) = 8192",
        100,
    );
    let tiles = found(&place.dir());
    assert!(
        has(&tiles, FindingKind::Tile, |at| matches!(
            at,
            Where::Tile { level: 0, .. }
        )),
        "{tiles:?}"
    );

    let place = small();
    flip(
        &place,
        "tile",
        "id",
        "hashes",
        "level = 0 AND length(hashes) < 8192",
        100,
    );
    let partial = found(&place.dir());
    assert!(has(&partial, FindingKind::Tile, |_| true), "{partial:?}");

    let place = small();
    flip(
        &place,
        "control",
        "n",
        "private",
        "substr(leaf, 2, 1) = x'07'",
        5,
    );
    assert!(has(&found(&place.dir()), FindingKind::Private, |_| true));
}

#[test]
fn a_flipped_bit_in_the_files_beside_the_database_is_found() {
    for (file, byte) in [
        ("last_signed", 40),
        ("last_signed", 150),
        ("acked", 0),
        ("acked", 60),
        ("acked", 127 + 60),
    ] {
        let place = small();
        let path = place.dir().join(file);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[byte] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let found = found(&place.dir());
        if file == "acked" {
            // One of the two slots is the older one and says nothing that the other does not.
            let opened = ledger::store::Ledger::open(&place.dir(), place.options());
            assert!(opened.is_ok() || !found.is_empty());
        } else {
            assert!(
                has(&found, FindingKind::Checkpoint, |_| true),
                "byte {byte}: {found:?}"
            );
        }
    }
}

#[test]
fn without_a_readable_acked_nothing_says_that_all_that_was_acknowledged_is_there() {
    for cut in [None, Some(7)] {
        let place = small();
        let path = place.dir().join("acked");
        std::fs::remove_file(&path).unwrap();
        if let Some(length) = cut {
            std::fs::write(&path, vec![b'x'; length]).unwrap();
        }
        let found = found(&place.dir());
        assert!(has(&found, FindingKind::Truncated, |_| true), "{found:?}");
    }
}

#[test]
fn an_empty_database_is_foreign_and_stays_empty() {
    let place = small();
    let database = place.dir().join("ledger.db");
    std::fs::write(&database, b"").unwrap();
    let opened = ledger::store::Ledger::open(&place.dir(), place.options());
    assert!(
        matches!(opened, Err(ledger::store::StoreError::Foreign { .. })),
        "{opened:?}"
    );
    assert_eq!(std::fs::metadata(&database).unwrap().len(), 0);
}

#[test]
fn a_page_that_is_no_longer_a_page_is_named() {
    let place = small();
    let path = place.dir().join("ledger.db");
    let whole = std::fs::read(&path).unwrap();
    let mut tried = 0;
    for (at, page) in (2..)
        .zip(whole.chunks(8192).skip(1))
        .filter(|(_, page)| matches!(page[0], 2 | 5 | 10 | 13))
    {
        let mut bytes = whole.clone();
        bytes[8192 * (at - 1)] ^= 0x40;
        std::fs::write(&path, &bytes).unwrap();
        let found = found(&place.dir());
        let named = format!("page {at}");
        assert!(
            found.iter().any(|(_, _, what)| what.contains(&named)),
            "{named}, type {}: {found:?}",
            page[0]
        );
        tried += 1;
    }
    assert!(tried > 10, "{tried}");
}

/// All that a reader tells about a ledger, in words.
fn everything(dir: &Path) -> Result<String, String> {
    let folder = Folder::open(dir).map_err(|error| error.to_string())?;
    let mut told = String::new();
    let words = |error: ledger::reader::ReadError| error.to_string();
    told.push_str(&format!("{:?}\n", folder.state().map_err(words)?));
    told.push_str(&format!(
        "{:?}\n",
        folder.control(0, u64::MAX).map_err(words)?
    ));
    for hint in folder.find(&Find::All).map_err(words)? {
        told.push_str(&format!("{hint:?}\n"));
        told.push_str(&format!(
            "{:?}\n",
            folder.records(&hint.stream, 0, u64::MAX).map_err(words)?
        ));
        for request in &hint.requests {
            let found = folder
                .find(&Find::Request(request.clone()))
                .map_err(words)?;
            told.push_str(&format!(
                "{:?}\n",
                found.iter().map(|hint| hint.stream).collect::<Vec<_>>()
            ));
        }
    }
    Ok(told)
}

#[test]
fn a_flipped_bit_anywhere_in_the_database_is_found_or_changes_nothing_that_is_read() {
    let place = small();
    let path: PathBuf = place.dir().join("ledger.db");
    let whole = std::fs::read(&path).unwrap();
    let before = everything(&place.dir()).unwrap();
    assert_eq!(found(&place.dir()), vec![]);
    // A step that shares no factor with the page size walks through every part of every kind of page.
    let step = std::env::var("RECOUNT_TEST_FLIP_STEP")
        .ok()
        .and_then(|step| step.parse().ok())
        .unwrap_or(797);
    let mut detected = 0;
    let mut silent = Vec::new();
    for at in (0..whole.len()).step_by(step) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&path, &bytes).unwrap();
        if !found(&place.dir()).is_empty() {
            detected += 1;
        } else if everything(&place.dir()).as_deref() != Ok(before.as_str()) {
            silent.push(at);
        }
    }
    assert!(
        silent.is_empty(),
        "flips that changed what is read and were not found, at bytes {silent:?}"
    );
    assert!(detected > 50, "{detected}");
}
