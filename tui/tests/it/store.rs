//! A real ledger in a temporary folder, for the commands to look at.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ledger::envelope::{
    CollectorPart, Delivery, Encoding, Envelope, PrincipalProof, ProducerProof, RecordingMode,
    SessionRule, Signal,
};
use ledger::store::{
    Batch, Close, InitOptions, Ledger, Named, Options, Prepared, Record, StreamBatch, StreamKey,
    init,
};
use serde_json::{Value, json};

/// 2026-03-14T09:12:04Z.
const START_NS: u64 = 1_773_479_524_000_000_000;

/// The ledger's folder and a home folder, gone when this is dropped.
pub(crate) struct Store {
    temp: tempfile::TempDir,
}

impl Store {
    pub(crate) fn dir(&self) -> PathBuf {
        self.temp.path().join("store")
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.temp.path().join("home")
    }

    /// The bytes of every file, with names and times: what a reader must leave as it is.
    pub(crate) fn fingerprint(&self) -> Vec<(PathBuf, u64, std::time::SystemTime, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.dir()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let entry = entry.unwrap();
                let meta = entry.metadata().unwrap();
                if meta.is_dir() {
                    folders.push(entry.path());
                } else {
                    let bytes = std::fs::read(entry.path()).unwrap();
                    found.push((entry.path(), meta.len(), meta.modified().unwrap(), bytes));
                }
            }
        }
        found.sort();
        found
    }
}

/// A ledger with request 47892: a decision, a write with a diff, a denied send, and hostile text in the intent;
/// and request 500, whose session has not ended.
pub(crate) fn store() -> Store {
    made(false)
}

/// The same, and request 666, in which everything that a sender names is hostile.
pub(crate) fn hostile_store() -> Store {
    made(true)
}

/// A record: its event and what it says.
pub(crate) type Said = (&'static str, Value);

fn made(hostile: bool) -> Store {
    let mut opened = renewal()[..2].to_vec();
    opened[0].1["recount.request.aliases"] = json!(["chat-500"]);
    let (store, ledger, clock) = empty();
    seal(&ledger, &clock, "s-main-0001", "47892", &renewal(), true);
    seal(&ledger, &clock, "s-open-0001", "500", &opened, false);
    if hostile {
        seal(&ledger, &clock, "s-odd-00001", "666", &odd(), true);
    }
    ledger.close().unwrap();
    store
}

/// A ledger with these sessions: id, request, records; each is over.
pub(crate) fn store_of(sessions: &[(&str, &str, Vec<Said>)]) -> Store {
    let (store, ledger, clock) = empty();
    for (label, request, records) in sessions {
        seal(&ledger, &clock, label, request, records, true);
    }
    ledger.close().unwrap();
    store
}

fn empty() -> (Store, Ledger, Arc<AtomicU64>) {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("store");
    std::fs::create_dir(temp.path().join("home")).unwrap();
    let origin = Some("ledger.example.test/one".to_owned());
    init(
        &dir,
        &InitOptions {
            origin,
            now_ns: START_NS,
        },
    )
    .unwrap();
    let clock = Arc::new(AtomicU64::new(START_NS));
    let told = Arc::clone(&clock);
    let mut options = Options::new(Arc::new(move || told.fetch_add(1_000, Ordering::SeqCst)));
    options.sign_soon = Duration::from_millis(1);
    options.sign_late = Duration::from_millis(1);
    // How full this machine's disk is, is no part of a test.
    options.space_of = Arc::new(|_| None);
    let ledger = Ledger::open(&dir, options).unwrap();
    (Store { temp }, ledger, clock)
}

/// What a sender can put into every name: titles, clipboards, links, C1, bidirectional controls, line feeds.
const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}]52;c;eA==\u{7}\u{1b}]8;;x\u{1b}\\\u{9b}31m\u{9d}0;x\u{9c}\u{202e}\u{2066}\u{200b}\r\n\u{7f}";

/// A session in which everything that a sender names is hostile.
fn odd() -> Vec<(&'static str, Value)> {
    let text = json!({ "state": "present", "media_type": "text/plain", "inline": HOSTILE });
    let resource = format!("file:out/{HOSTILE}");
    vec![
        (
            "agent.session.start",
            json!({ "recount.principal.kind": "person", "recount.principal.display": HOSTILE, "recount.request.aliases": [HOSTILE] }),
        ),
        ("agent.intent", json!({ "recount.intent": text })),
        (
            "agent.scope",
            json!({ "recount.scope.version": HOSTILE, "recount.scope.entries": [format!("write file:{HOSTILE}")], "recount.scope.declared_by": HOSTILE }),
        ),
        (
            "agent.authorization",
            json!({ "recount.authorization.id": "az", "recount.authorization.policy": HOSTILE, "recount.authorization.permissions": [HOSTILE], "recount.authorization.granted_by": HOSTILE }),
        ),
        (
            "agent.decision.log",
            json!({ "recount.decision.id": "d", "recount.decision.question": HOSTILE, "recount.decision.rationale": HOSTILE, "recount.decision.chosen": [HOSTILE], "recount.discarded": [{ "option": HOSTILE, "reason": HOSTILE }] }),
        ),
        ("agent.reasoning", json!({ "recount.content": text })),
        (
            "agent.tool.invoke",
            json!({ "recount.action.id": "a", "recount.action.kind": HOSTILE, "recount.action.access": "write", "recount.action.operation": HOSTILE, "recount.target": resource, "recount.decision.id": "d", "recount.authorization.id": "az" }),
        ),
        (
            "agent.diff",
            json!({ "recount.diff.id": "f", "recount.action.id": "a", "recount.resource": resource, "recount.before": { "state": "absent" }, "recount.after": text, "recount.effect": "committed" }),
        ),
        (
            "agent.tool.result",
            json!({ "recount.action.id": "a", "recount.outcome": "failure", "recount.effect": "committed", "recount.result": HOSTILE, "error.type": HOSTILE, "recount.error.message": HOSTILE }),
        ),
        (
            "agent.verdict",
            json!({ "recount.action.id": "a", "recount.verdict": "deny", "recount.rule": HOSTILE }),
        ),
        ("agent.log.line", json!({ "recount.content": text })),
        (HOSTILE, json!({})),
        (
            "agent.session.end",
            json!({ "recount.session.end_reason": "partial", "recount.session.summary": HOSTILE }),
        ),
    ]
}

fn renewal() -> Vec<(&'static str, Value)> {
    let draft = "Subject: Your renewal\nDear Acme\n";
    let text = |text: &str| json!({ "state": "present", "size": text.len(), "media_type": "text/plain", "inline": text });
    let hidden = json!({ "state": "not_captured", "why": "not asked for" });
    let begin = |id: &str,
                 kind: &str,
                 access: &str,
                 operation: &str,
                 target: &str,
                 decision: Option<&str>| {
        let mut all = json!({
            "recount.action.id": id, "recount.action.kind": kind, "recount.action.access": access,
            "recount.action.name": operation, "recount.action.operation": operation, "recount.target": target,
            "recount.input": hidden, "recount.durability": "strict", "recount.attempt": 1,
        });
        if let Some(decision) = decision {
            all["recount.decision.id"] = json!(decision);
        }
        all
    };
    let end = |id: &str, outcome: &str, effect: &str, result: &str| {
        json!({
            "recount.action.id": id, "recount.outcome": outcome, "recount.effect": effect,
            "recount.output": hidden, "recount.result": result,
        })
    };
    vec![
        (
            "agent.session.start",
            json!({
                "recount.trigger.kind": "chat", "recount.principal.kind": "person",
                "recount.principal.issuer": "https://idp.example.test", "recount.principal.subject": "u-104",
                "recount.principal.display": "user@example.test",
            }),
        ),
        (
            "agent.intent",
            json!({ "recount.intent": text("draft a renewal \u{1b}[31m\u{202e}email") }),
        ),
        (
            "agent.scope",
            json!({
                "recount.scope.version": 1, "recount.scope.declared_by": "renewal-agent",
                "recount.scope.entries": ["read http:crm.example.test/**", "write file:pending-review/**"],
            }),
        ),
        (
            "agent.tool.invoke",
            begin(
                "a-1",
                "http",
                "read",
                "GET",
                "http:crm.example.test/accounts",
                None,
            ),
        ),
        ("agent.tool.result", end("a-1", "success", "none", "200 OK")),
        (
            "agent.decision.log",
            json!({
                "recount.decision.id": "d-1", "recount.decision.point": "rank", "recount.decision.made_by": "code",
                "recount.decision.question": "which customer?", "recount.decision.rationale": "highest value",
                "recount.decision.chosen": ["Acme"], "recount.decision.considered": ["Acme", "Orbit"],
                "recount.discarded": [{ "option": "Orbit", "reason": "open sev-1 ticket" }],
            }),
        ),
        (
            "agent.tool.invoke",
            begin(
                "a-2",
                "file",
                "write",
                "create",
                "file:pending-review/acme.md",
                Some("d-1"),
            ),
        ),
        (
            "agent.diff",
            json!({
                "recount.diff.id": "f-1", "recount.action.id": "a-2", "recount.resource": "file:pending-review/acme.md",
                "recount.before": { "state": "absent" }, "recount.after": text(draft),
                "recount.read_before": "unlocked", "recount.read_after": "later_read", "recount.effect": "committed",
            }),
        ),
        (
            "agent.tool.result",
            end("a-2", "success", "committed", "33 bytes"),
        ),
        (
            "agent.tool.invoke",
            begin(
                "a-3",
                "http",
                "send",
                "POST",
                "http:mail.example.test/send",
                Some("d-1"),
            ),
        ),
        (
            "agent.verdict",
            json!({
                "recount.action.id": "a-3", "recount.verdict": "deny", "recount.rule": "R-7 drafts-only",
                "recount.policy.version": "7",
            }),
        ),
        ("agent.tool.result", end("a-3", "denied", "none", "denied")),
        (
            "agent.session.end",
            json!({ "recount.session.end_reason": "partial" }),
        ),
    ]
}

fn seal(
    ledger: &Ledger,
    clock: &AtomicU64,
    label: &str,
    request: &str,
    records: &[(&str, Value)],
    close: bool,
) {
    let resource = json!({ "attributes": attributes(&json!({
        "service.name": "renewal-agent", "gen_ai.agent.name": "renewal-agent",
        "gen_ai.agent.version": "1.4.0", "host.name": "host-a",
    })) });
    let part = CollectorPart {
        session_rule: SessionRule::SessionAttribute,
        producer_proof: ProducerProof::None,
        recording_mode: RecordingMode::SelfRecorded,
        delivery: Delivery::Plain,
        principal_proof: PrincipalProof::None,
        session_label: label.to_owned(),
        producer: "unauthenticated:http".to_owned(),
        claimed_producer: String::new(),
        masks: vec![],
        enrolled_key: None,
    };
    let (part, resource) = (part.encode().unwrap(), resource.to_string());
    let items: Vec<String> = records
        .iter()
        .enumerate()
        .map(|(seq, (event, said))| {
            let mut all = json!({ "session.id": label, "recount.request.id": request, "recount.seq": seq });
            all.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
            let at = clock.fetch_add(10_000_000, Ordering::SeqCst);
            json!({ "timeUnixNano": at.to_string(), "eventName": event, "attributes": attributes(&all) }).to_string()
        })
        .collect();
    let received_ns = clock.fetch_add(10_000_000, Ordering::SeqCst);
    let prepared: Vec<Record<'_>> = items
        .iter()
        .map(|item| Record {
            envelope: Envelope {
                encoding: Encoding::Json,
                signal: Signal::Logs,
                collector: &part,
                resource: resource.as_bytes(),
                resource_schema_url: b"",
                scope: b"{}",
                scope_schema_url: b"",
                item: item.as_bytes(),
            },
            flags: 0,
            received_ns,
        })
        .collect();
    let stream = StreamBatch {
        key: StreamKey {
            label: label.to_owned(),
            rule: SessionRule::SessionAttribute,
            producer: "unauthenticated:http".to_owned(),
            proof: ProducerProof::None,
            claim: String::new(),
        },
        records: Prepared::new(&prepared).unwrap(),
        run: None,
        requests: std::iter::once(request)
            .chain(
                records[0].1["recount.request.aliases"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str),
            )
            .map(|name| Named {
                name: name.to_owned(),
                rule: 1,
                evidence: 0,
            })
            .collect(),
        links: vec![],
        close: close.then_some(Close {
            reason: 1,
            declared: u64::MAX,
        }),
    };
    ledger
        .append_and_wait(Batch {
            streams: vec![stream],
            ..Batch::default()
        })
        .unwrap();
}

fn attributes(map: &Value) -> Value {
    let of = |(key, value): (&String, &Value)| json!({ "key": key, "value": value_of(value) });
    Value::Array(map.as_object().unwrap().iter().map(of).collect())
}

fn value_of(value: &Value) -> Value {
    match value {
        Value::String(text) => json!({ "stringValue": text }),
        Value::Bool(value) => json!({ "boolValue": value }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        Value::Array(members) => {
            json!({ "arrayValue": { "values": members.iter().map(value_of).collect::<Vec<_>>() } })
        }
        Value::Object(_) => json!({ "kvlistValue": { "values": attributes(value) } }),
        Value::Null => json!({}),
    }
}

/// Flips one bit of a file, at the first place where the needle is found; falls back to the middle.
pub(crate) fn flip(file: &Path, needle: &[u8]) {
    let mut bytes = std::fs::read(file).unwrap();
    let at = bytes
        .windows(needle.len())
        .position(|window| window == needle)
        .expect("the needle is in the file");
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}
