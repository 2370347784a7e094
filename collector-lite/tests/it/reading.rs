//! The reader door shows exactly what lies in the folder, while the collector writes.

use std::os::unix::fs::PermissionsExt;

use collector_lite::Hidden;
use ledger::door::Door;
use ledger::leaf::RECORD_LEAF;
use ledger::note::VerifierKey;
use ledger::proof::RecordProof;
use ledger::reader::{Find, Log, ReadError, Reader};
use ledger::store::Folder;
use ledger::tree::hash_leaf;
use ledger::verify::{Trusted, verify_all};

use crate::harness::{JSON, Lab, logs_json, post, record_json};

fn send(collector: &Hidden, session: &str, request: &str, count: usize) {
    let record = record_json(
        "hello",
        &[("session.id", session), ("recount.request.id", request)],
    );
    let records: Vec<&str> = std::iter::repeat_n(record.as_str(), count).collect();
    assert_eq!(
        post(
            collector,
            "/v1/logs",
            &[JSON],
            logs_json(&records).as_bytes()
        )
        .status,
        200
    );
}

fn json(door: &Door, path: &str) -> serde_json::Value {
    serde_json::from_slice(&door.get(path).unwrap()).unwrap()
}

#[test]
fn the_door_and_the_folder_show_the_same() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    send(&collector, "s-1", "47892", 1500);
    send(&collector, "s-2", "a/b ?&%", 3);
    let door = Door::socket(&lab.socket());
    let report = verify_all(&door, &Trusted::FirstSeen, &mut |_| {}).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(report.records, 1503);
    let hints = door.find(&Find::All).unwrap();
    let through: Vec<_> = hints
        .iter()
        .map(|hint| door.records(&hint.stream, 0, u64::MAX).unwrap())
        .collect();
    let part = door.records(&hints[0].stream, 510, 515).unwrap();
    assert_eq!(
        part.iter().map(|record| record.index).collect::<Vec<_>>(),
        [510, 511, 512, 513, 514]
    );
    let tile = door.tile(Log::Stream(hints[0].stream), 0, 1).unwrap();
    assert_eq!(
        door.find(&Find::Request("a/b ?&%".into())).unwrap()[0].label,
        "s-2"
    );
    assert_eq!(door.find(&Find::Request("nothing".into())).unwrap(), []);
    let control = door.control(0, u64::MAX).unwrap();
    collector.kill().unwrap();

    let folder = Folder::open(&lab.store()).unwrap();
    let direct: Vec<_> = hints
        .iter()
        .map(|hint| folder.records(&hint.stream, 0, u64::MAX).unwrap())
        .collect();
    assert_eq!(through, direct);
    assert_eq!(
        tile,
        folder.tile(Log::Stream(hints[0].stream), 0, 1).unwrap()
    );
    assert!(folder.control(0, u64::MAX).unwrap().starts_with(&control));
}

#[test]
fn views_say_who_checked_them() {
    let lab = Lab::new();
    let collector = lab.serve();
    send(&collector, "s-1", "47892", 2);
    let door = Door::socket(&lab.socket());
    let sessions = json(&door, "/v1/sessions");
    assert_eq!(sessions["checked_by"], "nobody");
    assert_eq!(
        (
            &sessions["sessions"][0]["session"],
            &sessions["sessions"][0]["records"]
        ),
        (&"s-1".into(), &2.into())
    );
    let bindings = json(&door, "/v1/bindings/47892");
    assert_eq!(bindings["bindings"][0]["request"], "47892");
    let records = json(&door, "/v1/sessions/s-1/records");
    assert_eq!(
        records["streams"][0]["records"].as_array().unwrap().len(),
        2
    );
    let account = json(&door, "/v1/account/47892");
    assert_eq!(
        (&account["schema"], &account["query"]["checked_by"]),
        (&"recount.account/1".into(), &"collector".into())
    );
    assert_eq!(json(&door, "/healthz")["state"], "recording");
    let metrics = String::from_utf8(door.get("/metrics").unwrap()).unwrap();
    assert!(metrics.contains("recount_records_total 2\n"), "{metrics}");
    assert!(matches!(
        door.get("/v1/account/unheard-of"),
        Err(ReadError::Damaged { .. })
    ));
}

#[test]
fn lists_are_kept_by_the_filters_of_the_screens() {
    let lab = Lab::new();
    let collector = lab.serve();
    send(&collector, "s-1", "47892", 2);
    send(&collector, "s-2", "500", 2);
    let door = Door::socket(&lab.socket());
    let sessions = |filter: &str| {
        let answer = json(&door, &format!("/v1/sessions?where={filter}"));
        answer["sessions"].as_array().unwrap().len()
    };
    assert_eq!(
        (sessions(""), sessions("request:500"), sessions("s-1")),
        (2, 1, 1)
    );
    assert_eq!(sessions("until:2000-01-01T00:00:00Z"), 0);
    let all = json(&door, "/v1/account/47892/actions");
    assert_eq!(all["checked_by"], "collector");
    assert_eq!(all["kept"], all["total"]);
    let none = json(&door, "/v1/account/47892/actions?where=request:500");
    assert_eq!((&none["kept"], &none["total"]), (&0.into(), &all["total"]));
    let one = json(&door, "/v1/account/47892/actions?most=0");
    assert_eq!(one["actions"], serde_json::json!([]));
    let long = "x".repeat(1025);
    for wrong in ["kidn:http", "(a", &long] {
        assert!(door.get(&format!("/v1/sessions?where={wrong}")).is_err());
        let actions = format!("/v1/account/47892/actions?where={wrong}");
        assert!(door.get(&actions).is_err(), "{wrong}");
    }
}

#[test]
fn tiles_lie_under_their_c2sp_paths() {
    let lab = Lab::new();
    let collector = lab.serve();
    send(&collector, "s-1", "47892", 300);
    let door = Door::socket(&lab.socket());
    let stream = door.find(&Find::All).unwrap()[0].stream;
    assert_eq!(
        door.get(&format!("/stream/{stream}/tile/0/000"))
            .unwrap()
            .len(),
        256 * 32
    );
    assert_eq!(
        door.get(&format!("/stream/{stream}/tile/0/001.p/44"))
            .unwrap()
            .len(),
        44 * 32
    );
    assert!(
        door.get(&format!("/stream/{stream}/tile/0/001.p/45"))
            .is_err()
    );
    assert_eq!(door.get("/tile/0/000.p/3").unwrap().len(), 3 * 32);
    // Its first leaf would lie beyond 2^64.
    let beyond = door.get("/tile/0/x018/x446/x744/x073/x709/x551/615");
    let why = beyond.unwrap_err().to_string();
    assert!(why.contains("there is no /tile/"), "{why}");
    assert!(
        door.get("/checkpoint")
            .unwrap()
            .starts_with(b"recount.local/")
    );
}

/// The entries of a bundle, each after its length in two bytes.
fn entries(mut bundle: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk() {
        let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        found.push(entry.to_vec());
        bundle = rest;
    }
    found
}

#[test]
fn entry_bundles_are_the_leaves_under_the_tiles() {
    let lab = Lab::new();
    let collector = lab.serve();
    send(&collector, "s-1", "47892", 300);
    let door = Door::socket(&lab.socket());
    let stream = door.find(&Find::All).unwrap()[0].stream;
    let size = door.state().unwrap().size;
    for (log, tile) in [
        (format!("/stream/{stream}"), "000".to_owned()),
        (format!("/stream/{stream}"), "001.p/44".to_owned()),
        (String::new(), format!("000.p/{size}")),
    ] {
        let hashes = door.get(&format!("{log}/tile/0/{tile}")).unwrap();
        let bundle = door.get(&format!("{log}/tile/entries/{tile}")).unwrap();
        let hashed: Vec<u8> = entries(&bundle)
            .iter()
            .flat_map(|leaf| hash_leaf(leaf))
            .collect();
        assert_eq!(hashed, hashes, "{log} {tile}");
    }
    // Leaves and nothing else: neither what a record says nor a private part.
    let bundle = door.get(&format!("/tile/entries/000.p/{size}")).unwrap();
    let control = door.control(0, size).unwrap();
    let leaves: Vec<_> = control.iter().map(|stored| stored.leaf.clone()).collect();
    assert_eq!(entries(&bundle), leaves);
    let records = door
        .get(&format!("/stream/{stream}/tile/entries/000"))
        .unwrap();
    assert_eq!(records.len(), 256 * (2 + RECORD_LEAF));
    for missing in [
        "/tile/entries/001",
        "/tile/entries/000.p/0",
        "/tile/entries/0",
    ] {
        assert!(door.get(missing).is_err(), "{missing}");
    }
}

#[test]
fn a_record_is_proven_through_the_door() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    send(&collector, "s-1", "47892", 20);
    // A stop signs a head; what runs next covers it.
    assert!(collector.stop().unwrap().success());
    let collector = lab.serve();
    let door = Door::socket(&lab.socket());
    let key = std::fs::read_to_string(lab.store().join("ledger.pub")).unwrap();
    let key = VerifierKey::parse(key.trim()).unwrap();
    let one = door.get("/v1/proof/47892%2314").unwrap();
    let included = RecordProof::parse(&one).unwrap().verify(&key).unwrap();
    assert_eq!(included.record.index, 14);
    assert!(one.len() < 2048, "{}", one.len());
    let long = door.get("/v1/proof/47892%23s1a%23014").unwrap();
    let long = RecordProof::parse(&long).unwrap();
    assert_eq!(long.record, included.record.encode());
    for (path, words) in [
        ("/v1/proof/47892%2320", "there is no"),
        ("/v1/proof/47892%23s9a%231", "there is no"),
        ("/v1/proof/unheard-of%231", "there is no"),
        ("/v1/proof/47892", "it answers 400"),
    ] {
        let why = door.get(path).unwrap_err().to_string();
        assert!(why.contains(words), "{path}: {why}");
    }
    // Behind the newest head there is nothing to prove it by.
    send(&collector, "s-2", "50001", 1);
    let why = door.get("/v1/proof/50001%230").unwrap_err().to_string();
    assert!(why.contains("it answers 409"), "{why}");
}

#[test]
fn the_socket_is_closed_to_others_and_goes_with_the_collector() {
    let lab = Lab::new();
    let mut collector = lab.serve();
    let mode = std::fs::metadata(lab.socket())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o007, 0);
    assert!(collector.stop().unwrap().success());
    assert!(!lab.socket().exists());
}

#[test]
fn a_reader_over_tcp_needs_the_token() {
    let lab = Lab::new();
    let token = lab.dir.path().join("token");
    std::fs::write(&token, "0123456789abcdef\n").unwrap();
    let collector = lab.serve_with(&[
        "--reader",
        "127.0.0.1:0",
        "--reader-token-file",
        token.to_str().unwrap(),
    ]);
    let address = collector.ready().reader.clone().unwrap();
    assert!(Door::tcp(&address, "0123456789abcdef").state().is_ok());
    let refused = Door::tcp(&address, "0123456789abcdeX").state();
    assert!(
        matches!(refused, Err(ReadError::NotAllowed { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_live_tail_shows_each_record_as_it_is_sealed() {
    use std::io::{BufRead, BufReader, Write};

    let lab = Lab::new();
    let collector = lab.serve();
    let mut stream = std::os::unix::net::UnixStream::connect(lab.socket()).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(10)))
        .unwrap();
    stream
        .write_all(b"GET /v1/tail?request=47892 HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("200"));
    while !lines.next().unwrap().is_empty() {}
    send(&collector, "other", "1", 1);
    send(&collector, "s-1", "47892", 1);
    let data = lines
        .find_map(|line| line.strip_prefix("data: ").map(str::to_owned))
        .unwrap();
    let record: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!(
        (&record["label"], &record["index"]),
        (&"s-1".into(), &0.into())
    );
    assert!(record["envelope"].is_string());
}
