//! An agent with a key signs what it sends; an agent with a token says who it is.

use std::collections::BTreeMap;
use std::time::Duration;

use ledger::producer::{AgentKey, Signed};
use recount::testing::Record;
use recount::{EndReason, Recorder, RecorderBuilder};

use crate::collector::{Collector, Reply};

const LONG: Duration = Duration::from_secs(10);

fn builder(collector: &Collector, folder: &tempfile::TempDir) -> RecorderBuilder {
    Recorder::builder("test")
        .collector(collector.url())
        .spool(folder.path().join("spool"))
        .new_agent_key(folder.path().join("key"))
        .unwrap()
}

fn bytes<const N: usize>(record: &Record, key: &str) -> Option<[u8; N]> {
    let list = record.attributes.get(key)?.as_array()?;
    let bytes: Vec<u8> = list.iter().map(|one| one.as_u64().unwrap() as u8).collect();
    Some(bytes.try_into().unwrap())
}

/// For each session, the number up to which a valid signature by this key covers it.
fn covered(collector: &Collector, recorder: &Recorder, key: &AgentKey) -> BTreeMap<String, i64> {
    let runs = collector.runs();
    let records = runs.values().next().unwrap();
    let mut covered = BTreeMap::new();
    for record in records {
        let Some(signature) = bytes::<64>(record, "recount.signature") else {
            continue;
        };
        assert_eq!(record.event, "agent.session.checkpoint");
        assert_eq!(bytes(record, "recount.signature.key"), Some(key.public()));
        let number = record.int("recount.signature.seq").unwrap();
        let of = &records[number as usize];
        let session = record.str("session.id").unwrap();
        assert_eq!(of.str("session.id"), Some(session));
        let signed = Signed {
            producer: *recorder.producer().as_bytes(),
            run: *recorder.run().as_bytes(),
            number: number as u64,
            link: bytes(of, "recount.chain").unwrap(),
            session,
        };
        assert!(signed.is_signed(&key.public(), &signature), "of {number}");
        covered.insert(session.to_owned(), number);
    }
    covered
}

#[test]
fn each_session_of_an_export_is_signed_up_to_its_end() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    let recorder = builder(&collector, &folder).build().unwrap();
    let seed = std::fs::read_to_string(folder.path().join("key")).unwrap();
    let key = AgentKey::parse(&seed).unwrap();
    let (one, two) = (recorder.session("1"), recorder.session("2"));
    let (one, two) = (one.start_blocking(), two.start_blocking());
    for session in [&one, &two, &one] {
        session.tool("send").begin_blocking().unwrap().end_success();
    }
    let ids = [one.id().to_string(), two.id().to_string()];
    one.end_blocking(EndReason::Completed);
    two.end_blocking(EndReason::Completed);
    assert!(recorder.close_blocking(LONG).is_none());
    let covered = covered(&collector, &recorder, &key);
    let records = collector.runs().into_values().next().unwrap();
    for id in ids {
        let mut of = records
            .iter()
            .filter(|record| record.str("session.id") == Some(&id));
        let end = of.rfind(|record| record.event == "agent.session.end");
        assert_eq!(covered.get(&id).copied(), end.unwrap().int("recount.seq"));
    }
    // The end and the signature over it travel together: the session is closed by both or neither.
    let last = collector.exports().last().cloned().unwrap();
    let last = Record::decode(last.items.last().unwrap()).unwrap();
    assert_eq!(last.event, "agent.session.checkpoint");
}

#[test]
fn what_is_sent_again_is_not_signed_again() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    collector.reply([Reply::Refuse(503, None), Reply::KeepInSilence]);
    let recorder = builder(&collector, &folder).build().unwrap();
    let session = recorder.session("1").start_blocking();
    session.tool("send").begin_blocking().unwrap().end_success();
    assert!(recorder.flush_blocking(LONG).is_none());
    let exports = collector.exports();
    assert_eq!(exports[0].items, exports[1].items[..exports[0].items.len()]);
    let records = collector.runs().into_values().next().unwrap();
    let signatures = records
        .iter()
        .filter(|record| record.attributes.contains_key("recount.signature"));
    assert_eq!(signatures.count(), 2, "{:?}", collector.names());
    session.end_blocking(EndReason::Completed);
}

#[test]
fn a_key_is_made_once_for_its_owner_only_and_a_missing_one_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    drop(builder(&collector, &folder).build().unwrap());
    let key = folder.path().join("key");
    let first = std::fs::read(&key).unwrap();
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    drop(builder(&collector, &folder).build().unwrap());
    assert_eq!(std::fs::read(&key).unwrap(), first);
    let nowhere = builder(&collector, &folder).agent_key(folder.path().join("none"));
    let error = nowhere.build().unwrap_err().to_string();
    assert!(
        error.contains("RECOUNT_AGENT_KEY") && error.contains("new_agent_key"),
        "{error}"
    );
    std::fs::write(&key, "sk").unwrap();
    let error = builder(&collector, &folder).build().unwrap_err();
    assert!(
        error.to_string().contains("64 hexadecimal digits"),
        "{error}"
    );
}

#[test]
fn a_token_travels_in_the_header_and_nowhere_else() {
    let (collector, folder) = (Collector::start(), tempfile::tempdir().unwrap());
    let token = "recount-token-of-this-agent";
    let recorder = builder(&collector, &folder).token(token).build().unwrap();
    let session = recorder.session("1").start_blocking();
    session.end_blocking(EndReason::Completed);
    assert!(recorder.flush_blocking(LONG).is_none());
    let exports = collector.exports();
    assert_eq!(exports[0].authorization, format!("Bearer {token}"));
    let inside = |bytes: &[u8]| {
        bytes
            .windows(token.len())
            .any(|part| part == token.as_bytes())
    };
    assert!(!exports.iter().any(|export| inside(&export.resource)));
    assert!(
        !exports
            .iter()
            .flat_map(|export| &export.items)
            .any(|item| inside(item))
    );
    assert!(!format!("{:?}", builder(&collector, &folder).token(token)).contains(token));
}
