//! Chains and signatures of producers, over envelopes as a collector seals them.

use ledger::envelope::{
    CollectorPart, Delivery, Encoding, Envelope, Mask, Part, PrincipalProof, ProducerProof,
    RecordingMode, SessionRule, Signal,
};
use ledger::leaf::StreamId;
use ledger::producer::{AgentKey, Signed, link};
use ledger::verify::report::Producers;
use sha2::{Digest, Sha256};

use super::Watch;

const STREAM: StreamId = StreamId([1; 32]);
const OTHER: StreamId = StreamId([2; 32]);

fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let len = u8::try_from(content.len()).unwrap();
    let len = if len < 128 {
        vec![len]
    } else {
        vec![len | 128, 1]
    };
    [&[number << 3 | 2], &len[..], content].concat()
}

fn pair(number: u8, name: &str, value: &[u8]) -> Vec<u8> {
    field(
        number,
        &[field(1, name.as_bytes()), field(2, value)].concat(),
    )
}

/// A run of a producer that writes records of one session.
struct Run {
    key: AgentKey,
    next: u8,
    last: [u8; 32],
}

impl Run {
    fn new() -> Self {
        Self {
            key: AgentKey::new(&[9; 32]),
            next: 0,
            last: [0; 32],
        }
    }

    fn item(&mut self, more: &[u8]) -> Vec<u8> {
        let mut item = [
            pair(6, "session.id", &field(1, b"s")),
            pair(6, "recount.seq", &[3 << 3, self.next]),
            more.to_vec(),
            pair(6, "recount.chain", &field(7, &[0; 32])),
        ]
        .concat();
        let front = item.len() - 32;
        self.last = link(
            &self.last,
            u64::from(self.next),
            &Sha256::digest(&item).into(),
        );
        item[front..].copy_from_slice(&self.last);
        self.next += 1;
        item
    }

    /// A record that signs the one before it, or what is said instead.
    fn signature(&mut self, session: &str) -> Vec<u8> {
        let number = self.next - 1;
        let signature = self.key.sign(&Signed {
            producer: [7; 16],
            run: [8; 16],
            number: u64::from(number),
            link: self.last,
            session,
        });
        self.item(
            &[
                pair(6, "recount.signature", &field(7, &signature)),
                pair(6, "recount.signature.key", &field(7, &self.key.public())),
                pair(6, "recount.signature.seq", &[3 << 3, number]),
            ]
            .concat(),
        )
    }
}

fn see(watch: &mut Watch, stream: &StreamId, index: u64, item: &[u8], masked: bool) {
    see_of(watch, (stream, index), item, masked, None);
}

fn see_of(
    watch: &mut Watch,
    (stream, index): (&StreamId, u64),
    item: &[u8],
    masked: bool,
    enrolled: Option<[u8; 32]>,
) {
    let mask = Mask {
        part: Part::Item,
        offset: 0,
        length: 1,
        rule: "test".to_owned(),
    };
    let collector = CollectorPart {
        session_rule: SessionRule::SessionAttribute,
        producer_proof: ProducerProof::Asserted,
        recording_mode: RecordingMode::SelfRecorded,
        delivery: Delivery::Plain,
        principal_proof: PrincipalProof::None,
        session_label: "s".to_owned(),
        producer: "unauthenticated:otlp-http".to_owned(),
        claimed_producer: String::new(),
        masks: masked.then_some(mask).into_iter().collect(),
        enrolled_key: enrolled,
    };
    let resource = [
        pair(1, "recount.producer", &field(1, "07".repeat(16).as_bytes())),
        pair(1, "recount.run", &field(1, "08".repeat(16).as_bytes())),
    ]
    .concat();
    let envelope = Envelope {
        encoding: Encoding::Protobuf,
        signal: Signal::Logs,
        collector: &collector.encode().unwrap(),
        resource: &resource,
        resource_schema_url: b"",
        scope: b"",
        scope_schema_url: b"",
        item,
    };
    watch.record(stream, index, Some(&envelope));
}

fn over(items: &[Vec<u8>]) -> Producers {
    let mut watch = Watch::default();
    for (index, item) in items.iter().enumerate() {
        see(&mut watch, &STREAM, index as u64, item, false);
    }
    watch.finish_whole()
}

/// Three records, a signature, one more.
fn items() -> Vec<Vec<u8>> {
    let mut run = Run::new();
    let mut items: Vec<Vec<u8>> = (0..3).map(|_| run.item(b"")).collect();
    items.push(run.signature("s"));
    items.push(run.item(b""));
    items
}

#[test]
fn a_signature_covers_what_is_in_front_of_it_and_not_what_follows() {
    let found = over(&items());
    assert!(found.broken.is_empty(), "{:?}", found.broken);
    assert_eq!((found.records, found.numbered, found.signatures), (5, 5, 1));
    assert_eq!((found.signed, found.enrolled), (3, 0));
    assert_eq!(found.keys.len(), 1);
    assert_eq!(found.keys[0].key, AgentKey::new(&[9; 32]).public());
    assert_eq!(found.missing, Some(0));
}

#[test]
fn an_enrolled_key_is_told_from_some_key() {
    let own = AgentKey::new(&[9; 32]).public();
    for (enrolled, covered) in [(Some(own), 3), (Some([1; 32]), 0), (None, 0)] {
        let mut watch = Watch::default();
        for (index, item) in items().iter().enumerate() {
            see_of(&mut watch, (&STREAM, index as u64), item, false, enrolled);
        }
        let found = watch.finish();
        assert_eq!((found.signed, found.enrolled), (3, covered));
        let owner = (covered > 0).then_some("unauthenticated:otlp-http");
        assert_eq!(found.keys[0].owner.as_deref(), owner);
    }
}

#[test]
fn a_byte_that_was_changed_breaks_the_chain() {
    for at in 0..3 {
        let mut items = items();
        // In the session's name: the marks are still read.
        let name = items[at]
            .windows(10)
            .position(|it| it == b"session.id")
            .unwrap();
        items[at][name + 14] ^= 1;
        let found = over(&items);
        assert_eq!(found.broken.len(), 1, "{at}: {:?}", found.broken);
        assert!(found.broken[0].contains("does not follow"));
    }
}

#[test]
fn a_signature_for_another_session_is_broken() {
    let mut run = Run::new();
    let items = [run.item(b""), run.signature("t")];
    let found = over(&items);
    assert_eq!(found.signed, 0);
    assert!(
        found.broken[0].contains("does not hold for number 0"),
        "{:?}",
        found.broken
    );
}

#[test]
fn a_record_that_is_left_out_is_missing_and_ends_what_is_covered() {
    let mut items = items();
    items.remove(1);
    let found = over(&items);
    assert!(found.broken.is_empty());
    assert_eq!(found.missing, Some(1));
    // Of number 2 only the link is known, not what it is over.
    assert_eq!(found.signed, 0);
}

#[test]
fn a_masked_record_is_not_covered_and_breaks_nothing() {
    let mut watch = Watch::default();
    for (index, item) in items().iter().enumerate() {
        see(&mut watch, &STREAM, index as u64, item, index == 1);
    }
    let found = watch.finish_whole();
    assert!(found.broken.is_empty());
    assert_eq!((found.signed, found.missing), (1, Some(0)));
}

#[test]
fn a_run_over_two_streams_is_put_together_whichever_comes_first() {
    let items = items();
    for turned in [false, true] {
        let mut watch = Watch::default();
        let streams = [(STREAM, [0, 2, 3]), (OTHER, [1, 4, 4])];
        let mut streams = streams.to_vec();
        if turned {
            streams.reverse();
        }
        for (stream, which) in streams {
            for (index, at) in which.into_iter().enumerate() {
                see(&mut watch, &stream, index as u64, &items[at], false);
            }
        }
        let found = watch.finish_whole();
        assert!(found.broken.is_empty(), "{:?}", found.broken);
        assert_eq!((found.signed, found.missing), (3, Some(0)));
    }
}
