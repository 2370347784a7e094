//! How many records a second the ledger seals durably, beside plain SQLite loops on the same disk in the same run.
//!
//! `cargo bench -p ledger --bench append [-- FOLDER]`. Records are 650-byte GenAI spans, 200 per session. The ledger
//! gets them as exports of 100 records from 4 and from 16 callers who wait for each answer. The loops are what somebody would
//! write instead: one wide row per span, 500 rows per commit, `synchronous=FULL`; once with what the same questions
//! need (`UNIQUE(trace_id, span_id)`, an index on session and start), once bare.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark stops where it fails"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ledger::envelope::{
    CollectorPart, Delivery, Encoding, Envelope, PrincipalProof, ProducerProof, RecordingMode,
    SessionRule, Signal,
};
use ledger::store::{
    Batch, InitOptions, Ledger, Named, Options, Prepared, Record, StreamBatch, StreamKey, init,
};
use rusqlite::{Connection, params};

const RECORDS: usize = 200_000;
const PER_EXPORT: usize = 100;
const PER_SESSION: usize = 200;

fn main() {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !arg.starts_with('-'))
        .collect();
    let above = args
        .iter()
        .find(|arg| arg.contains('/'))
        .map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = above.join(format!("recount-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    println!(
        "{RECORDS} records of {} bytes in {}",
        span(0, 0).len(),
        folder.display()
    );
    println!("fdatasync of one page: p50 {:?}", fdatasync(&folder));
    let indexed = sqlite(&folder.join("indexed.db"), true);
    let bare = sqlite(&folder.join("bare.db"), false);
    println!("plain SQLite, indexed           {}", rate(indexed));
    println!("plain SQLite, bare              {}", rate(bare));
    let wanted: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    for sessions in if wanted.is_empty() {
        vec![1, 10, 100]
    } else {
        wanted
    } {
        for callers in [4, 16] {
            let (took, bytes) = ledger(
                &folder.join(format!("ledger-{sessions}-{callers}")),
                callers,
                sessions,
            );
            println!(
                "{callers:>2} callers, {sessions:>3} sessions/export {}; {:.2} x indexed, {:.2} x bare; {} bytes/record",
                rate(took),
                indexed.wall.as_secs_f64() / took.wall.as_secs_f64(),
                bare.wall.as_secs_f64() / took.wall.as_secs_f64(),
                bytes / RECORDS as u64,
            );
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Wall clock and processor time of one part of the run.
#[derive(Clone, Copy)]
struct Took {
    wall: Duration,
    cpu: Duration,
}

struct Meter {
    wall: Instant,
    cpu: Duration,
}

impl Meter {
    fn start() -> Self {
        Self {
            wall: Instant::now(),
            cpu: cpu(),
        }
    }

    fn stop(&self) -> Took {
        Took {
            wall: self.wall.elapsed(),
            cpu: cpu().saturating_sub(self.cpu),
        }
    }
}

/// Processor time of this process so far, from Linux's /proc, in steps of 10 ms; zero elsewhere.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = text.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: u64 = fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    Duration::from_millis(10 * ticks)
}

fn rate(took: Took) -> String {
    let cpu = took.cpu.as_secs_f64() * 1e6 / RECORDS as f64;
    format!(
        "{:>8.0} records/s, {cpu:>4.1} us of processor each",
        RECORDS as f64 / took.wall.as_secs_f64()
    )
}

fn fdatasync(folder: &Path) -> Duration {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::create(folder.join("sync")).unwrap();
    let mut times: Vec<Duration> = (0..100)
        .map(|i| {
            file.write_all_at(&[i; 4096], 0).unwrap();
            let start = Instant::now();
            file.sync_data().unwrap();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[50]
}

/// A cheap generator of bytes that no compressor can guess.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

const WORDS: [&str; 16] = [
    "renewal",
    "customer",
    "contract",
    "expires",
    "draft",
    "email",
    "account",
    "support",
    "ticket",
    "enterprise",
    "discount",
    "pending",
    "review",
    "stage",
    "owner",
    "quarter",
];

/// The protobuf body of one GenAI span, about 650 bytes: ids, times, name, attributes.
fn span(session: usize, i: usize) -> Vec<u8> {
    let seed = mix((session as u64) << 32 | i as u64);
    let mut out = Vec::with_capacity(700);
    let field = |out: &mut Vec<u8>, number: u8, bytes: &[u8]| {
        out.push(number << 3 | 2);
        let mut len = bytes.len();
        while len > 127 {
            out.push((len & 127) as u8 | 128);
            len >>= 7;
        }
        out.push(len as u8);
        out.extend_from_slice(bytes);
    };
    let trace = [
        mix(session as u64).to_be_bytes(),
        mix(session as u64 + 7).to_be_bytes(),
    ]
    .concat();
    field(&mut out, 1, &trace);
    field(&mut out, 2, &seed.to_be_bytes());
    field(&mut out, 4, &mix(seed).to_be_bytes());
    field(&mut out, 5, b"chat gpt-4.1-mini");
    out.push(7 << 3 | 1);
    out.extend_from_slice(&(1_780_000_000_000_000_000 + i as u64 * 1_000_003).to_le_bytes());
    out.push(8 << 3 | 1);
    out.extend_from_slice(&(1_780_000_000_700_000_000 + i as u64 * 1_000_003).to_le_bytes());
    let text: String = (0..36)
        .map(|w| format!("{} ", WORDS[(mix(seed + w) % 16) as usize]))
        .collect();
    let attributes = [
        ("gen_ai.operation.name", "chat".to_owned()),
        ("gen_ai.provider.name", "openai".to_owned()),
        ("gen_ai.request.model", "gpt-4.1-mini".to_owned()),
        ("gen_ai.response.id", format!("chatcmpl-{seed:016x}")),
        ("gen_ai.usage.input_tokens", (seed % 4000).to_string()),
        ("gen_ai.usage.output_tokens", (seed % 700).to_string()),
        ("session.id", format!("session-{session}")),
        ("gen_ai.output.messages", text),
    ];
    for (key, value) in attributes {
        let mut pair = Vec::new();
        field(&mut pair, 1, key.as_bytes());
        let mut any = Vec::new();
        field(&mut any, 1, value.as_bytes());
        field(&mut pair, 2, &any);
        field(&mut out, 9, &pair);
    }
    out
}

fn ledger(dir: &Path, callers: usize, per_export: usize) -> (Took, u64) {
    let clock = || {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos() as u64
    };
    init(
        dir,
        &InitOptions {
            origin: None,
            now_ns: clock(),
        },
    )
    .unwrap();
    let ledger = Ledger::open(dir, Options::new(Arc::new(clock))).unwrap();
    // Spans are made beforehand: the loops below get theirs ready-made, too.
    let work: Vec<Vec<Vec<Vec<u8>>>> = (0..callers)
        .map(|caller| exports(caller, callers, per_export))
        .collect();
    let start = Meter::start();
    std::thread::scope(|scope| {
        for (caller, exports) in work.iter().enumerate() {
            let ledger = &ledger;
            let named = std::thread::Builder::new().name("caller".into());
            let spawned = named.spawn_scoped(scope, move || {
                for (n, export) in exports.iter().enumerate() {
                    ledger
                        .append_and_wait(batch(caller, per_export, n, export, clock()))
                        .unwrap();
                }
            });
            spawned.unwrap();
        }
    });
    let took = start.stop();
    ledger.close().unwrap();
    (
        took,
        std::fs::metadata(dir.join("ledger.db")).unwrap().len(),
    )
}

/// Which session record `r` of export `n` belongs to.
fn session(caller: usize, per_export: usize, n: usize, r: usize) -> usize {
    let exports_per_session = (PER_SESSION * per_export / PER_EXPORT).max(1);
    (caller * 1_000_000) + (n / exports_per_session) * per_export + r % per_export
}

fn exports(caller: usize, callers: usize, per_export: usize) -> Vec<Vec<Vec<u8>>> {
    let count = RECORDS / callers / PER_EXPORT;
    let export = |n: usize| {
        (0..PER_EXPORT)
            .map(|r| span(session(caller, per_export, n, r), n * PER_EXPORT + r))
            .collect()
    };
    (0..count).map(export).collect()
}

const RESOURCE: &[u8] = b"\x0a\x21\x0a\x0cservice.name\x12\x11\x0a\x0frenewal-agent-1\x0a\x1a\x0a\x0fservice.version\x12\x07\x0a\x051.2.3";
const SCOPE: &[u8] = b"\x0a\x1dopentelemetry.instrumentation\x12\x061.30.0";

fn batch(caller: usize, per_export: usize, n: usize, export: &[Vec<u8>], now_ns: u64) -> Batch {
    let mut streams = Vec::with_capacity(per_export);
    for s in 0..per_export {
        let name = session(caller, per_export, n, s);
        let label = format!("session-{name}");
        let collector = CollectorPart {
            session_rule: SessionRule::SessionAttribute,
            producer_proof: ProducerProof::None,
            recording_mode: RecordingMode::SelfRecorded,
            delivery: Delivery::Plain,
            principal_proof: PrincipalProof::None,
            session_label: label.clone(),
            producer: "unauthenticated:http".into(),
            claimed_producer: "renewal-agent-1".into(),
            masks: vec![],
            enrolled_key: None,
        }
        .encode()
        .unwrap();
        let records: Vec<Record<'_>> = export
            .iter()
            .skip(s)
            .step_by(per_export)
            .map(|item| Record {
                envelope: Envelope {
                    encoding: Encoding::Protobuf,
                    signal: Signal::Traces,
                    collector: &collector,
                    resource: RESOURCE,
                    resource_schema_url: b"https://opentelemetry.io/schemas/1.37.0",
                    scope: SCOPE,
                    scope_schema_url: b"",
                    item,
                },
                flags: 0,
                received_ns: now_ns,
            })
            .collect();
        streams.push(StreamBatch {
            key: StreamKey {
                label,
                rule: SessionRule::SessionAttribute,
                producer: "unauthenticated:http".into(),
                proof: ProducerProof::None,
                claim: "renewal-agent-1".into(),
            },
            records: Prepared::new(&records).unwrap(),
            run: None,
            requests: vec![Named {
                name: format!("request-{name}"),
                rule: 1,
                evidence: 0,
            }],
            links: vec![],
            close: None,
        });
    }
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&mix((caller * 1_000_000 + n) as u64).to_be_bytes());
    Batch {
        streams,
        refused: vec![],
        digest: Some(digest),
        owners: None,
    }
}

/// One wide row per span, 500 per commit.
fn sqlite(path: &Path, indexed: bool) -> Took {
    let mut connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
             CREATE TABLE span (trace_id BLOB, span_id BLOB, parent_id BLOB, session TEXT, request TEXT, name TEXT,
               model TEXT, start_ns INTEGER, end_ns INTEGER, status INTEGER, input_tokens INTEGER,
               output_tokens INTEGER, attributes BLOB);",
        )
        .unwrap();
    if indexed {
        connection
            .execute_batch(
                "CREATE UNIQUE INDEX span_id ON span (trace_id, span_id);
                 CREATE INDEX span_session ON span (session, start_ns);",
            )
            .unwrap();
    }
    let rows: Vec<(usize, Vec<u8>)> = (0..RECORDS)
        .map(|i| (i / PER_SESSION, i))
        .map(|(session, i)| (session, span(session, i)))
        .collect();
    let start = Meter::start();
    for some in rows.chunks(500) {
        let transaction = connection.transaction().unwrap();
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO span VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)")
                .unwrap();
            for (session, body) in some {
                let start_ns = i64::from_le_bytes(body[58..66].try_into().unwrap_or_default());
                insert
                    .execute(params![
                        &body[2..18],
                        &body[20..28],
                        &body[30..38],
                        format!("session-{session}"),
                        format!("request-{session}"),
                        "chat gpt-4.1-mini",
                        "gpt-4.1-mini",
                        start_ns,
                        start_ns + 700_000,
                        0,
                        100,
                        200,
                        &body[38..],
                    ])
                    .unwrap();
            }
        }
        transaction.commit().unwrap();
    }
    start.stop()
}
