//! Folders, clocks and batches for the tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ledger::envelope::{
    CollectorPart, Delivery, Encoding, Envelope, PrincipalProof, ProducerProof, RecordingMode,
    SessionRule, Signal,
};
use ledger::store::{
    Batch, Clock, Folder, InitOptions, Ledger, Named, Options, Prepared, Receipt, Record, Run,
    StreamBatch, StreamKey, init,
};

pub(crate) const START_NS: u64 = 1_780_000_000_000_000_000;

/// A clock that a test moves.
#[derive(Clone, Default)]
pub(crate) struct TestClock(Arc<AtomicU64>);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_nanos() as u64, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> u64 {
        START_NS + self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn clock(&self) -> Clock {
        let this = self.clone();
        // Every look takes a microsecond, so that times differ.
        Arc::new(move || {
            this.0.fetch_add(1000, Ordering::SeqCst);
            this.now()
        })
    }
}

/// A ledger in a folder of its own.
pub(crate) struct Place {
    pub(crate) temp: tempfile::TempDir,
    pub(crate) clock: TestClock,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self {
            temp: tempfile::tempdir().unwrap(),
            clock: TestClock::default(),
        };
        init(
            &place.dir(),
            &InitOptions {
                origin: None,
                now_ns: START_NS,
            },
        )
        .unwrap();
        place
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.temp.path().join("store")
    }

    pub(crate) fn options(&self) -> Options {
        let mut options = Options::new(self.clock.clock());
        options.sign_soon = Duration::from_millis(1);
        options.sign_late = Duration::from_millis(1);
        // The test's clock says nothing about this machine's, nor this machine's disk about the test.
        options.boot_clock = Arc::new(|| None);
        options.space_of = Arc::new(|_| None);
        options
    }

    pub(crate) fn open(&self) -> Ledger {
        Ledger::open(&self.dir(), self.options()).unwrap()
    }

    pub(crate) fn read(&self) -> Folder {
        Folder::open(&self.dir()).unwrap()
    }
}

/// The bytes of record `i` of a session, told apart from all others.
pub(crate) fn item(label: &str, i: u64) -> Vec<u8> {
    format!(
        "{{\"session\":\"{label}\",\"i\":{i},\"text\":\"{}\"}}",
        "lorem ipsum ".repeat(8)
    )
    .into_bytes()
}

/// A part of an export: records `from..to` of one session.
pub(crate) fn part(label: &str, from: u64, to: u64) -> StreamBatch {
    let items: Vec<Vec<u8>> = (from..to).map(|i| item(label, i)).collect();
    prepare(label, b"{}", &items, from)
}

pub(crate) fn prepare(label: &str, resource: &[u8], items: &[Vec<u8>], from: u64) -> StreamBatch {
    let nobody = ("unauthenticated:http", ProducerProof::None);
    prepare_of(nobody, label, resource, items, from)
}

/// As [`prepare`], of a sender of this name, which is proven so.
fn prepare_of(
    (producer, proof): (&str, ProducerProof),
    label: &str,
    resource: &[u8],
    items: &[Vec<u8>],
    from: u64,
) -> StreamBatch {
    let collector = CollectorPart {
        session_rule: SessionRule::SessionAttribute,
        producer_proof: proof,
        recording_mode: RecordingMode::SelfRecorded,
        delivery: Delivery::Plain,
        principal_proof: PrincipalProof::None,
        session_label: label.to_owned(),
        producer: producer.to_owned(),
        claimed_producer: String::new(),
        masks: vec![],
        enrolled_key: None,
    }
    .encode()
    .unwrap();
    let records: Vec<Record<'_>> = items
        .iter()
        .zip(from..)
        .map(|(item, i)| Record {
            envelope: Envelope {
                encoding: Encoding::Json,
                signal: Signal::Logs,
                collector: &collector,
                resource,
                resource_schema_url: b"",
                scope: b"{}",
                scope_schema_url: b"",
                item,
            },
            flags: 0,
            received_ns: START_NS + i,
        })
        .collect();
    StreamBatch {
        key: StreamKey {
            label: label.to_owned(),
            rule: SessionRule::SessionAttribute,
            producer: producer.to_owned(),
            proof,
            claim: String::new(),
        },
        records: Prepared::new(&records).unwrap(),
        run: None,
        requests: vec![Named {
            name: format!("request of {label}"),
            rule: 1,
            evidence: 0,
        }],
        links: vec![Named {
            name: label.to_owned(),
            rule: 2,
            evidence: 0,
        }],
        close: None,
    }
}

/// The bytes of record `i` of an SDK's run.
pub(crate) fn numbered_item(label: &str, i: u64) -> Vec<u8> {
    let attribute = format!("{{\"key\":\"recount.seq\",\"value\":{{\"intValue\":\"{i}\"}}}}");
    format!("{{\"eventName\":\"{label}\",\"attributes\":[{attribute}]}}").into_bytes()
}

/// As [`part`], numbered by an SDK run.
pub(crate) fn numbered(label: &str, run: &str, from: u64, to: u64) -> StreamBatch {
    let nobody = ("unauthenticated:http", ProducerProof::None);
    numbered_of(nobody, label, run, from, to)
}

/// As [`numbered`], of a sender of this name, which is proven so.
pub(crate) fn numbered_of(
    sender: (&str, ProducerProof),
    label: &str,
    run: &str,
    from: u64,
    to: u64,
) -> StreamBatch {
    let text = |key: &str, value: &str| {
        format!("{{\"key\":\"{key}\",\"value\":{{\"stringValue\":\"{value}\"}}}}")
    };
    let attributes = [text("recount.producer", "p"), text("recount.run", run)].join(",");
    let resource = format!("{{\"attributes\":[{attributes}]}}").into_bytes();
    let items: Vec<Vec<u8>> = (from..to).map(|i| numbered_item(label, i)).collect();
    let mut part = prepare_of(sender, label, &resource, &items, from);
    part.run = Some(Run {
        producer: "p".into(),
        run: run.into(),
        sequence: (from..to).collect(),
        lost: vec![],
    });
    part
}

pub(crate) fn batch(streams: Vec<StreamBatch>) -> Batch {
    Batch {
        streams,
        ..Batch::default()
    }
}

pub(crate) fn append(ledger: &Ledger, streams: Vec<StreamBatch>) -> Receipt {
    ledger.append_and_wait(batch(streams)).unwrap()
}

/// Name, length, times and bytes of something in a folder.
pub(crate) type Seen = (PathBuf, u64, (i64, i64, i64, i64), Vec<u8>);

/// Everything in a folder.
pub(crate) fn snapshot(dir: &Path) -> Vec<Seen> {
    use std::os::unix::fs::MetadataExt;
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)
            .unwrap()
            .map(Result::unwrap)
            .chain(None)
        {
            let meta = entry.metadata().unwrap();
            let times = (
                meta.mtime(),
                meta.mtime_nsec(),
                meta.ctime(),
                meta.ctime_nsec(),
            );
            let bytes = if meta.is_file() {
                std::fs::read(entry.path()).unwrap()
            } else {
                Vec::new()
            };
            found.push((entry.path(), meta.len(), times, bytes));
            if meta.is_dir() {
                folders.push(entry.path());
            }
        }
        let meta = std::fs::metadata(&folder).unwrap();
        found.push((
            folder,
            0,
            (
                meta.mtime(),
                meta.mtime_nsec(),
                meta.ctime(),
                meta.ctime_nsec(),
            ),
            vec![],
        ));
    }
    found.sort();
    found
}
