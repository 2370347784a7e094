//! A file elsewhere: what it gets, what it catches, and what happens when it is taken away or changed for another.

use super::*;

#[test]
fn a_file_holds_checkpoints_that_the_ledger_extends_and_each_has_a_receipt() {
    let anchored = Anchored::new("");
    let elsewhere = anchored.path("elsewhere");
    anchored.configure(&file_anchor(&elsewhere));
    let mut collector = anchored.serve();
    let status = taken(&anchored, &collector, 3);
    assert_eq!(anchors(&status)[0]["error"], Value::Null, "{status}");
    let status = taken(&anchored, &collector, 300);
    let held = notes(&elsewhere);
    assert!(held.len() >= 2, "{status}");
    let newest = Checkpoint::open(held.last().unwrap(), &anchored.key()).unwrap();
    assert_eq!(anchors(&status)[0]["size"], newest.head.size);
    // Once nothing but its own receipts is new, an idle ledger is left alone.
    wait_for("rest", || {
        let before = notes(&elsewhere).len();
        std::thread::sleep(Duration::from_secs(1));
        signed(&anchored);
        anchored.anchor();
        notes(&elsewhere).len() == before
    });
    let held = notes(&elsewhere);

    let (code, text) = anchored.run(&["status"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("last anchored") && text.contains("elsewhere"),
        "{text}"
    );
    let metrics = String::from_utf8(anchored.door().get("/metrics").unwrap()).unwrap();
    assert!(
        metrics.contains("recount_anchor_age_seconds{kind=\"file\""),
        "{metrics}"
    );
    assert!(metrics.contains("recount_signing_held 0"), "{metrics}");
    let health = String::from_utf8(anchored.door().get("/healthz").unwrap()).unwrap();
    assert!(health.contains("last_anchored"), "{health}");
    collector.stop().unwrap();

    let folder = Folder::open(&anchored.lab.store()).unwrap();
    let receipts = leaves(&folder, 12);
    assert_eq!(receipts.len(), held.len());
    for (receipt, note) in receipts.iter().zip(&held) {
        let private = Receipt::decode(&receipt.private.as_ref().unwrap().body).unwrap();
        assert_eq!(private.holder, format!("file:{}", elsewhere.display()));
        let text = String::from_utf8(private.receipt).unwrap();
        let offset: usize = text
            .strip_prefix("offset ")
            .unwrap()
            .trim_end()
            .parse()
            .unwrap();
        assert!(std::fs::read(&elsewhere).unwrap()[offset..].starts_with(note));
    }
    let mut verifier = Verifier::open(&folder, &Trusted::FirstSeen).unwrap();
    for note in &held {
        assert_eq!(verifier.known_checkpoint(note), []);
    }
    assert_eq!(
        verify_all(&folder, &Trusted::FirstSeen, &mut |_| {})
            .unwrap()
            .findings,
        []
    );
}

/// redteam: S10, S09, O08
#[test]
fn a_rolled_back_ledger_is_caught_by_its_file_anchor() {
    let anchored = Anchored::new("");
    anchored.configure(&file_anchor(&anchored.path("elsewhere")));
    let what = rolled_back(&anchored);
    // The other checkpoint is in the leaf: with ours it proves to anybody that the key signed two histories.
    assert!(
        what.contains("holds a checkpoint of") && what.contains('\u{2014}'),
        "{what}"
    );
}

/// redteam: K11
#[test]
fn a_changed_destination_is_in_the_ledger_and_the_old_anchor_gets_a_last_checkpoint_that_covers_it()
{
    let anchored = Anchored::new("");
    let (old, new) = (anchored.path("old"), anchored.path("new"));
    anchored.configure(&file_anchor(&old));
    let mut collector = anchored.serve();
    taken(&anchored, &collector, 2);
    collector.stop().unwrap();
    let before = notes(&old).len();

    anchored.configure(&file_anchor(&new));
    let mut collector = anchored.serve();
    signed(&anchored);
    anchored.anchor();
    wait_for("a last checkpoint for the old anchor", || {
        anchored.anchor();
        notes(&old).len() > before && anchors(&anchored.status()).len() == 1
    });
    collector.stop().unwrap();
    let folder = Folder::open(&anchored.lab.store()).unwrap();
    let changes = leaves(&folder, 17);
    let texts: Vec<_> = changes
        .iter()
        .map(|leaf| {
            ledger::leaf::ConfigChange::decode(&leaf.private.as_ref().unwrap().body).unwrap()
        })
        .collect();
    let last = texts.last().unwrap();
    assert!(
        last.from.ends_with("/old") && last.to.ends_with("/new"),
        "{texts:?}"
    );
    let farewell = Checkpoint::open(notes(&old).last().unwrap(), &anchored.key()).unwrap();
    assert!(farewell.head.size > changes.last().unwrap().index);
}

/// redteam: K10
#[test]
fn a_file_that_was_taken_away_is_begun_again_and_told() {
    let anchored = Anchored::new("");
    let elsewhere = anchored.path("elsewhere");
    anchored.configure(&file_anchor(&elsewhere));
    let mut collector = anchored.serve();
    for _ in 0..2 {
        taken(&anchored, &collector, 1);
    }
    std::fs::remove_file(&elsewhere).unwrap();
    let status = taken(&anchored, &collector, 1);
    tells(&status, "remark", "taken away");
    assert_eq!(leaves(&anchored.door(), 20).len(), 1);
    // What somebody else put there is not written over.
    std::fs::write(&elsewhere, "mine now\n").unwrap();
    let status = taken(&anchored, &collector, 1);
    tells(&status, "error", "does not end in a checkpoint");
    assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "mine now\n");
    collector.stop().unwrap();
}
