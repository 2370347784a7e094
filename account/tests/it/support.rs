//! A store in a temporary folder, and records written by hand as OTLP/JSON.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use account::Options;
use account::model::Account;
use ledger::envelope::{
    CollectorPart, Delivery, Encoding, Envelope, PrincipalProof, ProducerProof, RecordingMode,
    SessionRule, Signal,
};
use ledger::store::{
    Batch, Close, Folder, InitOptions, Ledger, Named, Prepared, Record, Run, StreamBatch,
    StreamKey, init,
};
use ledger::verify::Trusted;
use serde_json::{Value, json};

/// 2026-03-14T09:12:04Z.
pub(crate) const START_NS: u64 = 1_773_479_524_000_000_000;

/// A store, and the clock of everything in it.
pub(crate) struct World {
    temp: tempfile::TempDir,
    ledger: Option<Ledger>,
    clock: Arc<AtomicU64>,
    /// The time that the writer tells.
    told: Arc<AtomicU64>,
    /// Flags of the leaves of what is sealed.
    pub(crate) flags: u32,
    /// What the close of a stream says that its producer sent.
    pub(crate) declared: u64,
    /// Whether the numbers of records are told to the ledger, as a collector does.
    pub(crate) numbered: bool,
}

/// What one sender sends for one session.
pub(crate) struct Sender {
    pub(crate) label: String,
    pub(crate) request: Option<String>,
    pub(crate) producer: String,
    pub(crate) resource: Value,
    pub(crate) rule: SessionRule,
    pub(crate) principal: PrincipalProof,
    pub(crate) signal: Signal,
    /// Whether the collector knows the sender as a recorder.
    pub(crate) mode: RecordingMode,
    /// Trace and span that the next records name, in hex.
    pub(crate) span: Option<[String; 2]>,
    items: Vec<Value>,
    seq: u64,
    /// Numbers of the items that wait.
    sequence: Vec<u64>,
}

impl World {
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("store");
        init(
            &dir,
            &InitOptions {
                origin: Some("ledger.example.test/one".to_owned()),
                now_ns: START_NS,
            },
        )
        .unwrap();
        let clock = Arc::new(AtomicU64::new(START_NS));
        // The writer has a clock of its own: how often it looks depends on the machine.
        let told = Arc::new(AtomicU64::new(START_NS));
        let mut world = Self {
            temp,
            ledger: None,
            clock,
            told,
            flags: 0,
            declared: ledger::leaf::NOT_DECLARED,
            numbered: false,
        };
        world.open();
        world
    }

    /// Goes on writing after something was read.
    pub(crate) fn open(&mut self) {
        let tell = Arc::clone(&self.told);
        let mut options =
            ledger::store::Options::new(Arc::new(move || tell.fetch_add(1_000, Ordering::SeqCst)));
        options.sign_soon = Duration::from_millis(1);
        options.sign_late = Duration::from_millis(1);
        // How full this machine's disk is, is no part of a test.
        options.space_of = Arc::new(|_| None);
        let dir = self.temp.path().join("store");
        self.ledger = Some(Ledger::open(&dir, options).unwrap());
    }

    /// Seals a statement of the collector; gives the index of its leaf.
    pub(crate) fn state(&self, statement: ledger::store::Statement) -> u64 {
        let ledger = self.ledger.as_ref().unwrap();
        ledger.state(vec![statement]).unwrap()[0]
    }

    /// The next moment, 10 ms on.
    pub(crate) fn tick(&self) -> u64 {
        self.clock.fetch_add(10_000_000, Ordering::SeqCst)
    }

    /// Lets time pass for everybody.
    pub(crate) fn wait(&self, seconds: u64) {
        for clock in [&self.clock, &self.told] {
            clock.fetch_add(seconds * 1_000_000_000, Ordering::SeqCst);
        }
    }

    /// Seals that something was refused.
    pub(crate) fn refuse(&self, payload: ledger::leaf::RefusedPayload) {
        let batch = Batch {
            refused: vec![payload],
            ..Batch::default()
        };
        self.ledger
            .as_ref()
            .unwrap()
            .append_and_wait(batch)
            .unwrap();
    }

    /// Seals what a sender has, and closes its stream if `close`.
    pub(crate) fn seal(&self, sender: &mut Sender, close: bool) {
        let resource = json!({ "attributes": attributes(&sender.resource) }).to_string();
        let items: Vec<Vec<u8>> = sender
            .items
            .drain(..)
            .map(|item| item.to_string().into_bytes())
            .collect();
        self.append(sender, Encoding::Json, resource.as_bytes(), &items, close);
        sender.sequence.clear();
    }

    /// Seals bytes as they are.
    pub(crate) fn append(
        &self,
        sender: &Sender,
        encoding: Encoding,
        resource: &[u8],
        items: &[Vec<u8>],
        close: bool,
    ) {
        let part = CollectorPart {
            session_rule: sender.rule,
            producer_proof: ProducerProof::None,
            recording_mode: sender.mode,
            delivery: Delivery::Plain,
            principal_proof: sender.principal,
            session_label: sender.label.clone(),
            producer: sender.producer.clone(),
            claimed_producer: String::new(),
            masks: vec![],
            enrolled_key: None,
        };
        let part = part.encode().unwrap();
        let received_ns = self.tick();
        let records: Vec<Record<'_>> = items
            .iter()
            .map(|item| Record {
                envelope: Envelope {
                    encoding,
                    signal: sender.signal,
                    collector: &part,
                    resource,
                    resource_schema_url: b"",
                    scope: b"{}",
                    scope_schema_url: b"",
                    item,
                },
                flags: self.flags,
                received_ns,
            })
            .collect();
        let requests = sender.request.iter().map(|name| Named {
            name: name.clone(),
            rule: 1,
            evidence: 0,
        });
        let stream = StreamBatch {
            key: StreamKey {
                label: sender.label.clone(),
                rule: sender.rule,
                producer: sender.producer.clone(),
                proof: ProducerProof::None,
                claim: String::new(),
            },
            records: Prepared::new(&records).unwrap(),
            run: self.numbered.then(|| Run {
                producer: format!("p-{}", sender.label),
                run: format!("r-{}", sender.label),
                sequence: sender.sequence.clone(),
                lost: Vec::new(),
            }),
            requests: requests.collect(),
            links: vec![],
            close: close.then_some(Close {
                reason: 1,
                declared: self.declared,
            }),
        };
        let batch = Batch {
            streams: vec![stream],
            ..Batch::default()
        };
        self.ledger
            .as_ref()
            .unwrap()
            .append_and_wait(batch)
            .unwrap();
    }

    /// Stops the writer, so that everything is signed, and opens the folder to read.
    pub(crate) fn read(&mut self) -> Folder {
        if let Some(ledger) = self.ledger.take() {
            ledger.close().unwrap();
        }
        Folder::open(&self.temp.path().join("store")).unwrap()
    }

    pub(crate) fn account(&mut self, query: &str) -> Account {
        account::build(
            &self.read(),
            &Trusted::FirstSeen,
            query,
            &Options::default(),
        )
        .unwrap()
    }
}

impl Sender {
    pub(crate) fn sdk(label: &str, request: &str) -> Self {
        Self {
            label: label.to_owned(),
            request: Some(request.to_owned()),
            producer: "unauthenticated:http".to_owned(),
            resource: json!({
                "service.name": "renewal-agent", "gen_ai.agent.name": "renewal-agent",
                "gen_ai.agent.version": "1.4.0", "host.name": "host-a",
                "recount.producer": format!("p-{label}"), "recount.run": format!("r-{label}"),
            }),
            rule: SessionRule::SessionAttribute,
            principal: PrincipalProof::None,
            signal: Signal::Logs,
            mode: RecordingMode::SelfRecorded,
            span: None,
            items: Vec::new(),
            seq: 0,
            sequence: Vec::new(),
        }
    }

    /// One record of the catalogue.
    pub(crate) fn tell(&mut self, world: &World, event: &str, attributes_of: Value) -> &mut Self {
        let mut all = json!({ "session.id": self.label, "recount.seq": self.seq });
        if let Some(request) = &self.request {
            all["recount.request.id"] = json!(request);
        }
        self.sequence.push(self.seq);
        self.seq += 1;
        all.as_object_mut()
            .unwrap()
            .extend(attributes_of.as_object().unwrap().clone());
        let mut item = json!({
            "timeUnixNano": world.tick().to_string(),
            "eventName": event,
            "attributes": attributes(&all),
        });
        if let Some([trace, span]) = &self.span {
            item["traceId"] = json!(trace);
            item["spanId"] = json!(span);
        }
        self.raw(item)
    }

    /// A record that gets a number and is never sent.
    pub(crate) fn skip(&mut self) -> &mut Self {
        self.seq += 1;
        self
    }

    /// The next record gets the number of the last one again.
    pub(crate) fn again(&mut self) -> &mut Self {
        self.seq -= 1;
        self
    }

    /// One item as it is.
    pub(crate) fn raw(&mut self, item: Value) -> &mut Self {
        self.items.push(item);
        self
    }

    /// The begin of an action.
    pub(crate) fn begin(
        &mut self,
        world: &World,
        id: &str,
        what: [&str; 4],
        more: Value,
    ) -> &mut Self {
        let [kind, access, operation, target] = what;
        let mut all = json!({
            "recount.action.id": id, "recount.action.kind": kind, "recount.action.access": access,
            "recount.action.name": format!("{kind} {operation}"), "recount.action.operation": operation,
            "recount.target": target, "recount.input": { "state": "not_captured", "why": "not asked for" },
            "recount.durability": if access == "read" { "spool" } else { "strict" }, "recount.attempt": 1,
        });
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.tell(world, "agent.tool.invoke", all)
    }

    /// The end of an action.
    pub(crate) fn end(
        &mut self,
        world: &World,
        id: &str,
        outcome: &str,
        effect: &str,
        more: Value,
    ) -> &mut Self {
        let mut all = json!({
            "recount.action.id": id, "recount.outcome": outcome, "recount.effect": effect,
            "recount.output": { "state": "not_captured", "why": "not asked for" },
        });
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.tell(world, "agent.tool.result", all)
    }

    /// A diff of an action.
    pub(crate) fn diff(
        &mut self,
        world: &World,
        id: &str,
        action: &str,
        resource: &str,
        sides: [Value; 2],
        more: Value,
    ) -> &mut Self {
        let [before, after] = sides;
        let mut all = json!({
            "recount.diff.id": id, "recount.action.id": action, "recount.resource": resource,
            "recount.before": before, "recount.after": after, "recount.read_before": "precondition_sent",
            "recount.read_after": "response_body", "recount.effect": "committed",
        });
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.tell(world, "agent.diff", all)
    }
}

/// Content that is all there.
pub(crate) fn content(text: &str, media_type: &str) -> Value {
    json!({ "state": "present", "size": text.len(), "media_type": media_type, "inline": text })
}

/// JSON as OTLP/JSON attributes.
pub(crate) fn attributes(map: &Value) -> Value {
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
