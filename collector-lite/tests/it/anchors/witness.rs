//! Witnesses: what they refuse to cosign, quorums, and those that are down.

use ledger::note::SignerKey;

use super::*;
use crate::witness::Attic;

fn witness_table(attic: &Attic, url: &str) -> String {
    format!(
        "[[witness]]\nurl = \"{url}\"\nvkey = \"{}\"\nevery = 3600\ntimeout = 5\n",
        attic.key
    )
}

/// redteam: S10, O08. The witness answers 409 with a larger size.
#[test]
fn a_rolled_back_ledger_is_caught_by_its_witness() {
    let attic = Attic::new("w1");
    let witness = attic.serve(&["--trust-on-first-use"]);
    let anchored = Anchored::new("");
    anchored.configure(&witness_table(&attic, &witness.url));
    let what = rolled_back(&anchored);
    assert!(what.contains("it cosigned"), "{what}");
}

/// redteam: S08. The whole folder is gone and a new ledger has its name and key.
#[test]
fn a_ledger_begun_again_under_its_old_key_is_caught_by_its_witness() {
    let attic = Attic::new("w1");
    let witness = attic.serve(&["--trust-on-first-use"]);
    let anchored = Anchored::new("");
    anchored.configure(&format!(
        "origin = \"lab.example.test\"\n{}",
        witness_table(&attic, &witness.url)
    ));
    let mut collector = anchored.serve();
    record(&collector, 3);
    signed(&anchored);
    assert_eq!(anchors(&anchored.anchor())[0]["error"], Value::Null);
    collector.stop().unwrap();
    let seed = std::fs::read(anchored.lab.store().join("keys/identity")).unwrap();
    std::fs::remove_dir_all(anchored.lab.store()).unwrap();

    // With another key, the witness refuses the name.
    let mut collector = anchored.serve();
    let status = taken(&anchored, &collector, 30);
    tells(&status, "error", "another key");
    collector.stop().unwrap();

    // With the stolen key and a history of one's own, it knows that it is another one.
    let thief = SignerKey::new("lab.example.test", &seed.try_into().unwrap()).unwrap();
    let root = [7; 32];
    let forged = Checkpoint {
        origin: "lab.example.test".to_owned(),
        head: ledger::leaf::TreeHead { size: 4, root },
    };
    let body = [b"old 4\n\n", &forged.sign(&thief).unwrap()[..]].concat();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .build()
        .into();
    let answer = agent
        .post(format!("{}/add-checkpoint", witness.url))
        .send(&body[..])
        .unwrap();
    assert_eq!(answer.status(), 409);
}

/// redteam: K06, O07
#[test]
fn a_quorum_of_witnesses_cosigns_one_checkpoint_and_one_that_is_down_holds_up_nothing() {
    let attics = [Attic::new("w1"), Attic::new("w2"), Attic::new("w3")];
    let mut witnesses: Vec<_> = attics
        .iter()
        .map(|attic| attic.serve(&["--trust-on-first-use"]))
        .collect();
    let anchored = Anchored::new("");
    let tables: String = attics
        .iter()
        .zip(&witnesses)
        .map(|(attic, witness)| witness_table(attic, &witness.url))
        .collect();
    anchored.configure(&tables);
    let collector = anchored.serve();
    record(&collector, 3);
    signed(&anchored);
    let quorum = |want: usize| {
        let note = anchored.door().witnessed().unwrap().unwrap();
        let parsed = Note::parse(&note).unwrap();
        let cosigned = attics
            .iter()
            .filter(|attic| attic.key.cosigned(&parsed).unwrap().is_some())
            .count();
        assert!(cosigned >= want, "{}", String::from_utf8_lossy(&note));
        Checkpoint::open(&note, &anchored.key()).unwrap().head.size
    };
    anchored.anchor();
    let first = quorum(3);

    drop(witnesses.pop());
    let started = Instant::now();
    record(&collector, 20);
    assert!(started.elapsed() < Duration::from_secs(10));
    signed(&anchored);
    let status = anchored.anchor();
    assert!(quorum(2) > first);
    let failing: Vec<_> = anchors(&status)
        .iter()
        .filter(|anchor| anchor["error"].is_string())
        .collect();
    assert_eq!(
        (failing.len(), failing[0]["holder"].as_str().unwrap()),
        (1, attics[2].key.to_string().as_str())
    );
    assert!(failing[0]["behind"].as_u64().unwrap() > 0);
    let (_, text) = anchored.run(&["status"]);
    assert!(
        text.contains("2 must cosign") && text.contains("fails since"),
        "{text}"
    );

    drop(witnesses.pop());
    record(&collector, 1);
    signed(&anchored);
    let before = anchored.door().witnessed().unwrap();
    anchored.anchor();
    assert_eq!(
        anchored.door().witnessed().unwrap(),
        before,
        "one of three is no quorum"
    );
    // The checkpoint that readers get carries the lines of its witnesses, and verifies like any other.
    let door = anchored.door();
    let verifier = Verifier::open(&door, &Trusted::FirstSeen).unwrap();
    assert!(verifier.ledger().findings.is_empty());
}

/// redteam: O07. Whoever accepts a connection and says nothing is the worst that can be down.
#[test]
fn an_anchor_that_never_answers_blocks_no_record_and_no_stop() {
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let attic = Attic::new("w1");
    let anchored = Anchored::new("");
    anchored.configure(&format!(
        "{}[[anchor]]\nkind = \"rfc3161\"\nurl = \"http://{1}\"\nevery = 1\ntimeout = 20\n",
        witness_table(&attic, &format!("http://{}", deaf.local_addr().unwrap()))
            .replace("timeout = 5", "timeout = 20"),
        deaf.local_addr().unwrap()
    ));
    let mut collector = anchored.serve();
    std::thread::sleep(Duration::from_secs(1));
    let started = Instant::now();
    record(&collector, 50);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
    let started = Instant::now();
    collector.stop().unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "{:?}",
        started.elapsed()
    );
}
